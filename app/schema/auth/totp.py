"""An authenticator app and recovery codes: switched on, removed, made anew."""

import strawberry

from app.schema import guards
from app.schema.auth.devices import FactorStatus
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.refusals import UserError, answered
from app.schema.scalars import SENSITIVE, field


@strawberry.type(
    description=(
        "`otpauthUri` for the QR code, `secret` in base32 for typing. Both are shown "
        "only now."
    )
)
class TotpEnrolStartPayload:
    """A secret that waits for its first code."""

    otpauth_uri: str | None = strawberry.field(default=None, directives=SENSITIVE)
    secret: str | None = strawberry.field(default=None, directives=SENSITIVE)
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class TotpEnrolFinishInput:
    """The first code."""

    code: str = strawberry.field(directives=SENSITIVE)


@strawberry.type(
    description="`recoveryCodes`: ten, shown only now; older ones stop working."
)
class TotpEnrolFinishPayload:
    """An authenticator that works."""

    factor: FactorStatus | None = None
    recovery_codes: list[str] | None = strawberry.field(
        default=None, directives=SENSITIVE
    )
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class TotpRemovePayload:
    """What is left of it: nothing."""

    factor: FactorStatus | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class RecoveryCodesRegeneratePayload:
    """Ten new codes."""

    codes: list[str] | None = strawberry.field(default=None, directives=SENSITIVE)
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class CustomerFields:
    """What the customer's own object shows of recovery codes."""

    @field()
    async def recovery_codes_left(self, info: Info) -> int:
        """Count the unused ones."""
        return await info.context.bank.recovery.left(info.context.actor)


@strawberry.type
class Mutation:
    """Authenticator and recovery codes."""

    @guards.mutation(
        level=AuthLevel.STEP_UP, scope="security", cost=100, description=None
    )
    async def totp_enrol_start(self, info: Info) -> TotpEnrolStartPayload:
        """Make a secret."""
        return await answered(TotpEnrolStartPayload, _start(info.context))

    @guards.mutation(
        level=AuthLevel.LOGIN,
        scope="security",
        cost=500,
        description=(
            "Switches it on and gives ten recovery codes. Refusals: INVALID_CREDENTIAL."
        ),
    )
    async def totp_enrol_finish(
        self,
        info: Info,
        input: TotpEnrolFinishInput,  # noqa: A002  -- the contract's name
    ) -> TotpEnrolFinishPayload:
        """Take the first code."""
        return await answered(TotpEnrolFinishPayload, _finish(info.context, input))

    @guards.mutation(
        level=AuthLevel.STEP_UP, scope="security", cost=100, description=None
    )
    async def totp_remove(self, info: Info) -> TotpRemovePayload:
        """Remove the authenticator."""
        return await answered(TotpRemovePayload, _remove(info.context))

    @guards.mutation(
        level=AuthLevel.STEP_UP,
        scope="security",
        cost=100,
        description=("Ten new codes of 120 random bits; the old ones stop working."),
    )
    async def recovery_codes_regenerate(
        self, info: Info
    ) -> RecoveryCodesRegeneratePayload:
        """Make ten codes."""
        return await answered(RecoveryCodesRegeneratePayload, _regenerate(info.context))


async def _start(context: Context) -> TotpEnrolStartPayload:
    opened = await context.bank.totps.start(context.actor)
    return TotpEnrolStartPayload(otpauth_uri=opened.uri, secret=opened.secret)


async def _finish(
    context: Context, given: TotpEnrolFinishInput
) -> TotpEnrolFinishPayload:
    enrolled = await context.bank.totps.finish(context.actor, given.code)
    return TotpEnrolFinishPayload(
        factor=FactorStatus.of(enrolled.factor), recovery_codes=enrolled.codes
    )


async def _remove(context: Context) -> TotpRemovePayload:
    left = await context.bank.totps.remove(context.actor)
    return TotpRemovePayload(factor=FactorStatus.of(left))


async def _regenerate(context: Context) -> RecoveryCodesRegeneratePayload:
    codes = await context.bank.recovery.regenerate(context.actor)
    return RecoveryCodesRegeneratePayload(codes=codes)
