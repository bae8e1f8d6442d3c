"""Balances of any number of accounts, live and in one statement."""

from app import database
from app.accounts.balances import shot
from app.accounts.sheet import LocalSheet
from app.clock import StoppedClock
from app.integrations.core_banking import Narrative
from app.integrations.core_banking.embedded import EmbeddedCore
from app.money import Money
from tests.accounts.world import Room, an_op


async def test_a_balance_is_booked_held_and_available(
    room: Room, clock: StoppedClock
) -> None:
    account = await room.an_account(1000)
    await room.core.hold(an_op(), account.ref, Money(300, "INR"), Narrative("Shop"))
    clock.move(hours=1)

    found = (await room.balances.of([account]))[account.id]

    assert (found.booked.minor, found.held.minor, found.available.minor) == (
        1000,
        300,
        700,
    )
    assert (found.as_of, found.stale, found.version) == (clock.now(), False, 2)
    told = shot(found)
    assert (told.booked, told.held, told.available) == (1000, 300, 700)
    assert (told.currency, told.version) == ("INR", 2)


async def test_many_balances_are_one_statement(any_room: Room) -> None:
    room = any_room
    accounts = [await room.an_account(10 + number) for number in range(12)]

    async with database.watched_statements() as seen:
        found = await room.balances.of(accounts)

    assert len(seen) == 1
    assert [found[account.id].booked.minor for account in accounts] == [
        10 + number for number in range(12)
    ]


async def test_a_book_of_ours_is_known_until_now(
    room: Room, clock: StoppedClock
) -> None:
    account = await room.an_account(1000)

    assert (await room.balances.sure(account)).available == Money(1000, "INR")
    until = await LocalSheet(EmbeddedCore(clock), clock).known_until([account.ref])
    assert until == {account.ref: clock.now()}
