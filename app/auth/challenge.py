"""A challenge as a value: what a phone is asked to sign, and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import orjson
from typing_extensions import override

from app.auth import signing
from app.auth.actor import FactorKind
from app.auth.keys import Jwk
from app.auth.signing import Purpose
from app.database import Tx
from app.ids import ChallengeId, CustomerId, DeviceId, SessionId
from app.money import Money
from app.rows import Row

SIGN_IN_SUMMARY = "Sign in to your bank"
TRIES = 3
COLUMNS = (
    "id, purpose, customer_id, device_id, session_id, subject, nonce, payload, "
    "allowed, attempts, state, answer_hash, expires_at, evidence, webauthn"
)


class ChallengeState(StrEnum):
    """Where a challenge stands. EXPIRED is read from the clock, never stored."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    CONSUMED = "CONSUMED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """The facts of a payload, typed, for the screen on which a person approves."""

    summary: str
    amount: Money | None = None
    fee: Money | None = None
    payee_name: str | None = None
    payee_address: str | None = None
    lines: tuple[tuple[str, str], ...] = ()

    @property
    def total(self) -> Money | None:
        """Amount and fee."""
        if self.amount is None:
            return None
        return self.amount if self.fee is None else self.amount + self.fee


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Something a customer is asked to sign, once, on one device.

    Args:
        id: its id.
        purpose: login, payment, step-up or login-approval; part of the signed bytes.
        state: where it stands at the moment it was read.
        device: the only device that may answer or read it.
        subject: outside id of what it is about, for example of a payment.
        nonce: 32 bytes.
        payload: canonical JSON, the exact text that is approved.
        allowed: factors that may answer, best first, never empty.
        attempts_left: wrong answers before it fails.
        expires_at: end of its life.
        action: field that is approved, for a step-up.
        session: session that asked; None for a sign-in.
        webauthn: what passkeys are asked, without the challenge itself; None when none
            may answer.
    """

    id: ChallengeId
    purpose: Purpose
    state: ChallengeState
    device: DeviceId
    subject: str | None
    nonce: bytes
    payload: str
    allowed: tuple[FactorKind, ...]
    attempts_left: int
    expires_at: datetime
    action: str | None = None
    session: SessionId | None = None
    webauthn: Mapping[str, Any] | None = None

    @property
    def webauthn_options(self) -> Mapping[str, Any] | None:
        """PublicKeyCredentialRequestOptions as JSON; their challenge is `c` (2.5)."""
        if self.webauthn is None:
            return None
        return {"challenge": signing.b64u(self.digest), **self.webauthn}

    @property
    def offered(self) -> frozenset[str]:
        """Names of the passkeys that may answer, b64url."""
        if self.webauthn is None:
            return frozenset()
        return frozenset(one["id"] for one in self.webauthn["allowCredentials"])

    @property
    def binding_hash(self) -> bytes:
        """SHA-256 of the payload."""
        return signing.sha256(self.payload.encode())

    @property
    def message(self) -> bytes:
        """`M`: what the device key signs."""
        return signing.challenge_message(self.purpose, self.nonce, self.payload)

    @property
    def digest(self) -> bytes:
        """`c`: what every factor covers."""
        return signing.sha256(self.message)

    def display(self) -> Display:
        """Read the payload as typed facts."""
        facts = orjson.loads(self.payload)
        if self.purpose is Purpose.LOGIN:
            return Display(summary=SIGN_IN_SUMMARY)
        if self.purpose is Purpose.PAYMENT:
            payee = facts["payee"]
            return Display(
                summary=facts["summary"],
                amount=_money(facts["amount"]),
                fee=_money(facts["fee"]),
                payee_name=payee["name"],
                payee_address=payee["address"],
            )
        if self.purpose is Purpose.LOGIN_APPROVAL:
            names = ("phoneModel", "platform", "network")
            shown = {name: facts[name] for name in names}
            return Display(summary=facts["summary"], lines=tuple(_lines(shown, "")))
        lines = tuple(_lines(facts["input"], ""))
        return Display(summary=facts["summary"], lines=lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeWish:
    """What a challenge shall be about.

    Args:
        purpose: login, payment, step-up or login-approval.
        subject: outside id of what it is about; one pending challenge per subject.
        allowed: factors that policy would take; those the device has remain.
        life_s: seconds it can be answered.
        payload: makes the payload once id and expiry are known; canonical JSON values
            only, amounts as strings.
        intent_hash: name of the call a step-up is for.
        full: whether only factors count that were not set by a passkey alone (1.3).
        first: nothing was ever asked about this subject, so nothing is cancelled.
    """

    purpose: Purpose
    subject: str | None
    allowed: tuple[FactorKind, ...]
    life_s: int
    payload: Callable[[ChallengeId, datetime], Mapping[str, object]]
    intent_hash: bytes | None = None
    full: bool = False
    first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorResponse:
    """What answers a challenge besides the device key's signature: exactly one.

    Its repr shows nothing, because a proof is a secret.
    """

    mpin_proof: str | None = None
    webauthn: Mapping[str, object] | None = None
    device_signature: str | None = None
    totp: str | None = None

    @override
    def __repr__(self) -> str:
        return "FactorResponse(***)"

    @property
    def kind(self) -> FactorKind | None:
        """The factor that was used; None when not exactly one is there."""
        members = {
            FactorKind.MPIN: self.mpin_proof,
            FactorKind.WEBAUTHN: self.webauthn,
            FactorKind.BIOMETRIC: self.device_signature,
            FactorKind.TOTP: self.totp,
        }
        given = [kind for kind, value in members.items() if value is not None]
        return given[0] if len(given) == 1 else None

    @property
    def canonical(self) -> Mapping[str, object]:
        """The members as the answer's hash covers them.

        Raises:
            MalformedText: a text that is not Unicode stands in an assertion.
        """
        return {
            "mpinProof": self.mpin_proof,
            "webauthn": None if self.webauthn is None else _json(self.webauthn),
            "deviceSignature": self.device_signature,
            "totp": self.totp,
        }


class Owed(Protocol):
    """The try of a right answer that is still to be given back."""

    async def alone(self) -> None:
        """Give it back in a transaction of its own, and keep the evidence."""

    async def consumed(self, tx: Tx, state: ChallengeState, now: datetime) -> bool:
        """Give it back as the challenge moves on; False when it waits no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A right answer, ready to be consumed in the owner's transaction.

    Args:
        challenge: what was answered.
        customer: whose it is.
        hash: names the answer's bytes.
        factor: what proved the person.
        evidence: JSON text that lets the approval be verified offline years later.
        repeated: the byte-identical answer was used before: nothing is to be done.
        owed: its try, to be given back as it is consumed; None: that was done.
    """

    challenge: Challenge
    customer: CustomerId
    hash: bytes
    factor: FactorKind
    evidence: str
    repeated: bool = False
    owed: Owed | None = field(default=None, repr=False)


def evidence_of(
    challenge: Challenge,
    jwk: Jwk,
    device_signature: str,
    factor: tuple[FactorKind, Mapping[str, object]],
    at: str,
) -> str:
    """Write the evidence of an approval, to be verified offline years later (3.10).

    Args:
        challenge: what was approved.
        jwk: the device key.
        device_signature: its signature over `M`.
        factor: what proved the person, and the public part of its proof; of an mPIN
            only the verdict (2.6).
        at: when it was verified.
    """
    kind, facts = factor
    return signing.jcs(
        {
            "v": 1,
            "challengeId": str(challenge.id),
            "purpose": challenge.purpose.value,
            "nonce": signing.b64u(challenge.nonce),
            "payload": challenge.payload,
            "deviceKey": {"crv": "P-256", "kty": "EC", "x": jwk.x, "y": jwk.y},
            "deviceSignature": device_signature,
            "factor": kind.value,
            "proof": facts,
            "verifiedAt": at,
        }
    )


def read_challenge(row: Row, now: datetime) -> Challenge:
    """Read a row of `COLUMNS`; what is past its time reads EXPIRED."""
    state = row.get("state", ChallengeState)
    expires_at = row.get("expires_at", datetime)
    waits = state in {ChallengeState.PENDING, ChallengeState.APPROVED}
    payload = row.get("payload", str)
    return Challenge(
        id=row.get("id", ChallengeId),
        purpose=row.get("purpose", Purpose),
        state=ChallengeState.EXPIRED if waits and expires_at <= now else state,
        device=row.get("device_id", DeviceId),
        subject=row.find("subject", str),
        nonce=row.get("nonce", bytes),
        payload=payload,
        allowed=tuple(map(FactorKind, row.get("allowed", str).split(","))),
        attempts_left=TRIES - row.get("attempts", int),
        expires_at=expires_at,
        action=action_of(row.get("payload", dict)),
        session=row.find("session_id", SessionId),
        webauthn=row.find("webauthn", dict),
    )


def action_of(facts: object) -> str | None:
    """Give the field a step-up payload is about."""
    found = facts.get("operation") if isinstance(facts, dict) else None
    return found if isinstance(found, str) else None


def _json(given: Mapping[str, object]) -> str:
    try:
        return orjson.dumps(given, option=orjson.OPT_SORT_KEYS).decode()
    except (TypeError, RecursionError):
        raise signing.MalformedText("an assertion that is not JSON") from None


def _money(facts: Mapping[str, object]) -> Money:
    return Money(int(str(facts["minorUnits"])), str(facts["currency"]))


def _lines(value: object, name: str) -> list[tuple[str, str]]:
    """Flatten an input into label and value, in its own order."""
    if isinstance(value, Mapping):
        return [
            line
            for key, found in value.items()
            for line in _lines(found, f"{name}.{key}" if name else str(key))
        ]
    if isinstance(value, list):
        return [line for found in value for line in _lines(found, name)]
    return [] if value is None else [(name, str(value))]
