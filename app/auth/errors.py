"""What this room may refuse: one class per code (graphql.md section 3.3).

Before a device is proven every mismatch is the same InvalidCredential without facts, so
that a stranger learns nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from app.errors import ErrorCode, Refusal
from app.money import Money

if TYPE_CHECKING:
    from app.auth.challenge import Challenge


class InvalidCredential(Refusal):
    """Sign-in, code or identity proof was refused.

    Args:
        attempts_left: tries before the factor locks; None while the caller's device is
            not proven.
        repeated: the byte-identical wrong answer came again and was not counted.
    """

    code = ErrorCode.INVALID_CREDENTIAL
    sentence = "That is not right."

    def __init__(
        self, attempts_left: int | None = None, *, repeated: bool = False
    ) -> None:
        super().__init__()
        self.attempts_left = attempts_left
        self.repeated = repeated
        self.locked_until: datetime | None = None


class CredentialLocked(Refusal):
    """Too many wrong tries: the factor is locked, or the customer is blocked.

    Args:
        locked_until: end of the pause; None means the factor must be set again.
    """

    code = ErrorCode.CREDENTIAL_LOCKED
    sentence = "Too many wrong tries. This is locked."

    def __init__(self, locked_until: datetime | None = None) -> None:
        super().__init__()
        self.attempts_left: int | None = 0
        self.locked_until = locked_until


class DeviceLocked(Refusal):
    """The phone is suspended; it keeps its keys."""

    code = ErrorCode.DEVICE_LOCKED
    sentence = "This phone is locked. Unlock it on another phone or enrol it again."


class DeviceBlocked(Refusal):
    """The phone was removed; it erases its keys."""

    code = ErrorCode.DEVICE_BLOCKED
    sentence = "This phone was removed. Please enrol it again."


class SessionLocked(Refusal):
    """Five minutes without an operation of the customer."""

    code = ErrorCode.SESSION_LOCKED
    sentence = "Please unlock the app."


class SessionEnded(Refusal):
    """Twelve hours are over, or it was signed out, revoked, replaced or reused."""

    code = ErrorCode.SESSION_ENDED
    sentence = "You were signed out. Please sign in again."


class ChallengeExpired(Refusal):
    """Too old, answered with other bytes, or never existed."""

    code = ErrorCode.CHALLENGE_EXPIRED
    sentence = "This took too long. Please start again."


class AnsweredByTwin(ChallengeExpired):
    """The byte-identical answer came twice at once and the other one was faster.

    The owner of the challenge shows what the other one made.
    """


class ChallengeFailed(Refusal):
    """The signature does not cover the challenge as the bank stores it."""

    code = ErrorCode.CHALLENGE_FAILED
    sentence = "The approval does not match. Please check the details again."


class StepUpRequired(Refusal):
    """The call needs an approval of exactly this field and this input.

    Args:
        challenge: what the phone shows and signs.
    """

    code = ErrorCode.STEP_UP_REQUIRED
    sentence = "Please approve this."

    def __init__(self, challenge: "Challenge") -> None:
        super().__init__()
        self.challenge = challenge


class AttestationRejected(Refusal):
    """Policy asks for an attestation, or the one given does not verify."""

    code = ErrorCode.ATTESTATION_REJECTED
    sentence = "This phone could not be verified."


class PasskeyRejected(Refusal):
    """The new passkey does not fit: its bytes, its origin, or there are too many."""

    code = ErrorCode.PASSKEY_REJECTED
    sentence = "This passkey cannot be used."


class CoolingPeriod(Refusal):
    """The phone, the factor or the payee is still in its waiting time.

    Args:
        ends_at: when it is over.
        allowed_now: largest amount that may be paid before; None when none may.
        field: path inside the input.
    """

    code = ErrorCode.COOLING_PERIOD
    sentence = "This is possible after the waiting time."

    def __init__(
        self,
        ends_at: datetime,
        allowed_now: Money | None = None,
        *,
        field: Sequence[str] | None = None,
    ) -> None:
        super().__init__(field=field)
        self.ends_at = ends_at
        self.allowed_now = allowed_now


class AppUpdateRequired(Refusal):
    """The app is older than the oldest version that may sign in."""

    code = ErrorCode.APP_UPDATE_REQUIRED
    sentence = "Please update the app."


class EnrolmentExpired(Refusal):
    """The enrolment is too old, finished, or used up its tries."""

    code = ErrorCode.ENROLMENT_EXPIRED
    sentence = "This took too long. Please start again."


class TooManyDevices(Refusal):
    """As many phones are bound as one customer may have."""

    code = ErrorCode.TOO_MANY_DEVICES
    sentence = "Too many phones are bound already. Remove one first."
