import pytest

from app import errors
from app.errors import (
    BadRequest,
    ErrorCode,
    Forbidden,
    NotFound,
    Outage,
    PersistedQueryNotFound,
    RateLimited,
    RequestFault,
    ServiceUnavailable,
    TooComplex,
    TooManyRequests,
    Unauthenticated,
    ValidationFailed,
)


def test_a_refusal_says_the_sentence_of_its_class() -> None:
    no = NotFound()

    assert (no.code, no.message, no.field) == (
        ErrorCode.NOT_FOUND,
        "We cannot find that.",
        None,
    )
    assert str(no) == "We cannot find that."


def test_a_refusal_may_say_what_is_to_blame() -> None:
    no = ValidationFailed("Choose 4 to 12 digits.", field=("to", "accountNumber"))

    assert no.message == "Choose 4 to 12 digits."
    assert no.field == ["to", "accountNumber"]


def test_facts_stand_beside_the_sentence() -> None:
    assert RateLimited(30).retry_after_s == 30
    unwell = ServiceUnavailable("TRANSFERS", 5)
    assert (unwell.component, unwell.retry_after_s) == ("TRANSFERS", 5)
    lost = Outage("core timed out", component="ACCOUNTS")
    assert (lost.cause, lost.component, lost.retry_after_s) == (
        "core timed out",
        "ACCOUNTS",
        2,
    )


@pytest.mark.parametrize(
    ("fault", "code", "status", "facts"),
    [
        (BadRequest("no operation"), "BAD_REQUEST", 400, {}),
        (TooComplex("depth"), "TOO_COMPLEX", 400, {"budget": "depth"}),
        (PersistedQueryNotFound(), "PERSISTED_QUERY_NOT_FOUND", 400, {}),
        (
            Unauthenticated("TOKEN_EXPIRED"),
            "UNAUTHENTICATED",
            401,
            {"reason": "TOKEN_EXPIRED"},
        ),
        (
            Forbidden(requiredLevel="LOGIN"),
            "FORBIDDEN",
            403,
            {"requiredLevel": "LOGIN"},
        ),
        (TooManyRequests(9), "RATE_LIMITED", 429, {"retryAfterSeconds": 9}),
    ],
)
def test_a_fault_has_its_code_status_and_facts(
    fault: RequestFault, code: str, status: int, facts: dict[str, object]
) -> None:
    assert (fault.code, fault.status, fault.facts) == (code, status, facts)


def test_the_tree_in_the_docstring_names_every_class_of_the_file() -> None:
    drawn = errors.__doc__ or ""

    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert kind.__name__ in drawn
