"""Judging an answer to a challenge, in the order of auth.md 3.3.

The challenge lives; the device key signed `M`; phone and customer are in good standing;
one try is charged; the factor; the refund. Nothing is counted before the signature
verified. What a factor does itself stands in its own file (proving.py).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NoReturn
from weakref import WeakValueDictionary

import orjson

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
from app.auth.effects import Effect, settled
from app.auth.errors import ChallengeExpired, ChallengeFailed, InvalidCredential
from app.auth.gate import require_customer, require_usable
from app.auth.keys import Jwk, read_jwk
from app.auth.lockout import Lockout
from app.auth.proving import Asked, Factor
from app.auth.refund import AS_FOUND, Refund
from app.auth.signing import Purpose
from app.clock import Clock, rfc3339
from app.database import Tx
from app.errors import RateLimited, Refusal
from app.ids import ChallengeId, CustomerId, DeviceId

_STANDING = (
    "SELECT c.*, d.jwk, d.state AS device_state, d.cooling_until, "
    "k.status, k.blocked_until FROM challenge c "
    "JOIN device d ON d.id = c.device_id JOIN customer k ON k.id = c.customer_id "
    "WHERE c.id = $1 AND c.device_id = $2"
)
_WAIT_S = 0.02
_WAITS = 150  # longer than a turn: then the phone is asked to come again


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A challenge with what is needed to judge an answer to it."""

    challenge: Challenge
    customer: CustomerId
    jwk: Jwk
    device_state: DeviceState
    status: CustomerStatus
    blocked_until: datetime | None
    answer_hash: bytes | None
    evidence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """One answer on its way: the factor that judges it, and its name."""

    factor: Factor[Any, Any]
    asked: Asked
    hash: bytes
    found_hash: bytes
    device_signature: str


