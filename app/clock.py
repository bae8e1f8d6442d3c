"""The one clock: UTC, milliseconds, movable by a file in demo and test only."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from typing_extensions import override

_OFFSET = len("+00:00")
_INSTANTS = 1024
_LOOK_EVERY_S = 0.25  # a moved clock is noticed within a quarter second


def rfc3339(instant: datetime) -> str:
    """Write an instant the one way: RFC 3339, UTC, three decimals and `Z`."""
    return _written(instant)


@lru_cache(maxsize=_INSTANTS)  # an event names its instant more than once
def _written(instant: datetime) -> str:
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return f"{instant.isoformat(timespec='milliseconds')[:-_OFFSET]}Z"


class Clock:
    """Tells the bank's time.

    Args:
        zone: IANA name of the bank's business time zone; days turn there.
        offset_file: file with whole or decimal seconds to add; only demo and test
            may name one (settings refuse it elsewhere).
    """

    def __init__(
        self, zone: str = "Asia/Kolkata", offset_file: Path | None = None
    ) -> None:
        self.zone = ZoneInfo(zone)
        self._offset_file = offset_file
        self._offset = timedelta(0)
        self._looked_at = -_LOOK_EVERY_S

    def now(self) -> datetime:
        """Give the present instant in UTC, cut to milliseconds."""
        moved = datetime.now(UTC) + self._moved_by()
        return moved.replace(microsecond=moved.microsecond // 1000 * 1000)

    def today(self) -> date:
        """Give the bank day of the present instant."""
        return self.now().astimezone(self.zone).date()

    def monotonic(self) -> float:
        """Give seconds that only grow; for durations, never for instants."""
        return time.monotonic()

    def _moved_by(self) -> timedelta:
        if self._offset_file is None:
            return self._offset
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            self._offset = timedelta(seconds=_seconds_in(self._offset_file))
        return self._offset


class StoppedClock(Clock):
    """A clock for tests that stands still until it is moved.

    Args:
        at: where it stands at first.
        tick: called after each move, for tests that wake sleepers.
    """

    def __init__(self, at: datetime, tick: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._at = at.astimezone(UTC)
        self._tick = tick

    @override
    def now(self) -> datetime:
        """Give the instant at which the clock stands."""
        return self._at

    @override
    def monotonic(self) -> float:
        """Give the same instant as seconds, so that durations follow the moves."""
        return self._at.timestamp()

    def move(self, **parts: float) -> None:
        """Move by the parts of a timedelta, for example `hours=25`."""
        self._at += timedelta(**parts)
        if self._tick:
            self._tick()


def _seconds_in(file: Path) -> float:
    try:
        return float(file.read_text().strip() or 0)
    except (FileNotFoundError, ValueError):
        return 0.0
