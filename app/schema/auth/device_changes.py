"""Phones renamed, locked, unlocked and removed; the emergency stop."""

from datetime import datetime

import strawberry

from app.ids import DeviceId
from app.schema import guards
from app.schema.auth.devices import Device
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.refusals import UserError, answered


@strawberry.input
class DeviceRenameInput:
    """A phone and its new name."""

    id: strawberry.ID
    name: str


@strawberry.type
class DeviceRenamePayload:
    """The renamed phone."""

    device: Device | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class DeviceRevokeInput:
    """The phone to be removed."""

    id: strawberry.ID


@strawberry.type
class DeviceRevokePayload:
    """The removed phone."""

    device: Device | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class DevicesRevokeOthersPayload:
    """The phones that were removed."""

    revoked_devices: list[Device] = strawberry.field(default_factory=list)
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class DeviceLockInput:
    """The phone to be suspended."""

    id: strawberry.ID


@strawberry.type
class DeviceLockPayload:
    """The suspended phone."""

    device: Device | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class DeviceUnlockInput:
    """The phone whose suspension ends."""

    id: strawberry.ID


@strawberry.type
class DeviceUnlockPayload:
    """The phone that works again."""

    device: Device | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class DeviceForgetPayload:
    """The phone that removed itself."""

    forgotten_device_id: strawberry.ID | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class PanicLockPayload:
    """What the emergency stop did."""

    locked_at: datetime | None = None
    ended_session_count: int = 0
    locked_device_count: int = 0
    cancelled_payment_count: int = 0
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class Mutation:
    """Changes of phones."""

    @guards.mutation(level=AuthLevel.LOGIN, cost=100, description=None)
    async def device_rename(
        self,
        info: Info,
        input: DeviceRenameInput,  # noqa: A002  -- the contract's name
    ) -> DeviceRenamePayload:
        """Give the phone another name."""
        return await answered(DeviceRenamePayload, _rename(info.context, input))

    @guards.mutation(
        level=AuthLevel.STEP_UP,
        scope="security",
        cost=100,
        description=(
            "Ends the device for good: sessions, sockets, push address and open "
            "approvals go with it, within a second on every server. A device that is "
            "COOLING can only suspend others: deviceLock."
        ),
    )
    async def device_revoke(
        self,
        info: Info,
        input: DeviceRevokeInput,  # noqa: A002  -- the contract's name
    ) -> DeviceRevokePayload:
        """Remove the phone."""
        return await answered(DeviceRevokePayload, _revoke(info.context, input))

    @guards.mutation(
        level=AuthLevel.STEP_UP, scope="security", cost=100, description=None
    )
    async def devices_revoke_others(self, info: Info) -> DevicesRevokeOthersPayload:
        """Remove all phones but this one."""
        work = _revoke_others(info.context)
        return await answered(DevicesRevokeOthersPayload, work)

    @guards.mutation(
        level=AuthLevel.STEP_UP,
        scope="security",
        cost=100,
        description=(
            "Suspends another device: its sessions and sockets end, its keys stay. "
            "Also for a device that is COOLING, because it only takes rights away and "
            "is reversible."
        ),
    )
    async def device_lock(
        self,
        info: Info,
        input: DeviceLockInput,  # noqa: A002  -- the contract's name
    ) -> DeviceLockPayload:
        """Suspend the phone."""
        return await answered(DeviceLockPayload, _lock(info.context, input))

    @guards.mutation(
        level=AuthLevel.STEP_UP,
        scope="security",
        cost=100,
        description=(
            "Ends a suspension. Refusals: NOT_ALLOWED when staff or panicLock set it."
        ),
    )
    async def device_unlock(
        self,
        info: Info,
        input: DeviceUnlockInput,  # noqa: A002  -- the contract's name
    ) -> DeviceUnlockPayload:
        """Let the phone work again."""
        return await answered(DeviceUnlockPayload, _unlock(info.context, input))

    @guards.mutation(
        level=AuthLevel.DEVICE,
        cost=100,
        description=(
            "Removes the device that asks; the app then erases its keys. Needs no "
            "sign-in because it only takes rights away."
        ),
    )
    async def device_forget(self, info: Info) -> DeviceForgetPayload:
        """Remove this phone."""
        return await answered(DeviceForgetPayload, _forget(info.context))

    @guards.mutation(
        level=AuthLevel.DEVICE,
        cost=100,
        description=(
            "Emergency stop: ends all sessions, this one included, suspends every "
            "device, cancels open approvals, blocks outgoing payments and freezes "
            "cards. Only a new enrolment or staff lifts it, and a new enrolment brings "
            "back only the phone it binds. Needs no sign-in because it only takes "
            "rights away."
        ),
    )
    async def panic_lock(self, info: Info) -> PanicLockPayload:
        """Stop everything."""
        return await answered(PanicLockPayload, _panic(info.context))


async def _rename(context: Context, given: DeviceRenameInput) -> DeviceRenamePayload:
    device = DeviceId.parse(given.id)
    changes = context.bank.device_changes
    found = await changes.rename(context.actor, device, given.name)
    return DeviceRenamePayload(device=Device.from_row(found))


async def _revoke(context: Context, given: DeviceRevokeInput) -> DeviceRevokePayload:
    device = DeviceId.parse(given.id)
    found = await context.bank.device_changes.revoke(context.actor, device)
    return DeviceRevokePayload(device=Device.from_row(found))


async def _revoke_others(context: Context) -> DevicesRevokeOthersPayload:
    gone = await context.bank.device_changes.revoke_others(context.actor)
    return DevicesRevokeOthersPayload(
        revoked_devices=[Device.from_row(one) for one in gone]
    )


async def _lock(context: Context, given: DeviceLockInput) -> DeviceLockPayload:
    device = DeviceId.parse(given.id)
    found = await context.bank.device_changes.lock(context.actor, device)
    return DeviceLockPayload(device=Device.from_row(found))


async def _unlock(context: Context, given: DeviceUnlockInput) -> DeviceUnlockPayload:
    device = DeviceId.parse(given.id)
    found = await context.bank.device_changes.unlock(context.actor, device)
    return DeviceUnlockPayload(device=Device.from_row(found))


async def _forget(context: Context) -> DeviceForgetPayload:
    gone = await context.bank.device_changes.forget(context.actor)
    return DeviceForgetPayload(forgotten_device_id=strawberry.ID(str(gone)))


async def _panic(context: Context) -> PanicLockPayload:
    stopped = await context.bank.panics.lock(context.actor)
    return PanicLockPayload(
        locked_at=stopped.at,
        ended_session_count=stopped.sessions,
        locked_device_count=stopped.devices,
        cancelled_payment_count=stopped.payments,
    )
