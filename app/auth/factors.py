"""Which factors a device has: for screens, for `allowed`, for first factors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app import database
from app.auth.actor import FactorKind, FactorState
from app.database import Tx
from app.ids import DeviceId
from app.rows import Row
from app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorStatus:
    """One factor as its owner sees it.

    Args:
        kind: which one.
        state: whether it can be used; LOCKED without `locked_until` must be set again.
        attempts_left: wrong tries before it locks; None where nothing is counted.
        locked_until: end of a pause.
        set_at: when it was set.
    """

    kind: FactorKind
    state: FactorState
    attempts_left: int | None = None
    locked_until: datetime | None = None
    set_at: datetime | None = None


async def of_devices(
    devices: Sequence[DeviceId], settings: Settings
) -> dict[DeviceId, list[FactorStatus]]:
    """Give the factors of each device, in one query."""
    if not devices:
        return {}
    names = database.placeholders(1, len(devices))
    rows = await database.read(
        "SELECT device_id, state, failed, set_at FROM mpin_secret "  # noqa: S608  -- placeholders only
        f"WHERE device_id IN {names}",
        *devices,
    )
    known = {row.get("device_id", DeviceId): row for row in rows}
    return {device: [_mpin(known.get(device), settings)] for device in devices}


def _mpin(row: Row | None, settings: Settings) -> FactorStatus:
    if row is None:
        return FactorStatus(kind=FactorKind.MPIN, state=FactorState.NOT_SET)
    left = settings.mpin_tries - row.get("failed", int)
    usable = row.get("state", FactorState) is FactorState.ACTIVE and left > 0
    return FactorStatus(
        kind=FactorKind.MPIN,
        state=FactorState.ACTIVE if usable else FactorState.LOCKED,
        attempts_left=left if usable else 0,
        set_at=row.get("set_at", datetime),
    )


async def usable(tx: Tx, device: DeviceId) -> tuple[FactorKind, ...]:
    """Give the factors of a device that can answer now, best first."""
    row = await tx.one(
        "SELECT device_id FROM mpin_secret "
        "WHERE device_id = $1 AND state = 'ACTIVE' AND failed < 5",
        device,
    )
    return () if row is None else (FactorKind.MPIN,)


async def has_any(tx: Tx, device: DeviceId) -> bool:
    """Tell whether a device ever set a factor; a locked one counts.

    Otherwise five wrong guesses within the first minutes would open the free first set
    again.
    """
    row = await tx.one("SELECT device_id FROM mpin_secret WHERE device_id = $1", device)
    return row is not None
