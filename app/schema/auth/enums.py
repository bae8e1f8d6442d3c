"""The enums of this room as the contract shows them.

They are taken from here, so that they are registered before a type names them.
"""

from app.auth.actor import (
    AttestationGrade,
    DeviceState,
    FactorKind,
    FactorState,
    Platform,
)
from app.auth.applicant import IdentityMethod
from app.auth.challenge import ChallengeState
from app.auth.signing import Purpose
from app.schema import (
    scalars,
    status,  # noqa: F401  -- registers Platform before we name it
)

__all__ = [
    "AttestationGrade",
    "ChallengeState",
    "DeviceState",
    "FactorKind",
    "FactorState",
    "IdentityMethod",
    "Platform",
    "Purpose",
]


scalars.enum(
    DeviceState,
    "DeviceState",
    COOLING=(
        "New: lower limits until `coolingUntil`, counted per customer, and no changes "
        "of security (they answer COOLING_PERIOD; an older active device makes them). "
        "Without a factor or a sign-in after 15 minutes it is revoked."
    ),
    LOCKED=(
        "Suspended, reversible: by deviceLock, panicLock, staff, ten wrong tries over "
        "all its factors, or because a device that is still COOLING replaced it. Ends "
        "by deviceUnlock from another active device, or for good when its successor "
        "is active."
    ),
    REVOKED="Final. Its sockets are closed and its push address is erased.",
)
scalars.enum(
    AttestationGrade,
    "AttestationGrade",
    NONE=(
        "None was given, or the last one is older than 30 days: lower limits, nothing "
        "else."
    ),
    BASIC=(
        "Key and app verified, key kept in software, or a certificate of the chain is "
        "past its date. Same limits as NONE."
    ),
    STRONG="Key and app verified, key kept in secure hardware.",
)
scalars.enum(
    FactorKind,
    "FactorKind",
    MPIN="Proof with the secret that only the right PIN unlocks on the phone.",
    WEBAUTHN="Passkey with user verification.",
    BIOMETRIC=(
        "Second device key that the phone opens only after a fingerprint or face match."
    ),
    TOTP=(
        "Six digits of an authenticator app: identity proof in enrolment, and besides "
        "another factor at sign-in where policy asks."
    ),
    RECOVERY_CODE=(
        "One of ten printed codes; only to prove identity when enrolling again."
    ),
)
scalars.enum(FactorState, "FactorState")
scalars.enum(
    Purpose,
    "ChallengePurpose",
    STEP_UP="Approval of another field; `action` names it.",
    LOGIN_APPROVAL="Another device of the customer asks to be let in.",
)
scalars.enum(
    ChallengeState,
    "ChallengeState",
    APPROVED="Answered; the repeated call may use it until `expiresAt`.",
    CONSUMED=(
        "Used. The identical answer of the same device gives the same result again."
    ),
    CANCELLED="Refused by the customer, or replaced by a newer one.",
    FAILED="Its tries are used up.",
)
scalars.enum(
    IdentityMethod,
    "IdentityMethod",
    "Ways to prove the person, in the bank's order.",
    ACTIVATION_CODE=(
        "A code from branch or letter: single use, 14 days, 10 tries. One made by "
        "staff as a reset also stands in for TOTP."
    ),
    TOTP=(
        "Required instead of the others when the customer has an authenticator app: "
        "the answer to a stolen SIM."
    ),
    OTHER_DEVICE="Another bound device of the customer confirms; see loginApproval.",
)
