"""One entry for HTTP and sockets: prepared once, guarded, priced, masked."""

from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from app.errors import BadRequest
from app.schema.execution import Call
from app.schema.masking import Answer
from app.schema.prepare import Prepared, Rejection
from tests.schema.asking import KEY, MOVE, asked, codes, facts, move_input
from tests.schema.tiny import (
    SCHEMA,
    SECRET,
    a_bank,
    an_engine,
    asha,
)

pytestmark = pytest.mark.usefixtures("way")  # by plans, then by graphql-core


async def test_a_query_is_answered_with_its_price() -> None:
    answer = await asked("{ ping }")

    said: dict[str, object] = {"data": {"ping": "pong"}, "extensions": {"cost": 1}}
    assert answer == Answer(200, said, packable=True)


async def test_production_shows_no_price() -> None:
    answer = await asked("{ ping }", bank=a_bank(introspection=False))

    assert answer.body == {"data": {"ping": "pong"}}


async def test_a_mutation_moves_once_and_answers_money() -> None:
    bank = a_bank()

    answer = await asked(MOVE, asha(), bank, variables=move_input())

    assert answer.body["data"] == {
        "move": {
            "moved": {"minorUnits": "1050", "currency": "INR", "exponent": 2},
            "userErrors": [],
        }
    }
    assert bank.moves == [KEY]
    assert bank.callers.charged == [1200 + 3]  # payload, money and errors


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (
            "limited",
            {
                "__typename": "RateLimitedError",
                "code": "RATE_LIMITED",
                "message": "Too many tries. Please wait a little.",
                "field": None,
                "retryAfterSeconds": 30,
            },
        ),
        (
            "invalid",
            {
                "__typename": "GenericError",
                "code": "VALIDATION_FAILED",
                "message": "Too much.",
                "field": ["amount"],
            },
        ),
        (
            "foreign",
            {
                "__typename": "GenericError",
                "code": "NOT_FOUND",
                "message": "We cannot find that.",
                "field": None,
            },
        ),
        (
            "outage",
            {
                "__typename": "ServiceUnavailableError",
                "code": "SERVICE_UNAVAILABLE",
                "message": "This part of the bank is not available at the moment.",
                "field": None,
                "component": "TRANSFERS",
                "wait": 7,
            },
        ),
    ],
)
async def test_a_no_of_the_bank_is_a_user_error_and_nothing_moves(
    outcome: str, expected: dict[str, object]
) -> None:
    bank = a_bank()

    answer = await asked(MOVE, asha(), bank, variables=move_input(outcome=outcome))

    data = cast("Any", answer.body["data"])
    assert answer.status == 200
    assert data["move"] == {"moved": None, "userErrors": [expected]}
    assert bank.moves == []


@pytest.mark.parametrize(
    "document", ["{ boom }", "{ lost }", MOVE], ids=["bug", "lost refusal", "mutation"]
)
async def test_what_was_not_expected_shows_nothing_of_the_inside(
    document: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await asked(document, asha(), variables=move_input(outcome="bug"))

    assert answer.status == 500
    assert answer.body["data"] is None
    assert codes(answer) == ["INTERNAL"]
    assert SECRET not in str(answer.body)
    assert facts(answer) == {"code": "INTERNAL", "requestId": "0123456789abcdef"}
    assert SECRET in capsys.readouterr().out  # the log, unconfigured, is stdout


async def test_one_broken_field_leaves_the_others_and_the_status() -> None:
    answer = await asked("{ crack ping }")

    assert answer.status == 200
    assert answer.body["data"] == {"crack": None, "ping": "pong"}
    assert codes(answer) == ["INTERNAL"]


async def test_an_operation_that_takes_too_long_is_internal_and_no_bug() -> None:
    with capture_logs() as said:
        answer = await asked("{ slow }", bank=a_bank(max_operation_s=0.01))

    assert (answer.status, codes(answer)) == (500, ["INTERNAL"])
    assert [line["event"] for line in said] == ["operation_too_slow"]


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("{ ping", 400, "BAD_REQUEST"),
        ("{ pong }", 400, "BAD_REQUEST"),
        ("{ ping(text: 5) }", 400, "BAD_REQUEST"),
        ("{ ping @unknown }", 400, "BAD_REQUEST"),
        ("", 400, "BAD_REQUEST"),
        ("subscription { ticks(upTo: 1) }", 400, "BAD_REQUEST"),
        ("{ rows(first: 101) { nodes { number } } }", 400, "BAD_REQUEST"),
        ("{ rows(first: 0) { nodes { number } } }", 400, "BAD_REQUEST"),
        ('{ page(after: "bm9uc2Vuc2U") }', 400, "BAD_REQUEST"),
        ("{ phone }", 401, "DPOP_REQUIRED"),
        ("{ mine }", 401, "UNAUTHENTICATED"),
        ("{ bare }", 403, "FORBIDDEN"),
    ],
)
async def test_what_never_became_an_operation_has_errors_and_no_data(
    text: str, status: int, code: str
) -> None:
    answer = await asked(text)

    assert (answer.status, codes(answer)) == (status, [code])
    assert answer.is_refused


