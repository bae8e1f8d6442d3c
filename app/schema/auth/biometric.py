"""The biometric key of a phone: set and removed."""

from collections.abc import Mapping

import strawberry

from app.auth.biometric import KeyRequest
from app.schema import guards
from app.schema.auth.applicant import AttestationInput, JwkInput
from app.schema.auth.devices import Device
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.refusals import UserError, answered


@strawberry.input
class BiometricKeySetInput:
    """A new key that only a finger or a face opens."""

    jwk: JwkInput
    nonce: str = strawberry.field(
        description="A current value of the `DPoP-Nonce` response header."
    )
    signature: str = strawberry.field(
        description=(
            "b64url raw ES256 signature of the new key over 'sixpence/bio/v1', a zero "
            "byte, the nonce's 32 bytes, the thumbprint of the device key and its own "
            "thumbprint."
        )
    )
    attestation: AttestationInput

    def read(self) -> KeyRequest:
        """Give the request as the room knows it.

        Raises:
            ChallengeFailed: the key is not one.
        """
        return KeyRequest(
            jwk=self.jwk.read(),
            nonce=self.nonce,
            signature=self.signature,
            attestation=self.attestation.read(),
            coerced=self._coerced(),
        )

    def _coerced(self) -> Mapping[str, object]:
        """Write the whole input down, as the person approves it."""
        jwk = self.jwk
        return {
            "jwk": {"kty": jwk.kty, "crv": jwk.crv, "x": jwk.x, "y": jwk.y},
            "nonce": self.nonce,
            "signature": self.signature,
            "attestation": self.attestation.coerced(),
        }


@strawberry.type
class BiometricKeySetPayload:
    """The device whose key it is."""

    device: Device | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class BiometricKeyRemovePayload:
    """The device that has none any more."""

    device: Device | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class Mutation:
    """The second key of a phone."""

    @guards.mutation(
        level=AuthLevel.DEVICE,
        cost=100,
        description=(
            "Registers the key that only a fingerprint or face opens: Android "
            "BIOMETRIC_STRONG, iOS biometryCurrentSet, no device passcode instead. "
            "Same rule as mpinSet. Refusals: ATTESTATION_REJECTED, CHALLENGE_FAILED."
        ),
    )
    async def biometric_key_set(
        self,
        info: Info,
        input: BiometricKeySetInput,  # noqa: A002  -- the contract's name
    ) -> BiometricKeySetPayload:
        """Keep a new key."""
        return await answered(BiometricKeySetPayload, _set(info.context, input))

    @guards.mutation(
        level=AuthLevel.STEP_UP,
        scope="security",
        cost=100,
        description="Refusals: NOT_ALLOWED for the last factor of this device.",
    )
    async def biometric_key_remove(self, info: Info) -> BiometricKeyRemovePayload:
        """Remove the key."""
        return await answered(BiometricKeyRemovePayload, _remove(info.context))


async def _set(context: Context, given: BiometricKeySetInput) -> BiometricKeySetPayload:
    device = await context.bank.biometrics.set(context.actor, given.read())
    return BiometricKeySetPayload(device=Device.from_row(device))


async def _remove(context: Context) -> BiometricKeyRemovePayload:
    device = await context.bank.factor_changes.remove_biometric(context.actor)
    return BiometricKeyRemovePayload(device=Device.from_row(device))
