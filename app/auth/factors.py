"""Which factors a device has: for screens, for `allowed`, for first factors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app import database
from app.auth.actor import Actor, FactorKind, FactorState
from app.auth.passkey import Passkey, usable_on
from app.database import Tx
from app.ids import DeviceId
from app.rows import Row
from app.settings import Settings

# One row when a phone ever set a factor of its own.
ANY = (
    "SELECT device_id FROM mpin_secret WHERE device_id = $1 "
    "UNION ALL SELECT device_id FROM passkey WHERE device_id = $1 LIMIT 1"
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Usable:
    """What can answer on a phone now.

    Args:
        kinds: factors that exist, are ACTIVE and not paused.
        full: those that count in full: no passkey, and no factor a passkey alone set
            and that is still young (auth.md 1.3).
        full_from: when a young factor counts in full; None without one.
        passkeys: those that may answer on this phone, oldest first.
    """

    kinds: tuple[FactorKind, ...]
    full: tuple[FactorKind, ...]
    full_from: datetime | None
    passkeys: tuple[Passkey, ...]

    def among(
        self, wished: Sequence[FactorKind], *, full: bool
    ) -> tuple[FactorKind, ...]:
        """Give those of the wished kinds that are there, in the order of the wish."""
        there = self.full if full else self.kinds
        return tuple(kind for kind in wished if kind in there)


async def usable(tx: Tx, actor: Actor, now: datetime) -> Usable:
    """Give what can answer on the caller's phone now."""
    device = actor.known_device
    row = await tx.one(
        "SELECT full_from FROM mpin_secret "
        "WHERE device_id = $1 AND state = 'ACTIVE' AND failed < 5",
        device,
    )
    full_from = None if row is None else row.get("full_from", datetime)
    passkeys = tuple(await usable_on(tx, actor.known_customer, device, now))
    young = full_from is not None and full_from > now
    pins = () if row is None else (FactorKind.MPIN,)
    return Usable(
        kinds=(*pins, *((FactorKind.WEBAUTHN,) if passkeys else ())),
        full=() if young else pins,
        full_from=full_from if young else None,
        passkeys=passkeys,
    )


async def has_any(tx: Tx, device: DeviceId) -> bool:
    """Tell whether a phone ever set a factor of its own; a locked one counts.

    Otherwise five wrong guesses within the first minutes would open the free first set
    again. Passkeys that other phones registered belong to the person and do not count.
    """
    return await tx.one(ANY, device) is not None
