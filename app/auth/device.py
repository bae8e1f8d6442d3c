"""A bound phone as a value; its moves stand in device_states.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app import database
from app.auth.actor import (
    Actor,
    AttestationGrade,
    DeviceState,
    LockReason,
    Platform,
)
from app.auth.keys import Jwk, read_jwk
from app.database import Tx
from app.ids import CustomerId, DeviceId
from app.realtime.shots import DeviceShot
from app.rows import Row

COLUMNS = (
    "id, customer_id, jkt, jwk, platform, model, name, app_version, attestation, "
    "state, lock_reason, cooling_until, bound_at, first_factor_until, last_seen_at, "
    "failed"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One binding of one phone; `state` is what it is at the moment of reading."""

    id: DeviceId
    customer: CustomerId
    jkt: str
    jwk: Jwk
    platform: Platform
    name: str
    model: str | None
    app_version: str | None
    attestation: AttestationGrade
    state: DeviceState
    lock_reason: LockReason | None
    bound_at: datetime
    last_seen_at: datetime | None
    cooling_until: datetime | None
    first_factor_until: datetime | None
    failed: int

    @property
    def usable(self) -> bool:
        """Whether it may sign in and approve."""
        return self.state in {DeviceState.COOLING, DeviceState.ACTIVE}

    def shot(self) -> DeviceShot:
        """Give the snapshot a fact carries."""
        return DeviceShot(
            id=str(self.id),
            name=self.name,
            platform=self.platform.value,
            model=self.model,
            app_version=self.app_version,
            state=self.state.value,
            attestation=self.attestation.value,
            bound_at=self.bound_at,
            last_seen_at=self.last_seen_at,
            cooling_until=self.cooling_until,
        )


def state_at(
    state: DeviceState, cooling_until: datetime | None, now: datetime
) -> DeviceState:
    """Read a stored state: COOLING whose time has passed reads ACTIVE at once."""
    over = cooling_until is None or cooling_until <= now
    if state is DeviceState.COOLING and over:
        return DeviceState.ACTIVE
    return state


def read_device(row: Row, now: datetime) -> Device:
    """Read a row of `COLUMNS`."""
    cooling_until = row.find("cooling_until", datetime)
    state = state_at(row.get("state", DeviceState), cooling_until, now)
    cools = state in {DeviceState.COOLING, DeviceState.LOCKED}
    return Device(
        id=row.get("id", DeviceId),
        customer=row.get("customer_id", CustomerId),
        jkt=row.get("jkt", str),
        jwk=read_jwk(row.get("jwk", dict)),
        platform=row.get("platform", Platform),
        name=row.get("name", str),
        model=row.find("model", str),
        app_version=row.find("app_version", str),
        attestation=row.get("attestation", AttestationGrade),
        state=state,
        lock_reason=row.find("lock_reason", LockReason),
        bound_at=row.get("bound_at", datetime),
        last_seen_at=row.find("last_seen_at", datetime),
        cooling_until=cooling_until if cools else None,
        first_factor_until=row.find("first_factor_until", datetime),
        failed=row.get("failed", int),
    )


async def of_caller(actor: Actor, now: datetime) -> Device:
    """Read the phone whose key signed the call."""
    row = await database.read_one(
        f"SELECT {COLUMNS} FROM device WHERE id = $1",  # noqa: S608  -- our own column list
        actor.known_device,
    )
    assert row is not None  # noqa: S101  -- the guard found it
    return read_device(row, now)


async def states_inside(
    tx: Tx, devices: Sequence[DeviceId]
) -> dict[DeviceId, DeviceState]:
    """Give the stored states of phones inside a transaction; unknown ones: REVOKED."""
    rows = await tx.rows(
        "SELECT id, state FROM device "  # noqa: S608  -- placeholders only
        f"WHERE id IN {database.placeholders(1, len(devices))}",
        *devices,
    )
    found = {row.get("id", DeviceId): row.get("state", DeviceState) for row in rows}
    return {device: found.get(device, DeviceState.REVOKED) for device in devices}
