"""Quiet hours: when a phone must not ring, and until when a push waits. Pure.

They are wall-clock times in the customer's zone, so they cross midnight, and the day on
which clocks change has its own length (realtime.md section 11.4 of the design).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

_TEXT = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


class MalformedHours(ValueError):
    """These are no two different times of the day."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one minute of the day up to another, in minutes after midnight.

    The end may be on the next day; the two are never the same.
    """

    start: int
    end: int

    @classmethod
    def parse(cls, start: str, end: str) -> "QuietHours":
        """Read two texts `HH:MM`.

        Raises:
            MalformedHours: another form, or twice the same time.
        """
        found = cls(_minutes(start), _minutes(end))
        if found.start == found.end:
            raise MalformedHours(start)
        return found

    @property
    def texts(self) -> tuple[str, str]:
        """Both times as `HH:MM`."""
        start, end = (
            f"{minutes // 60:02}:{minutes % 60:02}"
            for minutes in (self.start, self.end)
        )
        return start, end

    def end_of(self, at: datetime, zone: tzinfo) -> datetime | None:
        """Give when the quiet that holds at an instant is over; None: it is not quiet.

        An end that happens twice, as clocks go back, is the second one; an end that
        never happens, as they go forward, is the moment at which they do.
        """
        if not self._hold(at, zone):
            return None
        local = at.astimezone(zone)
        day = local.date()
        if self.start > self.end and _of_day(local) >= self.start:
            day += _DAY
        wall = datetime.combine(day, time(self.end // 60, self.end % 60), zone)
        end = max(wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        while end - _MINUTE > at and not self._hold(end - _MINUTE, zone):
            end -= _MINUTE
        return end

    def _hold(self, at: datetime, zone: tzinfo) -> bool:
        minute = _of_day(at.astimezone(zone))
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def _of_day(local: datetime) -> int:
    return local.hour * 60 + local.minute


def _minutes(text: str) -> int:
    found = _TEXT.fullmatch(text)
    if found is None:
        raise MalformedHours(text)
    return int(found[1]) * 60 + int(found[2])
