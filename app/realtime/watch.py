"""One customer's stream inside this process: the shared tail and those who read it.

A `Watch` exists while at least one `Reader` does. Only the hub's one reading task may
extend a tail, and only by the next number: a hint that is doubled, late or made up can
at worst cause an idle read (realtime.md section 4 of the design).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from datetime import date

from app.ids import CustomerId, DeviceId
from app.realtime.cursor import EventCursor
from app.realtime.logged import LoggedEvent

TAIL_MAX = 64
_NOWHERE = EventCursor("", 0, date.min)


class Watch:
    """What this process knows of one customer's stream.

    `last` is the highest number in the tail, `head` the highest that was heard of. The
    tail is the bounded queue of every reader: one who falls behind it goes back to the
    log and reads at its own pace.
    """

    __slots__ = ("customer", "epoch", "head", "last", "readers", "tail")

    def __init__(self, customer: CustomerId) -> None:
        self.customer = customer
        self.epoch: str | None = None
        self.last = 0
        self.head = 0
        self.tail: list[LoggedEvent] = []  # nearly always empty, so no deque
        self.readers: set[Reader] = set()

    @property
    def begun(self) -> bool:
        """Whether a head was read yet; before that there is nothing to go on from."""
        return self.epoch is not None

    @property
    def behind(self) -> bool:
        """Whether numbers were heard of that the tail does not hold yet."""
        return self.begun and self.head > self.last

    def begin(self, head: EventCursor) -> None:
        """Start at a head that was read after the first reader registered.

        With another epoch than before the stream was rebuilt: the tail is void and the
        readers are woken to say so.
        """
        if self.epoch == head.epoch:
            return
        if self.begun:
            self.head = 0  # numbers of the old stream say nothing about the new one
        self.tail.clear()
        self.epoch, self.last = head.epoch, head.seq
        self.head = max(self.head, head.seq)
        self.wake()

    def heard(self, seq: int) -> bool:
        """Note that a number exists; tell whether that is news worth a read."""
        if seq <= self.head:
            return False
        self.head = seq
        return True

    def extend(self, events: Iterable[LoggedEvent]) -> None:
        """Append what follows the tail without a gap, drop the rest, wake readers."""
        before = self.last
        for event in events:
            if event.seq == self.last + 1:
                self.tail.append(event)
                self.last = event.seq
        del self.tail[:-TAIL_MAX]
        self.head = max(self.head, self.last)
        if self.last != before:
            self.wake()
            self.trim()

    def trim(self) -> None:
        """Drop what every reader has taken: an idle stream holds no events."""
        taken = min((reader.cursor.seq for reader in self.readers), default=0)
        if self.tail and self.tail[0].seq <= taken:
            del self.tail[: taken + 1 - self.tail[0].seq]

    def at(self, seq: int) -> LoggedEvent | None:
        """Give an event of the tail by its number, or None if it is not there."""
        if not self.tail or not self.tail[0].seq <= seq <= self.last:
            return None
        return self.tail[seq - self.tail[0].seq]

    def wake(self) -> None:
        """Let every reader look again."""
        for reader in tuple(self.readers):
            reader.wake()


class Reader:
    """One subscriber's place in a watch: which number it needs next.

    `batch` holds what a replay read from the log; `listener`, where there is one, is
    called at once when there may be more, and must not wait.
    """

    __slots__ = ("_woken", "batch", "cursor", "device", "listener", "watch")

    def __init__(self, watch: Watch, device: DeviceId | None = None) -> None:
        self.watch = watch
        self.device = device
        self.cursor = _NOWHERE
        self.batch: deque[LoggedEvent] | None = None
        self.listener: Callable[[], None] | None = None
        self._woken: asyncio.Event | None = None

    @property
    def needs(self) -> int:
        """The number this reader takes next."""
        return self.cursor.seq + 1

    @property
    def lag(self) -> int:
        """How many events of the tail it has not taken."""
        return self.watch.last - self.cursor.seq

    def place(self, cursor: EventCursor) -> None:
        """Go on right after a position."""
        self.cursor = cursor
        self.batch = None

    def took(self, event: LoggedEvent) -> LoggedEvent:
        """Move on by one event, which is the next one."""
        self.cursor = event.cursor
        return event

    def wake(self) -> None:
        """Let the reader look again: whoever listens, or whoever waits."""
        if self.listener is not None:
            self.listener()
        if self._woken is not None:
            self._woken.set()

    async def wait(self, timeout_s: float | None = None) -> None:
        """Sleep until there may be something new, or until the time is over."""
        self._woken = asyncio.Event()
        if self.watch.last >= self.needs or self.watch.epoch != self.cursor.epoch:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            self._woken = None
