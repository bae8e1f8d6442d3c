"""Binding a phone: the four steps and the first factor."""

from datetime import datetime

import strawberry
from strawberry import UNSET

from app.auth import signing
from app.auth.applicant import Activation, StartRequest
from app.auth.devices import BindRequest
from app.auth.errors import ChallengeFailed, EnrolmentExpired
from app.auth.keys import Jwk, KeyRefused, read_jwk
from app.auth.otp import EnrolmentId
from app.errors import BadRequest
from app.ids import MalformedId
from app.schema import guards
from app.schema.auth.devices import BoundDevice, Device
from app.schema.auth.enums import IdentityMethod, Platform
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.refusals import UserError, answered
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
        default=None, description="32 random bytes, b64url."
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
        "Exactly one. Which challenge the phone must attest: auth.md §2.2 (device key)."
    ),
)
class AttestationInput:
    """What the key proves about itself."""

    android_key: AndroidKeyAttestationInput | None = UNSET
    app_attest: AppAttestInput | None = UNSET
    none: NoAttestationInput | None = strawberry.field(
        default=UNSET,
        description=(
            "The platform has none for this key (browser, simulator, old phone): for a "
            "device key only where policy says so."
        ),
    )


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
            attests=not self.attestation.none,
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


@strawberry.type
class Mutation:
    """From a phone number to a phone with a PIN."""

    @guards.mutation(
        level=AuthLevel.ANONYMOUS,
        cost=500,
        description=(
            "Step 1 of binding a phone: sends a code. The answer looks the same for "
            "unknown customers. Refusals: RATE_LIMITED (3 per 10 minutes, 5 per day "
            "and number; with a right `activation` the customer has a quota of his "
            "own). Steps 2 to 4 may be repeated with the same enrolmentId and the same "
            "proof for 10 minutes: a lost answer is asked for again."
        ),
    )
    async def enrolment_start(
        self,
        info: Info,
        input: EnrolmentStartInput,  # noqa: A002  -- the contract's name
    ) -> EnrolmentStartPayload:
        """Send a code."""
        return await answered(EnrolmentStartPayload, _start(info.context, input))

    @guards.mutation(
        level=AuthLevel.ANONYMOUS,
        cost=500,
        description=(
            "Sends a new code for the same enrolment; the old one stops working. "
            "Refusals: RATE_LIMITED, ENROLMENT_EXPIRED."
        ),
    )
    async def enrolment_resend_otp(
        self,
        info: Info,
        input: EnrolmentResendOtpInput,  # noqa: A002  -- the contract's name
    ) -> EnrolmentResendOtpPayload:
        """Send another code."""
        return await answered(EnrolmentResendOtpPayload, _resend(info.context, input))

    @guards.mutation(
        level=AuthLevel.ANONYMOUS,
        cost=500,
        description=(
            "Step 2: the code, valid 5 minutes, 3 tries. Refusals: "
            "INVALID_CREDENTIAL, ENROLMENT_EXPIRED."
        ),
    )
    async def enrolment_verify_otp(
        self,
        info: Info,
        input: EnrolmentVerifyOtpInput,  # noqa: A002  -- the contract's name
    ) -> EnrolmentVerifyOtpPayload:
        """Take the code."""
        return await answered(EnrolmentVerifyOtpPayload, _verify(info.context, input))

    @guards.mutation(
        level=AuthLevel.ANONYMOUS,
        cost=500,
        description=(
            "Step 3: a second proof of the person, 3 tries; sent again it gives a "
            "fresh `bindingNonce`. The proof is used up only by deviceBind. Refusals: "
            "INVALID_CREDENTIAL, CREDENTIAL_LOCKED, ENROLMENT_EXPIRED."
        ),
    )
    async def enrolment_prove_identity(
        self,
        info: Info,
        input: EnrolmentProveIdentityInput,  # noqa: A002  -- the contract's name
    ) -> EnrolmentProveIdentityPayload:
        """Take the second proof."""
        work = _prove(info.context, input)
        return await answered(EnrolmentProveIdentityPayload, work)

    @guards.mutation(
        level=AuthLevel.ANONYMOUS,
        cost=500,
        description=(
            "Step 4: registers the device key; the DPoP proof of the request must be "
            "of the same key. Set a first factor within 15 minutes. All other devices "
            "and the phone number are told. Sending it again with the same key gives "
            "the same device. Refusals: ATTESTATION_REJECTED, CHALLENGE_FAILED, "
            "ENROLMENT_EXPIRED, TOO_MANY_DEVICES."
        ),
    )
    async def device_bind(
        self,
        info: Info,
        input: DeviceBindInput,  # noqa: A002  -- the contract's name
    ) -> DeviceBindPayload:
        """Bind the phone."""
        return await answered(DeviceBindPayload, _bind(info.context, input))

    @guards.mutation(
        level=AuthLevel.DEVICE,
        cost=100,
        description=(
            "Sets or changes the mPIN of this device. The PIN itself never leaves the "
            "phone, which keeps its old value until this answered. Free for a device "
            "without a factor during 15 minutes after deviceBind; once a factor exists "
            "it needs a session (FORBIDDEN without) and answers STEP_UP_REQUIRED. A "
            "change does not restart the waiting time."
        ),
    )
    async def mpin_set(
        self,
        info: Info,
        input: MpinSetInput,  # noqa: A002  -- the contract's name
    ) -> MpinSetPayload:
        """Keep the secret of an mPIN."""
        return await answered(MpinSetPayload, _mpin_set(info.context, input))


