"""Every write to a payment: one guarded statement each, with its line of the timeline.

Every move is one `UPDATE ... WHERE id AND state RETURNING`, so of two who try the same
move one gets the payment and the other gets None (banking.md section 4.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app import database
from app.database import Tx
from app.errors import ErrorCode
from app.ids import ChallengeId, DeviceId, PaymentId
from app.payments import lifecycle, limit_use
from app.payments.lifecycle import FINAL, Event, State
from app.payments.payment import Payment, PaymentStep, StepDetail, StepSource
from app.payments.records import COLUMNS, payment_of, text_of
from app.rows import Row, Scalar

_LAST_STEP = "(SELECT coalesce(max(no), 0) FROM payment_step WHERE payment_id = $1)"
_COUNTERS = (
    ", (SELECT count(*) FROM limit_reservation WHERE payment_id = $1) AS counters"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One legal move and what the timeline says of it.

    Args:
        event, at, source, detail: what happened, when, who said so, in which words.
        code: why a payment ends without money having moved.
        expected_by: when the rail promises an outcome.
        not_before: until when the customer may still stop an approved payment.
    """

    event: Event
    at: datetime
    source: StepSource
    detail: StepDetail
    code: ErrorCode | None = None
    expected_by: datetime | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """Who carries a payment on, and until when nobody else may."""

    holder: str
    until: datetime


async def insert(
    tx: Tx,
    payment: Payment,
    payee_key: str,
    payload_hash: bytes | None,
    *,
    source: StepSource = StepSource.CUSTOMER,
    detail: StepDetail = StepDetail.CREATED,
) -> PaymentStep:
    """Write a new payment and the first line of its timeline."""
    await tx.rows(
        "INSERT INTO payment (id, customer_id, from_account_id, state, rail, "  # noqa: S608  -- our own columns
        "dest_kind, dest_json, payee_key, amount, currency, fee, reference, note, "
        "payload_hash, challenge_id, authorise_by, idempotency_key, device_id, "
        "created_at, decline_code) VALUES "
        f"{database.placeholders(1, 20)}",
        payment.id,
        payment.customer,
        payment.from_account,
        payment.state,
        payment.rail,
        payment.destination.kind,
        text_of(payment.destination),
        payee_key,
        payment.amount.minor,
        payment.amount.currency,
        payment.fee.minor,
        payment.reference,
        payment.note,
        payload_hash,
        payment.challenge,
        payment.authorise_by,
        payment.idempotency_key,
        payment.device,
        payment.created_at,
        payment.reason,
    )
    return await add_step(tx, payment, payment.created_at, source, detail)


async def move(
    tx: Tx, payment: Payment, move: Move, lease: Lease | None = None
) -> tuple[Payment, PaymentStep] | None:
    """Make one move; None when the payment is no longer where `payment` says.

    A move ends whatever was unsure, the wait for staff, and the lease unless a new one
    is given. An end concludes what the payment set aside of limits.
    """
    row = await _moved(tx, payment, [move], lease)
    if row is None:
        return None
    moved = payment_of(row)
    if moved.state in FINAL:
        await limit_use.settle(tx, moved, move.at, row.get("counters", int))
    return moved, await add_step(tx, moved, move.at, move.source, move.detail)


async def approve(
    tx: Tx, payment: Payment, moves: Sequence[Move], lease: Lease | None = None
) -> list[tuple[Payment, PaymentStep]] | None:
    """Take what a customer approved on, as far as it goes at once, in one statement.

    Args:
        tx: the transaction; nothing of the payment need be locked before.
        payment: as it was read; only what never changes of it is used.
        moves: the approval, then what follows it without a pause.
        lease: who carries it on, where it goes on.

    Returns:
        The payment and its step after each move; None when it waits no more.
    """
    waits = replace(payment, state=State.AWAITING_AUTHORISATION)
    row = await _moved(tx, waits, moves, lease, waiting_at=moves[0].at)
    if row is None:
        return None
    last, made, state = payment_of(row), list[Payment](), waits.state
    for one in moves:
        state = lifecycle.moved(state, one.event)
        made.append(replace(last, state=state))
    steps = await _add_steps(tx, last.id, [*map(_line, made, moves)])
    return list(zip(made, steps, strict=True))


async def _moved(
    tx: Tx,
    payment: Payment,
    moves: Sequence[Move],
    lease: Lease | None,
    *,
    waiting_at: datetime | None = None,
) -> Row | None:
    """Make moves that follow one another; only while it waits, if an instant is given.

    The row of an end also tells `counters`: how many limits it set something aside of.
    """
    state, last = payment.state, moves[-1]
    for one in moves:
        state = lifecycle.moved(state, one.event)
    waits = "" if waiting_at is None else "AND authorise_by > $10 "
    counters = _COUNTERS if state in FINAL else ""
    return await tx.one(
        "UPDATE payment SET state = $3, decline_code = $4, settled_at = $5, "  # noqa: S608  -- our own columns
        "unsure_since = NULL, manual_since = NULL, lease_by = $6, lease_until = $7, "
        "expected_by = $8, not_before = $9 "
        f"WHERE id = $1 AND state = $2 {waits}RETURNING {COLUMNS}{counters}",
        payment.id,
        payment.state,
        state,
        last.code or payment.reason,
        last.at if state is State.SETTLED else payment.settled_at,
        lease.holder if lease else None,
        lease.until if lease else None,
        None if state in FINAL else last.expected_by or payment.expected_by,
        last.not_before or payment.not_before,
        *(() if waiting_at is None else (waiting_at,)),
    )


