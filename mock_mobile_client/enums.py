"""The enums of the contract that the phone reads, under their public names.

A value this app does not know becomes UNKNOWN, because new values may be added at
any time (graphql.md §8).
"""

from enum import StrEnum
from typing import Self

from typing_extensions import override


class Tolerant(StrEnum):
    """An enum that reads a value it does not know as UNKNOWN."""

    @classmethod
    @override
    def _missing_(cls, value: object) -> Self | None:
        """Answer UNKNOWN where the enum has it."""
        return cls.__members__.get("UNKNOWN")


class Platform(StrEnum):
    """What kind of phone asks; only ever sent."""

    IOS = "IOS"
    ANDROID = "ANDROID"


class FactorKind(Tolerant):
    """What proves the person (auth.md §1.3)."""

    MPIN = "MPIN"
    WEBAUTHN = "WEBAUTHN"
    BIOMETRIC = "BIOMETRIC"
    TOTP = "TOTP"
    RECOVERY_CODE = "RECOVERY_CODE"
    UNKNOWN = "UNKNOWN"


class DeviceState(Tolerant):
    """Where a bound device stands (auth.md §6.5)."""

    COOLING = "COOLING"
    ACTIVE = "ACTIVE"
    LOCKED = "LOCKED"
    REVOKED = "REVOKED"
    UNKNOWN = "UNKNOWN"


class ChallengePurpose(StrEnum):
    """What a challenge is for. No tolerance: an unknown purpose is never signed."""

    LOGIN = "LOGIN"
    PAYMENT = "PAYMENT"
    STEP_UP = "STEP_UP"
    LOGIN_APPROVAL = "LOGIN_APPROVAL"

    @property
    def label(self) -> str:
        """The word that stands in the signed bytes (auth.md §2.3)."""
        return self.value.lower().replace("_", "-")


class PaymentStatus(Tolerant):
    """Fate of a payment (banking.md §4.2)."""

    AWAITING_AUTHORISATION = "AWAITING_AUTHORISATION"
    HELD_FOR_REVIEW = "HELD_FOR_REVIEW"
    SUBMITTED = "SUBMITTED"
    PENDING_CONFIRMATION = "PENDING_CONFIRMATION"
    SETTLED = "SETTLED"
    DECLINED = "DECLINED"
    FAILED = "FAILED"
    REVERSED = "REVERSED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"

    @property
    def final(self) -> bool:
        """True when the payment moves no more."""
        return self in FINAL


FINAL = frozenset(
    {
        PaymentStatus.SETTLED,
        PaymentStatus.DECLINED,
        PaymentStatus.FAILED,
        PaymentStatus.REVERSED,
        PaymentStatus.CANCELLED,
        PaymentStatus.EXPIRED,
    }
)


class TransactionStatus(Tolerant):
    """State of one row of an account."""

    PENDING = "PENDING"
    BOOKED = "BOOKED"
    REVERSED = "REVERSED"
    DECLINED = "DECLINED"
    UNKNOWN = "UNKNOWN"


class Direction(StrEnum):
    """The sign of a transaction; its amount is always positive."""

    IN = "IN"
    OUT = "OUT"
