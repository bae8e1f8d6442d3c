"""From committed fact to waiting reader: one hub per process.

Why no event is missed, doubled or swapped: (a) the log's order is commit order; (b) a
reader registers before it reads, so a row is either visible to that read, or its hint
finds a registered watch, or the poll finds it; (c) a tail grows only by its next
number; (d) a reader takes only the number after its own, from the tail or from the log,
whichever has it (realtime.md section 4 of the design).
"""

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager
from itertools import islice

from app import telemetry
from app.clock import Clock
from app.errors import Outage
from app.ids import CustomerId, DeviceId
from app.realtime import log
from app.realtime.announce import Announcement, Broadcast, Hint, Revoke
from app.realtime.bus import Bus, Reconnected
from app.realtime.cursor import EventCursor, Verdict, judge
from app.realtime.facts import Category
from app.realtime.follow import Follower
from app.realtime.interest import Interest
from app.realtime.logged import LoggedEvent
from app.realtime.patrol import Patrol
from app.realtime.receipts import Presence
from app.realtime.stream import (
    Away,
    Lost,
    StreamItem,
    StreamReady,
    StreamReset,
    TooSlow,
)
from app.realtime.watch import TAIL_MAX, Reader, Watch
from app.rows import Row
from app.settings import Settings

_GATHER_S = 0.002
_DIRTY_BATCH = 256
_REPLAY_BATCH = 100
_READS = 4
_RETRY_S = 0.5
_LAG_MAX = 1000
_LAG_SAMPLE = 8
_LET_GO_S = 1.0


