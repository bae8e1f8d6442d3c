"""What a customer wants to be told, by which channel, and when a phone must not ring.

What is mandatory is decided in `channels` and never by a row: no write, and no row that
somebody forged, takes security away (realtime.md section 11.4 of the design).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from app import database
from app.auth.cooling import Statements
from app.database import Tx
from app.ids import CustomerId
from app.money import Money
from app.notifications.channels import MANDATORY, Channel
from app.notifications.quiet import QuietHours
from app.notifications.wording import Note
from app.realtime.facts import Category
from app.rows import Row

ALL = frozenset(Channel)
OF_MONEY = frozenset({Category.MONEY_IN, Category.MONEY_OUT})  # have a threshold
Detail = dict[str, str | int | bool | None]
_BITS: Mapping[Channel, int] = {Channel.PUSH: 1, Channel.IN_APP: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """What is chosen for one category; without a choice, everything is told.

    Args:
        category: what it is about.
        channels: a push never without the inbox that it points into.
        threshold: smaller amounts of the same currency are not told.
    """

    category: Category
    channels: frozenset[Channel] = ALL
    threshold: Money | None = None

    @property
    def is_mandatory(self) -> bool:
        """Whether its channels stay as the bank sets them."""
        return self.category in MANDATORY

    @property
    def bits(self) -> int:
        """The channels as the table keeps them."""
        return sum(_BITS[channel] for channel in self.channels)

    def wants(self, note: Note) -> bool:
        """Whether a notification is told at all."""
        if self.is_mandatory:
            return True
        amount, least = note.args.get("amount"), self.threshold
        small = (
            least is not None
            and isinstance(amount, int)
            and note.args.get("currency") == least.currency
            and amount < least.minor
        )
        return bool(self.channels) and not small


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRule:
    """Whether phones ring for a notification, and not before when.

    Args:
        refused: why they never do: PREFERENCE or QUIET.
        not_before: end of the quiet hours that hold now.
    """

    refused: str | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Everything one customer chose.

    Args:
        chosen: by category; others are as the bank sets them.
        quiet: when phones must not ring.
        zone: the customer's; None is the bank's.
        hide_amounts: pushes and locked screens show no figure.
    """

    chosen: Mapping[Category, Preference] = field(default_factory=dict)
    quiet: QuietHours | None = None
    zone: str | None = None
    hide_amounts: bool = True

    def of(self, category: Category) -> Preference:
        """Give what holds for a category, mandatory ones as the bank sets them."""
        default = Preference(category=category)
        return default if default.is_mandatory else self.chosen.get(category, default)

    def all(self) -> list[Preference]:
        """Give what holds for every category."""
        return [self.of(category) for category in Category]

    def rule(
        self, category: Category, now: datetime, expires_at: datetime, bank: ZoneInfo
    ) -> PushRule:
        """Judge whether and when phones ring; what is mandatory knows no rest.

        Args:
            category: of what is told.
            now: the clock's instant.
            expires_at: when the push is worth nothing any more.
            bank: the zone of customers who have none of their own.
        """
        if category in MANDATORY:
            return PushRule()
        if Channel.PUSH not in self.of(category).channels:
            return PushRule(refused="PREFERENCE")
        over = self.quiet and self.quiet.end_of(now, self.zone_or(bank))
        if not over:
            return PushRule()
        return (
            PushRule(refused="QUIET")
            if over >= expires_at
            else PushRule(not_before=over)
        )

    def zone_or(self, bank: ZoneInfo) -> ZoneInfo:
        """Give the customer's zone; one that nobody knows is the bank's."""
        try:
            return ZoneInfo(self.zone) if self.zone else bank
        except (KeyError, ValueError, OSError):
            return bank


async def of_customers(
    ask: Statements, customers: Iterable[CustomerId]
) -> dict[CustomerId, Wishes]:
    """Read the choices of some customers."""
    wanted = sorted(set(customers))
    if not wanted:
        return {}
    marks = database.placeholders(1, len(wanted))
    rows = await ask(
        "SELECT customer_id, category, channels, threshold_minor, currency "  # noqa: S608  -- placeholders only
        f"FROM notification_preference WHERE customer_id IN {marks}",
        *wanted,
    )
    settings = await ask(
        "SELECT customer_id, hide_amounts, quiet_from, quiet_to, timezone "  # noqa: S608  -- placeholders only
        f"FROM notification_settings WHERE customer_id IN {marks}",
        *wanted,
    )
    kept = {row.get("customer_id", CustomerId): row for row in settings}
    return {
        customer: wishes_of(
            kept.get(customer),
            [row for row in rows if row.get("customer_id", CustomerId) == customer],
        )
        for customer in wanted
    }


def wishes_of(settings: Row | None, rows: Sequence[Row]) -> Wishes:
    """Read one customer's rows; of a category that is mandatory none counts."""
    chosen = {one.category: one for row in rows if (one := _preference(row))}
    if settings is None:
        return Wishes(chosen=chosen)
    start = settings.find("quiet_from", int)
    end = settings.find("quiet_to", int)
    return Wishes(
        chosen=chosen,
        quiet=None if start is None or end is None else QuietHours(start, end),
        zone=settings.find("timezone", str),
        hide_amounts=settings.get("hide_amounts", bool),
    )


async def keep(tx: Tx, customer: CustomerId, chosen: Preference) -> Detail:
    """Write the choice for one category; gives what the audit keeps of it."""
    least = chosen.threshold
    await tx.rows(
        "INSERT INTO notification_preference (customer_id, category, channels, "
        "threshold_minor, currency) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (customer_id, category) DO UPDATE SET "
        "channels = excluded.channels, threshold_minor = excluded.threshold_minor, "
        "currency = excluded.currency RETURNING category",
        customer,
        chosen.category,
        chosen.bits,
        least.minor if least else None,
        least.currency if least else None,
    )
    return {
        "category": chosen.category.value,
        "channels": " ".join(sorted(chosen.channels)) or "none",
        "threshold": f"{least.minor} {least.currency}" if least else "none",
    }


async def settle(tx: Tx, customer: CustomerId, after: Wishes) -> Detail:
    """Write quiet hours and what is hidden; gives what the audit keeps of it."""
    quiet = after.quiet
    await tx.rows(
        "INSERT INTO notification_settings (customer_id, hide_amounts, quiet_from, "
        "quiet_to) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (customer_id) DO UPDATE SET "
        "hide_amounts = excluded.hide_amounts, quiet_from = excluded.quiet_from, "
        "quiet_to = excluded.quiet_to RETURNING customer_id",
        customer,
        after.hide_amounts,
        quiet.start if quiet else None,
        quiet.end if quiet else None,
    )
    hours = "-".join(quiet.texts) if quiet else "none"
    return {"quietHours": hours, "hideAmounts": after.hide_amounts}


async def move(tx: Tx, customer: CustomerId, zone: str) -> None:
    """Write in which zone a customer lives, an IANA name."""
    await tx.rows(
        "INSERT INTO notification_settings (customer_id, timezone) VALUES ($1, $2) "
        "ON CONFLICT (customer_id) DO UPDATE SET timezone = excluded.timezone "
        "RETURNING customer_id",
        customer,
        zone,
    )


def _preference(row: Row) -> Preference | None:
    try:
        category = row.get("category", Category)
    except ValueError:
        return None  # of a newer version
    bits, least = row.get("channels", int), row.find("threshold_minor", int)
    return Preference(
        category=category,
        channels=frozenset(one for one in Channel if bits & _BITS[one]),
        threshold=None if least is None else Money(least, row.get("currency", str)),
    )
