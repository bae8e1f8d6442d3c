"""Random histories of a bank in parts: what the stream must survive, told by a seed.

A history has customers, senders (processes that commit and announce), webs (processes
with a hub) and phones. Senders and webs die and start again, lines of the bus break,
hints are lost, doubled and swapped, and phones change the web whenever they like.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

from app.clock import Clock
from app.ids import CustomerId
from app.realtime import log
from app.realtime.announce import Announcement, Announcer
from app.realtime.bus import Bus, Reconnected
from app.realtime.cursor import EventCursor
from app.realtime.hub import Hub
from app.realtime.logged import LoggedEvent
from app.realtime.stream import CaughtUp, StreamReset
from app.settings import Settings
from tests.realtime.world import balance_fact, record

COMMITS = 5
WRITERS = 2
PAUSE_S = 0.006
ENDS_WITHIN_S = 60

OpenBus = Callable[[], Awaitable[Bus]]


class Unruly:
    """A bus that loses a third of what it is given, doubles and swaps the rest."""

    def __init__(self, bus: Bus, chance: random.Random) -> None:
        self._bus = bus
        self._chance = chance
        self._kept: list[Announcement] = []

    async def publish(self, items: Sequence[Announcement]) -> None:
        for item in items:
            if self._chance.random() < 0.3:
                continue
            self._kept += [item] * self._chance.choice((1, 1, 1, 2))
        self._chance.shuffle(self._kept)
        hold = self._chance.randrange(2)
        out, self._kept = self._kept[hold:], self._kept[:hold]
        await self._bus.publish(out)

    def listen(self) -> AsyncGenerator[Announcement | Reconnected, None]:
        return self._bus.listen()

    async def interest(self, add: frozenset[int], drop: frozenset[int]) -> None:
        await self._bus.interest(add, drop)

    async def close(self) -> None:
        await self._bus.close()


@dataclass
class Sender:
    """A process that commits: its announcer dies with what it had not sent yet."""

    open_bus: OpenBus
    chance: random.Random

    async def start(self) -> None:
        self.bus = Unruly(await self.open_bus(), self.chance)
        self.announcer = Announcer(self.bus)
        self.task = asyncio.create_task(self.announcer.run())

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.bus.close()


@dataclass
class Web:
    """A process with a hub: the lines of its phones end with it."""

    open_bus: OpenBus
    settings: Settings
    clock: Clock
    lines: set["asyncio.Task[None]"] = field(default_factory=set)
    is_up: bool = False

    async def start(self) -> None:
        self.bus = await self.open_bus()
        self.hub = Hub(self.settings, self.clock, self.bus)
        self.task = asyncio.create_task(self.hub.run())
        self.is_up = True

    async def stop(self) -> None:
        self.is_up = False
        for task in (*self.lines, self.task):
            task.cancel()
        ends = await asyncio.gather(*self.lines, self.task, return_exceptions=True)
        assert self.hub.readers == 0
        await self.bus.close()
        for end in ends:
            if isinstance(end, Exception):
                raise end


@dataclass
class Phone:
    """Applies events in order, resumes with its cursor, wherever it gets a line."""

    chance: random.Random
    customer: CustomerId
    at: EventCursor | None = None
    seen: int = 0
    resets: int = 0

    async def follow(self, webs: Sequence[Web], end: EventCursor | None) -> None:
        """Live through one line, or with `end` through as many as it takes."""
        while end is None or self.at is None or self.at.seq < end.seq:
            await asyncio.sleep(self.chance.random() * PAUSE_S)
            up = [web for web in webs if web.is_up]
            if not up:
                continue
            web = self.chance.choice(up)
            line = asyncio.create_task(self._one_line(web, end))
            web.lines.add(line)
            try:
                await asyncio.wait((line,))
            finally:
                line.cancel()
                (broken,) = await asyncio.gather(line, return_exceptions=True)
                web.lines.discard(line)
            if isinstance(broken, Exception):
                raise broken
            if end is None:
                return

    async def _one_line(self, web: Web, end: EventCursor | None) -> None:
        patience = self.chance.randrange(1, 9)
        async with aclosing(web.hub.subscribe(self.customer, self.at)) as stream:
            async for item in stream:
                if isinstance(item, LoggedEvent):
                    assert self.at is not None
                    assert item.seq == self.at.seq + 1
                    self.seen += 1
                elif isinstance(item, StreamReset):
                    self.resets += 1
                elif isinstance(item, CaughtUp) or self.at is not None:
                    assert item.cursor == self.at
                self.at = item.cursor
                patience -= 1
                if not patience or (end is not None and self.at.seq >= end.seq):
                    return


@dataclass
class History:
    """One seed's story."""

    seed: int
    settings: Settings
    clock: Clock
    open_bus: OpenBus
    break_bus: Callable[[], Awaitable[None]]
    webs_count: int

    async def run(self, route: dict[CustomerId, Callable[[Announcement], None]]) -> int:
        """Tell it; gives how many resets there were.

        Raises:
            AssertionError: a phone missed an event, or saw one twice or early.
        """
        try:
            async with asyncio.timeout(ENDS_WITHIN_S):
                return await self._told(route)
        except BaseException as failure:
            failure.add_note(f"history of seed {self.seed}")
            raise

    async def _told(
        self, route: dict[CustomerId, Callable[[Announcement], None]]
    ) -> int:
        self.chance = random.Random(self.seed)  # noqa: S311  -- a history, not a secret
        customers = [CustomerId.new() for _ in range(2)]
        short = self.settings.model_copy(
            update={"poll_s": 0.1, "replay_max": self.chance.choice((4, 500))}
        )
        async with self._processes(short) as (senders, webs):

            def announce(item: Announcement) -> None:
                self.chance.choice(senders).announcer.announce(item)

            route |= dict.fromkeys(customers, announce)
            phones = [Phone(self.chance, one) for one in customers * 2]
            for phone in phones[:2]:
                phone.at = await log.head(phone.customer)
            async with asyncio.TaskGroup() as group:
                for _ in range(WRITERS):
                    group.create_task(self._write(customers))
                for phone in phones:
                    group.create_task(self._wander(phone, webs))
                group.create_task(self._strike([*senders, *webs]))
            ends = await log.heads(customers)
            for phone in phones:
                await phone.follow(webs, ends[phone.customer])
        for phone in phones[:2]:  # they were there from the first event on
            whole = phone.seen == ends[phone.customer].seq
            assert whole or phone.resets
            assert short.replay_max < COMMITS * WRITERS or not phone.resets
        return sum(phone.resets for phone in phones)

    @asynccontextmanager
    async def _processes(
        self, settings: Settings
    ) -> AsyncIterator[tuple[list[Sender], list[Web]]]:
        count = range(self.webs_count)
        senders = [Sender(self.open_bus, self.chance) for _ in count]
        webs = [Web(self.open_bus, settings, self.clock) for _ in count]
        processes: list[Sender | Web] = [*senders, *webs]
        for process in processes:
            await process.start()
        try:
            yield senders, webs
        finally:
            for process in processes:
                await process.stop()

    async def _write(self, customers: list[CustomerId]) -> None:
        for _ in range(COMMITS):
            parties = self.chance.sample(customers, self.chance.choice((1, 2)))
            await record(*(balance_fact(party) for party in parties))
            await asyncio.sleep(self.chance.random() * PAUSE_S)

    async def _wander(self, phone: Phone, webs: Sequence[Web]) -> None:
        for _ in range(2):
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_S * COMMITS):
                    await phone.follow(webs, None)

    async def _strike(self, processes: Sequence[Sender | Web]) -> None:
        """Let processes die and lines break in between."""
        for _ in range(3):
            await asyncio.sleep(self.chance.random() * PAUSE_S * COMMITS / 3)
            if self.chance.random() < 0.2:
                await self.break_bus()
                continue
            process = self.chance.choice(processes)
            await process.stop()
            await process.start()
