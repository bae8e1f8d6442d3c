"""A fact with its place in the customer's stream."""

from dataclasses import dataclass, field
from datetime import date, datetime

from app.ids import CustomerId
from app.realtime.cursor import EventCursor
from app.realtime.facts import Fact


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A fact with its place in the customer's stream.

    `shown` keeps what was rendered of it while it is held in memory.
    """

    customer: CustomerId
    epoch: str
    seq: int
    day: date
    occurred_at: datetime
    fact: Fact
    shown: dict[object, bytes] = field(default_factory=dict, compare=False, repr=False)

    @property
    def cursor(self) -> EventCursor:
        """What a phone stores after it applied this event."""
        return EventCursor(self.epoch, self.seq, self.day)