class Answers:
    """Judges answers.

    Args:
        clock: the bank's clock.
        lockout: locks a phone that used up its tries.
        factors: what may prove the person.
    """

    def __init__(
        self, *, clock: Clock, lockout: Lockout, factors: Sequence[Factor[Any, Any]]
    ) -> None:
        self._clock = clock
        self._lockout = lockout
        self._factors: Mapping[FactorKind, Factor[Any, Any]] = MappingProxyType(
            {factor.kind: factor for factor in factors}
        )
        self._turns: WeakValueDictionary[DeviceId, asyncio.Lock] = WeakValueDictionary()

    async def verify(
        self,
        actor: Actor,
        challenge_id: ChallengeId,
        device_signature: str,
        response: FactorResponse,
        *,
        purpose: Purpose | None = None,
        effect: Effect | None = None,
    ) -> Answer:
        """Judge an answer, outside any transaction.

        Args:
            actor: whose device answers.
            challenge_id: what is answered.
            device_signature: b64url signature of the device key over `M`.
            response: exactly one factor.
            purpose: what the caller is about; a challenge of another one does not
                exist for it.
            effect: does what the answer allows, and consumes it, in one transaction
                with its refund; not asked about one that is `repeated`. Where it
                fails, the try is given back and the evidence kept all the same.

        Returns:
            The answer, to be consumed in the owner's transaction unless there is an
            effect; `repeated` when the byte-identical one was consumed before.

        Raises:
            ChallengeExpired: too old, answered with other bytes, or not this device's.
            ChallengeFailed: the device key signed something else.
            InvalidCredential: the factor is wrong, or at sign-in the signature.
            CredentialLocked, DeviceLocked, DeviceBlocked: no try is left.
            RateLimited: other answers of this phone do not come to an end.
        """
        digest = _digest(response, device_signature)
        # One answer of a phone at a time: each is charged before it is compared, so
        # right ones sent at once would use up the tries between charge and refund.
        # The lock orders this process; the turn in the device's row orders them all.
        turn = self._turns.setdefault(actor.known_device, asyncio.Lock())
        async with turn:
            for _ in range(_WAITS):
                found = await self._find(actor.known_device, challenge_id, purpose)
                known = await self._known(found, actor, digest, response)
                if known is not None:
                    return await settled(known, effect)
                _require_signature(found, device_signature)
                require_usable(found.device_state)
                require_customer(found.status, found.blocked_until, self._clock.now())
                one = await self._try(found, digest, device_signature, response)
                answer = await self._judged(found, actor, one)
                if answer is not None:
                    return await settled(answer, effect)
                await asyncio.sleep(_WAIT_S)
        raise RateLimited(int(lockout.TURN.total_seconds()))

    async def _find(
        self, device: DeviceId, challenge_id: ChallengeId, purpose: Purpose | None
    ) -> _Found:
        row = await database.read_one(_STANDING, challenge_id, device)
        if row is None:
            raise ChallengeExpired
        now = self._clock.now()
        challenge = read_challenge(row, now)
        if purpose not in {None, challenge.purpose}:
            raise ChallengeExpired
        return _Found(
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

    def _asked(self, found: _Found, response: FactorResponse) -> Asked:
        return Asked(
            challenge=found.challenge,
            customer=found.customer,
            given=response,
            now=self._clock.now(),
        )

    async def _known(
        self, found: _Found, actor: Actor, digest: bytes, response: FactorResponse
    ) -> Answer | None:
        """Answer the identical bytes as before, without counting (3.3)."""
        state = found.challenge.state
        same = found.answer_hash == digest
        factor = self._factors.get(response.kind) if response.kind else None
        if same and found.evidence is None and factor is not None:
            await self._refuse_again(actor, factor, self._asked(found, response))
        if same and state in {ChallengeState.CONSUMED, ChallengeState.APPROVED}:
            return _answer(found, digest, repeated=True)
        if state is not ChallengeState.PENDING:
            raise ChallengeExpired
        return _answer(found, digest) if same else None

    async def _refuse_again(
        self, actor: Actor, factor: Factor[Any, Any], asked: Asked
    ) -> NoReturn:
        async def work(tx: Tx) -> Refusal:
            return await factor.again(tx, actor, asked)

        raise await database.transaction(work, name="auth.refused_again")

    async def _try(
        self,
        found: _Found,
        digest: bytes,
        device_signature: str,
        response: FactorResponse,
    ) -> _Try:
        """Find the factor that judges; one that may not answer is not counted."""
        kind = response.kind
        if kind is None or kind not in found.challenge.allowed:
            raise InvalidCredential
        factor = self._factors.get(kind)
        if factor is None:
            raise InvalidCredential
        await factor.ready()
        return _Try(
            factor=factor,
            asked=self._asked(found, response),
            hash=digest,
            found_hash=found.answer_hash or b"",
            device_signature=device_signature,
        )

    async def _judged(self, found: _Found, actor: Actor, one: _Try) -> Answer | None:
        """Charge one try, compare, and write the outcome; None: not our turn yet."""
        factor, asked = one.factor, one.asked
        charge = await self._charged(actor, one)
        if charge is None:
            return None
        (charged,) = charge
        proven = factor.check(charged, asked)
        if proven is not None:
            return self._right(found, actor, one, charged, proven)

        async def refused(tx: Tx) -> Refusal:
            return await self._wrong(tx, actor, one, charged)

        raise await database.transaction(refused, name="auth.refuse")

    async def _charged(self, actor: Actor, one: _Try) -> tuple[Any] | None:
        """Count one try of challenge, phone and factor, and commit that."""

        async def work(tx: Tx) -> tuple[Any] | None:
            now, device = one.asked.now, actor.known_device
            row = await tx.one(
                "UPDATE challenge SET attempts = attempts + 1 WHERE id = $1 "  # noqa: S608  -- our own condition
                f"AND state = 'PENDING' AND attempts < $2 AND {AS_FOUND} "
                "RETURNING id",
                one.asked.challenge.id,
                TRIES,
                one.found_hash,
            )
            if row is None:
                await _require_other(tx, one)
                return None
            if not await lockout.charge(tx, device, self._lockout.device_tries, now):
                await _give_back(tx, one.asked.challenge.id)
                return None
            return (await one.factor.charge(tx, actor, one.asked),)

        return await database.transaction(work, name="auth.charge")

    async def _wrong(self, tx: Tx, actor: Actor, one: _Try, charged: object) -> Refusal:
        """Remember a wrong answer, and do what it leads to."""
        now, challenge = one.asked.now, one.asked.challenge
        row = await tx.one(
            "UPDATE challenge SET answer_hash = $2, state = CASE WHEN attempts >= $3 "
            "THEN 'FAILED' ELSE state END WHERE id = $1 AND evidence IS NULL "
            "AND state = 'PENDING' RETURNING state",
            challenge.id,
            one.hash,
            TRIES,
        )
        if row is not None and row.get("state", str) == "FAILED":
            entry = actor.entry("challenge.failed", now, object=str(challenge.id))
            audit.append(tx, entry)
        await lockout.end_turn(tx, actor.known_device)
        refusal = await one.factor.wrong(tx, actor, one.asked, charged)
        await self._lockout.settle(tx, actor, now)
        return refusal

    def _right(
        self, found: _Found, actor: Actor, one: _Try, charged: object, proven: object
    ) -> Answer:
        """Write the evidence; the try is owed until it is given back."""
        factor = one.factor
        evidence = evidence_of(
            found.challenge,
            found.jwk,
            one.device_signature,
            (factor.kind, factor.evidence(charged, proven)),
            rfc3339(self._clock.now()),
        )
        owed = Refund(
            actor=actor,
            asked=one.asked,
            hash=one.hash,
            found_hash=one.found_hash,
            evidence=evidence,
            factor=factor,
            charged=charged,
            proven=proven,
        )
        return Answer(
            challenge=found.challenge,
            customer=found.customer,
            hash=one.hash,
            factor=factor.kind,
            evidence=evidence,
            owed=owed,
        )


async def _require_other(tx: Tx, one: _Try) -> None:
    """Look again when another answer came in between; else the challenge is over.

    Raises:
        ChallengeExpired: not pending any more, or out of tries.
    """
    row = await tx.one(
        "SELECT answer_hash FROM challenge WHERE id = $1", one.asked.challenge.id
    )
    if row is None or (row.find("answer_hash", bytes) or b"") == one.found_hash:
        raise ChallengeExpired


async def _give_back(tx: Tx, challenge: ChallengeId) -> None:
    """Undo the charge of a try that must wait for another answer of the phone."""
    await tx.rows(
        "UPDATE challenge SET attempts = attempts - 1 WHERE id = $1 RETURNING id",
        challenge,
    )


def _digest(response: FactorResponse, device_signature: str) -> bytes:
    try:
        return signing.answer_hash(response.canonical, device_signature)
    except signing.MalformedText:
        raise InvalidCredential from None


def _require_signature(found: _Found, device_signature: str) -> None:
    challenge = found.challenge
    try:
        raw = signing.unb64u(device_signature, signing.SIGNATURE_BYTES)
    except signing.MalformedText:
        raw = b""
    if signing.is_signed(found.jwk.public, raw, challenge.message):
        return
    if challenge.purpose is Purpose.LOGIN:
        raise InvalidCredential
    raise ChallengeFailed


def _answer(found: _Found, digest: bytes, *, repeated: bool = False) -> Answer:
    evidence = found.evidence or ""
    return Answer(
        challenge=found.challenge,
        customer=found.customer,
        hash=digest,
        factor=FactorKind(orjson.loads(evidence)["factor"]),
        evidence=evidence,
        repeated=repeated,
    )
