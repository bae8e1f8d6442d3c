"""What we let a remote core write carries our words, and is looked at afterwards."""

from uuid import UUID

import pytest

from app import database
from app.accounts import words
from app.accounts.feed import Feed
from app.accounts.row import Transaction, TransactionStatus
from app.accounts.teller import Teller
from app.accounts.transactions import PageQuery
from app.accounts.words import Words
from app.clock import StoppedClock
from app.errors import Outage
from app.ids import CustomerId, PaymentId, uuid7
from app.integrations.core_banking import (
    AccountState,
    CoreCustomer,
    Hold,
    Narrative,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.outcome import NotSent, Ok, PortCode, Rejected
from app.money import Money
from tests.accounts.far_core import FarCore
from tests.accounts.far_world import FarRoom
from tests.accounts.world import an_op

PAYMENT = uuid7()
RENT = Narrative(
    "Rent of May",
    payment=PAYMENT,
    reference="May",
    payer_name="Asha Rao",
    payer_masked="••••0101",
    payee_name="Ben Okafor",
    payee_masked="••••0201",
)


def inr(minor: int) -> Money:
    return Money(minor, "INR")


async def newest(room: FarRoom, owner: CustomerId) -> Transaction:
    account = (await room.accounts.of_customer(owner))[0]
    page = await room.transactions.pages([account], PageQuery(size=1))
    return page[account.id].rows[0]


async def test_both_sides_show_our_words_and_not_the_cores(far_room: FarRoom) -> None:
    asha, ben = CustomerId.new(), CustomerId.new()
    payer = await far_room.an_account(1000, owner=asha)
    payee = await far_room.an_account(owner=ben)

    await far_room.core.transfer(an_op(), payer.ref, payee.ref, inr(250), RENT)

    out, came = await newest(far_room, asha), await newest(far_room, ben)
    assert (out.counterparty_name, out.counterparty_masked) == (
        "Ben Okafor",
        "••••0201",
    )
    assert (came.counterparty_name, came.counterparty_masked) == (
        "Asha Rao",
        "••••0101",
    )
    assert out.narration == came.narration == "Rent of May"
    assert out.reference == came.reference == "May"
    assert out.payment == came.payment == PaymentId(PAYMENT)
    assert out.id != came.id
    found = await far_room.transactions.of_payments({PaymentId(PAYMENT): payer})
    assert found == {PaymentId(PAYMENT): out}


async def test_a_row_is_found_by_what_our_words_say(far_room: FarRoom) -> None:
    payer, payee = await far_room.an_account(1000), await far_room.an_account()
    await far_room.core.transfer(an_op(), payer.ref, payee.ref, inr(250), RENT)

    rows = await database.read("SELECT search FROM mirror_transaction ORDER BY search")

    assert [row.get("search", str) for row in rows] == [
        "asha rao rent of may may",
        "ben okafor rent of may may",
        "cash",
    ]


async def test_a_refused_write_leaves_no_row(far_room: FarRoom) -> None:
    payer, payee = await far_room.an_account(100), await far_room.an_account()

    outcome = await far_room.core.transfer(
        an_op(), payer.ref, payee.ref, inr(250), RENT
    )

    assert outcome == Rejected(PortCode.INSUFFICIENT_FUNDS)
    assert (await newest(far_room, payer.customer)).amount == inr(100)


async def test_a_write_of_which_nobody_heard_is_found_by_the_lookup(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    payer, payee = await far_room.an_account(1000), await far_room.an_account()
    op = an_op()
    await words.keep(
        Words(op=op.id, root=op.id, src=payer.ref, dst=payee.ref, text=RENT),
        clock.now(),
    )
    await far_room.far.transfer(op, payer.ref, payee.ref, inr(250), RENT)
    context = OpContext(payer.ref, payee.ref, inr(250), clock.now())

    found = await far_room.teller.lookup(op, OpKind.TRANSFER, context)
    await far_room.settled()

    assert isinstance(found, Ok)
    row = await newest(far_room, payer.customer)
    assert (row.amount, row.reference) == (inr(250), "May")


async def test_an_undone_payment_is_reversed_on_the_same_row(
    far_room: FarRoom,
) -> None:
    payer = await far_room.an_account(1000)
    held = await far_room.teller.hold(an_op(), payer.ref, inr(300), RENT)
    assert isinstance(held, Ok)
    booked = await far_room.teller.capture(an_op(), held.value, None)
    assert isinstance(booked, Ok)
    await far_room.settled()
    before = await newest(far_room, payer.customer)

    await far_room.teller.reverse(an_op(), booked.value, "Came back")
    await far_room.settled()

    after = await newest(far_room, payer.customer)
    assert (before.status, after.status) == (
        TransactionStatus.BOOKED,
        TransactionStatus.REVERSED,
    )
    assert after.id == before.id
    balance = (await far_room.balances.of([payer]))[payer.id]
    assert balance.available == inr(1000)


async def test_a_block_of_ours_is_shown_at_once(far_room: FarRoom) -> None:
    account = await far_room.an_account(1000)

    await far_room.core.set_state(an_op(), account.ref, AccountState.BLOCKED)

    found = (await far_room.accounts.of_customer(account.customer))[0]
    assert not found.can_debit


async def test_words_are_kept_once(far_room: FarRoom, clock: StoppedClock) -> None:
    op = an_op()
    said = Words(op=op.id, root=op.id, src="1", dst="2", text=RENT)
    await words.keep(said, clock.now())

    await words.keep(
        Words(op=op.id, root=op.id, src="3", dst=None, text=Narrative("Other")),
        clock.now(),
    )

    assert await words.of(op.id) == said
    assert await words.of(UUID(int=7)) is None


async def test_nothing_leaves_whose_words_cannot_be_kept(clock: StoppedClock) -> None:
    far = FarCore(clock)
    src, dst = far.open("a", 1000), far.open("b")
    teller = Teller(far, Feed(core=far, core_name="far", clock=clock), clock)

    for write in (
        teller.transfer(an_op(), src, dst, inr(1), RENT),
        teller.hold(an_op(), src, inr(1), RENT),
        teller.capture(an_op(), Hold(uuid7(), src, inr(1)), None),
        teller.reverse(an_op(), Posting(uuid7(), clock.now()), "Back"),
    ):
        with pytest.raises(NotSent):  # no database is open here
            await write

    assert (far.kept[src].booked, far.kept[src].held) == (1000, 0)


async def test_marking_never_fails_a_write_that_was_done(clock: StoppedClock) -> None:
    far = FarCore(clock)
    src = far.open("a", 1000)
    teller = Teller(far, Feed(core=far, core_name="far", clock=clock), clock)

    done = await teller.set_state(an_op(), src, AccountState.BLOCKED)

    assert done == Ok(None)


async def test_a_core_that_is_away_is_asked_nothing_twice(far_room: FarRoom) -> None:
    payer, payee = await far_room.an_account(1000), await far_room.an_account()
    far_room.far.away = True

    with pytest.raises(Outage):
        await far_room.teller.transfer(an_op(), payer.ref, payee.ref, inr(1), RENT)

    assert far_room.far.kept[payer.ref].booked == 1000


async def test_a_hold_that_never_was_lends_its_words_to_no_other(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    account = await far_room.an_account(1000)
    lost, context = an_op(), OpContext(account.ref, None, inr(300), clock.now())
    await words.keep(
        Words(
            op=lost.id,
            root=lost.id,
            src=account.ref,
            dst=None,
            text=RENT,
            held=300,
        ),
        clock.now(),
    )
    made = an_op()
    await far_room.far.hold(made, account.ref, inr(300), Narrative("Branch"))

    never = await far_room.teller.lookup(lost, OpKind.HOLD, context)
    there = await far_room.teller.lookup(made, OpKind.HOLD, context)
    await far_room.settled()

    assert never == Rejected(PortCode.NEVER_SEEN)
    assert there == Ok(Hold(made.id, account.ref, inr(300)))
    row = await newest(far_room, account.customer)
    assert (row.status, row.reference) == (TransactionStatus.PENDING, None)


@pytest.mark.parametrize("kind", [OpKind.CAPTURE, OpKind.RELEASE])
async def test_a_hold_whose_end_nobody_heard_of_lends_its_words_to_no_other(
    far_room: FarRoom, clock: StoppedClock, kind: OpKind
) -> None:
    account = await far_room.an_account(1000)
    held = await far_room.teller.hold(an_op(), account.ref, inr(300), RENT)
    assert isinstance(held, Ok)
    hold, op = held.value, an_op()
    if kind is OpKind.CAPTURE:
        await far_room.far.capture(op, hold, None)
    else:
        await far_room.far.release(op, hold)
    at = clock.now()

    found = await far_room.teller.lookup(
        op, kind, OpContext(account.ref, None, inr(300), at, hold.id)
    )

    assert isinstance(found, Ok)
    row = await database.read_one(
        "SELECT held FROM mirror_words WHERE op_id = $1", hold.id
    )
    assert row is not None
    assert row.find("held", int) is None


async def test_what_else_is_asked_of_the_core_goes_straight_through(
    far_room: FarRoom,
) -> None:
    account = await far_room.an_account(1000)
    owner = CoreCustomer(account.customer, account.customer.value.hex)

    listed = await far_room.teller.accounts(owner)
    (balance,) = await far_room.teller.balances([account.ref])

    assert [one.ref for one in listed] == [account.ref]
    assert balance.available == inr(1000)
    assert (await far_room.teller.health()).reachable
    assert far_room.teller.caps == far_room.far.caps
