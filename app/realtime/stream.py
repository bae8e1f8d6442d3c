"""What a subscriber is given: logged events, and three control items between them."""

from dataclasses import dataclass
from datetime import datetime

from app.clock import Clock
from app.realtime.cursor import EventCursor, Verdict
from app.realtime.facts import Category
from app.realtime.logged import LoggedEvent

_SKIPPED_MAX = 100
_CHECKPOINT_S = 60.0


@dataclass(frozen=True, slots=True)
class StreamReady:
    """Live from `cursor` on; `missed` events come before CaughtUp."""

    cursor: EventCursor
    at: datetime
    missed: int


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """All missed events are delivered, or a checkpoint of a filtered stream."""

    cursor: EventCursor
    at: datetime


@dataclass(frozen=True, slots=True)
class StreamReset:
    """What was missed cannot be replayed; the stream goes on live from `cursor`."""

    cursor: EventCursor
    at: datetime
    reason: Verdict


StreamItem = StreamReady | CaughtUp | StreamReset | LoggedEvent


class Lost(Exception):
    """The reader's next event is not in the log any more."""

    def __init__(self, reason: Verdict) -> None:
        super().__init__(reason)
        self.reason = reason


class Away(Exception):
    """What comes next is not at hand: it has to be read, or waited for."""


class TooSlow(Exception):
    """A reader is more than 1,000 events behind: its socket closes 4410."""


class Checkpoint:
    """When a filtered stream owes its reader a young cursor."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._skipped = 0
        self._since = 0.0

    def made(self) -> None:
        """The reader has a cursor that covers everything so far."""
        self._skipped = 0

    def due(self, *, skipped: bool) -> bool:
        """Count a skipped event, if there is one; tell whether a checkpoint is due."""
        if skipped:
            if not self._skipped:
                self._since = self._clock.monotonic()
            self._skipped += 1
        wait_s = self.wait_s()
        return self._skipped >= _SKIPPED_MAX or (wait_s is not None and wait_s <= 0)

    def wait_s(self) -> float | None:
        """Longest sleep before a checkpoint is due; None if nothing was skipped."""
        if not self._skipped:
            return None
        return self._since + _CHECKPOINT_S - self._clock.monotonic()


def goal_of(
    opening: StreamReady | StreamReset, after: EventCursor | None
) -> int | None:
    """Give the number at which a resume is caught up."""
    if after is None or isinstance(opening, StreamReset):
        return None
    return after.seq + opening.missed


def is_wanted(event: LoggedEvent, categories: frozenset[Category] | None) -> bool:
    """Tell whether a filter lets an event through."""
    return categories is None or event.fact.category in categories
