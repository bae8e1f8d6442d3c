"""Passkeys: registering one, and those the customer has."""

from datetime import datetime
from typing import cast

import strawberry
from strawberry import UNSET

from app.auth import passkey as room
from app.auth.errors import ChallengeExpired, CoolingPeriod
from app.auth.registrations import RegistrationId
from app.ids import MalformedId, PasskeyId
from app.schema import guards, refusals
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.refusals import UserError, answered
from app.schema.scalars import JSON, SENSITIVE, Money, Node, field


@strawberry.type
class Passkey(Node):
    """One passkey of the customer."""

    label: str
    created_at: datetime
    last_used_at: datetime | None
    backed_up: bool = strawberry.field(
        description=(
            "True when the passkey is synced by its provider: it proves the person, "
            "never the device."
        )
    )

    @classmethod
    def of(cls, found: room.Passkey) -> "Passkey":
        """Show a passkey of the room."""
        return cls(
            id=strawberry.ID(str(found.id)),
            label=found.label,
            created_at=found.created_at,
            last_used_at=found.last_used_at,
            backed_up=found.backed_up,
        )


@strawberry.type(description="`options`: PublicKeyCredentialCreationOptions as JSON.")
class PasskeyRegisterStartPayload:
    """What navigator.credentials.create() is given."""

    registration_id: strawberry.ID | None = None
    options: JSON | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class PasskeyRegisterFinishInput:
    """What navigator.credentials.create() gave, as its toJSON()."""

    registration_id: strawberry.ID
    credential: JSON = strawberry.field(directives=SENSITIVE)
    label: str | None = UNSET


@strawberry.type
class PasskeyRegisterFinishPayload:
    """The new passkey."""

    passkey: Passkey | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class CoolingPeriodError(UserError):
    """The waiting time of a phone, a factor or a payee is not over."""

    ends_at: datetime
    allowed_now: Money | None = strawberry.field(
        default=None,
        description=(
            "Largest amount that is allowed before `endsAt`; null when none is."
        ),
    )


KINDS = (CoolingPeriodError,)


@refusals.kind(CoolingPeriod)
def _cooling_period(no: CoolingPeriod) -> UserError:
    return CoolingPeriodError(
        **refusals.facts(no),
        ends_at=no.ends_at,
        allowed_now=None if no.allowed_now is None else Money.of(no.allowed_now),
    )


@strawberry.type
class CustomerFields:
    """What the customer's own object shows of passkeys."""

    @field(description="At most 10.")
    async def passkeys(self, info: Info) -> list[Passkey]:
        """List the caller's passkeys."""
        found = await info.context.bank.passkeys.of_customer(info.context.actor)
        return [Passkey.of(one) for one in found]


@strawberry.type
class Mutation:
    """Registering a passkey."""

    @guards.mutation(
        level=AuthLevel.DEVICE,
        cost=100,
        description=(
            "Options for navigator.credentials.create(). Same rule as mpinSet; at most "
            "10 passkeys. On a device that is COOLING only as part of its first "
            "factors, else COOLING_PERIOD."
        ),
    )
    async def passkey_register_start(self, info: Info) -> PasskeyRegisterStartPayload:
        """Open a registration."""
        return await answered(PasskeyRegisterStartPayload, _start(info.context))

    @guards.mutation(
        level=AuthLevel.DEVICE,
        cost=500,
        description="Refusals: CHALLENGE_EXPIRED, PASSKEY_REJECTED.",
    )
    async def passkey_register_finish(
        self,
        info: Info,
        input: PasskeyRegisterFinishInput,  # noqa: A002  -- the contract's name
    ) -> PasskeyRegisterFinishPayload:
        """Keep the new passkey."""
        work = _finish(info.context, input)
        return await answered(PasskeyRegisterFinishPayload, work)


async def passkey_node(context: Context, passkey: PasskeyId) -> Passkey | None:
    """Give one passkey of the caller, or null."""
    found = await context.bank.passkeys.find(context.actor, passkey)
    return None if found is None else Passkey.of(found)


async def _start(context: Context) -> PasskeyRegisterStartPayload:
    opened = await context.bank.passkeys.start(context.actor)
    return PasskeyRegisterStartPayload(
        registration_id=strawberry.ID(str(opened.id)),
        options=cast("JSON", opened.options),
    )


async def _finish(
    context: Context, given: PasskeyRegisterFinishInput
) -> PasskeyRegisterFinishPayload:
    try:
        registration = RegistrationId.parse(given.registration_id)
    except MalformedId:
        raise ChallengeExpired from None
    made = await context.bank.passkeys.finish(
        context.actor, registration, given.credential, given.label or None
    )
    return PasskeyRegisterFinishPayload(passkey=Passkey.of(made))
