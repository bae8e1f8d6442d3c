"""Phones, factors and sessions as the customer sees them; every read is batched."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import strawberry

from app.auth import device as devices
from app.auth import factors as room
from app.auth import session as sign_ins
from app.ids import DeviceId
from app.realtime.shots import DeviceShot
from app.schema.auth.enums import (
    AttestationGrade,
    DeviceState,
    FactorKind,
    FactorState,
    Platform,
)
from app.schema.context import Context, Info
from app.schema.loaders import Batch
from app.schema.scalars import SENSITIVE, Node, field


@strawberry.type
class FactorStatus:
    """One factor of a device."""

    kind: FactorKind
    state: FactorState
    attempts_left: int | None = strawberry.field(
        description="Null for factors that are not counted."
    )
    locked_until: datetime | None = strawberry.field(
        description="Null with LOCKED means: set the factor again."
    )
    set_at: datetime | None

    @classmethod
    def of(cls, found: room.FactorStatus) -> "FactorStatus":
        """Show a factor."""
        return cls(
            kind=found.kind,
            state=found.state,
            attempts_left=found.attempts_left,
            locked_until=found.locked_until,
            set_at=found.set_at,
        )


@strawberry.type
class Device(Node):
    """One bound phone, made from a row or from a fact."""

    name: str = strawberry.field(description="Chosen by the customer; shown in alerts.")
    platform: Platform
    model: str | None
    app_version: str | None
    state: DeviceState
    attestation: AttestationGrade
    bound_at: datetime
    last_seen_at: datetime | None
    cooling_until: datetime | None = strawberry.field(
        description=(
            "End of the waiting time after binding or a change of phone number; "
            "changing the mPIN does not restart it. Null when over."
        )
    )

    @classmethod
    def of(cls, shot: DeviceShot) -> "Device":
        """Show the phone of a fact."""
        return cls(
            id=strawberry.ID(shot.id),
            name=shot.name,
            platform=Platform(shot.platform),
            model=shot.model,
            app_version=shot.app_version,
            state=DeviceState(shot.state),
            attestation=AttestationGrade(shot.attestation),
            bound_at=shot.bound_at,
            last_seen_at=shot.last_seen_at,
            cooling_until=shot.cooling_until,
        )

    @classmethod
    def from_row(cls, found: devices.Device) -> "Device":
        """Show a phone of the room."""
        return cls.of(found.shot())

    @field(
        description=(
            "Factors of this device (MPIN, BIOMETRIC); passkeys and TOTP belong to "
            "the customer."
        )
    )
    async def factors(self, info: Info) -> list[FactorStatus]:
        """Read the factors, together with those of the other phones."""
        found = await FACTORS.load(info.context, DeviceId.parse(self.id))
        return [FactorStatus.of(one) for one in found]

    @field(description="True for the device of this request.")
    def is_current(self, info: Info) -> bool:
        """Compare with the caller's device."""
        return self.id == str(info.context.actor.device)

    @field()
    async def push_enabled(self, info: Info) -> bool:
        """Ask for its push address, together with those of the other phones."""
        return await PUSH_ENABLED.load(info.context, DeviceId.parse(self.id))


@strawberry.type(description="One sign-in of one device.")
class Session(Node):
    """A live session."""

    created_at: datetime
    last_seen_at: datetime
    ip: str | None = strawberry.field(directives=SENSITIVE)
    device_id: strawberry.Private[DeviceId]

    @classmethod
    def of(cls, found: sign_ins.Session) -> "Session":
        """Show a session."""
        return cls(
            id=strawberry.ID(str(found.id)),
            created_at=found.created_at,
            last_seen_at=found.last_active_at,
            ip=found.address,
            device_id=found.device,
        )

    @field()
    async def device(self, info: Info) -> Device:
        """Read its phone, together with those of the other sessions."""
        found = await DEVICE.load(info.context, self.device_id)
        return Device.from_row(found)

    @field()
    def is_current(self, info: Info) -> bool:
        """Compare with the caller's session."""
        return self.id == str(info.context.actor.session)


@strawberry.type(
    description=(
        "What a person who proved the identity may see of a device before the new one "
        "is bound."
    )
)
class BoundDevice:
    """One phone that is bound already."""

    id: strawberry.ID
    name: str
    platform: Platform
    model: str | None
    last_seen_at: datetime | None

    @classmethod
    def of(cls, found: devices.Device) -> "BoundDevice":
        """Show little of a phone."""
        return cls(
            id=strawberry.ID(str(found.id)),
            name=found.name,
            platform=found.platform,
            model=found.model,
            last_seen_at=found.last_seen_at,
        )


@strawberry.type
class CustomerFields:
    """What the customer's own object shows of this room."""

    @field(
        description=(
            "At most 20, revoked ones of the last 90 days included; 3 may be bound at "
            "a time."
        )
    )
    async def devices(self, info: Info) -> list[Device]:
        """List the caller's phones."""
        found = await info.context.bank.devices.of_customer(info.context.actor)
        return [Device.from_row(one) for one in found]

    @field(description="At most 20, newest first.")
    async def sessions(self, info: Info) -> list[Session]:
        """List the caller's live sessions."""
        found = await info.context.bank.sessions.of_customer(info.context.actor)
        return [Session.of(one) for one in found]


# ------------------------------------------------------------------ look-ups by id


async def device_node(context: Context, device: DeviceId) -> Device | None:
    """Give one phone of the caller, or null."""
    found = await context.bank.devices.find(context.actor, device)
    return None if found is None else Device.from_row(found)


async def _factors(
    context: Context, keys: Sequence[DeviceId]
) -> Mapping[DeviceId, list[room.FactorStatus]]:
    return await context.bank.devices.factors(keys)


async def _devices(
    context: Context, _keys: Sequence[DeviceId]
) -> Mapping[DeviceId, devices.Device]:
    found = await context.bank.devices.of_customer(context.actor)
    return {one.id: one for one in found}


async def _push_enabled(
    context: Context, keys: Sequence[DeviceId]
) -> Mapping[DeviceId, bool]:
    return await context.bank.addresses.enabled(keys)


FACTORS = Batch("factors", _factors)
PUSH_ENABLED = Batch("push_enabled", _push_enabled)
DEVICE = Batch("device", _devices)
