"""Judging an answer to a challenge, in the order of auth.md 3.3.

The challenge lives; the device key signed `M`; phone and customer are in good standing;
one try is charged; the factor; the refund. Nothing is counted before the signature
verified.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn
from weakref import WeakValueDictionary

from app import audit, database
from app.auth import lockout, signing
from app.auth.actor import Actor, CustomerStatus, DeviceState, FactorKind
from app.auth.challenge import (
    TRIES,
    Answer,
    Challenge,
    ChallengeState,
    FactorResponse,
    evidence_of,
    read_challenge,
)
from app.auth.device import state_at
from app.auth.errors import (
    ChallengeExpired,
    ChallengeFailed,
    CredentialLocked,
    InvalidCredential,
)
from app.auth.keys import Jwk, read_jwk
from app.auth.lockout import Lockout
from app.auth.sessions import require_customer, require_usable
from app.auth.signing import Purpose
from app.clock import Clock, rfc3339
from app.database import Tx
from app.errors import Refusal
from app.ids import ChallengeId, CustomerId, DeviceId
from app.vault import Vault

_STANDING = (
    "SELECT c.*, d.jwk, d.state AS device_state, d.cooling_until, "
    "k.status, k.blocked_until FROM challenge c "
    "JOIN device d ON d.id = c.device_id JOIN customer k ON k.id = c.customer_id "
    "WHERE c.id = $1 AND c.device_id = $2"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A challenge with what is needed to judge an answer to it."""

    challenge: Challenge
    customer: CustomerId
    jwk: Jwk
    device_state: DeviceState
    status: CustomerStatus
    blocked_until: datetime | None
    answer_hash: bytes | None
    evidence: str | None


