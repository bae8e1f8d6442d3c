"""Factors renamed and removed, and those that belong to the person."""

import strawberry

from app.ids import PasskeyId
from app.schema import guards
from app.schema.auth.devices import Device, FactorStatus
from app.schema.auth.passkeys import Passkey
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.refusals import UserError, answered
from app.schema.scalars import field


@strawberry.type
class MpinRemovePayload:
    """The device that has no mPIN any more."""

    device: Device | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class PasskeyRenameInput:
    """A passkey and its new label."""

    id: strawberry.ID
    label: str


@strawberry.type
class PasskeyRenamePayload:
    """The renamed passkey."""

    passkey: Passkey | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class PasskeyRemoveInput:
    """The passkey to be removed."""

    id: strawberry.ID


@strawberry.type
class PasskeyRemovePayload:
    """The passkey that went."""

    removed_passkey_id: strawberry.ID | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class CustomerFields:
    """What the customer's own object shows of factors."""

    @field(description="Customer-wide factors: WEBAUTHN, TOTP, RECOVERY_CODE.")
    async def factors(self, info: Info) -> list[FactorStatus]:
        """List the factors that belong to the person."""
        found = await info.context.bank.customer_factors.of(info.context.actor)
        return [FactorStatus.of(one) for one in found]


@strawberry.type
class Mutation:
    """Changes of factors."""

    @guards.mutation(
        level=AuthLevel.STEP_UP,
        scope="security",
        cost=100,
        description="Refusals: NOT_ALLOWED for the last factor of this device.",
    )
    async def mpin_remove(self, info: Info) -> MpinRemovePayload:
        """Remove the mPIN of this phone."""
        return await answered(MpinRemovePayload, _remove_mpin(info.context))

    @guards.mutation(
        level=AuthLevel.LOGIN, scope="security", cost=100, description=None
    )
    async def passkey_rename(
        self,
        info: Info,
        input: PasskeyRenameInput,  # noqa: A002  -- the contract's name
    ) -> PasskeyRenamePayload:
        """Give a passkey another label."""
        return await answered(PasskeyRenamePayload, _rename(info.context, input))

    @guards.mutation(
        level=AuthLevel.STEP_UP,
        scope="security",
        cost=100,
        description="Refusals: NOT_ALLOWED when it is the last factor of a device.",
    )
    async def passkey_remove(
        self,
        info: Info,
        input: PasskeyRemoveInput,  # noqa: A002  -- the contract's name
    ) -> PasskeyRemovePayload:
        """Remove a passkey."""
        return await answered(PasskeyRemovePayload, _remove(info.context, input))


async def _remove_mpin(context: Context) -> MpinRemovePayload:
    device = await context.bank.factor_changes.remove_mpin(context.actor)
    return MpinRemovePayload(device=Device.from_row(device))


async def _rename(context: Context, given: PasskeyRenameInput) -> PasskeyRenamePayload:
    passkey = PasskeyId.parse(given.id)
    changes = context.bank.factor_changes
    found = await changes.rename_passkey(context.actor, passkey, given.label)
    return PasskeyRenamePayload(passkey=Passkey.of(found))


async def _remove(context: Context, given: PasskeyRemoveInput) -> PasskeyRemovePayload:
    passkey = PasskeyId.parse(given.id)
    gone = await context.bank.factor_changes.remove_passkey(context.actor, passkey)
    return PasskeyRemovePayload(removed_passkey_id=strawberry.ID(str(gone)))
