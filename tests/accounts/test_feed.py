"""A remote core is looked at: at once when cold, behind when old, never twice."""

import asyncio
import time
from datetime import timedelta

import pytest

from app.accounts import due
from app.accounts.account import Account
from app.accounts.transactions import PageQuery
from app.clock import StoppedClock
from app.errors import Outage
from app.ids import CustomerId
from app.integrations.core_banking import Look, Narrative
from tests.accounts.far_world import FAR, FarRoom, cold, names_told

MINI = PageQuery(size=5)
SHOP = Narrative("Shop", payer_name="Asha Rao", payee_name="Shop", reference="42")


async def home(room: FarRoom, accounts: list[Account]) -> list[tuple[int, int]]:
    """Read what the home screen shows: each balance and how many rows."""
    balances, pages = await asyncio.gather(
        room.balances.of(accounts), room.transactions.pages(accounts, MINI)
    )
    return [
        (balances[one.id].available.minor, len(pages[one.id].rows)) for one in accounts
    ]


# ------------------------------------------------------------------ when it is asked


async def test_a_cold_home_screen_is_one_look_at_all_accounts(
    far_room: FarRoom,
) -> None:
    accounts = await cold(far_room, CustomerId.new(), 100, 200, 300)

    shown = await home(far_room, accounts)

    assert shown == [(100, 1), (200, 1), (300, 1)]
    assert [len(look) for look in far_room.far.looks] == [3]


