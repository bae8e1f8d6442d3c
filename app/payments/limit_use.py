"""What is set aside and used of limits: guarded counters, and who set what aside.

One statement takes an amount only while it fits, so of any number of payments at once
none passes a limit. A rolling limit has no window of its own to count in: its row is
taken first, then what the last 24 hours hold is added up. Rows are taken in one order,
after the payment's (banking.md sections 1.1 and 4.5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app import database
from app.auth.cooling import Statements
from app.database import Tx
from app.ids import CustomerId, PaymentId
from app.payments.lifecycle import NOTHING_MOVED, State, listed
from app.payments.limit import ALWAYS, ROLLING, Period
from app.payments.payment import Payment
from app.rows import Scalar

# What a payment that ended so has set aside is free again.
_NOTHING_MOVED = f"({listed(NOTHING_MOVED)})"
_NONE = UUID(int=0)
_KEY = "customer_id = $1 AND rule_id = $2 AND subject_id = $3 AND window_start = $4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """One row that counts payments.

    Args:
        customer: whose.
        rule: the bank's rule.
        subject: the customer's id, or that of the payee it is about.
        period: over what it counts.
        start: when its window began.
    """

    customer: CustomerId
    rule: UUID
    subject: UUID
    period: Period
    start: datetime

    @property
    def key(self) -> tuple[Scalar, ...]:
        """Name the row."""
        return (self.customer, self.rule, self.subject, self.start)

    @property
    def order(self) -> tuple[UUID, UUID, datetime]:
        """Give the place of the row in the one order of locks."""
        return (self.rule, self.subject, self.start)


async def reserve(tx: Tx, payment: Payment, counters: Sequence[Counter]) -> None:
    """Write down what a payment sets aside, before any counter is held."""
    if not counters:
        return
    columns = (
        (
            *(payment.id, one.rule, one.customer),
            *(one.subject, one.start, payment.amount.minor),
        )
        for one in counters
    )
    await tx.rows(
        "INSERT INTO limit_reservation (payment_id, rule_id, customer_id, subject_id, "  # noqa: S608  -- placeholders only
        f"window_start, amount) VALUES {database.placeholders(len(counters), 6)}",
        *(value for row in columns for value in row),
    )


async def take(tx: Tx, counter: Counter, minor: int, most: int, now: datetime) -> bool:
    """Count what was written down; False when it would pass `most` minor units."""
    if minor > most:
        return False
    if counter.period is Period.ROLLING_DAY:
        return await _taken_rolling(tx, counter, minor, most, now)
    return await _taken(tx, counter, minor, most, now)


async def _taken(
    tx: Tx, counter: Counter, minor: int, most: int, now: datetime
) -> bool:
    """Take it in one statement, which also makes the row on its first use."""
    row = await tx.one(
        "INSERT INTO limit_use (customer_id, rule_id, subject_id, window_start, "
        "reserved, used, changed_at) VALUES ($1, $2, $3, $4, $5, 0, $6) "
        "ON CONFLICT (customer_id, rule_id, subject_id, window_start) DO UPDATE SET "
        "reserved = limit_use.reserved + excluded.reserved, "
        "changed_at = excluded.changed_at "
        "WHERE limit_use.used + limit_use.reserved <= $7 - excluded.reserved "
        "RETURNING reserved",
        *counter.key,
        minor,
        now,
        most,
    )
    return row is not None


async def _taken_rolling(
    tx: Tx, counter: Counter, minor: int, most: int, now: datetime
) -> bool:
    """Hold the row first: then nobody else adds to what is added up here.

    The payment's own reservation is among what is added up.
    """
    await tx.one(
        "INSERT INTO limit_use (customer_id, rule_id, subject_id, window_start, "
        "reserved, used, changed_at) VALUES ($1, $2, $3, $4, 0, 0, $5) "
        "ON CONFLICT (customer_id, rule_id, subject_id, window_start) DO UPDATE SET "
        "changed_at = excluded.changed_at RETURNING reserved",
        *counter.key,
        now,
    )
    if await rolling(tx.rows, counter, now) > most:
        return False
    await tx.one(
        f"UPDATE limit_use SET reserved = reserved + $5 WHERE {_KEY} "  # noqa: S608  -- our own words
        "RETURNING reserved",
        *counter.key,
        minor,
    )
    return True


async def rolling(
    ask: Statements, counter: Counter, now: datetime, without: UUID = _NONE
) -> int:
    """Add up what is under way, and what settled within the last 24 hours.

    Args:
        ask: reads, inside a transaction or outside.
        counter: which.
        now: the end of the 24 hours.
        without: a payment that is left out.
    """
    (row,) = await ask(
        "SELECT CAST(coalesce(sum(r.amount), 0) AS BIGINT) AS taken "  # noqa: S608  -- same
        "FROM limit_reservation r JOIN payment p ON p.id = r.payment_id "
        "WHERE r.customer_id = $1 AND r.rule_id = $2 AND r.subject_id = $3 "
        f"AND p.state NOT IN {_NOTHING_MOVED} "
        "AND (p.settled_at IS NULL OR p.settled_at > $4) AND p.id <> $5",
        counter.customer,
        counter.rule,
        counter.subject,
        now - ROLLING,
        without,
    )
    return row.get("taken", int)


async def taken(
    ask: Statements,
    counters: Sequence[Counter],
    now: datetime,
    without: UUID = _NONE,
) -> dict[Counter, int]:
    """Read how much is set aside and used in each window; nothing yet is 0.

    Args:
        ask: reads, inside a transaction or outside.
        counters: which; all of one customer.
        now: the end of what rolls on.
        without: a payment that is left out of what rolls on.
    """
    if not counters:
        return {}
    earliest = min((one.start for one in counters if one.start != ALWAYS), default=now)
    rows = await ask(
        "SELECT rule_id, subject_id, window_start, reserved + used AS taken "
        "FROM limit_use WHERE customer_id = $1 "
        "AND (window_start = $2 OR window_start >= $3)",
        counters[0].customer,
        ALWAYS,
        earliest,
    )
    known = {
        (
            row.get("rule_id", UUID),
            row.get("subject_id", UUID),
            row.get("window_start", datetime),
        ): row.get("taken", int)
        for row in rows
    }
    found = {one: known.get(one.order, 0) for one in counters}
    for one in counters:
        if one.period is Period.ROLLING_DAY:
            found[one] = await rolling(ask, one, now, without)
    return found


async def rules_of(tx: Tx, payment: PaymentId) -> set[UUID]:
    """Give the rules a payment is counted by already."""
    rows = await tx.rows(
        "SELECT rule_id FROM limit_reservation WHERE payment_id = $1", payment
    )
    return {row.get("rule_id", UUID) for row in rows}


async def settle(tx: Tx, payment: Payment, now: datetime, counters: int) -> None:
    """Conclude what a payment that just ended has set aside.

    SETTLED uses it up, every other end gives it back, in the windows of the
    reservation. A payment that comes back later (REVERSED) gives nothing back. Called
    by every end, in its transaction, so none can be forgotten.

    Args:
        tx: the transaction of the end.
        payment: as it ended.
        now: when.
        counters: how many rows count it; one needs no order of locks.
    """
    if payment.state is State.REVERSED or not counters:
        return
    if counters == 1:
        used = "+ r.amount" if payment.state is State.SETTLED else ""
        await tx.rows(
            "UPDATE limit_use SET reserved = limit_use.reserved - r.amount, "  # noqa: S608  -- our own words
            f"used = limit_use.used {used}, changed_at = $2 FROM limit_reservation r "
            "WHERE r.payment_id = $1 AND limit_use.customer_id = r.customer_id "
            "AND limit_use.rule_id = r.rule_id "
            "AND limit_use.subject_id = r.subject_id "
            "AND limit_use.window_start = r.window_start RETURNING reserved",
            payment.id,
            now,
        )
        return
    rows = await tx.rows(
        "SELECT customer_id, rule_id, subject_id, window_start, amount "
        "FROM limit_reservation WHERE payment_id = $1 "
        "ORDER BY rule_id, subject_id, window_start",
        payment.id,
    )
    used = "used + $5" if payment.state is State.SETTLED else "used"
    for row in rows:
        await tx.rows(
            f"UPDATE limit_use SET reserved = reserved - $5, used = {used}, "  # noqa: S608  -- same
            f"changed_at = $6 WHERE {_KEY} RETURNING reserved",
            row.get("customer_id", CustomerId),
            row.get("rule_id", UUID),
            row.get("subject_id", UUID),
            row.get("window_start", datetime),
            row.get("amount", int),
            now,
        )
