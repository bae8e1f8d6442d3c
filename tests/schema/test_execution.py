"""One entry for HTTP and sockets: prepared once, guarded, priced, masked."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from app.auth.actor import Actor
from app.errors import BadRequest
from app.schema.execution import Call, Channel, Prepared, Rejection
from app.schema.masking import Answer
from tests.schema.tiny import (
    LOOSE,
    SCHEMA,
    SECRET,
    FakeBank,
    a_bank,
    a_context,
    an_engine,
    asha,
    nobody,
    phone,
    stranger,
)

MOVE = """mutation Move($input: MoveInput!) {
  move(input: $input) {
    moved { minorUnits currency exponent }
    userErrors {
      __typename code message field
      ... on RateLimitedError { retryAfterSeconds }
      ... on ServiceUnavailableError { component wait: retryAfterSeconds }
    }
  }
}"""
KEY = "0198a000-0000-7000-8000-000000000001"


async def asked(
    text: str, actor: Actor | None = None, bank: FakeBank | None = None, **rest: Any
) -> Answer:
    used = bank or a_bank()
    over = rest.pop("over", Channel.HTTP)
    call = Call(text, **rest)
    return await an_engine(used).run(a_context(used, actor), call, over=over)


def codes(answer: Answer) -> list[str]:
    errors = cast("list[dict[str, Any]]", answer.body["errors"])
    return [error["extensions"]["code"] for error in errors]


def facts(answer: Answer) -> dict[str, object]:
    errors = cast("list[dict[str, Any]]", answer.body["errors"])
    return dict(errors[0]["extensions"])


def move_input(**parts: object) -> dict[str, object]:
    amount = {"minorUnits": "1050", "currency": "INR"}
    return {"input": {"idempotencyKey": KEY, "amount": amount} | parts}


async def test_a_query_is_answered_with_its_price() -> None:
    answer = await asked("{ ping }")

    assert answer == Answer(200, {"data": {"ping": "pong"}, "extensions": {"cost": 1}})


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


async def test_an_operation_that_takes_too_long_is_internal() -> None:
    answer = await asked("{ slow }", bank=a_bank(max_operation_s=0.01))

    assert (answer.status, codes(answer)) == (500, ["INTERNAL"])


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


@pytest.mark.parametrize(
    ("actor", "text", "expected"),
    [
        (nobody(), "{ ping }", None),
        (nobody(), "{ phone }", ("DPOP_REQUIRED", {})),
        (stranger(), "{ phone }", ("UNAUTHENTICATED", {"reason": "DEVICE_UNKNOWN"})),
        (phone(), "{ phone }", None),
        (nobody(), "{ mine }", ("UNAUTHENTICATED", {"reason": "TOKEN_MISSING"})),
        (stranger(), "{ mine }", ("UNAUTHENTICATED", {"reason": "DEVICE_UNKNOWN"})),
        (phone(), "{ mine }", ("FORBIDDEN", {"requiredLevel": "LOGIN"})),
        (phone(), "{ ping mine }", ("FORBIDDEN", {"requiredLevel": "LOGIN"})),
        (phone(), "{ ...F } fragment F on Query { mine }", ("FORBIDDEN", {})),
        (asha(), "{ mine phone ping }", None),
        (asha(), "{ scoped }", None),
        (asha(()), "{ scoped }", ("FORBIDDEN", {"requiredScope": "payments"})),
        (phone(LOOSE), "mutation { eventsAck }", ("DPOP_INVALID", {})),
        (phone(), "mutation { eventsAck }", None),
        (nobody(), "mutation { start }", None),
        (stranger(), "mutation { start }", None),
    ],
)
async def test_the_highest_level_of_the_document_decides(
    actor: Actor, text: str, expected: tuple[str, dict[str, object]] | None
) -> None:
    answer = await asked(text, actor)

    if expected is None:
        assert answer.status == 200
    else:
        assert codes(answer) == [expected[0]]
        assert facts(answer).items() >= expected[1].items()
        assert answer.is_refused


async def test_a_refused_caller_pays_nothing_and_is_not_active() -> None:
    bank = a_bank()

    await asked(MOVE, phone(), bank, variables=move_input())

    assert (bank.moves, bank.callers.charged, bank.sessions.touched) == ([], [], [])


async def test_an_empty_bucket_refuses_with_the_time_to_wait() -> None:
    bank = a_bank()
    bank.callers.empty = True

    answer = await asked(MOVE, asha(), bank, variables=move_input())

    assert (answer.status, codes(answer)) == (429, ["RATE_LIMITED"])
    assert facts(answer)["retryAfterSeconds"] == 9
    assert bank.moves == []


async def test_a_size_in_a_variable_is_charged_and_limited() -> None:
    bank = a_bank()
    text = "query ($n: Int) { rows(first: $n) { nodes { beside { number } } } }"

    fine = await asked(text, bank=bank, variables={"n": 3})
    dear = await asked(text, bank=a_bank(max_cost=50), variables={"n": 49})

    assert fine.status == 200
    assert bank.callers.charged == [2 + 3 * 2]
    assert (codes(dear), facts(dear)["budget"]) == (["TOO_COMPLEX"], "cost")


async def test_what_the_customer_asks_moves_the_idle_clock() -> None:
    bank = a_bank()

    await asked("{ mine }", asha(), bank)
    await asked("mutation { eventsAck }", asha(), bank)
    await asked("{ ping }", phone(), bank)

    assert len(bank.sessions.touched) == 1


async def test_a_socket_carries_no_mutation_but_the_named_ones() -> None:
    refused = await asked("mutation { start }", phone(), over=Channel.SOCKET)
    allowed = await asked("mutation { eventsAck }", phone(LOOSE), over=Channel.SOCKET)

    assert codes(refused) == ["FORBIDDEN"]
    assert allowed.status == 200


async def test_an_operation_is_chosen_by_its_name() -> None:
    text = "query A { ping } query B { mine }"

    chosen = await asked(text, operation_name="A")
    unnamed = await asked(text)
    unknown = await asked(text, operation_name="C")

    assert chosen.status == 200
    assert [codes(unnamed), codes(unknown)] == [["BAD_REQUEST"], ["BAD_REQUEST"]]


def test_a_text_is_examined_once_good_or_bad() -> None:
    engine = an_engine(a_bank())

    good, bad = engine.prepare("{ ping }"), engine.prepare("{ pong }")

    assert isinstance(good, Prepared)
    assert isinstance(bad, Rejection)
    assert engine.prepare("{ ping }") is good
    assert engine.prepare("{ pong }") is bad


def test_the_oldest_text_makes_room() -> None:
    engine = an_engine(a_bank(max_documents=2))
    first = engine.prepare("{ ping }")
    engine.prepare("{ phone }")

    engine.prepare("{ mine }")

    assert engine.prepare("{ ping }") is not first


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


async def opened(text: str, actor: Actor | None = None) -> object:
    bank = a_bank()
    return await an_engine(bank).subscribe(a_context(bank, actor), Call(text))


async def test_a_subscription_streams_until_it_ends() -> None:
    stream = cast(
        "AsyncIterator[Answer]", await opened("subscription { ticks(upTo: 3) }")
    )

    answers = [answer.body async for answer in stream]

    assert answers == [{"data": {"ticks": number}} for number in range(3)]


async def test_a_stream_that_breaks_ends_with_internal_and_shows_nothing() -> None:
    stream = cast(
        "AsyncIterator[Answer]", await opened("subscription { ticks(upTo: 20) }")
    )

    answers = [answer async for answer in stream]

    assert len(answers) == 14
    assert codes(answers[-1]) == ["INTERNAL"]
    assert SECRET not in str(answers[-1].body)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("subscription { own }", "UNAUTHENTICATED"),
        ("{ ping }", "BAD_REQUEST"),
        ("subscription { tocks }", "BAD_REQUEST"),
    ],
)
async def test_a_subscription_may_be_refused_before_it_starts(
    text: str, code: str
) -> None:
    answer = await opened(text)

    assert isinstance(answer, Answer)
    assert codes(answer) == [code]


def test_what_may_be_left_out_prints_without_a_default() -> None:
    printed = SCHEMA.as_str()

    assert "count: Int64\n" in printed
    assert "move(input: MoveInput!): MovePayload! " in printed
    assert '@auth(level: LOGIN, scope: "payments") @cost(weight: 1200)' in printed
    assert "= null" not in printed
