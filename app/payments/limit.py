"""Limits as values: rules, windows in the bank's time zone, what is left. Pure.

Source: banking.md sections 4.1 and 4.5, auth.md section 6.3.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from app.ids import CustomerId, LimitId
from app.money import Money
from app.realtime.shots import LimitShot

# The window of what is counted without an end, and of what rolls on.
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
ROLLING = timedelta(hours=24)


class Scope(StrEnum):
    """Whom a rule is about."""

    BANK = "BANK"
    CUSTOMER = "CUSTOMER"
    DEVICE_COOLING = "DEVICE_COOLING"
    DEVICE_WEAK = "DEVICE_WEAK"
    PAYEE_COOLING = "PAYEE_COOLING"


class Period(StrEnum):
    """Over what a rule counts."""

    PER_TRANSACTION = "PER_TRANSACTION"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    ROLLING_DAY = "ROLLING_DAY"
    TOTAL = "TOTAL"


class LimitWindow(StrEnum):
    """The periods a customer sees."""

    PER_TRANSACTION = "PER_TRANSACTION"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


NAMES = {
    LimitWindow.PER_TRANSACTION: "Each payment",
    LimitWindow.DAY: "Payments a day",
    LimitWindow.WEEK: "Payments a week",
    LimitWindow.MONTH: "Payments a month",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the bank, with the customer's choice in it.

    Args:
        id: of the bank's rule; payments are counted by it.
        max: in force now, minor units: the choice, else the bank's, never above
            the ceiling.
        ceiling: what a customer may choose at most.
        choice: what the customer chose and is in force; None: nothing.
        pending: a raise that waits for its time, and when that is.
    """

    id: UUID
    scope: Scope
    period: Period
    rail: str | None
    currency: str
    max: int
    ceiling: int
    choice: int | None = None
    pending: tuple[int, datetime] | None = None

    def chosen(
        self, choice: int | None, pending: tuple[int, datetime] | None
    ) -> "Rule":
        """Put a customer's choice in."""
        most = min(self.max if choice is None else choice, self.ceiling)
        return replace(self, max=most, choice=choice, pending=pending)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit of a customer, as the customer sees it.

    `used` holds what payments under way have set aside, too.
    """

    id: LimitId
    name: str
    rail: str | None
    window: LimitWindow
    max: Money
    used: Money
    remaining: Money
    resets_at: datetime | None
    ceiling: Money
    pending_max: Money | None = None
    pending_from: datetime | None = None

    def shot(self) -> LimitShot:
        """Give the snapshot that goes into an event."""
        pending = self.pending_max
        return LimitShot(
            id=str(self.id),
            name=self.name,
            rail=self.rail,
            window=self.window.value,
            max=self.max.minor,
            used=self.used.minor,
            remaining=self.remaining.minor,
            currency=self.max.currency,
            resets_at=self.resets_at,
            ceiling=self.ceiling.minor,
            pending_max=None if pending is None else pending.minor,
            pending_from=self.pending_from,
        )


def limit_id(subject: UUID, rule: UUID) -> LimitId:
    """Name a limit: the same for the same rule of the same customer or payee."""
    return LimitId(uuid5(rule, str(subject)))


def of_customer(rule: Rule, customer: CustomerId) -> LimitId:
    """Name a customer's limit; another customer's has another name."""
    return limit_id(customer.value, rule.id)


def window_start(period: Period, now: datetime, zone: ZoneInfo) -> datetime:
    """Give when the window that holds `now` began, in UTC."""
    today = now.astimezone(zone).date()
    match period:
        case Period.DAY:
            return _midnight(today, zone)
        case Period.WEEK:
            return _midnight(today - timedelta(days=today.weekday()), zone)
        case Period.MONTH:
            return _midnight(today.replace(day=1), zone)
        case Period.PER_TRANSACTION | Period.ROLLING_DAY | Period.TOTAL:
            return ALWAYS


def window_end(period: Period, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Give when the window that holds `now` ends, in UTC; None: it has no end."""
    today = now.astimezone(zone).date()
    match period:
        case Period.DAY:
            return _midnight(today + timedelta(days=1), zone)
        case Period.WEEK:
            return _midnight(today + timedelta(days=7 - today.weekday()), zone)
        case Period.MONTH:
            following = today.replace(day=28) + timedelta(days=4)
            return _midnight(following.replace(day=1), zone)
        case Period.PER_TRANSACTION | Period.ROLLING_DAY | Period.TOTAL:
            return None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
