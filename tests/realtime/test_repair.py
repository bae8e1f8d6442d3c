"""What the hub repairs: lost and forged hints, failed reads, a bus that is down."""

import asyncio
from contextlib import aclosing

import pytest
from typing_extensions import override

from app.clock import StoppedClock
from app.errors import Outage
from app.ids import CustomerId
from app.realtime import hub as hub_module
from app.realtime import log
from app.realtime.announce import Hint
from app.realtime.bus import BusDown
from app.realtime.bus.memory import MemoryBus
from app.settings import Settings
from tests.realtime.world import (
    LossyBus,
    SilentBus,
    balance_fact,
    next_of,
    numbers,
    record,
    running_hub,
    take,
)


class DeafBus(SilentBus):
    """Loses every hint and takes no interest."""

    @override
    async def interest(self, add: frozenset[int], drop: frozenset[int]) -> None:
        raise BusDown


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
    slow_poll = ours.model_copy(update={"poll_s": 0.4})
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


@pytest.mark.parametrize(
    ("where", "failure"),
    [
        ("read_several", Outage("database")),
        ("logged", ValueError("a bad row")),
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

    def flaky(*args: object) -> object:
        if failures and failing:
            raise failures.pop()
        return whole(*args)

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
