"""What is logged of failures, and how often."""

import pytest
from structlog.testing import capture_logs

from app.errors import BadRequest, Forbidden, Outage, TooComplex, Unauthenticated
from app.schema.masking import Masking, Operation
from tests.schema.tiny import SECRET, a_bank

TOLD = Operation("0123456789abcdef", "Home", "aa11")


def a_masking(*, tells_why: bool = True) -> tuple[Masking, object]:
    bank = a_bank()
    return Masking(bank.clock, most=5, tells_why=tells_why), bank.clock


@pytest.mark.parametrize(
    ("fault", "facts"),
    [
        (Unauthenticated("TOKEN_EXPIRED"), {"reason": "TOKEN_EXPIRED"}),
        (Forbidden(requiredLevel="LOGIN"), {"requiredLevel": "LOGIN"}),
        (TooComplex("depth"), {"budget": "depth"}),
        (BadRequest("A sentence."), {"why": "A sentence."}),
    ],
)
def test_a_fault_shows_its_sentence_code_request_id_and_facts(
    fault: BadRequest, facts: dict[str, str]
) -> None:
    masking, _ = a_masking()

    shown = masking.fault(fault, TOLD)

    known = {"code": fault.code, "requestId": "0123456789abcdef"}
    assert shown == {"message": fault.sentence, "extensions": known | facts}


def test_production_keeps_the_sentences_of_the_schema_to_itself() -> None:
    masking, _ = a_masking(tells_why=False)

    schemas = masking.fault(BadRequest("Cannot query field 'x'."), TOLD)
    transports = masking.fault(BadRequest("Use POST."), TOLD, public_why=True)

    assert "why" not in str(schemas)
    assert "Use POST." in str(transports)


def test_what_callers_do_wrong_is_logged_ten_times_a_minute_then_sampled() -> None:
    bank = a_bank()
    masking = Masking(bank.clock, most=5, tells_why=True)

    with capture_logs() as logs:
        for _ in range(200):
            masking.fault(TooComplex("depth"), TOLD)
        masking.fault(BadRequest(), TOLD)
        bank.clock.move(minutes=1)
        masking.fault(TooComplex("depth"), TOLD)

    assert [one["code"] for one in logs] == ["TOO_COMPLEX"] * 12 + [
        "BAD_REQUEST",
        "TOO_COMPLEX",
    ]
    assert {one["log_level"] for one in logs} == {"info"}
    assert "exception" not in logs[0]


def test_a_bug_is_logged_in_full_every_time() -> None:
    masking, _ = a_masking()
    with capture_logs() as logs:
        shown = masking.failure(RuntimeError(SECRET), TOLD, path=["me", 0])

    assert SECRET not in str(shown)
    assert logs[0]["log_level"] == "error"
    assert SECRET in logs[0]["exception"]
    assert (logs[0]["operation"], logs[0]["path"]) == ("Home", "me.0")


def test_an_outage_is_one_line_that_names_it() -> None:
    masking, _ = a_masking()
    with capture_logs() as logs:
        shown = masking.failure(Outage("DATABASE_AWAY"), TOLD, path=["me"])

    assert "DATABASE_AWAY" not in str(shown)
    assert logs[0]["log_level"] == "warning"
    assert (logs[0]["cause"], logs[0]["operation"]) == ("DATABASE_AWAY", "Home")
    assert "exception" not in logs[0]