async def test_a_warm_home_screen_asks_nobody(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    accounts = await cold(far_room, CustomerId.new(), 100, 200)
    await home(far_room, accounts)
    clock.move(seconds=29)

    shown = await home(far_room, accounts)
    await far_room.settled()

    assert shown == [(100, 1), (200, 1)]
    assert len(far_room.far.looks) == 1


async def test_old_figures_are_shown_and_looked_at_behind(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    asha = CustomerId.new()
    accounts = await cold(far_room, asha, 100)
    await home(far_room, accounts)
    far_room.far.deposit(accounts[0].ref, 50)
    clock.move(seconds=31)

    first = await home(far_room, accounts)
    await far_room.settled()
    second = await home(far_room, accounts)

    assert (first[0][0], second) == (100, [(150, 2)])
    assert len(far_room.far.looks) == 2
    assert await names_told(asha) == ["TransactionPosted", "BalanceChanged"]


async def test_many_readers_at_once_are_one_look(far_room: FarRoom) -> None:
    accounts = await cold(far_room, CustomerId.new(), 100)

    shown = await asyncio.gather(*(home(far_room, accounts) for _ in range(10)))

    assert shown == [[(100, 1)]] * 10
    assert len(far_room.far.looks) == 1


async def test_a_slow_core_holds_up_nobody_else(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    slow = await far_room.an_account(100)
    quick = await far_room.an_account(200)
    new = await cold(far_room, CustomerId.new(), 300)
    await home(far_room, [quick])
    await home(far_room, [slow])
    far_room.far.slow[slow.ref] = asyncio.Event()
    clock.move(minutes=1)

    async with asyncio.timeout(2):
        shown = [await home(far_room, [one]) for one in (slow, quick, *new)]

    assert shown == [[(100, 1)], [(200, 1)], [(300, 1)]]
    far_room.far.slow[slow.ref].set()
    await far_room.settled()


# ------------------------------------------------------------------ when it is away


async def test_a_core_that_is_away_shows_the_last_figures_as_stale(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    asha = CustomerId.new()
    known = (await cold(far_room, asha, 1000))[0]
    fresh = await far_room.balances.of([known])
    far_room.far.open(asha.value.hex, 5)
    far_room.far.slow["2"] = asyncio.Event()
    await far_room.link(asha)
    new = (await far_room.accounts.of_customer(asha))[1]
    far_room.far.away = True
    far_room.far.slow.pop("2").set()
    await far_room.settled()
    clock.move(minutes=3)

    balances = await far_room.balances.of([known, new])
    pages = await far_room.transactions.pages([known, new], MINI)
    with pytest.raises(Outage):
        await far_room.balances.sure(known)

    assert list(balances) == [known.id]
    assert balances[known.id].stale
    assert balances[known.id].as_of == fresh[known.id].as_of < clock.now()
    assert balances[known.id].available.minor == 1000
    assert (len(pages[known.id].rows), pages[known.id].stale) == (1, True)
    assert (pages[new.id].rows, pages[new.id].stale) == ((), True)


async def test_a_core_that_is_back_is_believed_again(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    account = await far_room.an_account(1000)
    far_room.far.away = True
    clock.move(minutes=6)
    before = (await far_room.balances.of([account]))[account.id]
    await far_room.settled()
    far_room.far.away = False
    far_room.far.deposit(account.ref, 1)

    sure = await far_room.balances.sure(account)
    after = (await far_room.balances.of([account]))[account.id]

    assert (before.stale, before.available.minor) == (True, 1000)
    assert (sure.available.minor, after.available.minor) == (1001, 1001)
    assert (after.stale, after.as_of) == (False, clock.now())


async def test_figures_of_five_minutes_ago_say_that_they_are_old(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    account = await far_room.an_account(1000)
    clock.move(minutes=5, seconds=1)

    old = (await far_room.balances.of([account]))[account.id]
    await far_room.settled()
    young = (await far_room.balances.of([account]))[account.id]

    assert (old.stale, young.stale) == (True, False)


# ------------------------------------------------------------------ polls and hints


async def test_polls_look_at_what_is_due(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    used, unused = await far_room.an_account(1), await far_room.an_account(2)
    await far_room.balances.of([used])
    await far_room.settled()
    far_room.far.looks.clear()

    clock.move(seconds=61)
    first = await far_room.feed.poll()
    clock.move(minutes=60)
    second = await far_room.feed.poll()

    assert (first, second) == (1, 2)
    assert far_room.far.looks[0] == (used.ref,)
    assert set(far_room.far.looks[1]) == {used.ref, unused.ref}


async def test_customers_with_a_live_socket_are_looked_at_every_five_seconds(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    asha = CustomerId.new()
    account = await far_room.an_account(1, owner=asha)
    await far_room.an_account(2)
    far_room.far.looks.clear()

    await far_room.feed.watch([asha])
    await far_room.settled()
    clock.move(seconds=5)
    await far_room.feed.watch([asha])
    await far_room.settled()
    await far_room.feed.watch([])

    assert far_room.far.looks == [(account.ref,)]


async def test_hints_are_one_look_in_two_seconds(
    far_room: FarRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest_s = 0.3
    monkeypatch.setattr("app.accounts.feed.HINT_REST_S", rest_s)
    begin = time.monotonic()
    asha = CustomerId.new()
    account = await far_room.an_account(1, owner=asha)
    far_room.far.looks.clear()
    far_room.far.deposit(account.ref, 9)

    for _ in range(20):
        await far_room.feed.hinted(account.ref)
    await far_room.feed.hinted("nobody")
    await far_room.settled()

    rests = (time.monotonic() - begin) // rest_s
    assert 1 <= len(far_room.far.looks) <= 1 + rests
    assert await names_told(asha) == ["TransactionPosted", "BalanceChanged"]


async def test_an_account_the_core_does_not_know_stops_no_poll(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    gone, there = await far_room.an_account(1), await far_room.an_account(2)
    del far_room.far.kept[gone.ref]
    clock.move(hours=2)

    first = await far_room.feed.poll()
    again = await far_room.feed.poll()

    assert (first, again) == (2, 0)
    found = await far_room.balances.of([there])
    assert found[there.id].as_of == clock.now()


async def test_only_accounts_of_this_core_are_due(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    account = await far_room.an_account(1)
    clock.move(hours=2)

    assert [one.id for one in await due.by_time(FAR, clock)] == [account.id]
    assert await due.by_time("another", clock) == []
    before = clock.now() - timedelta(seconds=5)
    assert await due.of_customers("another", [account.customer], before) == []


async def test_one_unreadable_account_hides_no_other(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    accounts = [await far_room.an_account(minor) for minor in (1, 2, 3, 4, 5)]
    for account in accounts:
        for minor in range(30):
            far_room.far.deposit(account.ref, minor)
    bad = accounts[2]
    far_room.far.unreadable = {bad.ref}
    clock.move(hours=2)

    polled = await far_room.feed.poll()
    while await far_room.feed.history():
        pass

    assert polled == 5
    found = await far_room.balances.of(accounts)
    assert [one.stale for one in found.values()] == [False, False, True, False, False]
    assert [found[one.id].available.minor for one in accounts] == [
        436,
        437,
        3,
        439,
        440,
    ]
    pages = await far_room.transactions.pages(accounts, PageQuery(size=100))
    assert [len(pages[one.id].rows) for one in accounts] == [31, 31, 1, 31, 31]


async def test_the_sockets_of_a_process_are_followed_until_it_ends(
    far_room: FarRoom, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.accounts.feed.WATCHED_EVERY_S", 0.01)
    asha = CustomerId.new()
    account = await far_room.an_account(1, owner=asha)
    clock.move(seconds=6)
    far_room.far.deposit(account.ref, 9)

    following = asyncio.create_task(far_room.feed.follow(lambda: [asha]))
    async with asyncio.timeout(5):
        while not await names_told(asha):
            await asyncio.sleep(0.01)
    following.cancel()

    assert await names_told(asha) == ["TransactionPosted", "BalanceChanged"]


async def test_a_fault_of_ours_behind_an_answer_ends_no_later_look(
    far_room: FarRoom, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await far_room.an_account(1)
    clock.move(seconds=31)

    async def broken(*_args: object) -> list[Look]:
        raise ValueError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(far_room.far, "look", broken)
        await far_room.balances.of([account])
        await far_room.settled()
    await far_room.balances.of([account])
    await far_room.settled()

    assert (await far_room.balances.of([account]))[account.id].as_of == clock.now()


async def test_a_core_that_answers_too_late_decides_nothing(
    far_room: FarRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.accounts.feed._SURE_WAIT_S", 0.05)
    account = await far_room.an_account(1)
    far_room.far.slow[account.ref] = asyncio.Event()

    with pytest.raises(Outage, match="too late"):
        await far_room.balances.sure(account)

    far_room.far.slow.pop(account.ref).set()
    await far_room.settled()
    assert (await far_room.balances.sure(account)).available.minor == 1
