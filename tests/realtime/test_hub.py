"""The hub: resume verdicts, order, hand-over, repair of lost hints, clean leaving."""

import asyncio
from contextlib import aclosing
from datetime import timedelta

import pytest
from typing_extensions import override

from app import database
from app.clock import StoppedClock
from app.database import Tx
from app.errors import Outage
from app.ids import CustomerId
from app.realtime import hub as hub_module
from app.realtime import log
from app.realtime.announce import Hint
from app.realtime.bus import BusDown
from app.realtime.bus.memory import MemoryBus
from app.realtime.cursor import EventCursor, Verdict
from app.realtime.facts import Category
from app.realtime.logged import LoggedEvent
from app.realtime.stream import CaughtUp, StreamReady, StreamReset, TooSlow
from app.settings import Settings
from tests.realtime.patience import until
from tests.realtime.world import (
    LossyBus,
    SilentBus,
    balance_fact,
    cursor_at,
    next_of,
    numbers,
    record,
    running_hub,
    take,
)

FAST = {"poll_s": 0.05}


class DeafBus(SilentBus):
    """Loses every hint and takes no interest."""

    @override
    async def interest(self, add: frozenset[int], drop: frozenset[int]) -> None:
        raise BusDown


async def rebuild(customer: CustomerId) -> None:
    """Do what a restore from backup does to a stream: another epoch."""

    async def work(tx: Tx) -> None:
        await tx.rows(
            "UPDATE stream_head SET epoch = 'aaaabbbb' "
            "WHERE customer_id = $1 RETURNING seq",
            customer,
        )

    await database.transaction(work, name="test.rebuild")


@pytest.fixture
def ours(bank_database: Settings) -> Settings:
    return bank_database.model_copy(update=FAST)


async def test_without_a_cursor_the_stream_starts_at_the_head(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    await record(balance_fact(customer), balance_fact(customer))
    head = await log.head(customer)

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        opening = await next_of(stream)
        await record(balance_fact(customer))
        live = await next_of(stream)

    assert opening == StreamReady(head, clock.now(), 0)
    assert numbers([live]) == [3]


async def test_a_resume_replays_what_was_missed_then_says_caught_up(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    await record(*(balance_fact(customer) for _ in range(7)))
    head = await log.head(customer)
    after = cursor_at(head, 4)

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, after)) as stream,
    ):
        items = await take(stream, 5)
        await record(balance_fact(customer))
        live = await next_of(stream)

    assert items[0] == StreamReady(after, clock.now(), 3)
    assert numbers(items[1:4]) == [5, 6, 7]
    assert items[4] == CaughtUp(head, clock.now())
    assert numbers([live]) == [8]


async def test_a_resume_at_the_head_is_caught_up_at_once(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    await record(balance_fact(customer))
    head = await log.head(customer)

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, head)) as stream,
    ):
        items = await take(stream, 2)

    assert items == [StreamReady(head, clock.now(), 0), CaughtUp(head, clock.now())]


async def test_a_hundred_changes_while_offline_come_in_order(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    start = await log.head(customer)
    for _ in range(100):
        await record(balance_fact(customer))

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, start)) as stream,
    ):
        items = await take(stream, 102)

    assert numbers(items) == list(range(1, 101))
    assert isinstance(items[-1], CaughtUp)


async def test_more_than_the_longest_replay_is_a_reset(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    start = await log.head(customer)
    await record(*(balance_fact(customer) for _ in range(501)))
    head = await log.head(customer)

    async with running_hub(ours, clock) as hub:
        async with aclosing(hub.subscribe(customer, start)) as far:
            opening = await next_of(far)
        async with aclosing(hub.subscribe(customer, cursor_at(head, 1))) as near:
            just = await next_of(near)

    assert opening == StreamReset(head, clock.now(), Verdict.TOO_FAR_BEHIND)
    assert isinstance(just, StreamReady)
    assert just.missed == 500


async def test_what_retention_deleted_is_a_reset_and_the_stream_goes_on_live(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    await record(balance_fact(customer), balance_fact(customer))
    old = cursor_at(await log.head(customer), 1)
    clock.move(days=15)
    await record(balance_fact(customer))
    head = await log.head(customer)
    assert await log.prune(clock.today() - timedelta(days=14)) == 2

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, old)) as stream,
    ):
        opening = await next_of(stream)
        await record(balance_fact(customer))
        live = await next_of(stream)

    assert opening == StreamReset(head, clock.now(), Verdict.EXPIRED)
    assert numbers([live]) == [4]


