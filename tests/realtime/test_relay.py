"""The worker's loop: batches, poison, wakes, and a database that goes away."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest
from typing_extensions import override

from app import database
from app.clock import Clock, StoppedClock
from app.database import Tx
from app.errors import Outage
from app.ids import CustomerId
from app.realtime import dispatch
from app.realtime.dispatch import BATCH, Owed
from app.realtime.facts import NOTIFICATIONS
from app.realtime.relay import Relay
from app.settings import Settings
from tests.realtime.patience import until
from tests.realtime.test_dispatch import owed, work_rows
from tests.realtime.world import record


class Consumer:
    """Notes what it was handed and finishes it; refuses some customers."""

    def __init__(self, *, poison: CustomerId | None = None) -> None:
        self.poison = poison
        self.calls: list[int] = []
        self.done: list[int] = []

    async def take(self, batch: Sequence[Owed]) -> None:
        self.calls.append(len(batch))

        async def work(tx: Tx) -> None:
            await dispatch.finish(tx, [one.id for one in batch])
            if any(one.event.customer == self.poison for one in batch):
                raise ValueError

        await database.transaction(work, name="test.take")
        self.done += [one.event.seq for one in batch]


async def test_a_turn_hands_on_one_batch(
    bank_database: Settings, clock: StoppedClock
) -> None:
    consumer = Consumer()
    relay = Relay(clock=clock, consumer=NOTIFICATIONS, take=consumer.take)
    customer = CustomerId.new()
    await record(*(owed(customer, clock.now()) for _ in range(70)))

    turns = [await relay.turn() for _ in range(3)]

    assert turns == [BATCH, 6, 0]
    assert sorted(consumer.done) == list(range(1, 71))
    assert await work_rows() == []


async def test_a_poisoned_fact_holds_up_nobody_else(
    bank_database: Settings, clock: StoppedClock
) -> None:
    bad = CustomerId.new()
    consumer = Consumer(poison=bad)
    relay = Relay(clock=clock, consumer=NOTIFICATIONS, take=consumer.take)
    others = [CustomerId.new() for _ in range(5)]
    await record(*(owed(one, clock.now()) for one in (bad, *others)))

    await relay.turn()

    (row,) = await work_rows()
    assert row.get("customer_id", CustomerId) == bad
    assert row.get("error", str) == "ValueError"
    assert consumer.calls == [6, 1, 1, 1, 1, 1, 1]
    assert len(consumer.done) == 5


async def test_a_database_that_goes_away_loses_no_work(
    bank_database: Settings, clock: StoppedClock
) -> None:
    class Away(Consumer):
        @override
        async def take(self, batch: Sequence[Owed]) -> None:
            assert batch
            raise Outage("lost")

    away, consumer = Away(), Consumer()
    await record(owed(CustomerId.new(), clock.now()))

    with pytest.raises(Outage):
        await Relay(clock=clock, consumer=NOTIFICATIONS, take=away.take).turn()

    clock.move(seconds=60)
    relay = Relay(clock=clock, consumer=NOTIFICATIONS, take=consumer.take)
    assert (await relay.turn(), consumer.done) == (1, [1])


async def test_a_wake_is_answered_at_once_and_none_within_half_a_second(
    bank_database: Settings,
) -> None:
    clock, consumer = Clock("Asia/Kolkata"), Consumer()
    relay = Relay(clock=clock, consumer=NOTIFICATIONS, take=consumer.take)
    running = asyncio.create_task(relay.run())
    try:
        await asyncio.sleep(0.05)
        began = clock.monotonic()
        await record(owed(CustomerId.new(), clock.now()))
        relay.wake()
        await until(lambda: len(consumer.done) == 1)
        woken_s = clock.monotonic() - began
        await record(owed(CustomerId.new(), clock.now()))
        await until(lambda: len(consumer.done) == 2)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    assert woken_s < 0.4
    assert clock.monotonic() - began < 2
