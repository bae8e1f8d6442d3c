"""Whether a customer's access is stopped, and by whom: asked before her money leaves.

Signing out stops nothing; a lock of customer or phone does (auth.md 3.8, 6.5).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from app.auth.actor import CustomerStatus, DeviceState, LockReason
from app.database import Tx
from app.ids import CustomerId, DeviceId


class Stopper(StrEnum):
    """Who stopped it. GUARD: too many wrong tries did."""

    CUSTOMER = "CUSTOMER"
    STAFF = "STAFF"
    GUARD = "GUARD"


_STATUSES: Mapping[CustomerStatus, Stopper] = MappingProxyType(
    {
        CustomerStatus.LOCKED_BY_CUSTOMER: Stopper.CUSTOMER,
        CustomerStatus.HARD_LOCKED: Stopper.GUARD,
        CustomerStatus.BLOCKED_BY_STAFF: Stopper.STAFF,
    }
)
_LOCKS: Mapping[LockReason, Stopper] = MappingProxyType(
    {LockReason.FAILURES: Stopper.GUARD, LockReason.STAFF: Stopper.STAFF}
)


async def stopped(
    tx: Tx, customer: CustomerId, device: DeviceId | None
) -> Stopper | None:
    """Tell who stopped a customer, or the phone that approved; None: nobody did.

    Args:
        tx: the transaction that would let money go.
        customer: whose.
        device: the phone that approved, if one did.
    """
    row = await tx.one(
        "SELECT c.status, d.state, d.lock_reason FROM customer c "
        "LEFT JOIN device d ON d.id = $2 AND d.customer_id = c.id WHERE c.id = $1",
        customer,
        device,
    )
    assert row is not None, "customers are never deleted"  # noqa: S101  -- our bug
    by = _STATUSES.get(row.get("status", CustomerStatus))
    if by is not None:
        return by
    state = row.find("state", DeviceState)
    if state not in {DeviceState.LOCKED, DeviceState.REVOKED}:
        return None
    reason = row.find("lock_reason", LockReason)
    return Stopper.CUSTOMER if reason is None else _LOCKS.get(reason, Stopper.CUSTOMER)
