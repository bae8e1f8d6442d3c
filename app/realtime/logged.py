"""A fact with its place in the customer's stream."""

from dataclasses import dataclass
from datetime import date, datetime

from app.ids import CustomerId
from app.realtime.cursor import EventCursor
from app.realtime.facts import Fact


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A fact with its place in the customer's stream."""

    customer: CustomerId
    epoch: str
    seq: int
    day: date
    occurred_at: datetime
    fact: Fact

    @property
    def cursor(self) -> EventCursor:
        """What a phone stores after it applied this event."""
        return EventCursor(self.epoch, self.seq, self.day)
