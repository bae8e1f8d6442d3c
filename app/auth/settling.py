"""What time does to phones: unused ones go, cooled ones are ACTIVE (auth.md 6.5).

A job of the worker, twice a minute; reading is right without it.
"""

from collections.abc import Mapping
from datetime import datetime

from app import audit, database, ids
from app.auth.device import COLUMNS, read_device
from app.auth.device_moves import DeviceMoves
from app.auth.device_states import DeviceEvent
from app.clock import Clock
from app.database import Tx
from app.ids import CustomerId, DeviceId
from app.realtime import log
from app.realtime.facts import DeviceChanged

_UNUSED = (
    "FROM device d WHERE d.state = 'COOLING' AND d.first_factor_until <= $1 "
    "AND d.cooling_until > $1 AND d.bio_jkt IS NULL AND NOT EXISTS "
    "(SELECT 1 FROM mpin_secret m WHERE m.device_id = d.id) "
    "AND NOT EXISTS (SELECT 1 FROM passkey p WHERE p.device_id = d.id) "
    "AND NOT EXISTS (SELECT 1 FROM session s WHERE s.device_id = d.id)"
)
_SUCCEEDED = (
    "SELECT d.id, d.customer_id, d.locked_by FROM device d "
    "JOIN device n ON n.id = d.locked_by WHERE d.state = 'LOCKED' "
    "AND d.lock_reason = 'REPLACED' AND n.state = 'ACTIVE'"
)


async def settle_states(clock: Clock, moves: DeviceMoves) -> int:
    """Write what time did; gives how many phones moved.

    Unused phones are REVOKED, cooled ones ACTIVE, and those that an ACTIVE one
    replaced are REVOKED.
    """
    unused = await _revoke_unused(clock, moves)
    return unused + await _cool(clock) + await _revoke_replaced(clock, moves)


async def _revoke_unused(clock: Clock, moves: DeviceMoves) -> int:
    rows = await database.read(f"SELECT d.id, d.customer_id {_UNUSED}", clock.now())
    for row in rows:
        customer, name = row.get("customer_id", CustomerId), row.get("id", DeviceId)

        async def work(
            tx: Tx, customer: CustomerId = customer, name: DeviceId = name
        ) -> None:
            phones = await moves.hold(tx, customer)
            still = await tx.one(
                f"SELECT d.id {_UNUSED} AND d.id = $2", clock.now(), name
            )
            if still is None:
                return
            told = _Told(customer, clock.now(), "UNUSED")
            title = f"{phones[name].device.name} was never used and was removed."
            await moves.revoke(tx, phones, phones[name], told, title)

        await database.transaction(work, name="auth.settle_unused")
    return len(rows)


async def _cool(clock: Clock) -> int:
    now = clock.now()

    async def work(tx: Tx) -> int:
        cooled = await tx.rows(
            "UPDATE device SET state = 'ACTIVE' WHERE state = 'COOLING' "  # noqa: S608  -- our own column list
            f"AND cooling_until <= $1 RETURNING {COLUMNS}",
            now,
        )
        for row in cooled:
            device = read_device(row, now)
            fact = DeviceChanged(
                customer=device.customer, occurred_at=now, device=device.shot()
            )
            log.append(tx, fact)
        return len(cooled)

    return await database.transaction(work, name="auth.settle_cooled")


async def _revoke_replaced(clock: Clock, moves: DeviceMoves) -> int:
    rows = await database.read(_SUCCEEDED)
    for row in rows:
        customer, name = row.get("customer_id", CustomerId), row.get("id", DeviceId)
        by = row.get("locked_by", DeviceId)

        async def work(
            tx: Tx,
            customer: CustomerId = customer,
            name: DeviceId = name,
            by: DeviceId = by,
        ) -> None:
            phones = await moves.hold(tx, customer)
            held = phones.get(name)
            if held is None or moves.moved(held, DeviceEvent.SUCCEEDED, by) is None:
                return
            told = _Told(customer, clock.now(), "REPLACED")
            title = f"{held.device.name} was replaced for good."
            await moves.revoke(tx, phones, held, told, title)

        await database.transaction(work, name="auth.settle_replaced")
    return len(rows)


class _Told:
    """Makes the audit entries of what time did."""

    def __init__(self, customer: CustomerId, at: datetime, reason: str) -> None:
        self._customer = customer
        self._at = at
        self._reason = reason

    def __call__(
        self, action: str, of: DeviceId, detail: Mapping[str, str]
    ) -> audit.Entry:
        return audit.Entry(
            action=action,
            at=self._at,
            request_id=ids.request_id(),
            customer=self._customer,
            object=str(of),
            detail={"reason": self._reason, **detail},
        )
