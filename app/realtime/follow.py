"""One subscriber of a customer's events, pulled: at once where it can, else by a read.

It owns no task. Whoever shows the events asks for what is at hand, awaits `next` where
that is not enough, and is called by the watch when there is more.
"""

from collections.abc import Callable
from typing import Protocol

from app import telemetry
from app.clock import Clock
from app.ids import CustomerId, DeviceId
from app.realtime.cursor import EventCursor, Verdict
from app.realtime.facts import Category
from app.realtime.logged import LoggedEvent
from app.realtime.stream import (
    Away,
    CaughtUp,
    Checkpoint,
    Lost,
    StreamItem,
    StreamReady,
    StreamReset,
    goal_of,
    is_wanted,
)
from app.realtime.watch import Reader


class Source(Protocol):
    """Where a follower registers, reads and takes: the hub."""

    def enter(self, customer: CustomerId, device: DeviceId | None = None) -> Reader:
        """Register a reader."""
        ...

    async def heard(self, reader: Reader) -> None:
        """Return when hints about the reader's customer arrive."""

    async def begin(
        self, reader: Reader, after: EventCursor | None
    ) -> StreamReady | StreamReset:
        """Judge where a registered reader may start, and place it there."""
        ...

    def at_hand(self, reader: Reader) -> LoggedEvent | None:
        """Give the reader's next event without a read."""
        ...

    async def refill(self, reader: Reader) -> None:
        """Read the reader's next events from the log."""

    async def reset(self, reader: Reader, reason: Verdict) -> StreamReset:
        """Place a reader that lost its events at the end of the stream."""
        ...

    def leave(self, reader: Reader) -> None:
        """Take a reader off."""


class Follower:
    """Gives a stream item by item: opening, replay, live.

    Args:
        hub: of this process.
        clock: instants of control items.
        customer: whose stream.
        after: where to resume; from now on if None.
        categories: what is wanted; all if None.
        device: whose presence counts while the stream is open.
    """

    __slots__ = (
        "_after",
        "_categories",
        "_checkpoint",
        "_clock",
        "_customer",
        "_device",
        "_goal",
        "_hub",
        "_lost",
        "_reader",
    )

    def __init__(
        self,
        hub: Source,
        clock: Clock,
        customer: CustomerId,
        after: EventCursor | None = None,
        categories: frozenset[Category] | None = None,
        device: DeviceId | None = None,
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._customer = customer
        self._after = after
        self._categories = categories
        self._device = device
        self._goal: int | None = None
        self._checkpoint = None if categories is None else Checkpoint(clock)
        self._lost: Verdict | None = None
        self._reader: Reader | None = None

    @property
    def lag(self) -> int:
        """How many known events it has not given yet."""
        return 0 if self._reader is None else self._reader.lag

    @property
    def is_alone(self) -> bool:
        """Whether it is the only reader of its stream in this process."""
        return self._reader is not None and len(self._reader.watch.readers) == 1

    @property
    def has_more(self) -> bool:
        """Whether it is worth asking for another item."""
        owes = self._goal is not None or self._checkpoint is not None
        return owes or self._lost is not None or self.lag > 0

    def at_hand(self) -> StreamItem | None:
        """Give the next item without waiting; None when there is none yet.

        Raises:
            Away: `next` has to be awaited.
            TooSlow: more than 1,000 events behind.
        """
        reader = self._reader
        if reader is None or self._lost is not None:
            raise Away
        if self._goal is not None and reader.cursor.seq >= self._goal:
            self._goal = None
            return CaughtUp(reader.cursor, self._clock.now())
        try:
            return self._wanted(reader)
        except Lost as lost:
            self._lost = lost.reason
            raise Away from None

    async def next(self) -> StreamItem | None:
        """Give the next item, read if it must be; None when there is none yet.

        Raises:
            TooSlow: more than 1,000 events behind.
            Outage: the database is lost.
        """
        if self._reader is None:
            return await self._opened()
        while True:
            if self._lost is not None:
                return await self._reset(self._reader, self._lost)
            try:
                return self.at_hand()
            except Away:
                pass
            if self._lost is None:
                if self._goal is None:  # it was live, and the tail ran away from it
                    telemetry.slow_replays.inc()
                try:
                    await self._hub.refill(self._reader)
                except Lost as lost:
                    self._lost = lost.reason

    def listen(self, listener: Callable[[], None] | None) -> None:
        """Have somebody called when there may be more; None has nobody called."""
        if self._reader is not None:
            self._reader.listener = listener

    def wait_s(self) -> float | None:
        """Longest sleep before a checkpoint is due; None when none is owed."""
        return None if self._checkpoint is None else self._checkpoint.wait_s()

    async def wait(self) -> None:
        """Sleep until there may be something new."""
        if self._reader is not None:
            await self._reader.wait(self.wait_s())

    def close(self) -> None:
        """Leave the hub; a second call changes nothing."""
        if self._reader is not None:
            self._hub.leave(self._reader)

    async def _opened(self) -> StreamItem:
        """Register before anything is read: from then on no event escapes."""
        reader = self._reader = self._hub.enter(self._customer, self._device)
        await self._hub.heard(reader)
        opening = await self._hub.begin(reader, self._after)
        self._goal = goal_of(opening, self._after)
        return opening

    async def _reset(self, reader: Reader, reason: Verdict) -> StreamItem:
        found = await self._hub.reset(reader, reason)
        self._lost = self._goal = None
        return found

    def _wanted(self, reader: Reader) -> StreamItem | None:
        """Take what the filter lets through; a checkpoint where one is due."""
        hub, checkpoint = self._hub, self._checkpoint
        if checkpoint is None:
            return hub.at_hand(reader)
        while True:
            event = hub.at_hand(reader)
            if event is not None and is_wanted(event, self._categories):
                checkpoint.made()
                return event
            if checkpoint.due(skipped=event is not None):
                checkpoint.made()
                return CaughtUp(reader.cursor, self._clock.now())
            if event is None:
                return None
