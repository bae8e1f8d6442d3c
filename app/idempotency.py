"""One intent, one effect: a key is claimed in the transaction of what it creates.

A refusal leaves no row, so the same key is judged afresh. Rows are kept 90 days.
Source: graphql.md section 2.6.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app import database, telemetry
from app.database import Tx
from app.errors import IdempotencyKeyReused
from app.ids import CustomerId, Id


@dataclass(frozen=True, slots=True)
class Claim:
    """Outcome of a claim. Not fresh: `object_id` is what the first call created."""

    fresh: bool
    object_id: UUID


async def claim(  # noqa: PLR0913  -- one row, one column each
    tx: Tx,
    customer: CustomerId,
    operation: str,
    key: str,
    fingerprint: bytes,
    object_id: Id,
    *,
    at: datetime,
) -> Claim:
    """Claim a key, as the first statement of the effect's transaction.

    A concurrent twin waits on the unique key and then reads the winner's row.

    Args:
        tx: the effect's transaction.
        customer: whose key it is.
        operation: name of the GraphQL field.
        key: the phone's IdempotencyKey.
        fingerprint: SHA-256 of the canonical input without the key.
        object_id: id of what will be created.
        at: now.

    Raises:
        IdempotencyKeyReused: the key belongs to another body.
    """
    made = await tx.one(
        "INSERT INTO idempotency "
        "(customer_id, operation, key, fingerprint, object_id, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (customer_id, operation, key) DO NOTHING RETURNING object_id",
        customer,
        operation,
        key,
        fingerprint,
        object_id,
        at,
    )
    if made is not None:
        return Claim(fresh=True, object_id=object_id.value)
    row = await tx.one(_SEEN, customer, operation, key)
    assert row is not None  # noqa: S101  -- the conflict was with this row
    earlier = row.get("object_id", UUID)
    return _judged(row.get("fingerprint", bytes), fingerprint, earlier, operation)


async def seen(
    customer: CustomerId, operation: str, key: str, fingerprint: bytes
) -> Claim | None:
    """Look a key up before guards and rules: a repeat needs no new approval.

    Returns:
        The earlier claim, or None when the key is new.

    Raises:
        IdempotencyKeyReused: the key belongs to another body.
    """
    row = await database.read_one(_SEEN, customer, operation, key)
    if row is None:
        return None
    earlier = row.get("object_id", UUID)
    return _judged(row.get("fingerprint", bytes), fingerprint, earlier, operation)


async def made(customer: CustomerId, operation: str, key: str) -> UUID | None:
    """Tell what a key created, for a phone that lost the answer; None when nothing."""
    row = await database.read_one(_SEEN, customer, operation, key)
    return None if row is None else row.get("object_id", UUID)


_SEEN = (
    "SELECT fingerprint, object_id FROM idempotency "
    "WHERE customer_id = $1 AND operation = $2 AND key = $3"
)


def _judged(stored: bytes, given: bytes, object_id: UUID, operation: str) -> Claim:
    if stored != given:
        raise IdempotencyKeyReused(field=["idempotencyKey"])
    telemetry.idempotency_replays.labels(operation).inc()
    return Claim(fresh=False, object_id=object_id)
