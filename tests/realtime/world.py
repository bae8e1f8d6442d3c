"""Builders and a lossy bus for the tests of the stream."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

from typing_extensions import override

from app import database
from app.clock import Clock
from app.database import Tx
from app.ids import AccountId, CustomerId
from app.realtime import log
from app.realtime.announce import Announcement, Announcer
from app.realtime.bus import Reconnected
from app.realtime.bus.memory import MemoryBus
from app.realtime.cursor import EventCursor
from app.realtime.facts import BalanceChanged, Fact
from app.realtime.hub import Hub
from app.realtime.logged import LoggedEvent
from app.realtime.shots import AccountShot, BalanceShot
from app.realtime.stream import StreamItem
from app.settings import Settings
from tests.realtime.patience import within

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
T = TypeVar("T")


def account_shot(account: AccountId | None = None) -> AccountShot:
    return AccountShot(
        id=str(account or AccountId.new()),
        kind="SAVINGS",
        name="Savings",
        masked_number="••1234",
        currency="INR",
        status="ACTIVE",
    )


def balance_fact(
    customer: CustomerId,
    version: int = 1,
    account: AccountShot | None = None,
    dedupe_key: str | None = None,
) -> BalanceChanged:
    return BalanceChanged(
        customer=customer,
        occurred_at=NOW,
        dedupe_key=dedupe_key,
        account=account or account_shot(),
        balance=BalanceShot(
            available=version * 100,
            booked=version * 100,
            held=0,
            currency="INR",
            as_of=NOW,
            version=version,
        ),
    )


async def record(*facts: Fact) -> None:
    """Commit facts in one transaction, as a room does."""

    async def work(tx: Tx) -> None:
        for fact in facts:
            log.append(tx, fact)

    await database.transaction(work, name="test.record")


class LossyBus(MemoryBus):
    """Loses some hints, doubles and reorders others; seeded, so it can be repeated."""

    def __init__(self, seed: int, lost: float) -> None:
        super().__init__()
        self._chance = random.Random(seed)  # noqa: S311  -- a history, not a secret
        self._lost = lost
        self._kept: list[Announcement] = []

    @override
    async def publish(self, items: Sequence[Announcement]) -> None:
        for item in items:
            if self._chance.random() < self._lost:
                continue
            self._kept.append(item)
            if self._chance.random() < 0.2:
                self._kept.append(item)
        self._chance.shuffle(self._kept)
        hold = self._chance.randrange(2)
        out, self._kept = self._kept[hold:], self._kept[:hold]
        await super().publish(out)

    async def reconnect(self) -> None:
        self._queue.put_nowait(Reconnected())


class SilentBus(MemoryBus):
    """Loses every hint."""

    @override
    async def publish(self, items: Sequence[Announcement]) -> None:
        assert items


@asynccontextmanager
async def running_hub(
    settings: Settings, clock: Clock, bus: MemoryBus | None = None
) -> AsyncIterator[Hub]:
    """Run a hub with its announcer and bus; leaves nothing behind."""
    chosen = bus or MemoryBus()
    announcer = Announcer(chosen)
    log.open_log(clock, announcer.announce)
    hub = Hub(settings, clock, chosen)
    tasks = [asyncio.create_task(hub.run()), asyncio.create_task(announcer.run())]
    try:
        yield hub
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


async def next_of(stream: AsyncIterator[T]) -> T:
    """Take the next item; a test does not wait for ever."""
    return await within(anext(stream))


async def take(stream: AsyncIterator[StreamItem], count: int) -> list[StreamItem]:
    return [await next_of(stream) for _ in range(count)]


def numbers(items: Sequence[StreamItem]) -> list[int]:
    return [item.seq for item in items if isinstance(item, LoggedEvent)]


def cursor_at(head: EventCursor, seq: int) -> EventCursor:
    return EventCursor(head.epoch, seq, head.day)
