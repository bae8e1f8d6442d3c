"""Where a phone gets pushes, as it asks for it."""

import strawberry
from strawberry import UNSET

from app.integrations.push import PushKind
from app.notifications.addresses import AddressWish, PushEnvironment
from app.schema import guards, scalars
from app.schema.auth.devices import Device, device_node
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.refusals import UserError, answered
from app.schema.scalars import SENSITIVE

scalars.enum(
    PushKind,
    "PushKind",
    FCM_FID="Firebase installation id.",
    FCM_TOKEN="Firebase registration token.",  # noqa: S106  -- a name
    APNS="APNs device token, hex.",
)
scalars.enum(
    PushEnvironment,
    "PushEnvironment",
    "DEVELOPMENT: the address of a build signed for Apple's development service. Other "
    "providers have only PRODUCTION.",
)


@strawberry.input(
    description=(
        "`appId`: bundle id or package name of the build that got the address (the "
        "APNs topic)."
    )
)
class PushAddressInput:
    """An address as the provider's library gave it to the app."""

    kind: PushKind
    value: str = strawberry.field(directives=SENSITIVE)
    app_id: str
    environment: PushEnvironment = PushEnvironment.PRODUCTION

    def wish(self) -> AddressWish:
        """Give the address as the room knows it."""
        return AddressWish(
            kind=self.kind,
            value=self.value,
            app_id=self.app_id,
            environment=self.environment,
        )


@strawberry.input(description="`address: null` stops pushes to this device.")
class DevicePushSetInput:
    """Where pushes go from now on."""

    address: PushAddressInput | None = UNSET


@strawberry.type
class DevicePushSetPayload:
    """The device as it is now."""

    device: Device | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class Mutation:
    """Sets the address of the phone that calls."""

    @guards.mutation(
        level=AuthLevel.DEVICE,
        cost=100,
        description=(
            "Where this device gets pushes. The address belongs to the device binding "
            "and outlives sessions; signing out mutes it to security hints, and "
            "another customer who sets the same address takes it over at once."
        ),
    )
    async def device_push_set(
        self,
        info: Info,
        input: DevicePushSetInput,  # noqa: A002  -- the contract's name
    ) -> DevicePushSetPayload:
        """Bind, move or end the address."""
        return await answered(DevicePushSetPayload, _set(info.context, input))


async def _set(context: Context, given: DevicePushSetInput) -> DevicePushSetPayload:
    wish = given.address.wish() if given.address else None
    await context.bank.addresses.set(context.actor, wish)
    device = await device_node(context, context.actor.known_device)
    return DevicePushSetPayload(device=device)
