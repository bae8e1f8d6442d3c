"""A place in one customer's events, and the verdict over a resume from it (pure).

`ec1.<epoch>.<seq>.<yyyymmdd>` needs no signature: the customer comes from the token, so
a forged cursor reads only one's own events.
"""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Self

from typing_extensions import override

_FORM = re.compile(r"ec1\.([a-z2-7]{8})\.(0|[1-9]\d{0,18})\.(\d{4})(\d{2})(\d{2})")


class MalformedCursor(ValueError):
    """The text is not a cursor of ours."""


@dataclass(frozen=True, slots=True)
class EventCursor:
    """Epoch of the stream, number of the event, bank day of the event."""

    epoch: str
    seq: int
    day: date

    @override
    def __str__(self) -> str:
        return written(self.epoch, self.seq, self.day)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the outside form.

        Raises:
            MalformedCursor: any other text.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise MalformedCursor
        epoch, seq, *day = found.groups()
        try:
            return cls(epoch, int(seq), date(*(int(part) for part in day)))
        except ValueError:
            raise MalformedCursor from None


def written(epoch: str, seq: int, day: date) -> str:
    """Write a position in its outside form."""
    return f"ec1.{epoch}.{seq}.{_digits(day)}"


@lru_cache(maxsize=16)  # all events of a day name it
def _digits(day: date) -> str:
    return day.isoformat().replace("-", "")


class Verdict(StrEnum):
    """What a resume gets; all but RESUME are reasons of a StreamReset."""

    RESUME = "RESUME"
    EPOCH_CHANGED = "EPOCH_CHANGED"
    EXPIRED = "EXPIRED"
    TOO_FAR_BEHIND = "TOO_FAR_BEHIND"
    AHEAD = "AHEAD"


def judge(
    after: EventCursor, head: EventCursor, *, next_is_there: bool, replay_max: int
) -> Verdict:
    """Judge a resume (realtime.md section 5).

    Args:
        after: what the phone stored.
        head: the present end of the stream.
        next_is_there: whether the event `after.seq + 1` is still kept.
        replay_max: most events that are replayed.
    """
    if after.epoch != head.epoch:
        return Verdict.EPOCH_CHANGED
    if after.seq > head.seq:
        return Verdict.AHEAD
    if head.seq - after.seq > replay_max:
        return Verdict.TOO_FAR_BEHIND
    if after.seq < head.seq and not next_is_there:
        return Verdict.EXPIRED
    return Verdict.RESUME
