"""Binding a phone: the four steps and the first factor."""

import strawberry

from app.auth import signing
from app.auth.applicant import OtherPhone, StartRequest
from app.auth.errors import EnrolmentExpired
from app.auth.otp import EnrolmentId
from app.ids import MalformedId
from app.schema import guards
from app.schema.auth.applicant import (
    DeviceBindInput,
    DeviceBindPayload,
    EnrolmentProveIdentityInput,
    EnrolmentProveIdentityPayload,
    EnrolmentResendOtpInput,
    EnrolmentResendOtpPayload,
    EnrolmentStartInput,
    EnrolmentStartPayload,
    EnrolmentVerifyOtpInput,
    EnrolmentVerifyOtpPayload,
    MpinSetInput,
    MpinSetPayload,
)
from app.schema.auth.devices import BoundDevice, Device
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.refusals import answered


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
            "the same device; the same phone enrolled again names its old binding in "
            "`replaceDeviceIds`. Refusals: ATTESTATION_REJECTED, CHALLENGE_FAILED, "
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
    bank, actor = context.bank, context.actor
    enrolment = _enrolment_id(given.enrolment_id)
    shown = given.proof.read(given.customer_number)
    if isinstance(shown, OtherPhone):
        proven = await bank.vouching.prove(actor, enrolment, shown)
    else:
        proven = await bank.enrolments.prove(actor, enrolment, shown)
    if proven is None:
        return EnrolmentProveIdentityPayload()
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
