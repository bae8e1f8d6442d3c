"""An enrolment as values: what a phone sends, what it gets, what the row holds."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app import database
from app.auth.actor import Platform
from app.auth.device import Device
from app.auth.directory import PHONE
from app.auth.errors import EnrolmentExpired
from app.auth.otp import EnrolmentId
from app.errors import ValidationFailed
from app.ids import CustomerId
from app.rows import Row

_MODEL_MAX = 64
_VERSION_MAX = 32
_SHOWN_MODEL_MAX = 24
_NOT_SHOWN = re.compile(r"[^0-9A-Za-z .()+-]")
READ = (
    "SELECT id, phone_lookup, phone_key_id, customer_id, model, state, proof_mac, "
    "proof_key_id, proof_kind, proof_ref, proof_step, platform, created_at, "
    "expires_at FROM enrolment "
    "WHERE id = $1"
)


class EnrolmentState(StrEnum):
    """How far an enrolment got."""

    STARTED = "STARTED"
    PHONE_PROVEN = "PHONE_PROVEN"
    IDENTITY_PROVEN = "IDENTITY_PROVEN"
    DONE = "DONE"
    DEAD = "DEAD"


class IdentityMethod(StrEnum):
    """Ways to prove the person, in the bank's order."""

    ACTIVATION_CODE = "ACTIVATION_CODE"
    TOTP = "TOTP"
    RECOVERY_CODE = "RECOVERY_CODE"
    OTHER_DEVICE = "OTHER_DEVICE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A customer's number and printed code; the repr shows neither."""

    customer_number: str = field(repr=False)
    code: str = field(repr=False)

    @property
    def method(self) -> IdentityMethod:
        """Which way of step 3 this is."""
        return IdentityMethod.ACTIVATION_CODE


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherProof:
    """A customer's number and another proof than the code; the repr shows neither."""

    customer_number: str = field(repr=False)
    code: str = field(repr=False)
    method: IdentityMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherPhone:
    """A customer's number; a phone she has already answers for the new one."""

    customer_number: str = field(repr=False)

    @property
    def method(self) -> IdentityMethod:
        """Which way of step 3 this is."""
        return IdentityMethod.OTHER_DEVICE

    @property
    def code(self) -> str:
        """Nothing is typed on the new phone."""
        return ""


Shown = Activation | OtherProof


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """Step 1 as the phone sends it; the number is E.164."""

    phone: str = field(repr=False)
    platform: Platform
    app_version: str
    model: str | None = None
    activation: Activation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A code is on its way, or seems to be."""

    enrolment: EnrolmentId
    otp_expires_at: datetime
    resend_after_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """The person is proven: a phone may be bound with this nonce."""

    binding_nonce: bytes = field(repr=False)
    binding_expires_at: datetime
    bound_devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """A proof that verified and waits to be used up.

    Args:
        kind: ACTIVATION, RESET, TOTP, RECOVERY_CODE or OTHER_DEVICE.
        ref: row of the code, of the authenticator, or of the other phone's answer.
        step: of the authenticator's code.
    """

    kind: str
    ref: UUID
    step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """One enrolment as its row says."""

    id: EnrolmentId
    phone: tuple[int, bytes]
    customer: CustomerId | None
    platform: Platform
    model: str | None
    state: EnrolmentState
    proof_mac: bytes | None
    proof_key_id: int | None
    proof: Reserved | None
    created_at: datetime
    expires_at: datetime


def shown_model(model: str | None) -> str:
    """Give what of a model may be shown to people; it may be nothing."""
    return _NOT_SHOWN.sub("", model or "")[:_SHOWN_MODEL_MAX].strip()


def sms_text(code: str, model: str | None, host: str | None) -> str:
    """Write the message: names the action and the phone, and fills itself in.

    The model is what a stranger sent, so only plain characters of it are shown.
    """
    shown = shown_model(model) or "new phone"
    return (
        f'<#> {code} adds phone "{shown}" to your bank. '
        f"Never tell it to anyone.\n@{host} #{code}"
    )


def require_valid(request: StartRequest) -> None:
    """Look at step 1 before anything is counted.

    Raises:
        ValidationFailed: says which field.
    """
    if not PHONE.fullmatch(request.phone):
        raise ValidationFailed("Give the number as +919876543210.", field=["phone"])
    if not 0 < len(request.app_version) <= _VERSION_MAX:
        raise ValidationFailed(field=["appVersion"])
    if request.model is not None and not 0 < len(request.model) <= _MODEL_MAX:
        raise ValidationFailed(field=["model"])


def read_enrolment(row: Row) -> Enrolment:
    """Read a row of `READ`."""
    return Enrolment(
        id=row.get("id", EnrolmentId),
        phone=(row.get("phone_key_id", int), row.get("phone_lookup", bytes)),
        customer=row.find("customer_id", CustomerId),
        platform=row.get("platform", Platform),
        model=row.find("model", str),
        state=row.get("state", EnrolmentState),
        proof_mac=row.find("proof_mac", bytes),
        proof_key_id=row.find("proof_key_id", int),
        proof=read_reserved(row),
        created_at=row.get("created_at", datetime),
        expires_at=row.get("expires_at", datetime),
    )


def read_reserved(row: Row) -> Reserved | None:
    """Read the proof an enrolment reserved, if it got that far."""
    kind, ref = row.find("proof_kind", str), row.find("proof_ref", UUID)
    if kind is None or ref is None:
        return None
    return Reserved(kind=kind, ref=ref, step=row.find("proof_step", int))


async def find_live(
    enrolment: EnrolmentId, now: datetime, *states: EnrolmentState
) -> Enrolment:
    """Read an enrolment that is in one of these states.

    Raises:
        EnrolmentExpired: unknown, too old, or not there.
    """
    row = await database.read_one(READ, enrolment)
    if row is None:
        raise EnrolmentExpired
    found = read_enrolment(row)
    if found.state not in states or found.expires_at <= now:
        raise EnrolmentExpired
    return found
