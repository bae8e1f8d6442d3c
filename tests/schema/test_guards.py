"""Who may call: the highest level of the document, scopes, price, activity."""

import pytest

from app.auth.actor import Actor
from app.schema.execution import Channel
from tests.schema.asking import MOVE, asked, codes, facts, move_input
from tests.schema.tiny import (
    LOOSE,
    a_bank,
    asha,
    nobody,
    phone,
    stranger,
)

pytestmark = pytest.mark.usefixtures("way")  # by plans, then by graphql-core


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