async def test_at_most_five_errors_are_sent() -> None:
    answer = await asked("{ a b c d e f g h }")

    assert codes(answer) == ["BAD_REQUEST"] * 5


async def test_names_of_the_schema_are_not_suggested() -> None:
    typos = (
        "{ pimg row { numbre } rows(frist: 1) { nodes { number } } ... on Quary { x } }"
    )

    answer = await asked(typos)

    assert "Did you mean" not in str(answer.body)
    assert "'ping'" not in str(answer.body)


async def test_production_says_nothing_about_the_schema() -> None:
    answer = await asked("{ pimg }", bank=a_bank(introspection=False))

    assert facts(answer) == {"code": "BAD_REQUEST", "requestId": "0123456789abcdef"}


@pytest.mark.parametrize("text", ["{ __schema { types { name } } }"])
async def test_schema_queries_are_answered_only_where_they_are_allowed(
    text: str,
) -> None:
    allowed = await asked(text)
    refused = await asked(text, bank=a_bank(introspection=False))

    assert allowed.status == 200
    assert (refused.status, set(codes(refused))) == (400, {"BAD_REQUEST"})


@pytest.mark.parametrize(
    "parts",
    [
        {"idempotencyKey": "not-a-key"},
        {"idempotencyKey": KEY.upper().replace("0", "A")},
        {"amount": {"minorUnits": 10.5, "currency": "INR"}},
        {"amount": {"minorUnits": "1e3", "currency": "INR"}},
        {"amount": {"minorUnits": "9223372036854775808", "currency": "INR"}},
        {"amount": {"minorUnits": 2**53, "currency": "INR"}},
        {"amount": {"minorUnits": True, "currency": "INR"}},
        {"amount": {"minorUnits": "1", "currency": "inr"}},
        {"unheard": 1},
    ],
)
async def test_a_wrong_variable_is_a_bad_request_that_repeats_no_value(
    parts: dict[str, object],
) -> None:
    bank = a_bank()

    answer = await asked(MOVE, asha(), bank, variables=move_input(**parts))

    assert (answer.status, codes(answer)) == (400, ["BAD_REQUEST"])
    assert facts(answer)["why"] == "Variable '$input' has an invalid value."
    assert bank.moves == []


async def test_a_null_for_an_argument_that_needs_a_value_is_the_callers_mistake() -> (
    None
):
    text = 'query ($c: String = "x") { page(after: $c) }'

    answer = await asked(text, variables={"c": None})

    assert (answer.status, codes(answer)) == (400, ["BAD_REQUEST"])


async def test_an_operation_is_chosen_by_its_name() -> None:
    text = "query A { ping } query B { mine }"

    chosen = await asked(text, operation_name="A")
    unnamed = await asked(text)
    unknown = await asked(text, operation_name="C")

    assert chosen.status == 200
    assert [codes(unnamed), codes(unknown)] == [["BAD_REQUEST"], ["BAD_REQUEST"]]


def test_a_text_is_examined_once_good_or_bad() -> None:
    engine = an_engine(a_bank())

    good, bad = engine.document(Call("{ ping }")), engine.document(Call("{ pong }"))

    assert isinstance(good, Prepared)
    assert isinstance(bad, Rejection)
    assert engine.document(Call("{ ping }")) is good
    assert engine.document(Call("{ pong }")) is bad


def test_the_oldest_text_makes_room() -> None:
    engine = an_engine(a_bank(max_documents=2))
    first = engine.document(Call("{ ping }"))
    engine.document(Call("{ phone }"))

    engine.document(Call("{ mine }"))

    assert engine.document(Call("{ ping }")) is not first


@pytest.mark.parametrize(
    "sent",
    [
        None,
        [],
        [{"query": "{ ping }"}],
        "text",
        7,
        {},
        {"query": 7},
        {"query": "{ ping }", "variables": []},
        {"query": "{ ping }", "operationName": 1},
        {"query": "{ ping }", "extensions": "x"},
    ],
)
def test_a_call_is_an_object_whose_members_have_their_types(sent: object) -> None:
    with pytest.raises(BadRequest):
        Call.of(sent)


def test_unknown_members_of_a_call_are_ignored() -> None:
    assert Call.of({"query": "{ ping }", "variables": None, "id": 5}) == Call(
        "{ ping }"
    )


def test_what_may_be_left_out_prints_without_a_default() -> None:
    printed = SCHEMA.as_str()

    assert "count: Int64\n" in printed
    assert "move(input: MoveInput!): MovePayload! " in printed
    assert '@auth(level: LOGIN, scope: "payments") @cost(weight: 1200)' in printed
    assert "= null" not in printed
