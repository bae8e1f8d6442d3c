"""Rows between two looks, out of sight of both: fetched, told once, never lost."""

from dataclasses import replace

import pytest

from app import database
from app.accounts import words
from app.accounts.account import Account
from app.accounts.transactions import PageQuery
from app.clock import StoppedClock
from app.ids import CustomerId
from app.integrations.core_banking import Hold, Narrative
from app.integrations.outcome import Ok
from app.money import Money
from app.realtime.facts import TransactionPosted, TransactionUpdated
from tests.accounts.far_world import FarRoom, told
from tests.accounts.world import an_op

ALL = PageQuery(size=100)
SHOP = Narrative("Shop", payer_name="Asha Rao", payee_name="Shop", reference="42")


async def looked(room: FarRoom, clock: StoppedClock, account: Account) -> None:
    """Look a minute later; no history is fetched."""
    clock.move(minutes=1)
    await room.feed.seen([account])


async def fetched(room: FarRoom) -> None:
    """Fetch all history there is."""
    while await room.feed.history():
        pass


async def amounts(room: FarRoom, account: Account) -> list[int]:
    """Give the amounts of the mirror's rows, newest first."""
    rows = (await room.transactions.pages([account], ALL))[account.id].rows
    return [row.amount.minor for row in rows]


async def posted(customer: CustomerId) -> list[int]:
    """Give the amounts of the new rows the customer was told of, sorted."""
    return sorted(
        fact.transaction.amount
        for fact in await told(customer)
        if isinstance(fact, TransactionPosted)
    )


async def a_hold(room: FarRoom, account: Account, minor: int = 500) -> Hold:
    """Hold money as the bank does, and look at it."""
    made = await room.teller.hold(an_op(), account.ref, Money(minor, "INR"), SHOP)
    assert isinstance(made, Ok)
    await room.settled()
    return made.value


async def told_of(customer: CustomerId, minor: int) -> list[tuple[str, str]]:
    """Give what was told of rows of an amount: kind and status, oldest first."""
    return [
        (type(fact).__name__, fact.transaction.status)
        for fact in await told(customer)
        if isinstance(fact, TransactionPosted | TransactionUpdated)
        and fact.transaction.amount == minor
    ]


@pytest.mark.parametrize("more", [1, 20, 25])
async def test_every_row_of_an_account_that_was_empty_is_fetched_and_told(
    far_room: FarRoom, clock: StoppedClock, more: int
) -> None:
    asha = CustomerId.new()
    account = await far_room.an_account(owner=asha)
    for minor in range(1, more + 1):
        far_room.far.deposit(account.ref, minor)

    await looked(far_room, clock, account)
    between = await far_room.feed.known_until([account.ref])
    await fetched(far_room)

    assert await amounts(far_room, account) == list(range(more, 0, -1))
    assert await posted(asha) == list(range(1, more + 1))
    assert (between == {}) is (more > 20)
    assert await far_room.feed.known_until([account.ref]) == {account.ref: clock.now()}


