"""Polls, hints and history go round: what cannot be read keeps nobody waiting."""

import asyncio
from collections.abc import Callable

import pytest

from app import worker
from app.accounts import due
from app.accounts.account import Account
from app.accounts.looks import Looks
from app.clock import StoppedClock
from app.ids import CustomerId
from tests.accounts.far_core import FarCore
from tests.accounts.far_world import FAR, FarRoom

SOON_S = 5.0


def spoil(room: FarRoom, account: Account, why: str) -> None:
    """Let the core say nothing of an account from now on."""
    if why == "missing":
        del room.far.kept[account.ref]
    else:
        room.far.unreadable.add(account.ref)


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that comes soon."""
    async with asyncio.timeout(SOON_S):
        while not true():
            await asyncio.sleep(0.01)


# ------------------------------------------------------------------ polls


@pytest.mark.parametrize("why", ["missing", "unreadable"])
async def test_accounts_of_which_nothing_is_seen_keep_no_other_waiting(
    far_room: FarRoom, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(due, "BATCH", 2)
    bad = [await far_room.an_account(100) for _ in range(2)]
    clock.move(seconds=1)
    good = await far_room.an_account(200)
    for account in bad:
        spoil(far_room, account, why)
    far_room.far.looks.clear()
    clock.move(hours=2)

    turns = [await far_room.feed.poll() for _ in range(4)]
    clock.move(minutes=59)
    early = await due.by_time(FAR, clock)
    clock.move(minutes=2)
    later = await due.by_time(FAR, clock)

    assert turns == [2, 1, 0, 0]
    assert far_room.far.looks[-1] == (good.ref,)
    assert early == []
    assert {one.id for one in later} == {one.id for one in bad}


async def test_a_core_that_tells_nothing_of_anybody_keeps_few_waiting(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    accounts = [await far_room.an_account(100) for _ in range(20)]
    far_room.far.unreadable = {account.ref for account in accounts}
    far_room.far.looks.clear()
    clock.move(hours=2)

    tried = await far_room.feed.poll()
    asked = len(far_room.far.looks)
    far_room.far.unreadable = set()
    again = await far_room.feed.poll()
    clock.move(minutes=61)
    last = await due.by_time(FAR, clock)

    assert (tried, again) == (3, 17)
    assert asked == 8  # of 20, 10, 5, 2, 1, 1, 3, 1
    assert {one.id for one in accounts[:3]} <= {one.id for one in last}


@pytest.mark.parametrize("bad", [1, 3, 7])
async def test_unreadable_accounts_at_the_head_leave_all_others_to_be_seen(
    far_room: FarRoom, clock: StoppedClock, bad: int
) -> None:
    worst = [await far_room.an_account(100) for _ in range(bad)]
    clock.move(seconds=1)
    good = [await far_room.an_account(200) for _ in range(5)]
    far_room.far.unreadable = {account.ref for account in worst}
    clock.move(hours=2)

    while await far_room.feed.poll():
        pass

    found = await far_room.balances.of([*worst, *good])
    assert [found[one.id].stale for one in (*worst, *good)] == [True] * bad + [
        False
    ] * 5
    assert not far_room.feed.away


async def test_one_unreadable_account_ends_no_turn_of_the_worker(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    account = await far_room.an_account(100)
    far_room.far.unreadable = {account.ref}
    clock.move(hours=2)

    await worker.polls(far_room.feed)()
    asked = len(far_room.far.looks)
    await worker.polls(far_room.feed)()

    assert len(far_room.far.looks) == asked


async def test_an_account_that_can_be_read_again_is_due_as_every_other(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    account = await far_room.an_account(100)
    await far_room.balances.of([account])
    await far_room.settled()
    far_room.far.unreadable = {account.ref}
    clock.move(seconds=61)
    await far_room.feed.poll()
    far_room.far.unreadable = set()
    clock.move(seconds=1)
    await far_room.balances.of([account])
    await far_room.settled()

    clock.move(seconds=61)

    assert await due.by_time(FAR, clock) == [account]


async def test_accounts_written_to_come_first_and_are_tried_once(
    far_room: FarRoom, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "BATCH", 1)
    old = await far_room.an_account(1)
    clock.move(hours=2)
    written = await far_room.an_account(2)
    far_room.far.unreadable = {written.ref}
    await due.dirty([written.id], clock.now())
    at_once = await due.by_time(FAR, clock)
    clock.move(seconds=6)

    first = await due.by_time(FAR, clock)
    await far_room.feed.poll()
    second = await due.by_time(FAR, clock)
    clock.move(seconds=1)
    await due.dirty([written.id], clock.now())
    clock.move(seconds=6)
    again = await due.by_time(FAR, clock)

    assert at_once == [old]
    assert (first, second, again) == ([written], [old], [written])


# ------------------------------------------------------------------ history


async def test_history_goes_on_behind_accounts_that_cannot_be_read(
    far_room: FarRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "_PAGES", 1)
    for _ in range(3):
        owner = CustomerId.new()
        ref = far_room.far.open(owner.value.hex)
        for _ in range(24):
            far_room.far.deposit(ref, 1)
        await far_room.link(owner)
    await far_room.settled()
    far_room.far.unreadable = {"1", "2"}

    turns = [await far_room.feed.history() for _ in range(3)]

    assert sorted(turns) == [0, 0, 1]
    assert {ref for ref, _place in far_room.far.pages} == {"1", "2", "3"}


# ------------------------------------------------------------------ what is under way


async def test_a_hint_when_too_much_is_under_way_stops_no_later_one(
    far_room: FarRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.accounts.feed.HINT_REST_S", 0.05)
    account = await far_room.an_account(100)
    far_room.far.looks.clear()
    with monkeypatch.context() as full:
        full.setattr("app.accounts.looks._UNDER_WAY_MAX", 0)
        await far_room.feed.hinted(account.ref)
        await far_room.settled()
    before = len(far_room.far.looks)

    await far_room.feed.hinted(account.ref)
    await far_room.settled()

    assert (before, len(far_room.far.looks)) == (0, 1)


async def test_accounts_that_rest_take_no_place_of_a_look(
    far_room: FarRoom, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.accounts.feed.HINT_REST_S", SOON_S)
    hinted = [await far_room.an_account(100) for _ in range(3)]
    other = await far_room.an_account(100)
    for account in hinted:
        await far_room.feed.hinted(account.ref)
        await asyncio.sleep(0.05)
    monkeypatch.setattr("app.accounts.looks._UNDER_WAY_MAX", 1)
    far_room.far.looks.clear()
    clock.move(seconds=31)

    await far_room.balances.of([other])
    await until(lambda: far_room.far.looks == [(other.ref,)])


async def test_so_many_rest_that_the_next_one_is_only_marked(
    far_room: FarRoom, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.accounts.feed.HINT_REST_S", 0.05)
    monkeypatch.setattr("app.accounts.feed._RESTING_MAX", 0)
    account = await far_room.an_account(100)
    far_room.far.looks.clear()

    await far_room.feed.hinted(account.ref)
    await far_room.settled()
    asked = len(far_room.far.looks)
    clock.move(seconds=6)

    assert (asked, await due.by_time(FAR, clock)) == (0, [account])


async def test_a_decision_is_looked_at_however_much_is_under_way(
    far_room: FarRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await far_room.an_account(100)
    monkeypatch.setattr("app.accounts.looks._UNDER_WAY_MAX", 0)

    sure = await far_room.balances.sure(account)

    assert sure.available.minor == 100


async def test_no_look_outlives_a_process_whose_end_is_cut_short(
    clock: StoppedClock,
) -> None:
    ended = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def process() -> None:
        async with Looks(FarCore(clock), clock) as looks:
            assert looks.start(endless(), "test") is not None
            await asyncio.sleep(0)

    running = asyncio.create_task(process())
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert ended.is_set()
