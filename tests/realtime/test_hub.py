"""The hub: order, sharing, filters, slow readers, clean leaving."""

import asyncio
from contextlib import aclosing

import pytest

from app.clock import StoppedClock
from app.ids import CustomerId
from app.realtime import log
from app.realtime.facts import Category
from app.realtime.logged import LoggedEvent
from app.realtime.stream import CaughtUp, TooSlow
from app.settings import Settings
from tests.realtime.patience import until
from tests.realtime.world import (
    balance_fact,
    next_of,
    numbers,
    record,
    running_hub,
    take,
)


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
        await until(lambda: len(asyncio.all_tasks()) == before)
