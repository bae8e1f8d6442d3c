"""What an applicant's phone sends in the steps of enrolment, and what it gets."""

from datetime import datetime

import strawberry
from strawberry import UNSET

from app.auth import signing
from app.auth.applicant import Activation, OtherPhone, OtherProof, Shown
from app.auth.attestation import AndroidChain, AppAttestation, Evidence
from app.auth.binding import BindRequest
from app.auth.errors import ChallengeFailed, EnrolmentExpired
from app.auth.keys import Jwk, KeyRefused, read_jwk
from app.errors import BadRequest
from app.ids import DeviceId
from app.schema.auth.devices import BoundDevice, Device
from app.schema.auth.enums import IdentityMethod, Platform
from app.schema.refusals import UserError
from app.schema.scalars import SENSITIVE


def _secret(description: str | None = None) -> str:
    """Declare an input that is masked wherever it might be written down."""
    field: str = strawberry.field(description=description, directives=SENSITIVE)
    return field


@strawberry.input
class ActivationProofInput:
    """A customer number with its printed code."""

    customer_number: str = _secret()
    activation_code: str = _secret()

    def read(self) -> Activation:
        """Give the proof as the room knows it."""
        return Activation(
            customer_number=self.customer_number, code=self.activation_code
        )


@strawberry.input(description="`phone` in E.164. The SMS names the action and `model`.")
class EnrolmentStartInput:
    """Step 1."""

    phone: str = _secret()
    platform: Platform
    app_version: str
    model: str | None = UNSET
    activation: ActivationProofInput | None = strawberry.field(
        default=UNSET,
        description=(
            "A customer who has an activation code may give it first: strangers who "
            "ask for codes for his number cannot use up his quota."
        ),
    )


@strawberry.type
class EnrolmentStartPayload:
    """Looks the same for unknown customers."""

    enrolment_id: strawberry.ID | None = None
    otp_expires_at: datetime | None = None
    resend_after_seconds: int | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class EnrolmentResendOtpInput:
    """A new code for the same enrolment."""

    enrolment_id: strawberry.ID


@strawberry.type
class EnrolmentResendOtpPayload:
    """The new code's end."""

    otp_expires_at: datetime | None = None
    resend_after_seconds: int | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class EnrolmentVerifyOtpInput:
    """Step 2."""

    enrolment_id: strawberry.ID
    otp: str = _secret()


@strawberry.type
class EnrolmentVerifyOtpPayload:
    """The ways of step 3."""

    methods: list[IdentityMethod] | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input(one_of=True, description="Exactly one.")
class IdentityProofInput:
    """The second proof of the person."""

    activation_code: str | None = strawberry.field(default=UNSET, directives=SENSITIVE)
    totp: str | None = strawberry.field(default=UNSET, directives=SENSITIVE)
    recovery_code: str | None = strawberry.field(default=UNSET, directives=SENSITIVE)
    other_device: bool | None = strawberry.field(
        default=UNSET,
        description="Send it again to ask whether the other device has answered.",
    )

    def read(self, customer_number: str) -> Shown | OtherPhone:
        """Give the proof as the room knows it.

        Raises:
            BadRequest: it is empty.
        """
        if self.other_device:
            return OtherPhone(customer_number=customer_number)
        if self.activation_code:
            return Activation(
                customer_number=customer_number, code=self.activation_code
            )
        others = {
            IdentityMethod.TOTP: self.totp,
            IdentityMethod.RECOVERY_CODE: self.recovery_code,
        }
        for method, code in others.items():
            if code:
                return OtherProof(
                    customer_number=customer_number, code=code, method=method
                )
        raise BadRequest("`proof` names exactly one way.")


@strawberry.input(description="`customerNumber` goes with every method.")
class EnrolmentProveIdentityInput:
    """Step 3."""

    enrolment_id: strawberry.ID
    customer_number: str = _secret()
    proof: IdentityProofInput


@strawberry.type
class EnrolmentProveIdentityPayload:
    """The nonce of step 4."""

    binding_nonce: str | None = strawberry.field(
        default=None,
        description=(
            "32 random bytes, b64url; null while another device has not answered."
        ),
    )
    binding_expires_at: datetime | None = None
    bound_devices: list[BoundDevice] | None = strawberry.field(
        default=None, description="The customer's bound devices; null until proven."
    )
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input(
    description=(
        "Public P-256 key as a JWK: coordinates of 32 bytes each, b64url. The key's "
        "name everywhere is its RFC 7638 thumbprint, 43 characters."
    )
)
class JwkInput:
    """A device key."""

    kty: str = "EC"
    crv: str = "P-256"
    x: str
    y: str

    def read(self) -> Jwk:
        """Give the key as the room knows it.

        Raises:
            ChallengeFailed: not a point of the curve in canonical form.
        """
        members = {"kty": self.kty, "crv": self.crv, "x": self.x, "y": self.y}
        try:
            return read_jwk(members)
        except KeyRefused:
            raise ChallengeFailed(field=["jwk"]) from None