class Hub:
    """Turns hints into events for the readers of this process.

    Args:
        settings: poll interval and longest replay.
        clock: instants of control events.
        bus: where hints come from; the hub is its one listener.
        on_revoke: called for each Revoke that the bus carries.
        on_broadcast: called for each Broadcast.
        on_gap: called when announcements may have been lost.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        bus: Bus,
        *,
        on_revoke: Callable[[Revoke], None] | None = None,
        on_broadcast: Callable[[Broadcast], None] | None = None,
        on_gap: Callable[[], None] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.presence = Presence(clock=clock)
        self._bus = bus
        self._on_revoke = on_revoke
        self._on_broadcast = on_broadcast
        self._on_gap = on_gap
        self._watches: dict[CustomerId, Watch] = {}
        self._dirty: dict[Watch, str] = {}  # with the cause
        self._woken = asyncio.Event()
        self._reads = asyncio.Semaphore(_READS)
        self._patrol = Patrol(self._watches, self._mark, settings.poll_s)
        self._interest = Interest(bus)
        self._told = 0

    @property
    def readers(self) -> int:
        """How many subscribers there are in this process."""
        return sum(len(watch.readers) for watch in self._watches.values())

    def followed(self) -> list[CustomerId]:
        """Give the customers who have a subscriber in this process."""
        return list(self._watches)

    async def run(self) -> None:
        """Listen, read and poll until cancelled. Owned by the bank's task group."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name="hub.listen")
            group.create_task(self._read_on(), name="hub.read")
            group.create_task(self._patrol.turns(), name="hub.poll")
            group.create_task(self._patrol.outages(), name="hub.outages")
            group.create_task(self._let_go(), name="hub.interest")
            group.create_task(self.presence.run(), name="hub.presence")

    # -------------------------------------------------------------- subscribing

    async def subscribe(
        self,
        customer: CustomerId,
        after: EventCursor | None = None,
        categories: frozenset[Category] | None = None,
        device: DeviceId | None = None,
    ) -> AsyncGenerator[StreamItem, None]:
        """Yield everything that happens to a customer, in order, without gaps.

        First StreamReady or StreamReset; then, with `after`, the missed events and
        CaughtUp; then each event as it is committed. With `categories` others are
        skipped, and CaughtUp comes as a checkpoint so that a stored cursor stays young.
        A `device` counts as live until the stream is closed: its pushes wait a little.

        Raises:
            TooSlow: the consumer fell more than 1,000 events behind.
            Outage: the database is lost.
        """
        follower = Follower(self, self._clock, customer, after, categories, device)
        try:
            while True:
                item = await follower.next()
                if item is not None:
                    yield item
                else:
                    await follower.wait()
        finally:
            follower.close()

    @asynccontextmanager
    async def join(
        self, customer: CustomerId, device: DeviceId | None = None
    ) -> AsyncIterator[Reader]:
        """Register a reader; from here on no committed event escapes it."""
        reader = self.enter(customer, device)
        try:
            await self._interest.heard(customer)
            yield reader
        finally:
            self.leave(reader)

    def enter(self, customer: CustomerId, device: DeviceId | None = None) -> Reader:
        """Register a reader; `heard` has to be awaited before it reads."""
        watch = self._watches.get(customer)
        if watch is None:
            watch = self._watches[customer] = Watch(customer)
            self._interest.begin(customer)
        reader = Reader(watch, device)
        watch.readers.add(reader)
        self.presence.came(device, customer)
        return reader

    async def heard(self, reader: Reader) -> None:
        """Return when hints about the reader's customer arrive in this process."""
        await self._interest.heard(reader.watch.customer)

    def leave(self, reader: Reader) -> None:
        """Take a reader off; a second call changes nothing."""
        watch = reader.watch
        if reader not in watch.readers:
            return
        watch.readers.discard(reader)
        reader.listener = None
        self.presence.went(reader.device, watch.customer)
        if not watch.readers:
            self._forget(watch)

    async def begin(
        self, reader: Reader, after: EventCursor | None
    ) -> StreamReady | StreamReset:
        """Judge where a registered reader may start, and place it there."""
        head = await self._head(reader.watch)
        if after is None:
            reader.place(head)
            telemetry.stream_resumes.labels("NOW").inc()
            return StreamReady(head, self._clock.now(), 0)
        first = await self._read(reader.watch.customer, after.seq, "replay")
        verdict = judge(
            after,
            head,
            next_is_there=bool(first) and first[0].seq == after.seq + 1,
            replay_max=self._settings.replay_max,
        )
        if verdict is not Verdict.RESUME:
            return self._placed_anew(reader, head, verdict)
        telemetry.stream_resumes.labels(verdict).inc()
        reader.place(after)
        reader.batch = deque(first)
        return StreamReady(after, self._clock.now(), head.seq - after.seq)

    async def take(self, reader: Reader) -> LoggedEvent | None:
        """Give the reader's next event, or None when it has all there are.

        Raises:
            Lost: the next event cannot be had any more.
            TooSlow: more than 1,000 events behind.
        """
        try:
            return self.at_hand(reader)
        except Away:
            await self.refill(reader)
            return self.at_hand(reader)

    def at_hand(self, reader: Reader) -> LoggedEvent | None:
        """Give the reader's next event without a read, or None when it has all.

        Raises:
            Away: it has to be read from the log (`refill`).
            Lost, TooSlow: as `take`.
        """
        watch = reader.watch
        if reader.cursor.epoch != watch.epoch:
            raise Lost(Verdict.EPOCH_CHANGED)
        if reader.batch and reader.batch[0].seq == reader.needs:
            return reader.took(reader.batch.popleft())
        event = watch.at(reader.needs)
        if event is not None:
            return reader.took(event)
        if reader.needs > watch.last:
            return None
        if reader.lag > _LAG_MAX:
            raise TooSlow
        raise Away

    async def refill(self, reader: Reader) -> None:
        """Read the reader's next events from the log.

        Raises:
            Lost: they are not there any more.
        """
        customer = reader.watch.customer
        found = await self._read(customer, reader.cursor.seq, "replay")
        if not found or found[0].seq != reader.needs:
            raise Lost(Verdict.EXPIRED)
        if found[0].epoch != reader.cursor.epoch:
            raise Lost(Verdict.EPOCH_CHANGED)
        reader.batch = deque(found)

    async def reset(self, reader: Reader, reason: Verdict) -> StreamReset:
        """Place a reader that lost its events at the end of the stream."""
        return self._placed_anew(reader, await self._head(reader.watch), reason)

    def _placed_anew(
        self, reader: Reader, head: EventCursor, reason: Verdict
    ) -> StreamReset:
        if reason is Verdict.AHEAD:
            telemetry.log.error("stream_ahead", customer=str(reader.watch.customer))
        telemetry.stream_resumes.labels(reason).inc()
        reader.place(head)
        return StreamReset(head, self._clock.now(), reason)

    async def _head(self, watch: Watch) -> EventCursor:
        """Read the end of a stream; a first read starts the watch there."""
        async with self._reads:
            head = await log.head(watch.customer)
        watch.begin(head)
        watch.heard(head.seq)
        if watch.behind:
            self._mark(watch, "hint")
        return head

    async def _read(
        self, customer: CustomerId, seq: int, cause: str, limit: int = _REPLAY_BATCH
    ) -> list[LoggedEvent]:
        async with self._reads:
            telemetry.hub_reads.labels(cause).inc()
            return await log.read_after(customer, seq, limit)

    def _forget(self, watch: Watch) -> None:
        if self._watches.get(watch.customer) is watch:
            del self._watches[watch.customer]
            self._dirty.pop(watch, None)
            self._interest.end(watch.customer)

    # -------------------------------------------------------------- hints

    async def _listen(self) -> None:
        async with aclosing(self._bus.listen()) as heard:
            async for item in heard:
                if isinstance(item, Reconnected):
                    self._reconnected()
                else:
                    self._heard(item)

    def _heard(self, item: Announcement) -> None:
        if isinstance(item, Hint):
            self._hinted(item)
        elif isinstance(item, Revoke) and self._on_revoke is not None:
            self._on_revoke(item)
        elif isinstance(item, Broadcast) and self._on_broadcast is not None:
            self._on_broadcast(item)

    def _hinted(self, hint: Hint) -> None:
        watch = self._watches.get(hint.customer)
        if watch is None:
            return
        self._patrol.told(hint)
        if watch.begun and hint.epoch != watch.epoch:
            self._patrol.suspect(hint.customer)
            return
        if watch.begun:
            self._extend(watch, hint.events)
        if (watch.heard(hint.seq) or watch.behind) and watch.behind:
            self._mark(watch, "hint")

    def _extend(self, watch: Watch, events: Sequence[LoggedEvent]) -> None:
        before = watch.last
        watch.extend(events)
        if watch.last == before:
            return
        self._told += 1
        if self._told % _LAG_SAMPLE == 1:  # each costs as much as a quarter of a frame
            lag = self._clock.now() - events[-1].occurred_at
            telemetry.hub_lag.observe(lag.total_seconds())

    def _mark(self, watch: Watch, cause: str) -> None:
        self._dirty.setdefault(watch, cause)
        self._woken.set()

    def _reconnected(self) -> None:
        """Look at everything again: hints may have been lost."""
        telemetry.bus_reconnects.inc()
        if self._on_gap is not None:
            self._on_gap()
        self._patrol.look_again()

    # -------------------------------------------------------------- the one reader

    async def _read_on(self) -> None:
        while True:
            await self._woken.wait()
            await asyncio.sleep(_GATHER_S)
            batch = dict(islice(self._dirty.items(), _DIRTY_BATCH))
            for watch in batch:
                del self._dirty[watch]
            try:
                await self._catch_up(batch)
            except Outage:
                self._dirty |= batch
                await asyncio.sleep(_RETRY_S)
            if not self._dirty:
                self._woken.clear()

    async def _catch_up(self, batch: Mapping[Watch, str]) -> None:
        """Extend tails by one read of the log."""
        since = {watch.customer: watch.last for watch in batch}
        async with self._reads:
            rows = await log.read_several(since, TAIL_MAX)
        for watch, cause in batch.items():
            telemetry.hub_reads.labels(cause).inc()
            before = since[watch.customer]
            self._caught_up(watch, cause, before, rows[watch.customer])

    def _caught_up(
        self, watch: Watch, cause: str, before: int, rows: Sequence[Row]
    ) -> None:
        """Extend a tail; a hint that leads nowhere is forgotten."""
        try:
            self._extend(watch, [log.logged(row) for row in rows])
        except Exception:  # noqa: BLE001  -- one unreadable row must not end all streams
            telemetry.log.exception("hub_read_failed", customer=str(watch.customer))
        if watch.last == before:
            watch.head = before
        elif watch.behind:
            self._mark(watch, cause)

    async def _let_go(self) -> None:
        """Tell the bus now and then what nobody follows any more."""
        while True:
            await asyncio.sleep(_LET_GO_S)
            await self._interest.drop_left()
