"""From committed fact to waiting reader: one hub per process.

Why no event is missed, doubled or swapped: (a) the log's order is commit order; (b) a
reader registers before it reads, so a row is either visible to that read, or its hint
finds a registered watch, or the poll finds it; (c) a tail grows only by its next
number; (d) a reader takes only the number after its own, from the tail or from the log,
whichever has it (realtime.md section 4 of the design).
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from zlib import crc32

from app import telemetry
from app.clock import Clock
from app.errors import Outage
from app.ids import CustomerId, DeviceId
from app.realtime import log
from app.realtime.announce import Announcement, Hint, Revoke
from app.realtime.bus import PARTITIONS, Bus, Reconnected
from app.realtime.cursor import EventCursor, Verdict, judge
from app.realtime.facts import Category
from app.realtime.logged import LoggedEvent
from app.realtime.receipts import Presence
from app.realtime.stream import (
    CaughtUp,
    Checkpoint,
    Lost,
    StreamItem,
    StreamReady,
    StreamReset,
    TooSlow,
    goal_of,
    is_wanted,
)
from app.realtime.watch import TAIL_MAX, Reader, Watch
from app.settings import Settings

_GATHER_S = 0.002
_DIRTY_BATCH = 256
_REPLAY_BATCH = 100
_READS = 4
_RETRY_S = 0.5
_POLL_BATCH = 500
_LAG_MAX = 1000


class Hub:
    """Turns hints into events for the readers of this process.

    Args:
        settings: poll interval and longest replay.
        clock: instants of control events.
        bus: where hints come from; the hub is its one listener.
        on_revoke: called for each Revoke that the bus carries.
        on_gap: called when announcements may have been lost.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        bus: Bus,
        *,
        on_revoke: Callable[[Revoke], None] | None = None,
        on_gap: Callable[[], None] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.presence = Presence(clock=clock)
        self._bus = bus
        self._on_revoke = on_revoke
        self._on_gap = on_gap
        self._watches: dict[CustomerId, Watch] = {}
        self._dirty: dict[Watch, None] = {}
        self._woken = asyncio.Event()
        self._reads = asyncio.Semaphore(_READS)
        self._suspects: set[CustomerId] = set()
        self._round: Iterator[CustomerId] = iter(())
        self._partitions: Counter[int] = Counter()
        self._left: set[int] = set()

    @property
    def readers(self) -> int:
        """How many subscribers there are in this process."""
        return sum(len(watch.readers) for watch in self._watches.values())

    async def run(self) -> None:
        """Listen, read and poll until cancelled. Owned by the bank's task group."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name="hub.listen")
            group.create_task(self._read_on(), name="hub.read")
            group.create_task(self._poll(), name="hub.poll")
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
        async with self.join(customer, device) as reader:
            opening = await self.begin(reader, after)
            yield opening
            goal = goal_of(opening, after)
            checkpoint = Checkpoint(self._clock)
            while True:
                if goal is not None and reader.cursor.seq >= goal:
                    goal = None
                    yield CaughtUp(reader.cursor, self._clock.now())
                try:
                    event = await self.take(reader)
                except Lost as lost:
                    goal = None
                    yield await self._reset(reader, lost.reason)
                    continue
                if event is not None and is_wanted(event, categories):
                    checkpoint.made()
                    yield event
                elif checkpoint.due(skipped=event is not None):
                    checkpoint.made()
                    yield CaughtUp(reader.cursor, self._clock.now())
                elif event is None:
                    await reader.wait(checkpoint.wait_s())

    @asynccontextmanager
    async def join(
        self, customer: CustomerId, device: DeviceId | None = None
    ) -> AsyncIterator[Reader]:
        """Register a reader; from here on no committed event escapes it."""
        watch = self._watches.get(customer)
        if watch is None:
            watch = self._watches[customer] = Watch(customer)
            self._partitions[_partition(customer)] += 1
        reader = Reader(watch)
        watch.readers.add(reader)
        try:
            part = _partition(customer)
            if self._partitions[part] == 1 and len(watch.readers) == 1:
                await self._interest(add=frozenset({part}))
            with self.presence.of(device, customer):
                yield reader
        finally:
            watch.readers.discard(reader)
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
        reader.batch.extend(first)
        return StreamReady(after, self._clock.now(), head.seq - after.seq)

    async def take(self, reader: Reader) -> LoggedEvent | None:
        """Give the reader's next event, or None when it has all there are.

        Raises:
            Lost: the next event cannot be had any more.
            TooSlow: more than 1,000 events behind.
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
        if watch.last - reader.cursor.seq > _LAG_MAX:
            raise TooSlow
        found = await self._read(watch.customer, reader.cursor.seq, "replay")
        if not found or found[0].seq != reader.needs:
            raise Lost(Verdict.EXPIRED)
        if found[0].epoch != reader.cursor.epoch:
            raise Lost(Verdict.EPOCH_CHANGED)
        reader.batch = deque(found)
        return reader.took(reader.batch.popleft())

    async def _reset(self, reader: Reader, reason: Verdict) -> StreamReset:
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
            self._mark(watch)
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
            part = _partition(watch.customer)
            self._partitions[part] -= 1
            if not self._partitions[part]:
                del self._partitions[part]
                self._left.add(part)

    # -------------------------------------------------------------- hints

    async def _listen(self) -> None:
        async for item in self._bus.listen():
            if isinstance(item, Reconnected):
                await self._reconnected()
            else:
                self._heard(item)

    def _heard(self, item: Announcement) -> None:
        if isinstance(item, Hint):
            self._hinted(item)
        elif isinstance(item, Revoke) and self._on_revoke is not None:
            self._on_revoke(item)

    def _hinted(self, hint: Hint) -> None:
        watch = self._watches.get(hint.customer)
        if watch is None:
            return
        if watch.begun and hint.epoch != watch.epoch:
            self._suspects.add(hint.customer)
            return
        if watch.begun:
            watch.extend(hint.events)
        if (watch.heard(hint.seq) or watch.behind) and watch.behind:
            self._mark(watch)

    def _mark(self, watch: Watch) -> None:
        self._dirty[watch] = None
        self._woken.set()

    async def _reconnected(self) -> None:
        """Suspect every watch; the poll looks at them within two seconds."""
        if self._on_gap is not None:
            self._on_gap()
        self._suspects.update(self._watches)

    # -------------------------------------------------------------- the one reader

    async def _read_on(self) -> None:
        while True:
            await self._woken.wait()
            await asyncio.sleep(_GATHER_S)
            batch = list(islice(self._dirty, _DIRTY_BATCH))
            for watch in batch:
                del self._dirty[watch]
            try:
                async with asyncio.TaskGroup() as group:
                    for watch in batch:
                        group.create_task(self._catch_up(watch))
            except* Outage:
                for watch in batch:
                    self._dirty[watch] = None
                await asyncio.sleep(_RETRY_S)
            if not self._dirty:
                self._woken.clear()

    async def _catch_up(self, watch: Watch) -> None:
        """Extend a tail from the log; a hint that leads nowhere is forgotten."""
        before = watch.last
        try:
            watch.extend(await self._read(watch.customer, before, "hint", TAIL_MAX))
        except Outage:
            raise
        except Exception:  # noqa: BLE001  -- one unreadable row must not end all streams
            telemetry.log.exception("hub_read_failed", customer=str(watch.customer))
        if watch.last == before:
            watch.head = before
        elif watch.behind:
            self._mark(watch)

    # -------------------------------------------------------------- the safety poll

    async def _poll(self) -> None:
        poll_s = self._settings.poll_s
        turn_s = min(1.0, poll_s / 2)
        while True:
            await asyncio.sleep(turn_s)
            share = -(-len(self._watches) * turn_s // poll_s)
            looked = {*self._suspects, *self._next(int(share))}
            self._suspects.clear()
            try:
                await self._look_at(looked)
            except Outage:
                self._suspects.update(looked)
            await self._drop_partitions()

    def _next(self, count: int) -> list[CustomerId]:
        """Give the next watches of the round; a new round starts when it is over."""
        found = list(islice(self._round, count))
        if len(found) < count:
            self._round = iter(list(self._watches))
        return found

    async def _look_at(self, customers: Iterable[CustomerId]) -> None:
        rest = iter([one for one in customers if one in self._watches])
        while batch := list(islice(rest, _POLL_BATCH)):
            for customer, head in (await log.heads(batch)).items():
                self._compare(self._watches.get(customer), head)

    def _compare(self, watch: Watch | None, head: EventCursor) -> None:
        if watch is None or not watch.begun:
            return
        watch.begin(head)  # another epoch: the stream was rebuilt
        if watch.heard(head.seq):
            telemetry.hub_reads.labels("poll").inc()
        if watch.behind:
            self._mark(watch)

    async def _drop_partitions(self) -> None:
        gone = frozenset(part for part in self._left if part not in self._partitions)
        self._left.clear()
        if gone:
            await self._interest(drop=gone)

    async def _interest(
        self, add: frozenset[int] = frozenset(), drop: frozenset[int] = frozenset()
    ) -> None:
        """Tell the bus; while it is down the poll finds what its hints would."""
        try:
            await self._bus.interest(add, drop)
        except OSError as lost:
            telemetry.log.warning("bus_interest_failed", cause=type(lost).__name__)


def _partition(customer: CustomerId) -> int:
    return crc32(customer.value.bytes) % PARTITIONS
