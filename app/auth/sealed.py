"""What this room keeps under ring keys; `app/sealed.py` moves and counts it."""

from uuid import UUID

from app.ids import CustomerId, DeviceId
from app.sealed import Fleeting, Kept, Lookup, RingName, Seal

_LIVE = "expires_at > $2"

SEALED = (
    Kept(
        table="customer",
        kind=CustomerId,
        seals=(
            Seal(column="name_sealed", purpose="customer", row="{}|name"),
            Seal(column="phone_sealed", purpose="customer", row="{}|phone"),
            Seal(column="number_sealed", purpose="customer", row="{}|number"),
        ),
        lookups=(
            Lookup(
                column="phone_lookup",
                key_id="phone_key_id",
                purpose="lookup/phone",
                of="phone_sealed",
                follower=("enrolment", "phone_lookup", "phone_key_id"),
            ),
            Lookup(
                column="number_lookup",
                key_id="number_key_id",
                purpose="lookup/number",
                of="number_sealed",
            ),
        ),
    ),
    Kept(
        table="mpin_secret",
        key="device_id",
        kind=DeviceId,
        seals=(Seal(column="sealed", purpose="mpin_secret"),),
    ),
    Kept(
        table="totp_secret",
        key="customer_id",
        kind=CustomerId,
        seals=(Seal(column="sealed", purpose="totp_secret"),),
    ),
    Kept(
        table="sms_message",
        kind=UUID,
        seals=(
            Seal(column="to_sealed", purpose="sms_message", row="{}|to"),
            Seal(column="text_sealed", purpose="sms_message", row="{}|text"),
        ),
    ),
    Kept(
        table="signing_key",
        key="kid",
        kind=str,
        seals=(Seal(column="sealed_private", purpose="signing_key"),),
    ),
    Fleeting(
        table="activation_code",
        ring=RingName.PEPPER,
        column="key_id",
        lives="used_at IS NULL AND expires_at > $2",
    ),
    Fleeting(
        table="totp_secret",
        ring=RingName.SEALING,
        column="outcome_sealed",
        lives="outcome_until > $2",
    ),
    Fleeting(
        table="recovery_code",
        ring=RingName.PEPPER,
        column="key_id",
        lives="used_at IS NULL",
    ),
    Fleeting(
        table="otp_code",
        ring=RingName.PEPPER,
        column="key_id",
        lives="used_at IS NULL",  # a right code is taken after its end, too
    ),
    Fleeting(
        table="enrolment", ring=RingName.PEPPER, column="phone_key_id", lives=_LIVE
    ),
    Fleeting(
        table="enrolment", ring=RingName.PEPPER, column="proof_key_id", lives=_LIVE
    ),
    Fleeting(
        table="session",
        ring=RingName.PEPPER,
        column="key_id",
        lives="ended_at IS NULL AND absolute_end > $2",
    ),
    Fleeting(
        table="challenge",
        ring=RingName.SEALING,
        column="outcome_sealed",
        lives="outcome_until > $2",
    ),
)
