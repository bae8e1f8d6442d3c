"""When a no of the Fineract adapter is final: who said it, and what it proves."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from app.clock import StoppedClock
from app.integrations.core_banking import AccountState, OpKind, Posting
from app.integrations.core_banking.fineract.sending import Sending, Write
from app.integrations.core_banking.fineract.stuck import ASK_AFTER_S, EARLY
from app.integrations.exchange import Answer, Ask
from app.integrations.outcome import (
    NotSent,
    Ok,
    OpRef,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from app.money import Money
from tests.integrations.fineract_answers import ACCOUNT, AT, HOLD, asked, batch
from tests.integrations.fineract_world import RENT, Town, an_op, inr, value_of

ALREADY = {"userMessageGlobalisationCode": "error.msg.interop.transfer.already.on.hold"}
COMMITTED = {
    "userMessageGlobalisationCode": "error.msg.interop.transfer.already.committed"
}
MISSING = {"userMessageGlobalisationCode": "error.msg.interop.onhold.transfer.missing"}
NOTHING = {"total": 0, "content": []}
FINE = {"state": "ACCEPTED", "transferCode": str(HOLD.id)}
OP = OpRef(HOLD.id, b"f" * 32)


# ------------------------------------------------------------------ a no of our own


@pytest.mark.parametrize(
    ("account", "amount", "code"),
    [
        ({"status": {"closed": True}}, inr(100), PortCode.ACCOUNT_CLOSED),
        ({"subStatus": {"block": True}}, inr(100), PortCode.ACCOUNT_BLOCKED),
        ({"externalId": None}, inr(100), PortCode.NOT_SUPPORTED),
        ({}, inr(0), PortCode.VALIDATION),
        ({}, Money(100, "EUR"), PortCode.CURRENCY_MISMATCH),
    ],
)
async def test_a_no_without_a_question_says_that_it_is_one(
    account: dict[str, object], amount: Money, code: PortCode
) -> None:
    routes: dict[str, object] = {
        "/v1/interoperation": FINE,
        "/v1/batches": batch({**ACCOUNT, **account}),
    }

    found = await asked(routes, lambda core: core.hold(OP, "7", amount, RENT))

    assert isinstance(found, Rejected)
    assert (found.code, found.unasked) == (code, True)


async def test_a_no_of_the_core_is_final(town: Town) -> None:
    asha = await town.account(100)

    poor = await town.core.hold(an_op(), asha, inr(101), RENT)

    assert isinstance(poor, Rejected)
    assert (poor.code, poor.unasked) == (PortCode.INSUFFICIENT_FUNDS, False)


@pytest.mark.parametrize("places", [0, 3, None])
async def test_an_account_that_rounds_otherwise_is_not_moved(
    places: int | None,
) -> None:
    rounded = {**ACCOUNT, "currency": {"code": "INR", "decimalPlaces": places}}
    sent: dict[str, object] = {"/v1/interoperation": FINE, "/v1/accounttransfers": {}}

    held = await asked(
        {**sent, "/v1/batches": batch(rounded)},
        lambda core: core.hold(OP, "7", inr(1050), RENT),
    )
    moved = await asked(
        {**sent, "/v1/batches": batch({**ACCOUNT, "id": 8}, rounded)},
        lambda core: core.transfer(an_op(), "8", "7", inr(1050), RENT),
    )

    assert held == moved == Rejected(PortCode.CURRENCY_MISMATCH, unasked=True)


@pytest.mark.parametrize(
    ("account", "code"),
    [
        ((404, MISSING), PortCode.ACCOUNT_NOT_FOUND),
        ((200, {**ACCOUNT, "status": {"closed": True}}), PortCode.ACCOUNT_CLOSED),
    ],
)
async def test_a_state_that_no_account_can_have_is_a_no_of_our_own(
    account: tuple[int, object], code: PortCode
) -> None:
    status, body = account
    (part,) = batch(body)
    assert isinstance(part, dict)
    routes: dict[str, object] = {"/v1/batches": [{**part, "statusCode": status}]}

    found = await asked(
        routes, lambda core: core.set_state(OP, "7", AccountState.BLOCKED)
    )

    assert found == Rejected(code, unasked=True)


@pytest.mark.parametrize(
    "answer",
    [
        (429, ""),
        (401, ""),
        (403, {"userMessageGlobalisationCode": "error.msg.not.authorized"}),
    ],
)
async def test_an_account_between_two_blocks_is_not_one_to_which_nothing_was_done(
    answer: object,
) -> None:
    blocked = {**ACCOUNT, "subStatus": {"block": True}}
    routes: dict[str, object] = {
        "command=unblock": {"resourceId": 7},
        "command=blockDebit": answer,
        "/v1/batches": batch(blocked),
    }

    found = await asked(
        routes, lambda core: core.set_state(OP, "7", AccountState.BLOCK_DEBIT)
    )

    assert isinstance(found, Unknown)


# ------------------------------------------------------------------ there already


@pytest.mark.parametrize("said", [ALREADY, COMMITTED])
async def test_a_hold_that_is_there_under_its_own_name_was_made(
    said: dict[str, str],
) -> None:
    routes: dict[str, object] = {
        "/v1/interoperation": (403, said),
        "/v1/batches": batch(ACCOUNT),
    }

    found = await asked(routes, lambda core: core.hold(OP, "7", inr(100), RENT))

    assert found == Ok(HOLD)


async def test_a_booked_hold_that_the_rows_do_not_show_is_a_doubt() -> None:
    account = {**ACCOUNT, "savingsAmountOnHold": 10}
    routes: dict[str, object] = {
        "/transactions/search": NOTHING,
        "/v1/interoperation/transfers?": (403, ALREADY),
        "/v1/audits": [],
        "/v1/batches": batch(account),
    }

    found = await asked(routes, lambda core: core.capture(an_op(), HOLD, None))

    assert isinstance(found, Unknown)


@pytest.mark.parametrize("other", [300, 200])
async def test_a_capture_of_an_earlier_attempt_is_recognised(
    town: Town, other: int
) -> None:
    asha = await town.account(1000)
    hold, _other = await town.held(asha, 300), await town.held(asha, other)
    first = value_of(await town.core.capture(an_op(), hold, None))

    async with town.again() as bank:
        second = await bank.core.capture(an_op(), hold, None)
        undone = await bank.core.reverse(an_op(), value_of(second), "returned")

    assert value_of(second) == first
    assert isinstance(undone, Ok)
    assert await town.figures(asha) == (1000, other)


async def test_a_release_of_what_is_free_already_is_done(town: Town) -> None:
    asha = await town.account(1000)
    hold = await town.held(asha, 300)
    value_of(await town.core.release(an_op(), hold))

    async with town.again() as bank:
        again = await bank.core.release(an_op(), hold)

    assert again == Ok(None)
    assert await town.figures(asha) == (1000, 0)


async def test_a_release_of_what_is_booked_is_refused(town: Town) -> None:
    asha = await town.account(1000)
    hold = await town.held(asha, 300)
    value_of(await town.core.capture(an_op(), hold, None))

    late = await town.core.release(an_op(), hold)

    assert isinstance(late, Rejected)
    assert await town.figures(asha) == (700, 0)


# ------------------------------------------------------------------ something left


class Line:
    """A core that gives the same answer to every write."""

    def __init__(self, answer: Answer | Unknown) -> None:
        self._answer = answer

    async def write(self, ask: Ask) -> Answer | Unknown:
        del ask
        return self._answer


async def away(since: datetime) -> Outcome[None]:
    """Look when nothing can be connected to."""
    del since
    raise NotSent("refused", component="ACCOUNTS")


def a_write(**more: Any) -> Write[None]:
    """Release a hold."""
    return Write(an_op(), Ask("POST", "/x"), lambda _: Ok(None), away, **more)


@pytest.mark.parametrize(("status", "said"), [(403, ALREADY), (404, MISSING)])
async def test_no_outage_after_an_answer_says_that_nothing_was_sent(
    status: int, said: dict[str, str]
) -> None:
    line: Any = Line(Answer(status, said))

    found = await Sending(line, StoppedClock(AT), 1).send(a_write())

    assert isinstance(found, Unknown)


async def test_no_outage_makes_a_key_under_way_one_that_was_not_sent() -> None:
    line: Any = Line(Unknown(EARLY))
    clock = StoppedClock(AT)
    sending, write = Sending(line, clock, 1), a_write()
    await sending.send(write)
    clock.move(minutes=6)

    found = await sending.send(write)

    assert found == Unknown("refused", ask_after_s=ASK_AFTER_S)


# ------------------------------------------------------------------ a transfer back


async def test_a_burnt_reversal_is_tried_again_by_the_next_op(town: Town) -> None:
    asha, ben = await town.account(1000), await town.account()
    posting = value_of(await town.core.transfer(an_op(), asha, ben, inr(300), RENT))
    town.rig.turn(conflicts=1)

    burnt = await town.core.reverse(an_op(), posting, "sent twice")
    fresh = await town.core.reverse(an_op(), posting, "sent twice")
    late = await town.core.reverse(an_op(), posting, "sent twice")

    assert isinstance(burnt, Rejected)
    assert burnt.code is PortCode.CONFLICT_RETRY
    assert isinstance(fresh, Ok)
    assert late == Rejected(PortCode.VALIDATION, detail="undone before", unasked=True)
    assert await town.figures(asha) == (1000, 0)
    assert await town.figures(ben) == (0, 0)


async def test_a_transfer_back_whose_answer_was_lost_is_found_by_its_op(
    town: Town,
) -> None:
    asha, ben = await town.account(1000), await town.account()
    transfer, op = an_op(), an_op()
    posting = value_of(await town.core.transfer(transfer, asha, ben, inr(300), RENT))
    town.rig.rule("/v1/accounttransfers", kind="drop-after-work", count=1)

    lost = await town.core.reverse(op, posting, "sent twice")
    async with town.again() as bank:
        context = town.context(asha, 300, ben)
        await bank.core.lookup(transfer, OpKind.TRANSFER, context)
        again = await bank.core.reverse(op, posting, "sent twice")
        told = replace(context, earlier=transfer.id)
        looked = await bank.core.lookup(op, OpKind.REVERSE, told)

    assert isinstance(lost, Unknown)
    assert again == looked == Ok(Posting(op.id, posting.booked_at))
    assert await town.figures(asha) == (1000, 0)
    assert await town.figures(ben) == (0, 0)