class Answers:
    """Judges answers.

    Args:
        clock: the bank's clock.
        vault: opens the secret an mPIN proof is compared with.
        lockout: counts wrong tries and does what they lead to.
    """

    def __init__(self, *, clock: Clock, vault: Vault, lockout: Lockout) -> None:
        self._clock = clock
        self._vault = vault
        self._lockout = lockout
        self._turns: WeakValueDictionary[DeviceId, asyncio.Lock] = WeakValueDictionary()

    async def verify(
        self,
        actor: Actor,
        challenge_id: ChallengeId,
        device_signature: str,
        response: FactorResponse,
        *,
        purpose: Purpose | None = None,
    ) -> Answer:
        """Judge an answer, outside any transaction.

        Args:
            actor: whose device answers.
            challenge_id: what is answered.
            device_signature: b64url signature of the device key over `M`.
            response: exactly one factor.
            purpose: what the caller is about; a challenge of another one does not
                exist for it.

        Returns:
            The answer, to be consumed in the owner's transaction; `repeated` when the
            byte-identical one was consumed before.

        Raises:
            ChallengeExpired: too old, answered with other bytes, or not this device's.
            ChallengeFailed: the device key signed something else.
            InvalidCredential: the factor is wrong, or at sign-in the signature.
            CredentialLocked, DeviceLocked, DeviceBlocked: no try is left.
        """
        # One answer of a phone at a time: each is charged before it is compared, so
        # right ones sent at once would use up the tries between charge and refund.
        turn = self._turns.setdefault(actor.known_device, asyncio.Lock())
        async with turn:
            asked = await self._asked(actor.known_device, challenge_id, purpose)
            digest = signing.answer_hash(response.canonical, device_signature)
            known = await self._known(asked, actor, digest)
            if known is not None:
                return known
            _require_signature(asked, device_signature)
            require_usable(asked.device_state)
            require_customer(asked.status, asked.blocked_until, self._clock.now())
            if response.kind not in asked.challenge.allowed:
                raise InvalidCredential
            await self._judge(asked.challenge, actor, digest, response.mpin_proof or "")
            return await self._right(asked, actor, digest, device_signature)

    async def _asked(
        self, device: DeviceId, challenge_id: ChallengeId, purpose: Purpose | None
    ) -> _Asked:
        row = await database.read_one(_STANDING, challenge_id, device)
        if row is None:
            raise ChallengeExpired
        now = self._clock.now()
        challenge = read_challenge(row, now)
        if purpose not in {None, challenge.purpose}:
            raise ChallengeExpired
        return _Asked(
            challenge=challenge,
            customer=row.get("customer_id", CustomerId),
            jwk=read_jwk(row.get("jwk", dict)),
            device_state=state_at(
                row.get("device_state", DeviceState),
                row.find("cooling_until", datetime),
                now,
            ),
            status=row.get("status", CustomerStatus),
            blocked_until=row.find("blocked_until", datetime),
            answer_hash=row.find("answer_hash", bytes),
            evidence=row.find("evidence", str),
        )

    async def _known(self, asked: _Asked, actor: Actor, digest: bytes) -> Answer | None:
        """Answer the identical bytes as before, without counting (3.3)."""
        state = asked.challenge.state
        same = asked.answer_hash == digest
        if same and asked.evidence is None:
            await self._refuse_again(actor)
        if same and state in {ChallengeState.CONSUMED, ChallengeState.APPROVED}:
            return _answer(asked, digest, repeated=True)
        if state is not ChallengeState.PENDING:
            raise ChallengeExpired
        return _answer(asked, digest) if same else None

    async def _refuse_again(self, actor: Actor) -> NoReturn:
        async def work(tx: Tx) -> int:
            return await lockout.left(tx, actor.known_device, self._lockout.tries)

        left = await database.transaction(work, name="auth.refused_again")
        raise InvalidCredential(left, repeated=True) if left else CredentialLocked

    async def _judge(
        self, challenge: Challenge, actor: Actor, digest: bytes, proof: str
    ) -> None:
        """Charge one try, compare, and remember a wrong answer."""
        device = actor.known_device
        limits = self._lockout

        async def charged(tx: Tx) -> bytes:
            row = await tx.one(
                "UPDATE challenge SET attempts = attempts + 1 WHERE id = $1 "
                "AND state = 'PENDING' AND attempts < $2 RETURNING id",
                challenge.id,
                TRIES,
            )
            if row is None:
                raise ChallengeExpired
            return await lockout.charge(tx, device, limits.tries, limits.device_tries)

        sealed = await database.transaction(charged, name="auth.charge")
        secret = self._vault.open("mpin_secret", str(device), sealed)
        expected = signing.mpin_proof(secret, str(device), challenge.digest)
        if signing.same(_bytes(proof), expected):
            return

        async def refused(tx: Tx) -> Refusal:
            return await self._wrong(tx, actor, challenge, digest)

        await database.transaction(refused, name="auth.refuse")

    async def _wrong(
        self, tx: Tx, actor: Actor, challenge: Challenge, digest: bytes
    ) -> Refusal:
        now = self._clock.now()
        row = await tx.one(
            "UPDATE challenge SET answer_hash = $2, state = CASE WHEN attempts >= $3 "
            "THEN 'FAILED' ELSE state END WHERE id = $1 AND evidence IS NULL "
            "AND state = 'PENDING' RETURNING state",
            challenge.id,
            digest,
            TRIES,
        )
        if row is not None and row.get("state", str) == "FAILED":
            entry = actor.entry("challenge.failed", now, object=str(challenge.id))
            audit.append(tx, entry)
        verdict = await self._lockout.wrong(tx, actor, now)
        if verdict.erases:
            return CredentialLocked()
        return InvalidCredential(verdict.attempts_left)

    async def _right(
        self, asked: _Asked, actor: Actor, digest: bytes, device_signature: str
    ) -> Answer:
        """Refund the try and keep the evidence; the owner consumes it next."""
        challenge = asked.challenge
        at = rfc3339(self._clock.now())
        factor = FactorKind.MPIN
        evidence = evidence_of(challenge, asked.jwk, device_signature, factor, at)

        async def work(tx: Tx) -> None:
            await lockout.refund(tx, actor.known_device)
            row = await tx.one(
                "UPDATE challenge SET answer_hash = $2, evidence = $3, "
                "attempts = attempts - 1 WHERE id = $1 AND state = 'PENDING' "
                "RETURNING id",
                challenge.id,
                digest,
                evidence,
            )
            if row is None:
                raise ChallengeExpired

        await database.transaction(work, name="auth.refund")
        return Answer(
            challenge=challenge,
            customer=asked.customer,
            hash=digest,
            factor=factor,
            evidence=evidence,
        )


def _require_signature(asked: _Asked, device_signature: str) -> None:
    challenge = asked.challenge
    try:
        raw = signing.unb64u(device_signature, signing.SIGNATURE_BYTES)
    except signing.MalformedText:
        raw = b""
    if signing.is_signed(asked.jwk.public, raw, challenge.message):
        return
    if challenge.purpose is Purpose.LOGIN:
        raise InvalidCredential
    raise ChallengeFailed


def _answer(asked: _Asked, digest: bytes, *, repeated: bool = False) -> Answer:
    return Answer(
        challenge=asked.challenge,
        customer=asked.customer,
        hash=digest,
        factor=FactorKind.MPIN,
        evidence=asked.evidence or "",
        repeated=repeated,
    )


def _bytes(text: str) -> bytes:
    try:
        return signing.unb64u(text)
    except signing.MalformedText:
        return b""
