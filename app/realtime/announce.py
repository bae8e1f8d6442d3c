"""What a bus may carry, and the announcer that batches it after the commit.

Nothing personal or monetary travels: a dump of the bus tells only that something
happened to somebody.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app import telemetry
from app.ids import CustomerId, SessionId
from app.realtime.logged import LoggedEvent

_FLUSH_S = 0.002
_BATCH = 512
_PENDING_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Hint:
    """Look again: this customer's stream reached `seq`.

    `events` is filled only where no wire lies between (the memory bus).
    """

    customer: CustomerId
    epoch: str
    seq: int
    events: tuple[LoggedEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Revoke:
    """Close the sockets of a session; `superseded` when the same phone signed in."""

    session: SessionId
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Reload a shared state, for example `status`."""

    topic: str


Announcement = Hint | Revoke | Broadcast


class Publisher(Protocol):
    """The half of a bus that sends."""

    async def publish(self, items: Sequence[Announcement]) -> None:
        """Send at most once; never blocks longer than a second."""
        ...


class Announcer:
    """Keeps one pending hint per customer, newest wins, and flushes every 2 ms.

    Args:
        bus: where the announcements go; what it cannot take is counted and forgotten,
            because the log is the truth and the polls repair.
    """

    def __init__(self, bus: Publisher) -> None:
        self._bus = bus
        self._hints: dict[CustomerId, Hint] = {}
        self._others: list[Announcement] = []
        self._wake = asyncio.Event()
        self._is_down = False

    def announce(self, item: Announcement) -> None:
        """Take an announcement; called after a commit, never waits, never fails."""
        if not isinstance(item, Hint):
            self._others.append(item)
        elif len(self._hints) < _PENDING_MAX or item.customer in self._hints:
            before = self._hints.get(item.customer)
            self._hints[item.customer] = _newer(before, item)
        else:
            telemetry.announcer_dropped.inc()
        self._wake.set()

    async def run(self) -> None:
        """Flush until cancelled. Owned by the bank's task group."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(_FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Send what is pending, in batches."""
        self._wake.clear()
        items: list[Announcement] = [*self._others, *self._hints.values()]
        self._others, self._hints = [], {}
        for start in range(0, len(items), _BATCH):
            try:
                await self._bus.publish(items[start : start + _BATCH])
            except OSError as lost:  # the rest would only wait as long once more
                telemetry.announcer_dropped.inc(len(items) - start)
                self._note(lost)
                return
            self._note(None)

    def _note(self, lost: OSError | None) -> None:
        """Write one line for each outage, not one a flush."""
        if lost is not None and not self._is_down:
            telemetry.log.warning("bus_publish_failed", cause=str(lost))
        self._is_down = lost is not None


def _newer(before: Hint | None, item: Hint) -> Hint:
    if before is None or before.epoch != item.epoch:
        return item
    if item.seq <= before.seq:
        return before
    events = before.events + item.events
    return Hint(item.customer, item.epoch, item.seq, events)