@strawberry.input(
    description=(
        "Certificate chain from the Android Keystore, leaf first, DER in b64url. The "
        "leaf's key must be the key being registered."
    )
)
class AndroidKeyAttestationInput:
    """Android's attestation."""

    chain: list[str]


@strawberry.input(
    description=(
        "App Attest keys cannot sign freely, so the device key is a separate Secure "
        "Enclave key whose thumbprint is inside the attested challenge."
    )
)
class AppAttestInput:
    """Apple's attestation."""

    key_id: str
    attestation_object: str = _secret()


@strawberry.input
class NoAttestationInput:
    """No attestation, and why."""

    reason: str


@strawberry.input(
    one_of=True,
    description=(
        "Exactly one. Which challenge the phone must attest: auth.md §2.2 (device key) "
        "and §2.7 (biometric key). The biometric key of an iPhone uses `none`: App "
        "Attest cannot attest a second key."
    ),
)
class AttestationInput:
    """What the key proves about itself."""

    android_key: AndroidKeyAttestationInput | None = UNSET
    app_attest: AppAttestInput | None = UNSET
    none: NoAttestationInput | None = strawberry.field(
        default=UNSET,
        description=(
            "The platform has none for this key (browser, simulator, old phone, see "
            "above): for a device key only where policy says so."
        ),
    )

    def read(self) -> Evidence | None:
        """Give the statement as the room knows it; None where the phone has none."""
        if self.android_key:
            return AndroidChain(tuple(self.android_key.chain))
        if self.app_attest:
            given = self.app_attest
            return AppAttestation(given.key_id, given.attestation_object)
        return None

    def coerced(self) -> dict[str, object]:
        """Write it down as an approval shows it: what is masked as its hash."""
        if self.android_key:
            return {"androidKey": {"chain": list(self.android_key.chain)}}
        if self.app_attest:
            given = self.app_attest
            hashed = signing.sha256(given.attestation_object.encode())
            shown = {"sha256": signing.b64u(hashed)}
            return {"appAttest": {"keyId": given.key_id, "attestationObject": shown}}
        return {"none": {"reason": self.none.reason if self.none else ""}}


@strawberry.input
class DeviceBindInput:
    """Step 4."""

    binding_nonce: str = _secret()
    name: str
    jwk: JwkInput
    signature: str = strawberry.field(
        description=(
            "b64url raw ES256 signature over 'sixpence/bind/v1', a zero byte, the "
            "nonce's 32 bytes and the key's thumbprint."
        )
    )
    attestation: AttestationInput
    replace_device_ids: list[strawberry.ID] | None = strawberry.field(
        default=UNSET,
        description=(
            "Devices this one takes the place of: the same phone enrolled again, a "
            "phone that is lost. They are LOCKED at once, count no longer among the "
            "three, and are REVOKED when this one is ACTIVE."
        ),
    )

    def read(self) -> BindRequest:
        """Give the request as the room knows it.

        Raises:
            EnrolmentExpired: the nonce is not one of ours.
            ChallengeFailed: the key is not one.
        """
        try:
            nonce = signing.unb64u(self.binding_nonce, signing.NONCE_BYTES)
        except signing.MalformedText:
            raise EnrolmentExpired from None
        return BindRequest(
            binding_nonce=nonce,
            name=self.name,
            jwk=self.jwk.read(),
            signature=self.signature,
            attestation=self.attestation.read(),
            replaces=tuple(map(DeviceId.parse, self.replace_device_ids or ())),
        )


@strawberry.type
class DeviceBindPayload:
    """The bound device."""

    device: Device | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class MpinSetInput:
    """A new mPIN, as its secret."""

    pin_secret: str = _secret(
        "32 random bytes made on the phone, b64url. Sent once; the phone then keeps "
        "only the value masked by the PIN."
    )
    kdf: str = strawberry.field(
        description=(
            "How the phone turns the PIN into the mask, as a label without secrets, "
            "for example 'v=02;PBKDF2-HMAC-SHA256;i=100000;s=16': version of the "
            "stored value, iterations (at least 100,000), bytes of salt. Kept so that "
            "weak settings can be found and renewed."
        )
    )


@strawberry.type
class MpinSetPayload:
    """The device whose mPIN it is."""

    device: Device | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)