async def test_a_cursor_of_another_stream_is_a_reset(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    await record(balance_fact(customer))
    foreign = await log.head(CustomerId.new())

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, foreign)) as stream,
    ):
        opening = await next_of(stream)

    assert isinstance(opening, StreamReset)
    assert opening.reason is Verdict.EPOCH_CHANGED


async def test_a_cursor_from_a_lost_future_is_a_reset(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    head = await log.head(customer)

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, cursor_at(head, 9))) as stream,
    ):
        opening = await next_of(stream)

    assert opening == StreamReset(head, clock.now(), Verdict.AHEAD)


async def test_hints_that_never_come_are_repaired_by_the_poll(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()

    async with (
        running_hub(ours, clock, SilentBus()) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        await next_of(stream)
        await record(balance_fact(customer), balance_fact(customer))
        items = await take(stream, 2)

    assert numbers(items) == [1, 2]


async def test_after_a_reconnect_every_watch_is_looked_at(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    slow_poll = ours.model_copy(update={"poll_s": 4.0})
    bus = LossyBus(seed=1, lost=1.0)

    async with (
        running_hub(slow_poll, clock, bus) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        await next_of(stream)
        await record(balance_fact(customer))
        await bus.reconnect()
        item = await next_of(stream)

    assert numbers([item]) == [1]


async def test_a_forged_hint_costs_only_an_idle_read(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    bus = MemoryBus()
    head = await log.head(customer)

    async with (
        running_hub(ours, clock, bus) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        await next_of(stream)
        await bus.publish([Hint(customer, head.epoch, 999)])
        await bus.publish([Hint(CustomerId.new(), head.epoch, 5)])
        await asyncio.sleep(0.05)
        await record(balance_fact(customer))
        item = await next_of(stream)

    assert numbers([item]) == [1]


async def test_a_reader_who_fell_behind_the_tail_reads_the_log_at_its_own_pace(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        await next_of(stream)
        for _ in range(300):
            await record(balance_fact(customer))
        items = await take(stream, 300)

    assert numbers(items) == list(range(1, 301))


async def test_a_reader_a_thousand_events_behind_is_dropped(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()

    async with running_hub(ours, clock) as hub:
        async with aclosing(hub.subscribe(customer)) as slow:
            await next_of(slow)
            for _ in range(3):
                await record(*(balance_fact(customer) for _ in range(340)))
            watch = hub._watches[customer]  # noqa: SLF001  -- the tail is inside
            await until(lambda: watch.last == 1020)
            with pytest.raises(TooSlow):
                await next_of(slow)

        assert hub.readers == 0


async def test_two_readers_of_one_customer_share_the_watch_and_both_see_everything(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()

    async with running_hub(ours, clock) as hub:
        first, second = hub.subscribe(customer), hub.subscribe(customer)
        async with aclosing(first), aclosing(second):
            await next_of(first)
            await record(balance_fact(customer))
            await next_of(second)
            await record(balance_fact(customer))
            assert numbers(await take(first, 2)) == [1, 2]
            assert numbers(await take(second, 1)) == [2]
            assert hub.readers == 2

        assert hub.readers == 0


async def test_a_stream_of_another_customer_stays_silent(
    ours: Settings, clock: StoppedClock
) -> None:
    ann, ben = CustomerId.new(), CustomerId.new()

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(ben)) as stream,
    ):
        await next_of(stream)
        await record(balance_fact(ann))
        await record(balance_fact(ben, version=7))
        item = await next_of(stream)

    assert isinstance(item, LoggedEvent)
    assert item.customer == ben


async def test_a_filter_skips_events_and_checkpoints_every_hundred(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    security = frozenset({Category.SECURITY})

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, None, security)) as stream,
    ):
        await next_of(stream)
        await record(*(balance_fact(customer) for _ in range(100)))
        checkpoint = await next_of(stream)

    assert checkpoint == CaughtUp(await log.head(customer), clock.now())


async def test_a_filter_checkpoints_after_a_minute(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    security = frozenset({Category.SECURITY})

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, None, security)) as stream,
    ):
        await next_of(stream)
        await record(balance_fact(customer))
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.05)
        clock.move(seconds=61)
        await record(balance_fact(customer))
        checkpoint = await waiting

    assert checkpoint == CaughtUp(await log.head(customer), clock.now())


async def test_a_stream_that_is_rebuilt_resets_its_live_readers(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    await record(balance_fact(customer))

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        await next_of(stream)
        await rebuild(customer)
        reset = await next_of(stream)
        await record(balance_fact(customer))
        live = await next_of(stream)

    assert isinstance(reset, StreamReset)
    assert reset.reason is Verdict.EPOCH_CHANGED
    assert reset.cursor == EventCursor("aaaabbbb", 1, clock.today())
    assert numbers([live]) == [2]


async def test_a_hint_of_another_epoch_makes_the_hub_look_again(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    head = await log.head(customer)
    seldom = ours.model_copy(update={"poll_s": 60.0})

    async with (
        running_hub(seldom, clock) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        await next_of(stream)
        await rebuild(customer)
        await record(balance_fact(customer))
        reset = await next_of(stream)

    assert reset == StreamReset(
        EventCursor("aaaabbbb", 1, head.day), clock.now(), Verdict.EPOCH_CHANGED
    )


async def test_a_slow_reader_whose_events_were_deleted_meanwhile_is_reset(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        await next_of(stream)
        await record(*(balance_fact(customer) for _ in range(100)))
        clock.move(days=15)
        await record(balance_fact(customer))
        await log.prune(clock.today() - timedelta(days=14))
        watch = hub._watches[customer]  # noqa: SLF001  -- the tail is inside
        await until(lambda: watch.last == 101)
        reset = await next_of(stream)
        await record(balance_fact(customer))
        live = await next_of(stream)

    assert isinstance(reset, StreamReset)
    assert reset.reason is Verdict.EXPIRED
    assert reset.cursor.seq == 101
    assert numbers([live]) == [102]


@pytest.mark.parametrize(
    ("where", "failure"),
    [
        ("read_after", Outage("database")),
        ("read_after", ValueError("a bad row")),
        ("heads", Outage("database")),
    ],
    ids=["lost at the read", "an unreadable row", "lost at the poll"],
)
async def test_a_read_that_fails_is_tried_again_and_no_stream_ends(
    ours: Settings,
    clock: StoppedClock,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    where: str,
) -> None:
    customer = CustomerId.new()
    whole, failures = getattr(log, where), [failure, failure]

    async def flaky(*args: object) -> object:
        if failures and failing:
            raise failures.pop()
        return await whole(*args)

    failing = False
    monkeypatch.setattr(log, where, flaky)
    monkeypatch.setattr(hub_module, "_RETRY_S", 0.01)

    async with (
        running_hub(ours, clock, SilentBus()) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        await next_of(stream)
        failing = True
        await record(balance_fact(customer))
        item = await next_of(stream)

    assert failures == []
    assert numbers([item]) == [1]


async def test_a_bus_that_is_down_only_slows_a_subscription(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()

    async with running_hub(ours, clock, DeafBus()) as hub:
        async with aclosing(hub.subscribe(customer)) as stream:
            await next_of(stream)
            await record(balance_fact(customer))
            item = await next_of(stream)
        await asyncio.sleep(0.1)
        assert hub.readers == 0

    assert numbers([item]) == [1]


async def test_a_reader_who_goes_away_while_waiting_leaves_nothing(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()

    async with running_hub(ours, clock) as hub:
        await asyncio.sleep(0.02)
        before = len(asyncio.all_tasks())
        for _ in range(30):
            stream = hub.subscribe(customer)
            await next_of(stream)
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

        assert hub.readers == 0
        assert hub._watches == {}  # noqa: SLF001  -- nothing is kept
        assert len(asyncio.all_tasks()) == before
