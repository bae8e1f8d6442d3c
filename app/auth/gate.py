"""The conditions of every token: phone, customer and app are in good standing.

Asked when a session starts and at each refresh, and nowhere else: checks per way of
signing in are how tokens leak to the locked.
"""

from datetime import datetime

from app import database
from app.auth.actor import CustomerStatus, DeviceState
from app.auth.device import state_at
from app.auth.errors import (
    AppUpdateRequired,
    CredentialLocked,
    DeviceBlocked,
    DeviceLocked,
)
from app.database import Tx
from app.ids import CustomerId, DeviceId


async def require_standing(
    tx: Tx, device: DeviceId, now: datetime, *, version: str | None, least: str
) -> str | None:
    """Look at phone, customer and app as they are inside this transaction.

    Args:
        tx: the transaction that makes the tokens.
        device: the phone they are for.
        now: the clock's instant.
        version: of the app, if this request tells; else the last known one counts.
        least: oldest version that may have tokens.

    Returns:
        The version of the app that was judged.

    Raises:
        DeviceLocked, DeviceBlocked: the phone may have none.
        CredentialLocked: the customer may not, or not yet.
        AppUpdateRequired: the app is too old.
    """
    row = await tx.one(
        "SELECT d.state, d.cooling_until, d.app_version, c.status, c.blocked_until "
        "FROM device d JOIN customer c ON c.id = d.customer_id WHERE d.id = $1",
        device,
    )
    assert row is not None  # noqa: S101  -- devices are never deleted
    cooling_until = row.find("cooling_until", datetime)
    require_usable(state_at(row.get("state", DeviceState), cooling_until, now))
    until = row.find("blocked_until", datetime)
    require_customer(row.get("status", CustomerStatus), until, now)
    judged = version or row.find("app_version", str)
    if parts_of(judged) < parts_of(least):
        raise AppUpdateRequired
    return judged


async def lets_in(device: DeviceId, customer: CustomerId, now: datetime) -> bool:
    """Tell whether a customer could sign in on a phone now, whatever its app.

    Args:
        device: the phone.
        customer: whose it has to be.
        now: the clock's instant.
    """
    row = await database.read_one(
        "SELECT d.state, d.cooling_until, c.status, c.blocked_until FROM device d "
        "JOIN customer c ON c.id = d.customer_id WHERE d.id = $1 AND c.id = $2",
        device,
        customer,
    )
    if row is None:
        return False
    cooling_until = row.find("cooling_until", datetime)
    until = row.find("blocked_until", datetime)
    try:
        require_usable(state_at(row.get("state", DeviceState), cooling_until, now))
        require_customer(row.get("status", CustomerStatus), until, now)
    except (DeviceLocked, DeviceBlocked, CredentialLocked):
        return False
    return True


def require_usable(state: DeviceState) -> None:
    """Let COOLING and ACTIVE phones through.

    Raises:
        DeviceLocked: suspended; the keys stay.
        DeviceBlocked: removed.
    """
    if state is DeviceState.LOCKED:
        raise DeviceLocked
    if state is DeviceState.REVOKED:
        raise DeviceBlocked


def require_customer(
    status: CustomerStatus, blocked_until: datetime | None, now: datetime
) -> None:
    """Let customers in good standing through.

    Raises:
        CredentialLocked: blocked for a while, or until staff or an enrolment ends it.
    """
    if blocked_until is not None and blocked_until > now:
        raise CredentialLocked(blocked_until)
    if status is not CustomerStatus.ACTIVE:
        raise CredentialLocked


def parts_of(version: str | None) -> tuple[int, ...]:
    """Read `1.12.0` as numbers; what is no number counts as 0."""
    words = (version or "0").split("-")[0].split(".")
    return tuple(
        int(word) if word.isdecimal() else 0 for word in (words + ["0"] * 3)[:3]
    )
