"""Operations of payments: an id stored before the first byte leaves, then its outcome.

At most one operation of a kind is not REJECTED per payment, by a unique index. A
refused id is burnt: the next attempt has one of its own. One that is PENDING and has a
`next_ask_at` was surely never sent; any other may have been. Source: banking.md
sections 4.1 and 5.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from app import database
from app.auth import signing
from app.database import Tx
from app.ids import PaymentId, uuid7
from app.integrations.outcome import OpRef
from app.payments.lifecycle import State
from app.payments.payment import Payment
from app.rows import Row

_COLUMNS = (
    "id, payment_id, kind, attempt, fingerprint, outcome, code, first_sent_at, unseen"
)


class Kind(StrEnum):
    """What a partner is asked to do. TRANSFER: all at once, over an atomic rail."""

    HOLD = "HOLD"
    TRANSFER = "TRANSFER"
    SUBMIT = "SUBMIT"
    CAPTURE = "CAPTURE"
    RELEASE = "RELEASE"
    CREDIT_BACK = "CREDIT_BACK"


BY_RAIL = frozenset({Kind.TRANSFER, Kind.SUBMIT})

# Which operation carries a payment on, by its state.
_AT: Mapping[State, tuple[Kind, ...]] = MappingProxyType(
    {
        State.HOLDING: (Kind.HOLD,),
        State.SUBMITTING: (Kind.TRANSFER, Kind.SUBMIT),
        State.IN_FLIGHT: (Kind.SUBMIT,),
        State.CAPTURING: (Kind.CAPTURE,),
        State.RELEASING: (Kind.RELEASE,),
        State.SETTLED: (Kind.CREDIT_BACK,),
    }
)


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
    kind: Kind
    outcome: OpOutcome
    first_sent_at: datetime
    attempt: int = 1
    unseen: int = 0


def fingerprint(payment: Payment, kind: Kind) -> bytes:
    """SHA-256 over what a partner is asked to do; one op never means two things."""
    asked = {
        "amount": str(payment.amount.minor),
        "currency": payment.amount.currency,
        "dst": payment.destination.dst,
        "kind": kind.value,
        "payment": str(payment.id),
        "src": payment.destination.src,
    }
    return hashlib.sha256(signing.jcs(asked).encode()).digest()


async def start(
    tx: Tx,
    payment: Payment,
    kind: Kind,
    at: datetime,
    *,
    before: Op | None = None,
    send_at: datetime | None = None,
) -> Op:
    """Store an operation before anything is sent.

    Args:
        tx: the transaction of the move that needs it.
        payment: whose.
        kind: what.
        at: now.
        before: the refused attempt whose id is burnt; the timetable goes on from it.
        send_at: when it is sent, if not by the caller, right after his commit.
    """
    op = Op(
        ref=OpRef(uuid7(), fingerprint(payment, kind)),
        payment=payment.id,
        kind=kind,
        outcome=OpOutcome.PENDING,
        first_sent_at=before.first_sent_at if before else at,
        attempt=before.attempt + 1 if before else 1,
    )
    await tx.rows(
        "INSERT INTO payment_op (id, payment_id, kind, attempt, fingerprint, outcome, "
        "first_sent_at, next_ask_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        op.ref.id,
        payment.id,
        kind,
        op.attempt,
        op.ref.fingerprint,
        op.outcome,
        op.first_sent_at,
        send_at,
    )
    return op


async def is_new(tx: Tx, op: Op) -> bool:
    """Tell whether an operation was surely never sent; from the commit on it may be.

    Whoever asks sends it: if he dies over it, it counts as sent.
    """
    row = await tx.one(
        "UPDATE payment_op SET next_ask_at = NULL WHERE id = $1 "
        "AND outcome = 'PENDING' AND next_ask_at IS NOT NULL RETURNING id",
        op.ref.id,
    )
    return row is not None


async def at(tx: Tx, payment: Payment) -> Op | None:
    """Read the operation that carries a payment on from where it stands."""
    return await standing(tx, payment.id, _AT.get(payment.state, ()))


async def standing(tx: Tx, payment: PaymentId, kinds: Sequence[Kind]) -> Op | None:
    """Read a payment's operation of one of these kinds that was not refused."""
    if not kinds:
        return None
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM payment_op WHERE payment_id = $1 "  # noqa: S608  -- our own columns
        f"AND kind IN {database.placeholders(1, len(kinds), 2)} "
        "AND outcome <> 'REJECTED'",
        payment,
        *kinds,
    )
    return None if row is None else _op(row)


async def done(payment: PaymentId, kind: Kind) -> Op:
    """Read an operation that happened. Never inside a transaction."""
    row = await database.read_one(
        f"SELECT {_COLUMNS} FROM payment_op "  # noqa: S608  -- our own columns
        "WHERE payment_id = $1 AND kind = $2 AND outcome = 'OK'",
        payment,
        kind,
    )
    assert row is not None, "a later operation was started"  # noqa: S101  -- our bug
    return _op(row)


async def last(payment: PaymentId, kind: Kind) -> Op | None:
    """Read a payment's operation of a kind that was not refused; no transaction."""
    row = await database.read_one(
        f"SELECT {_COLUMNS} FROM payment_op "  # noqa: S608  -- our own columns
        "WHERE payment_id = $1 AND kind = $2 AND outcome <> 'REJECTED'",
        payment,
        kind,
    )
    return None if row is None else _op(row)


async def named(op: UUID) -> Op | None:
    """Read an operation by its id, outside a transaction."""
    row = await database.read_one(
        f"SELECT {_COLUMNS} FROM payment_op WHERE id = $1",  # noqa: S608  -- same
        op,
    )
    return None if row is None else _op(row)


async def again(tx: Tx, op: Op) -> Op:
    """Read an operation as it stands now."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM payment_op WHERE id = $1",  # noqa: S608  -- same
        op.ref.id,
    )
    assert row is not None, "operations are never deleted"  # noqa: S101  -- our bug
    return _op(row)


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


async def note(tx: Tx, op: Op, code: str | None, provider_ref: str | None) -> None:
    """Keep what a rail said of an order it had taken, for staff."""
    await tx.rows(
        "UPDATE payment_op SET code = coalesce($2, code), "
        "provider_ref = coalesce($3, provider_ref) WHERE id = $1 RETURNING id",
        op.ref.id,
        code,
        provider_ref,
    )


async def leave_open(
    tx: Tx, op: Op, *, unknown: bool, unseen: bool, next_ask_at: datetime
) -> bool:
    """Note that the outcome is not known; False when somebody else knew it already.

    Args:
        tx: the caller's transaction.
        op: which one.
        unknown: whether something may have left; else it stays as it is.
        unseen: the partner said that it never saw it.
        next_ask_at: when to ask again, or to send what never left.
    """
    row = await tx.one(
        "UPDATE payment_op SET outcome = $2, next_ask_at = $3, tries = tries + 1, "
        "unseen = $4 "
        "WHERE id = $1 AND outcome IN ('PENDING', 'UNKNOWN') RETURNING id",
        op.ref.id,
        OpOutcome.UNKNOWN if unknown else op.outcome,
        next_ask_at,
        op.unseen + 1 if unseen else op.unseen,
    )
    return row is not None


def _op(row: Row) -> Op:
    return Op(
        ref=OpRef(row.get("id", UUID), row.get("fingerprint", bytes)),
        payment=row.get("payment_id", PaymentId),
        kind=row.get("kind", Kind),
        attempt=row.get("attempt", int),
        outcome=row.get("outcome", OpOutcome),
        first_sent_at=row.get("first_sent_at", datetime),
        unseen=row.get("unseen", int),
    )
