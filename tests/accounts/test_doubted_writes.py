"""A write whose answer was lost, or that was cut, still finds its words and is seen."""

import asyncio

import pytest

from app.accounts import words
from app.accounts.account import Account
from app.accounts.transactions import PageQuery
from app.accounts.words import Words
from app.clock import StoppedClock
from app.errors import Outage
from app.integrations.core_banking import Hold, Narrative, OpContext, OpKind
from app.integrations.outcome import NotSent, Ok, Outcome, PortCode, Rejected
from app.money import Money
from tests.accounts.far_world import FarRoom
from tests.accounts.world import an_op

AMOUNT = Money(300, "INR")
RENT = Narrative("Rent", payer_name="Asha Rao", payee_name="Ben Okafor")


async def rows(room: FarRoom, account: Account) -> list[tuple[str, str | None]]:
    """Give status and other side of the rows of our amount."""
    page = (await room.transactions.pages([account], PageQuery(size=9)))[account.id]
    return [
        (row.status.value, row.counterparty_name)
        for row in page.rows
        if row.amount == AMOUNT
    ]


async def captured(room: FarRoom, clock: StoppedClock, hold: Hold) -> None:
    """Capture a hold a moment later and look at its account."""
    clock.move(seconds=5)
    assert isinstance(await room.teller.capture(an_op(), hold, None), Ok)
    await room.settled()


async def refused(*_asked: object) -> Outcome[Hold]:
    """Say no as an adapter that asks nobody."""
    return Rejected(PortCode.ACCOUNT_BLOCKED, unasked=True)


async def test_a_hold_that_was_lost_and_sent_again_goes_on_as_its_booking(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    payer, op = await far_room.an_account(1000), an_op()
    far_room.far.away = True
    with pytest.raises(Outage):
        await far_room.teller.hold(op, payer.ref, AMOUNT, RENT)
    far_room.far.away = False
    context = OpContext(payer.ref, None, AMOUNT, clock.now())
    asked = await far_room.teller.lookup(op, OpKind.HOLD, context)
    assert asked == Rejected(PortCode.NEVER_SEEN)

    held = await far_room.teller.hold(op, payer.ref, AMOUNT, RENT)
    await far_room.settled()
    before = await rows(far_room, payer)
    assert isinstance(held, Ok)
    await captured(far_room, clock, held.value)

    assert before == [("PENDING", "Ben Okafor")]
    assert await rows(far_room, payer) == [("BOOKED", "Ben Okafor")]


async def test_a_no_that_asked_nobody_leaves_a_hold_that_may_be_there_its_words(
    far_room: FarRoom, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer, op = await far_room.an_account(1000), an_op()
    said = Words(op=op.id, root=op.id, src=payer.ref, dst=None, text=RENT, held=300)
    await words.keep(said, clock.now())  # and the process died over the answer
    made = await far_room.far.hold(op, payer.ref, AMOUNT, RENT)
    assert isinstance(made, Ok)

    with monkeypatch.context() as blocked:
        blocked.setattr(far_room.far, "hold", refused)
        await far_room.teller.hold(op, payer.ref, AMOUNT, RENT)
    await far_room.settled()
    await captured(far_room, clock, made.value)

    assert await rows(far_room, payer) == [("BOOKED", "Ben Okafor")]


async def test_a_no_that_asked_nobody_ends_the_words_of_what_was_never_sent(
    far_room: FarRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer, op = await far_room.an_account(1000), an_op()
    monkeypatch.setattr(far_room.far, "hold", refused)

    await far_room.teller.hold(op, payer.ref, AMOUNT, RENT)

    kept = await words.of(op.id)
    assert kept is not None
    assert kept.held is None


@pytest.mark.parametrize("kind", ["hold", "transfer"])
async def test_a_write_that_is_cut_off_is_looked_at_all_the_same(
    far_room: FarRoom, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    payer, payee = await far_room.an_account(1000), await far_room.an_account()
    real = getattr(far_room.far, kind)
    done = asyncio.Event()

    async def dripping(*asked: object) -> None:
        await real(*asked)
        done.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(far_room.far, kind, dripping)
    writing = {
        "hold": far_room.teller.hold(an_op(), payer.ref, AMOUNT, RENT),
        "transfer": far_room.teller.transfer(
            an_op(), payer.ref, payee.ref, AMOUNT, RENT
        ),
    }
    write = asyncio.create_task(writing.pop(kind))
    for other in writing.values():
        other.close()
    await done.wait()

    write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    await far_room.settled()

    balance = (await far_room.balances.of([payer]))[payer.id]
    assert (balance.available, balance.stale) == (Money(700, "INR"), False)


async def test_what_surely_never_left_is_not_looked_at(
    far_room: FarRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer = await far_room.an_account(1000)
    far_room.far.looks.clear()

    async def busy(*_asked: object) -> Outcome[Hold]:
        raise NotSent("busy", component="TRANSFERS")

    monkeypatch.setattr(far_room.far, "hold", busy)
    with pytest.raises(NotSent):
        await far_room.teller.hold(an_op(), payer.ref, AMOUNT, RENT)
    await far_room.settled()

    assert far_room.far.looks == []
