"""A clock that somebody moves, as a demo's is; durations go on as they were."""

from datetime import datetime, timedelta

from typing_extensions import override

from app.clock import StoppedClock


class MovedClock(StoppedClock):
    """`move` lets time pass; `shift` changes only what the clock shows."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self._shift = timedelta(0)

    @override
    def now(self) -> datetime:
        """Give the instant the clock shows."""
        return super().now() + self._shift

    def shift(self, **parts: float) -> None:
        """Show another time, by the parts of a timedelta; back and forth."""
        self._shift += timedelta(**parts)