def _enrolment_id(text: str) -> EnrolmentId:
    try:
        return EnrolmentId.parse(text)
    except MalformedId:
        raise EnrolmentExpired from None


async def _start(context: Context, given: EnrolmentStartInput) -> EnrolmentStartPayload:
    request = StartRequest(
        phone=given.phone,
        platform=given.platform,
        app_version=given.app_version,
        model=given.model or None,
        activation=given.activation.read() if given.activation else None,
    )
    sent = await context.bank.enrolments.start(context.actor, request)
    return EnrolmentStartPayload(
        enrolment_id=strawberry.ID(str(sent.enrolment)),
        otp_expires_at=sent.otp_expires_at,
        resend_after_seconds=sent.resend_after_s,
    )


async def _resend(
    context: Context, given: EnrolmentResendOtpInput
) -> EnrolmentResendOtpPayload:
    enrolment = _enrolment_id(given.enrolment_id)
    sent = await context.bank.enrolments.resend(context.actor, enrolment)
    return EnrolmentResendOtpPayload(
        otp_expires_at=sent.otp_expires_at, resend_after_seconds=sent.resend_after_s
    )


async def _verify(
    context: Context, given: EnrolmentVerifyOtpInput
) -> EnrolmentVerifyOtpPayload:
    enrolment = _enrolment_id(given.enrolment_id)
    rooms = context.bank.enrolments
    methods = await rooms.verify(context.actor, enrolment, given.otp)
    return EnrolmentVerifyOtpPayload(methods=methods)


async def _prove(
    context: Context, given: EnrolmentProveIdentityInput
) -> EnrolmentProveIdentityPayload:
    code = given.proof.activation_code
    if not code:
        raise BadRequest("`proof` names exactly one way.")
    proven = await context.bank.enrolments.prove(
        context.actor,
        _enrolment_id(given.enrolment_id),
        Activation(customer_number=given.customer_number, code=code),
    )
    return EnrolmentProveIdentityPayload(
        binding_nonce=signing.b64u(proven.binding_nonce),
        binding_expires_at=proven.binding_expires_at,
        bound_devices=[BoundDevice.of(one) for one in proven.bound_devices],
    )


async def _bind(context: Context, given: DeviceBindInput) -> DeviceBindPayload:
    device = await context.bank.devices.bind(context.actor, given.read())
    return DeviceBindPayload(device=Device.from_row(device))


async def _mpin_set(context: Context, given: MpinSetInput) -> MpinSetPayload:
    device = await context.bank.mpins.set(context.actor, given.pin_secret, given.kdf)
    return MpinSetPayload(device=Device.from_row(device))
