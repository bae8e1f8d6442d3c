"""Tables of the auth room: plain rows through the ORM, and the names of the guards.

What is guarded or counted is written in SQL beside its rule; no secret column is mapped
here, so that no list can show one.
"""

from tortoise import fields
from tortoise.models import Model

CONSTRAINTS: tuple[str, ...] = (
    "customer_status",
    "device_platform",
    "device_attestation",
    "device_state",
    "device_lock_reason",
    "device_lock",
    "device_failed",
    "device_two_keys",
    "mpin_state",
    "mpin_failed",
    "mpin_erased",
    "activation_kind",
    "activation_tries",
    "otp_attempts",
    "sms_erased",
    "enrolment_state",
    "enrolment_attempts",
    "enrolment_bound",
    "challenge_purpose",
    "challenge_step",
    "challenge_state",
    "challenge_attempts",
    "session_generation",
    "session_end",
    "signing_key_state",
    "customer_handle",
    "customer_number",
    "customer_phone",
    "device_jkt",
    "device_bio_jkt",
    "device_customer",
    "activation_live",
    "otp_live",
    "sms_due",
    "enrolment_nonce",
    "enrolment_customer",
    "challenge_nonce",
    "challenge_subject",
    "challenge_intent",
    "challenge_device",
    "challenge_expiry",
    "challenge_outcome",
    "challenge_approval",
    "session_live",
    "session_ended",
    "session_customer",
    "signing_key_current",
    "device_revoked_is_final",
    "device_stays",
    "session_end_is_final",
    "passkey_state",
    "passkey_count",
    "passkey_failed",
    "passkey_backed_up",
    "passkey_size",
    "passkey_registration_state",
    "passkey_registration_made",
    "passkey_registration_answered",
    "passkey_credential",
    "passkey_customer",
    "passkey_device",
    "passkey_registration_pending",
    "passkey_registration_expiry",
    "passkey_key_fixed",
    "passkey_registration_once",
    "failure_day_count",
    "totp_state",
    "totp_failed",
    "totp_step",
    "totp_pending",
    "totp_outcome",
    "recovery_slot",
    "recovery_mac",
)


class Customer(Model):
    """A person who banks here, without what is sealed."""

    id = fields.UUIDField(primary_key=True)
    status = fields.CharField(max_length=24)
    blocked_until = fields.DatetimeField(null=True)
    locale = fields.CharField(max_length=35)
    created_at = fields.DatetimeField()

    class Meta:
        table = "customer"
