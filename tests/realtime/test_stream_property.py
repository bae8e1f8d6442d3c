"""Random histories: every client sees exactly 1..n, or one explicit reset."""

import asyncio
import random
from contextlib import aclosing

import pytest

from app.clock import StoppedClock
from app.ids import CustomerId
from app.realtime import log
from app.realtime.cursor import EventCursor
from app.realtime.hub import Hub
from app.realtime.logged import LoggedEvent
from app.realtime.stream import CaughtUp, StreamReset
from app.settings import Settings
from tests.realtime.patience import within
from tests.realtime.world import LossyBus, balance_fact, record, running_hub

HISTORIES = 40
WRITERS = 4
COMMITS = 12


async def write(
    chance: random.Random, customers: list[CustomerId], bus: LossyBus
) -> None:
    for _ in range(COMMITS):
        parties = chance.sample(customers, chance.choice((1, 2)))
        await record(*(balance_fact(party) for party in parties))
        if chance.random() < 0.1:
            await bus.reconnect()
        await asyncio.sleep(chance.random() * 0.003)


class Phone:
    """Applies events in order, drops the line at random, resumes with its cursor."""

    def __init__(self, chance: random.Random, customer: CustomerId) -> None:
        self.chance = chance
        self.customer = customer
        self.seen: list[int] = []
        self.resets = 0
        self.lines = 0

    async def follow(self, hub: Hub, after: EventCursor, end: int) -> None:
        while after.seq < end:
            self.lines += 1
            patience = self.chance.randrange(1, 9)
            async with aclosing(hub.subscribe(self.customer, after)) as stream:
                async for item in stream:
                    if isinstance(item, LoggedEvent):
                        self.seen.append(item.seq)
                    self.resets += isinstance(item, StreamReset)
                    after = item.cursor
                    patience -= 1
                    if not patience or after.seq >= end:
                        break
            await asyncio.sleep(self.chance.random() * 0.004)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_each_client_sees_every_event_once_and_in_order(
    seed: int, bank_database: Settings, clock: StoppedClock
) -> None:
    chance = random.Random(seed)  # noqa: S311  -- a history that can be told again
    customers = [CustomerId.new() for _ in range(3)]
    starts = {customer: await log.head(customer) for customer in customers}
    bus = LossyBus(seed, lost=0.3)
    settings = bank_database.model_copy(update={"poll_s": 0.1})

    async with running_hub(settings, clock, bus) as hub:
        await write(chance, customers, bus)
        phones = [Phone(chance, customer) for customer in customers * 2]
        async with asyncio.TaskGroup() as writers:
            for _ in range(WRITERS):
                writers.create_task(write(chance, customers, bus))
            for phone in phones:
                writers.create_task(phone.follow(hub, starts[phone.customer], 8))
        ends = await log.heads(customers)
        for phone in phones:
            last = EventCursor(
                starts[phone.customer].epoch, phone.seen[-1], clock.today()
            )
            await within(phone.follow(hub, last, ends[phone.customer].seq), 20)
        left = hub.readers

    for phone in phones:
        assert phone.resets == 0
        assert phone.seen == list(range(1, ends[phone.customer].seq + 1))
    assert left == 0


async def test_clients_that_follow_live_see_every_event_while_it_is_written(
    bank_database: Settings, clock: StoppedClock
) -> None:
    chance = random.Random(7)  # noqa: S311  -- a history that can be told again
    customers = [CustomerId.new() for _ in range(2)]
    bus = LossyBus(7, lost=0.3)
    settings = bank_database.model_copy(update={"poll_s": 0.1})
    starts = {customer: await log.head(customer) for customer in customers}
    seen: dict[CustomerId, list[int]] = {customer: [] for customer in customers}
    caught_up = 0

    async with running_hub(settings, clock, bus) as hub:

        async def watch(customer: CustomerId) -> None:
            nonlocal caught_up
            stream = hub.subscribe(customer, starts[customer])
            async with aclosing(stream):
                async for item in stream:
                    caught_up += isinstance(item, CaughtUp)
                    if isinstance(item, LoggedEvent):
                        seen[customer].append(item.seq)

        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(watch(customer)) for customer in customers]
            await asyncio.gather(*(write(chance, customers, bus) for _ in range(4)))
            ends = await log.heads(customers)
            async with asyncio.timeout(10):
                while any(len(seen[one]) < ends[one].seq for one in customers):
                    await asyncio.sleep(0.01)
            for reader in readers:
                reader.cancel()

    assert caught_up == 2
    for customer in customers:
        assert seen[customer] == list(range(1, ends[customer].seq + 1))
