"""Who carries a payment on, and until when nobody else does: one guarded row each.

A lease is held by a process at work, or by `timetable.NOBODY` until the payment is
asked about again. One that ran out is anybody's. Nothing here moves a payment.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app import database
from app.database import Tx
from app.ids import PaymentId
from app.payments.lifecycle import FINAL, listed
from app.payments.moves import Lease, add_step
from app.payments.payment import Payment, PaymentStep, StepDetail, StepSource
from app.payments.records import COLUMNS, payment_of
from app.payments.timetable import NOBODY

# Nobody asks less often; a lease beyond it was given by a clock that went back since.
_LONGEST = timedelta(hours=1)
_REST = timedelta(seconds=60)  # of a payment whose turn failed; others come first

_WORKING = (
    "state IN ('APPROVED', 'HOLDING', 'SUBMITTING', 'IN_FLIGHT', 'CAPTURING', "
    "'RELEASING')"
)
# The words of the partial index `payment_open`.
_OPEN = f"state NOT IN ({listed(FINAL)})"
_GIVING_BACK = (
    "(payment.state = 'SETTLED' AND EXISTS (SELECT 1 FROM payment_op o "
    "WHERE o.payment_id = payment.id AND o.kind = 'CREDIT_BACK' "
    "AND o.outcome IN ('PENDING', 'UNKNOWN')))"
)
_FREE = "(lease_until IS NULL OR lease_until <= $1 OR lease_until > $2)"
_UNDO_OVER = "(not_before IS NULL OR not_before <= $1)"
_DUE = f"manual_since IS NULL AND {_FREE} AND {_UNDO_OVER}"


async def due(now: datetime, limit: int) -> list[PaymentId]:
    """List payments under way that nobody carries on, the oldest first."""
    rows = await database.read(
        f"SELECT id, created_at FROM payment WHERE {_OPEN} AND {_WORKING} "  # noqa: S608  -- our own words
        f"AND {_DUE} "
        "UNION SELECT payment.id, payment.created_at FROM payment_op "
        "JOIN payment ON payment.id = payment_op.payment_id "
        "WHERE payment_op.outcome IN ('PENDING', 'UNKNOWN') "
        "AND payment_op.kind = 'CREDIT_BACK' AND payment.state = 'SETTLED' "
        f"AND {_DUE} ORDER BY created_at, id LIMIT $3",
        now,
        now + _LONGEST,
        limit,
    )
    return [row.get("id", PaymentId) for row in rows]


async def take(
    tx: Tx, payment: PaymentId, lease: Lease, now: datetime, *, by_staff: bool = False
) -> Payment | None:
    """Take a payment under way whose lease is free or ran out; None when taken.

    A row that somebody is just writing is waited for, then looked at again: to skip it
    would leave a payment to the worker whenever its twins still queue for the row.
    Staff need not wait for the timetable.
    """
    idle = f"({_FREE} OR lease_by = '{NOBODY}') AND {_UNDO_OVER}"
    row = await tx.one(
        "UPDATE payment SET lease_by = $4, lease_until = $5 WHERE id = $3 "  # noqa: S608  -- our own words
        f"AND ({_WORKING} OR {_GIVING_BACK}) AND {idle if by_staff else _DUE} "
        f"RETURNING {COLUMNS}",
        now,
        now + _LONGEST,
        payment,
        lease.holder,
        lease.until,
    )
    return None if row is None else payment_of(row)


async def rest(payment: PaymentId, now: datetime) -> None:
    """Leave a payment that nobody holds alone for a minute. Never in a transaction."""

    async def work(tx: Tx) -> None:
        await tx.rows(
            f"UPDATE payment SET lease_by = '{NOBODY}', lease_until = $4 "  # noqa: S608  -- our own words
            f"WHERE id = $3 AND ({_OPEN} OR {_GIVING_BACK}) AND {_FREE} RETURNING id",
            now,
            now + _LONGEST,
            payment,
            now + _REST,
        )

    await database.transaction(work, name="payments.rest")


async def lock(tx: Tx, payment: PaymentId) -> Payment:
    """Take the row of a payment, and read it as it stands now."""
    row = await tx.one(
        "UPDATE payment SET failed_answers = failed_answers "  # noqa: S608  -- our own columns
        f"WHERE id = $1 RETURNING {COLUMNS}",
        payment,
    )
    assert row is not None, "payments are never deleted"  # noqa: S101  -- our bug
    return payment_of(row)


async def keep(tx: Tx, payment: Payment, lease: Lease) -> bool:
    """Go on with a payment that stays where it is; False when it went elsewhere."""
    row = await tx.one(
        "UPDATE payment SET lease_by = $3, lease_until = $4 "
        "WHERE id = $1 AND state = $2 RETURNING id",
        payment.id,
        payment.state,
        lease.holder,
        lease.until,
    )
    return row is not None


@dataclass(frozen=True, slots=True)
class Pause:
    """Until when nobody needs to look, and whose lease it was.

    `until` None: nobody looks again by himself, for it is staff's now.
    """

    holder: str
    until: datetime | None


async def put_down(tx: Tx, payment: Payment, pause: Pause) -> bool:
    """End our work on a payment for now; False when it is no longer ours."""
    row = await tx.one(
        "UPDATE payment SET lease_by = $4, lease_until = $5 "
        "WHERE id = $1 AND state = $2 AND lease_by = $3 RETURNING id",
        payment.id,
        payment.state,
        pause.holder,
        None if pause.until is None else NOBODY,
        pause.until,
    )
    return row is not None


async def doubt(
    tx: Tx,
    payment: Payment,
    at: datetime,
    source: StepSource,
    detail: StepDetail = StepDetail.OUTCOME_UNSURE,
) -> tuple[Payment, PaymentStep] | None:
    """Mark that nobody knows the outcome; None when that was known already."""
    row = await tx.one(
        "UPDATE payment SET unsure_since = $3 "  # noqa: S608  -- our own columns
        f"WHERE id = $1 AND state = $2 AND unsure_since IS NULL RETURNING {COLUMNS}",
        payment.id,
        payment.state,
        at,
    )
    if row is None:
        return None
    moved = payment_of(row)
    return moved, await add_step(tx, moved, at, source, detail)


async def to_staff(
    tx: Tx, payment: Payment, at: datetime
) -> tuple[Payment, PaymentStep] | None:
    """Ask no more and let staff find out; None when they do already."""
    row = await tx.one(
        "UPDATE payment SET manual_since = $3 "  # noqa: S608  -- our own columns
        f"WHERE id = $1 AND state = $2 AND manual_since IS NULL RETURNING {COLUMNS}",
        payment.id,
        payment.state,
        at,
    )
    if row is None:
        return None
    moved = payment_of(row)
    source, detail = StepSource.CLOCK, StepDetail.WITH_STAFF
    return moved, await add_step(tx, moved, at, source, detail)


async def contradict(tx: Tx, payment: PaymentId) -> bool:
    """Mark that a partner gave two final answers; False when that was known."""
    row = await tx.one(
        "UPDATE payment SET conflict = $2 WHERE id = $1 AND conflict <> $2 "
        "RETURNING id",
        payment,
        True,  # noqa: FBT003  -- a column's value
    )
    return row is not None
