"""Operations of payments: an id stored before the first byte leaves, then its outcome.

At most one operation of a kind is not REJECTED per payment, by a unique index. Source:
banking.md sections 4.1 and 5.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.auth import signing
from app.database import Tx
from app.ids import PaymentId, uuid7
from app.integrations.outcome import OpRef
from app.payments.payment import Payment
from app.rows import Row

_COLUMNS = "id, payment_id, fingerprint, outcome, first_sent_at"


class OpOutcome(StrEnum):
    """PENDING: sent or about to be. UNKNOWN: sent, and the answer was lost."""

    PENDING = "PENDING"
    OK = "OK"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One write to a partner on behalf of a payment."""

    ref: OpRef
    payment: PaymentId
    outcome: OpOutcome
    first_sent_at: datetime


def fingerprint(payment: Payment) -> bytes:
    """SHA-256 over what the core is asked to do; the same op never means two things."""
    asked = {
        "amount": str(payment.amount.minor),
        "currency": payment.amount.currency,
        "dst": payment.destination.dst,
        "payment": str(payment.id),
        "src": payment.destination.src,
    }
    return hashlib.sha256(signing.jcs(asked).encode()).digest()


async def start_transfer(tx: Tx, payment: Payment, at: datetime) -> Op:
    """Store the one TRANSFER of a payment before anything is sent."""
    ref = OpRef(uuid7(), fingerprint(payment))
    await tx.rows(
        "INSERT INTO payment_op (id, payment_id, kind, attempt, fingerprint, outcome, "
        "first_sent_at) VALUES ($1, $2, 'TRANSFER', 1, $3, 'PENDING', $4)",
        ref.id,
        payment.id,
        ref.fingerprint,
        at,
    )
    return Op(ref=ref, payment=payment.id, outcome=OpOutcome.PENDING, first_sent_at=at)


async def open_transfer(tx: Tx, payment: PaymentId) -> Op | None:
    """Read the TRANSFER of a payment whose outcome is not known yet."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM payment_op "  # noqa: S608  -- our own columns
        "WHERE payment_id = $1 AND kind = 'TRANSFER' "
        "AND outcome IN ('PENDING', 'UNKNOWN')",
        payment,
    )
    return None if row is None else _op(row)


async def resolve(
    tx: Tx,
    op: Op,
    outcome: OpOutcome,
    at: datetime,
    *,
    code: str | None = None,
    provider_ref: str | None = None,
) -> bool:
    """Write the final outcome, once; False when somebody else did."""
    row = await tx.one(
        "UPDATE payment_op SET outcome = $2, code = $3, provider_ref = $4, "
        "resolved_at = $5, next_ask_at = NULL, tries = tries + 1 "
        "WHERE id = $1 AND outcome IN ('PENDING', 'UNKNOWN') RETURNING id",
        op.ref.id,
        outcome,
        code,
        provider_ref,
        at,
    )
    return row is not None


async def leave_open(tx: Tx, op: Op, *, unknown: bool, next_ask_at: datetime) -> bool:
    """Note that the outcome is not known; False when somebody else knew it already.

    Args:
        tx: the caller's transaction.
        op: which one.
        unknown: whether something may have left; else it stays as it is.
        next_ask_at: when to ask again.
    """
    row = await tx.one(
        "UPDATE payment_op SET outcome = $2, next_ask_at = $3, tries = tries + 1 "
        "WHERE id = $1 AND outcome IN ('PENDING', 'UNKNOWN') RETURNING id",
        op.ref.id,
        OpOutcome.UNKNOWN if unknown else op.outcome,
        next_ask_at,
    )
    return row is not None


def _op(row: Row) -> Op:
    return Op(
        ref=OpRef(row.get("id", UUID), row.get("fingerprint", bytes)),
        payment=row.get("payment_id", PaymentId),
        outcome=row.get("outcome", OpOutcome),
        first_sent_at=row.get("first_sent_at", datetime),
    )
