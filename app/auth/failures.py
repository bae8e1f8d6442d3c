"""Wrong answers over all phones of a customer (auth.md 6.1).

Only phones with a good signature are counted, and a customer is held up only when at
least two of the phones took part: one phone in wrong hands locks itself alone. Counted
by hours; a right answer forgets those of its phone, and of the others what is older
than a day.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app import audit
from app.auth import alerts
from app.auth.actor import Actor
from app.auth.directory import Directory
from app.auth.outbox import Outbox
from app.database import Tx
from app.ids import CustomerId, DeviceId
from app.settings import Settings

DAY = timedelta(hours=24)
# What a right answer forgets, of the phone $1 of the customer $2, before $3.
FORGIVEN = "customer_id = $2 AND (device_id = $1 OR hour <= $3)"
_PHONES = 2
_STEPS_MAX = 32
_NOTICE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Counted:
    """Wrong answers of a customer: of one phone, in a day and since a success.

    Args:
        today: in the last 24 hours.
        ever: since the last right answer.
    """

    today: int
    ever: int


def blocks(counted: list[Counted], settings: Settings) -> bool:
    """Tell whether a customer has to wait (pure)."""
    taking_part = [one for one in counted if one.today > 0]
    wrong = sum(one.today for one in taking_part)
    return len(taking_part) >= _PHONES and wrong >= settings.customer_tries


def locks(counted: list[Counted], settings: Settings) -> bool:
    """Tell whether a customer is locked for good (pure)."""
    wrong = sum(one.ever for one in counted)
    return len(counted) >= _PHONES and wrong >= settings.customer_tries_max


def wait(step: int, settings: Settings) -> timedelta:
    """Give how long a customer waits; `step` is how often it happened before (pure)."""
    doubled = settings.factor_pause_s * 2 ** min(step, _STEPS_MAX)
    return timedelta(seconds=min(doubled, settings.factor_pause_max_s))


class Failures:
    """Counts, holds customers up, and tells them.

    Args:
        settings: how many tries, how long the waits.
        directory: the phone number that is told.
        outbox: tells it.
    """

    def __init__(
        self, *, settings: Settings, directory: Directory, outbox: Outbox
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._outbox = outbox

    async def count(self, tx: Tx, actor: Actor, now: datetime) -> None:
        """Count one wrong answer of the caller's phone, and do what it leads to."""
        customer = actor.known_customer
        # An update that changes nothing: wrong answers of one customer take turns.
        row = await tx.one(
            "UPDATE customer SET block_step = block_step WHERE id = $1 "
            "RETURNING block_step",
            customer,
        )
        assert row is not None  # noqa: S101  -- customers are never deleted
        await tx.rows(
            "INSERT INTO failure_day (customer_id, device_id, hour, count) "
            "VALUES ($1, $2, $3, 1) ON CONFLICT (customer_id, device_id, hour) "
            "DO UPDATE SET count = failure_day.count + 1 RETURNING count",
            customer,
            actor.known_device,
            now.replace(minute=0, second=0, microsecond=0),
        )
        counted = await _counted(tx, customer, now)
        if locks(counted, self._settings):
            await self._lock(tx, actor, now)
        elif blocks(counted, self._settings):
            step = row.get("block_step", int)
            await self._block(tx, actor, now, step)

    async def tell(
        self, tx: Tx, customer: CustomerId, text: str, now: datetime
    ) -> None:
        """Send the customer's number a text."""
        to = await self._directory.phone_inside(tx, customer)
        await self._outbox.put(tx, to, text, now + _NOTICE)

    async def _block(self, tx: Tx, actor: Actor, now: datetime, step: int) -> None:
        until = now + wait(step, self._settings)
        await tx.rows(
            "UPDATE customer SET blocked_until = $2, block_step = block_step + 1 "
            "WHERE id = $1 RETURNING id",
            actor.known_customer,
            until,
        )
        minutes = int((until - now).total_seconds() // 60)
        entry = actor.entry("customer.blocked", now, detail={"minutes": minutes})
        title = f"Too many wrong tries on your phones. Please wait {minutes} minutes."
        alerts.tell(tx, entry, title)
        await self.tell(tx, actor.known_customer, title, now)

    async def _lock(self, tx: Tx, actor: Actor, now: datetime) -> None:
        row = await tx.one(
            "UPDATE customer SET status = 'HARD_LOCKED' "
            "WHERE id = $1 AND status = 'ACTIVE' RETURNING id",
            actor.known_customer,
        )
        if row is None:
            return
        entry = actor.entry("customer.hard_locked", now, outcome=audit.Outcome.DENIED)
        title = "Too many wrong tries: your access is locked. Please enrol again."
        alerts.tell(tx, entry, title)
        await self.tell(tx, actor.known_customer, title, now)


async def forgive(
    tx: Tx, customer: CustomerId, device: DeviceId, now: datetime
) -> None:
    """Forget wrong answers after a right one."""
    forgotten = await tx.rows(
        f"DELETE FROM failure_day WHERE {FORGIVEN} RETURNING hour",  # noqa: S608  -- our own condition
        device,
        customer,
        now - DAY,
    )
    if forgotten:
        await tx.rows(
            "UPDATE customer SET block_step = 0 WHERE id = $1 RETURNING id", customer
        )


def measured(customer: str, device: str, since: str) -> str:
    """Give this room's columns of the statement that measures a payment.

    Text and not a call, because a payment's facts are one statement (decision 30):
    `bound_at` of the phone, and `failed`, the wrong answers since an instant.

    Args:
        customer: placeholder of whose answers.
        device: placeholder of the phone.
        since: placeholder of the instant.
    """
    return (
        f"(SELECT bound_at FROM device WHERE id = {device}) AS bound_at, "  # noqa: S608  -- placeholders only
        "(SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM failure_day "
        f"WHERE customer_id = {customer} AND hour > {since}) AS failed"
    )


async def _counted(tx: Tx, customer: CustomerId, now: datetime) -> list[Counted]:
    rows = await tx.rows(
        "SELECT sum(count) AS ever, sum(CASE WHEN hour > $2 THEN count ELSE 0 END) "
        "AS today FROM failure_day WHERE customer_id = $1 GROUP BY device_id",
        customer,
        now - DAY,
    )
    return [
        Counted(int(row.get("today", int)), int(row.get("ever", int))) for row in rows
    ]