async def renew(
    tx: Tx,
    payment: PaymentId,
    device: DeviceId,
    challenge: ChallengeId,
    payload_hash: bytes,
) -> Payment | None:
    """Point a waiting payment at another challenge; None when it waits no more."""
    row = await tx.one(
        "UPDATE payment SET device_id = $2, challenge_id = $3, payload_hash = $4 "  # noqa: S608  -- our own columns
        "WHERE id = $1 AND state = 'AWAITING_AUTHORISATION' "
        f"RETURNING {COLUMNS}",
        payment,
        device,
        challenge,
        payload_hash,
    )
    return None if row is None else payment_of(row)


async def lock_waiting(tx: Tx, payment: PaymentId, now: datetime) -> Payment | None:
    """Take the row of a payment that waits for its customer; None when none does.

    The row is written, so PostgreSQL holds it too until the transaction ends.
    """
    row = await tx.one(
        "UPDATE payment SET failed_answers = failed_answers "  # noqa: S608  -- our own columns
        "WHERE id = $1 AND state = 'AWAITING_AUTHORISATION' AND authorise_by > $2 "
        f"RETURNING {COLUMNS}",
        payment,
        now,
    )
    return None if row is None else payment_of(row)


async def lock_cancellable(tx: Tx, payment: PaymentId, now: datetime) -> Payment | None:
    """Take the row of a payment its customer may stop; None when it is too late."""
    row = await tx.one(
        "UPDATE payment SET failed_answers = failed_answers "  # noqa: S608  -- our own columns
        "WHERE id = $1 AND (state IN ('HELD_FOR_REVIEW', 'AWAITING_AUTHORISATION') "
        "AND authorise_by > $2 OR state = 'APPROVED' AND not_before > $2) "
        f"RETURNING {COLUMNS}",
        payment,
        now,
    )
    return None if row is None else payment_of(row)


async def paid_before(tx: Tx, payment: Payment) -> bool:
    """Tell whether this customer's money reached this payee before."""
    row = await tx.one(
        "SELECT e.id FROM payment p JOIN payment e ON e.payee_key = p.payee_key "
        "AND e.customer_id = p.customer_id WHERE p.id = $1 "
        "AND e.state IN ('SETTLED', 'REVERSED') LIMIT 1",
        payment.id,
    )
    return row is not None


async def lock_held(
    tx: Tx, payment: PaymentId, now: datetime, until: datetime
) -> Payment | None:
    """Take the row of a payment under review, and set until when its customer has time.

    None when a person decided already, or it is too late.
    """
    row = await tx.one(
        "UPDATE payment SET authorise_by = $3 "  # noqa: S608  -- our own columns
        "WHERE id = $1 AND state = 'HELD_FOR_REVIEW' AND authorise_by > $2 "
        f"RETURNING {COLUMNS}",
        payment,
        now,
        until,
    )
    return None if row is None else payment_of(row)


async def lock_late(tx: Tx, payment: PaymentId, now: datetime) -> Payment | None:
    """Take the row of a payment that waited too long; None when it did not."""
    row = await tx.one(
        "UPDATE payment SET failed_answers = failed_answers "  # noqa: S608  -- our own columns
        "WHERE id = $1 AND state IN ('HELD_FOR_REVIEW', 'AWAITING_AUTHORISATION') "
        "AND authorise_by <= $2 "
        f"RETURNING {COLUMNS}",
        payment,
        now,
    )
    return None if row is None else payment_of(row)


async def count_failed_answer(tx: Tx, payment: PaymentId) -> Payment | None:
    """Count a wrong answer to any challenge of a waiting payment."""
    row = await tx.one(
        "UPDATE payment SET failed_answers = failed_answers + 1 "  # noqa: S608  -- our own columns
        "WHERE id = $1 AND state = 'AWAITING_AUTHORISATION' AND failed_answers < 3 "
        f"RETURNING {COLUMNS}",
        payment,
    )
    return None if row is None else payment_of(row)


async def add_step(
    tx: Tx, payment: Payment, at: datetime, source: StepSource, detail: StepDetail
) -> PaymentStep:
    """Write one line of the timeline, under the payment's row."""
    line = PaymentStep(no=0, at=at, status=payment.status, source=source, detail=detail)
    (step,) = await _add_steps(tx, payment.id, [line])
    return step


def _line(payment: Payment, move: Move) -> PaymentStep:
    """Give the line of a move; its number comes with the writing."""
    return PaymentStep(
        no=0,
        at=move.at,
        status=payment.status,
        source=move.source,
        detail=move.detail,
    )


async def _add_steps(
    tx: Tx, payment: PaymentId, lines: Sequence[PaymentStep]
) -> list[PaymentStep]:
    """Write lines behind those that are there; gives them with their numbers."""
    values: list[Scalar] = [payment]
    rows = []
    for nth, line in enumerate(lines, start=1):
        at = len(values)
        marks = ", ".join(f"${at + place}" for place in range(1, 5))
        rows.append(f"($1, {_LAST_STEP} + {nth}, {marks})")
        values += [line.at, line.status, line.source, line.detail]
    found = await tx.rows(
        "INSERT INTO payment_step (payment_id, no, at, status, source, detail) "  # noqa: S608  -- placeholders only
        f"VALUES {', '.join(rows)} RETURNING no",
        *values,
    )
    numbers = sorted(row.get("no", int) for row in found)
    return [replace(line, no=no) for line, no in zip(lines, numbers, strict=True)]
