"""Pages: newest first, nothing twice, nothing missing, whatever happens meanwhile."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import database
from app.accounts.account import Account
from app.accounts.row import Direction, TransactionKind, TransactionStatus, shot
from app.accounts.transactions import MINI, Filter, Page, PageQuery
from app.clock import StoppedClock
from app.errors import ValidationFailed
from app.ids import CustomerId, TransactionId
from app.integrations.core_banking import Hold, Narrative
from app.integrations.outcome import Ok
from app.money import Money
from tests.accounts.world import Room, actor_of, an_op


@pytest.fixture
def room(any_room: Room) -> Room:
    """Read the same of a book of ours and of a mirror."""
    return any_room


async def one_page(room: Room, account: Account, query: PageQuery) -> Page:
    return (await room.transactions.pages([account], query))[account.id]


async def amounts(room: Room, account: Account, **wanted: object) -> list[int]:
    """Give the amounts of the rows a filter lets through, newest first."""
    query = PageQuery(size=100, filter=Filter(**wanted))  # type: ignore[arg-type]  # a test's words
    page = await one_page(room, account, query)
    return [row.amount.minor for row in page.rows]


async def a_busy_account(room: Room, clock: StoppedClock, rows: int) -> Account:
    """Give an account whose rows have the amounts 1, 2, 3, ... a minute apart."""
    ben, account = await room.an_account(10_000), await room.an_account()
    for number in range(1, rows + 1):
        clock.move(minutes=1)
        await room.pay(ben, account, number)
    return account


async def walk(
    room: Room, account: Account, size: int, *, backward: bool = False
) -> list[int]:
    """Go through all pages from one end and give the amounts as they were met."""
    query, met = PageQuery(size=size, backward=backward), list[int]()
    for _turn in range(100):
        page = await one_page(room, account, query)
        found = [row.amount.minor for row in page.rows]
        met = found + met if backward else met + found
        if not (page.has_previous if backward else page.has_next):
            return met
        query = (
            PageQuery(size=size, backward=True, before=page.rows[0].key)
            if backward
            else PageQuery(size=size, after=page.rows[-1].key)
        )
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("size", [1, 3, 7, 8, 100])
async def test_all_pages_together_are_all_rows_from_either_end(
    room: Room, clock: StoppedClock, size: int
) -> None:
    account = await a_busy_account(room, clock, 7)

    assert await walk(room, account, size) == [7, 6, 5, 4, 3, 2, 1]
    assert await walk(room, account, size, backward=True) == [7, 6, 5, 4, 3, 2, 1]


async def test_rows_of_the_same_instant_are_told_apart(room: Room) -> None:
    ben, account = await room.an_account(10_000), await room.an_account()
    for number in range(1, 10):
        await room.pay(ben, account, number)

    assert sorted(await walk(room, account, 2)) == list(range(1, 10))


async def test_a_page_says_whether_there_is_more_on_either_side(
    room: Room, clock: StoppedClock
) -> None:
    account = await a_busy_account(room, clock, 5)

    first = await one_page(room, account, PageQuery(size=2))
    second = await one_page(room, account, PageQuery(size=2, after=first.rows[-1].key))
    last = await one_page(room, account, PageQuery(size=2, backward=True))
    before = await one_page(
        room, account, PageQuery(size=9, backward=True, before=last.rows[0].key)
    )

    assert (first.has_next, first.has_previous) == (True, False)
    assert (second.has_next, second.has_previous) == (True, True)
    assert [row.amount.minor for row in last.rows] == [2, 1]
    assert (last.has_next, last.has_previous) == (False, True)
    assert [row.amount.minor for row in before.rows] == [5, 4, 3]
    assert (before.has_next, before.has_previous) == (True, False)


async def turned_while_money_moves(
    room: Room, clock: StoppedClock, script: list[str], size: int
) -> None:
    """Turn the pages while rows are added and a pending one is booked or declined."""
    ben, account = await room.an_account(10_000), await room.an_account(10_000)
    for _ in range(3):
        await room.pay(account, ben, 1)
    held, freed = [await a_hold(room, account) for _ in range(2)]
    there = {row.id for row in (await one_page(room, account, PageQuery(size=99))).rows}

    seen: list[TransactionId] = []
    query: PageQuery | None = PageQuery(size=size)
    moves = iter(script)
    while query is not None:
        page = await one_page(room, account, query)
        seen += [row.id for row in page.rows]
        query = PageQuery(size=size, after=page.rows[-1].key) if page.has_next else None
        match next(moves, None):
            case "paid":
                await room.pay(ben, account, 2)
            case "booked":
                await room.core.capture(an_op(), held, None)
            case "declined":
                await room.core.release(an_op(), freed)
            case "later":
                clock.move(seconds=1)
            case _:
                pass

    assert len(seen) == len(set(seen))
    assert there <= set(seen)


MOVES = st.lists(st.sampled_from(["paid", "booked", "declined", "later"]), max_size=12)


@pytest.mark.slow
@settings(max_examples=50)
@given(script=MOVES, size=st.integers(1, 4))
async def test_paging_shows_each_row_once_while_money_moves(
    room: Room, clock: StoppedClock, script: list[str], size: int
) -> None:
    await turned_while_money_moves(room, clock, script, size)


@pytest.mark.chaos
@settings(max_examples=1000)
@given(script=MOVES, size=st.integers(1, 4))
async def test_a_thousand_ways_to_turn_pages_show_each_row_once(
    room: Room, clock: StoppedClock, script: list[str], size: int
) -> None:
    await turned_while_money_moves(room, clock, script, size)


async def a_hold(room: Room, account: Account) -> Hold:
    made = await room.core.hold(
        an_op(), account.ref, Money(77, "INR"), Narrative("Shop", payee_name="Shop")
    )
    assert isinstance(made, Ok)
    return made.value


async def test_a_row_keeps_its_id_and_place_when_it_is_booked(
    room: Room, clock: StoppedClock
) -> None:
    ben, account = await room.an_account(), await room.an_account(1000)
    clock.move(minutes=1)
    held = await a_hold(room, account)
    clock.move(minutes=1)
    await room.pay(account, ben, 5)
    before = await one_page(room, account, PageQuery(size=9))
    clock.move(minutes=1)

    part = Money(70 if room.core.caps.partial_capture else 77, "INR")
    await room.core.capture(an_op(), held, part)

    after = await one_page(room, account, PageQuery(size=9))
    assert [row.id for row in after.rows] == [row.id for row in before.rows]
    assert before.rows[1].status is TransactionStatus.PENDING
    assert before.rows[1].running_balance is None
    row = after.rows[1]
    assert (row.status, row.amount) == (TransactionStatus.BOOKED, part)
    assert row.running_balance == Money(995 - part.minor, "INR")
    assert (row.kind, row.counterparty_name) == (TransactionKind.TRANSFER, "Shop")


async def test_each_part_of_a_filter_holds(room: Room, clock: StoppedClock) -> None:
    account = await a_busy_account(room, clock, 6)
    other = await room.an_account()
    await room.pay(account, other, 4, memo="100% Rent_of_May!")
    start = clock.now() - timedelta(minutes=5)

    def ten(minor: int) -> Money:
        return Money(minor, "INR")

    assert await amounts(room, account, direction=Direction.OUT) == [4]
    assert await amounts(room, account, least=ten(4), most=ten(5)) == [4, 5, 4]
    assert await amounts(room, account, since=start, until=clock.now()) == [
        5,
        4,
        3,
        2,
        1,
    ]
    assert await amounts(room, account, statuses=(TransactionStatus.PENDING,)) == []
    assert await amounts(room, account, text="100% rent_of_MAY!") == [4]
    assert await amounts(room, account, text="100_ rent") == []
    assert await amounts(room, account, text="okafor") == [4]
    assert await amounts(room, account, text="asha", least=ten(6)) == [6]
    both = (TransactionStatus.BOOKED, TransactionStatus.PENDING)
    assert await amounts(room, account, statuses=both, direction=Direction.OUT) == [4]


@pytest.mark.parametrize(
    "query",
    [
        PageQuery(size=0),
        PageQuery(size=101),
        PageQuery(size=5, filter=Filter(least=Money(1, "EUR"))),
        PageQuery(size=5, filter=Filter(most=Money(-1, "INR"))),
        PageQuery(size=5, filter=Filter(text=" ")),
        PageQuery(size=5, filter=Filter(text="x" * 101)),
    ],
)
async def test_a_question_without_sense_is_refused_and_not_asked(
    room: Room, query: PageQuery
) -> None:
    account = await room.an_account()

    async with database.watched_statements() as seen:
        with pytest.raises(ValidationFailed) as caught:
            await one_page(room, account, query)

    assert caught.value.field is not None
    assert seen == []


def test_the_same_filter_has_the_same_name() -> None:
    booked, held = TransactionStatus.BOOKED, TransactionStatus.PENDING

    assert Filter().name == ""
    one = Filter(statuses=(booked, held), text="rent")
    assert one.name == Filter(statuses=(held, booked, held), text="rent").name
    assert len({one.name, Filter(text="rent").name, Filter(text="tea").name}) == 3


async def test_pages_of_many_accounts_are_one_question(
    room: Room, clock: StoppedClock
) -> None:
    busy = await a_busy_account(room, clock, 12)
    quiet = [await room.an_account(number) for number in range(1, 12)]
    await room.transactions.pages([busy, *quiet], PageQuery(size=1))
    await room.settled()

    async with database.watched_statements() as seen:
        pages = await room.transactions.pages([busy, *quiet], PageQuery(size=10))
        mini = await room.transactions.pages([busy, *quiet], PageQuery(size=MINI))

    assert len(seen) == 2 * room.statements
    assert len(pages[busy.id].rows) == 10
    assert [len(pages[account.id].rows) for account in quiet] == [1] * 11
    assert [row.amount.minor for row in mini[busy.id].rows] == [12, 11, 10, 9, 8]


async def test_rows_are_found_by_id_only_by_their_owner(room: Room) -> None:
    asha, ben = CustomerId.new(), CustomerId.new()
    payer = await room.an_account(1000, owner=asha)
    payee = await room.an_account(owner=ben)
    await room.pay(payer, payee, 250)
    own = (await one_page(room, payer, PageQuery(size=1))).rows[0]
    foreign = (await one_page(room, payee, PageQuery(size=1))).rows[0]
    wanted = [own.id, foreign.id, TransactionId.new()]

    found = await room.transactions.by_ids(actor_of(asha), wanted)

    assert found == {own.id: own}
    assert await room.transactions.by_ids(actor_of(asha), []) == {}


async def test_a_row_is_told_as_it_is_read(room: Room) -> None:
    payer, payee = await room.an_account(1000), await room.an_account()
    await room.pay(payer, payee, 250)
    row = (await one_page(room, payer, PageQuery(size=1))).rows[0]
    cash = (await one_page(room, payer, PageQuery(size=2))).rows[1]

    told = shot(row)

    assert (told.id, told.amount, told.direction) == (str(row.id), 250, "OUT")
    assert told.counterparty is not None
    assert told.counterparty.name == "Ben Okafor"
    assert (told.running_balance, told.payment_id) == (750, None)
    assert shot(cash).counterparty is None


async def test_pages_stay_whole_under_concurrent_inserts(
    room: Room, clock: StoppedClock
) -> None:
    account = await a_busy_account(room, clock, 20)
    ben = await room.an_account(10_000)

    async def insert() -> None:
        for _ in range(20):
            await room.pay(ben, account, 500)
            clock.move(milliseconds=1)

    met, _nothing = await asyncio.gather(walk(room, account, 3), insert())

    assert [amount for amount in met if amount != 500] == list(range(20, 0, -1))