async def test_a_row_under_rows_that_are_not_shown_is_fetched_and_told(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    asha = CustomerId.new()
    account = await far_room.an_account(100, owner=asha)
    far_room.far.deposit(account.ref, 7)
    for _ in range(20):
        far_room.far.hidden.add(far_room.far.deposit(account.ref, 0).id)

    await looked(far_room, clock, account)
    await fetched(far_room)

    assert await amounts(far_room, account) == [7, 100]
    assert await posted(asha) == [7]
    assert await far_room.feed.known_until([account.ref]) == {account.ref: clock.now()}


async def test_a_hold_that_was_booked_out_of_sight_is_booked_and_never_declined(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    asha = CustomerId.new()
    account = await far_room.an_account(100_000, owner=asha)
    hold = await a_hold(far_room, account)
    shown = (await far_room.transactions.pages([account], ALL))[account.id].rows[0]
    # The process dies between the capture and the look after it.
    capture, kept = an_op(), await words.of(hold.id)
    assert kept is not None
    await words.keep(replace(kept, op=capture.id, held=None), clock.now())
    await far_room.far.capture(capture, hold, None)
    for _ in range(25):
        far_room.far.deposit(account.ref, 1)

    await looked(far_room, clock, account)
    between = await told_of(asha, 500)
    await fetched(far_room)

    rows = await database.read(
        "SELECT status, reference FROM mirror_transaction WHERE id = $1",
        shown.id.value,
    )
    assert [(row.get("status", str), row.get("reference", str)) for row in rows] == [
        ("BOOKED", "42")
    ]
    assert between == [("TransactionPosted", "PENDING")]
    assert (await told_of(asha, 500))[1:] == [("TransactionUpdated", "BOOKED")]


async def test_a_hold_that_was_freed_out_of_sight_is_declined_when_all_is_known(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    asha = CustomerId.new()
    account = await far_room.an_account(100_000, owner=asha)
    hold = await a_hold(far_room, account)
    await far_room.far.release(an_op(), hold)
    for _ in range(25):
        far_room.far.deposit(account.ref, 1)

    await looked(far_room, clock, account)
    between = await told_of(asha, 500)
    await fetched(far_room)

    assert between == [("TransactionPosted", "PENDING")]
    assert (await told_of(asha, 500))[1:] == [("TransactionUpdated", "DECLINED")]


async def test_an_open_hold_under_a_gap_stays_open(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    asha = CustomerId.new()
    account = await far_room.an_account(100_000, owner=asha)
    await a_hold(far_room, account)
    for _ in range(25):
        far_room.far.deposit(account.ref, 1)

    await looked(far_room, clock, account)
    await fetched(far_room)
    await looked(far_room, clock, account)

    assert await told_of(asha, 500) == [("TransactionPosted", "PENDING")]


async def test_an_op_of_ours_on_an_account_it_does_not_touch_says_nothing(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    payer = await far_room.an_account(1000)
    payee = await far_room.an_account()
    other = await far_room.an_account()
    op, rent = an_op(), replace(SHOP, memo="rent for flat 9", payee_name="Ben Okafor")
    await far_room.teller.transfer(op, payer.ref, payee.ref, Money(5, "INR"), rent)
    await far_room.settled()
    far_room.far.deposit(other.ref, 1)
    far_room.far.change(other.ref, op=op.id)

    await looked(far_room, clock, other)

    pages = await far_room.transactions.pages([payee, other], ALL)
    ours, theirs = pages[payee.id].rows[0], pages[other.id].rows[0]
    assert (ours.counterparty_name, ours.narration) == ("Asha Rao", "rent for flat 9")
    assert (theirs.counterparty_name, theirs.narration) == (None, "Cash")
    assert (theirs.reference, theirs.payment) == (None, None)


@pytest.mark.parametrize("first", [0, 3, 40])
@pytest.mark.parametrize("turns", [0, 1])
async def test_a_gap_over_an_open_one_is_told_and_what_was_there_before_is_not(
    far_room: FarRoom, clock: StoppedClock, first: int, turns: int
) -> None:
    asha = CustomerId.new()
    ref = far_room.far.open(asha.value.hex)
    for minor in range(first):
        far_room.far.deposit(ref, 1 + minor)
    await far_room.link(asha)
    await far_room.settled()
    account = (await far_room.accounts.of_customer(asha))[0]
    if first < 40:  # else the account's first history is still to be fetched, too
        await fetched(far_room)

    for hundred in (100, 200, 300):
        clock.move(hours=25)
        for minor in range(30):
            far_room.far.deposit(ref, hundred + minor)
        await looked(far_room, clock, account)
        for _ in range(turns):
            await far_room.feed.history()
    await fetched(far_room)

    new = [hundred + minor for hundred in (100, 200, 300) for minor in range(30)]
    assert await posted(asha) == new
    rows = await database.read("SELECT amount FROM mirror_transaction")
    kept = sorted(row.get("amount", int) for row in rows)
    assert kept == [*range(1, first + 1), *new]
