"""Challenges: made, answered once, consumed in the owner's transaction.

The verifying runs outside (answers.py); here stand the rows and their moves, each a
guarded UPDATE.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NoReturn

import orjson

from app import audit, database
from app.auth import factors, signing
from app.auth.actor import Actor, FactorKind
from app.auth.answers import Answers
from app.auth.biometric_check import BiometricCheck
from app.auth.challenge import (
    COLUMNS,
    TRIES,
    Answer,
    Challenge,
    ChallengeState,
    ChallengeWish,
    Display,
    FactorResponse,
    action_of,
    read_challenge,
)
from app.auth.effects import Effect
from app.auth.errors import AnsweredByTwin, ChallengeExpired, CoolingPeriod
from app.auth.factors import Usable
from app.auth.lockout import Lockout
from app.auth.mpin_check import MpinCheck
from app.auth.passkey import Passkey
from app.auth.passkey_ceremony import RelyingParty, request_options
from app.auth.passkey_check import PasskeyCheck
from app.auth.proving import Factor
from app.auth.signing import Purpose
from app.auth.totp_check import TotpCheck
from app.clock import Clock
from app.database import Tx
from app.errors import Conflict, NotAllowed
from app.ids import ChallengeId
from app.settings import Settings
from app.vault import Vault

__all__ = [
    "Answer",
    "Challenge",
    "ChallengeState",
    "ChallengeWish",
    "Challenges",
    "Display",
    "FactorResponse",
    "Purpose",
]


class Challenges:
    """Makes, verifies and consumes challenges.

    Args:
        clock: the bank's clock.
        settings: tries of each factor, and who asks for passkeys.
        vault: opens the secret an mPIN proof is compared with.
        lockout: locks a phone that used up its tries.
    """

    def __init__(
        self, *, clock: Clock, settings: Settings, vault: Vault, lockout: Lockout
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._party = RelyingParty.of(settings)
        checks: Sequence[Factor[Any, Any]] = (
            BiometricCheck(settings),
            MpinCheck(vault=vault, tries=settings.mpin_tries),
            PasskeyCheck(settings),
            TotpCheck(vault=vault, settings=settings),
        )
        self._answers = Answers(clock=clock, lockout=lockout, factors=checks)

    # -------------------------------------------------------------- making

    async def create(
        self,
        tx: Tx,
        actor: Actor,
        wish: ChallengeWish,
        *,
        usable: Usable | None = None,
    ) -> Challenge:
        """Make a challenge for the caller's device in the owner's transaction.

        A pending one of the same subject is CANCELLED first.

        Args:
            tx: the owner's.
            actor: whose device answers.
            wish: what is asked.
            usable: what can answer, where this transaction has read it.

        Raises:
            NotAllowed: no factor of this device may answer: "set an mPIN first".
            CoolingPeriod: none may yet, but one will when it is no longer young.
            Conflict: the same subject or intent was asked for at the same time.
        """
        there = usable or await factors.usable(
            tx.rows, actor, self._settings, self._clock.now()
        )
        allowed = there.among(wish.allowed, full=wish.full)
        if not allowed and wish.full and there.full_from is not None:
            raise CoolingPeriod(there.full_from)
        if not allowed:
            raise NotAllowed("Set an mPIN on this phone first.")
        if wish.subject is not None and not wish.first:
            await self.cancel(tx, wish.subject)
        challenge_id = ChallengeId.new()
        challenge = self.made(challenge_id, actor, wish, allowed, there.passkeys)
        audit.append(
            tx,
            actor.entry(
                "challenge.created",
                self._clock.now(),
                object=str(challenge_id),
                detail={"purpose": wish.purpose.value, "subject": wish.subject},
            ),
        )
        if not await self.insert(tx, actor, challenge, wish.intent_hash):
            raise Conflict
        return challenge

    async def allowed(
        self, actor: Actor, wish: ChallengeWish
    ) -> tuple[FactorKind, ...]:
        """Tell what could answer a challenge on this phone now; only reads."""
        now = self._clock.now()
        there = await factors.usable(database.read, actor, self._settings, now)
        return there.among(wish.allowed, full=wish.full)

    def made(
        self,
        challenge_id: ChallengeId,
        actor: Actor,
        wish: ChallengeWish,
        allowed: tuple[FactorKind, ...],
        passkeys: Sequence[Passkey] = (),
    ) -> Challenge:
        """Build a challenge without storing it; `passkeys` are those it offers."""
        offered = [one.descriptor for one in passkeys]
        takes = FactorKind.WEBAUTHN in allowed
        expires_at = self._clock.now() + timedelta(seconds=wish.life_s)
        facts = wish.payload(challenge_id, expires_at)
        return Challenge(
            id=challenge_id,
            purpose=wish.purpose,
            state=ChallengeState.PENDING,
            device=actor.known_device,
            subject=wish.subject,
            nonce=secrets.token_bytes(signing.NONCE_BYTES),
            payload=signing.jcs(facts),
            allowed=allowed,
            attempts_left=TRIES,
            expires_at=expires_at,
            action=action_of(facts),
            session=actor.session,
            webauthn=request_options(self._party, offered) if takes else None,
        )

    async def insert(
        self,
        tx: Tx,
        actor: Actor,
        challenge: Challenge,
        intent_hash: bytes | None = None,
    ) -> bool:
        """Store a challenge; False when the same intent was pending already."""
        row = await tx.one(
            "INSERT INTO challenge (id, purpose, customer_id, device_id, session_id, "
            "subject, nonce, payload, payload_hash, intent_hash, allowed, state, "
            "created_at, expires_at, webauthn) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
            "$9, $10, $11, 'PENDING', $12, $13, $14) ON CONFLICT DO NOTHING "
            "RETURNING id",
            challenge.id,
            challenge.purpose,
            actor.known_customer,
            challenge.device,
            challenge.session,
            challenge.subject,
            challenge.nonce,
            challenge.payload,
            challenge.binding_hash,
            intent_hash,
            ",".join(kind.value for kind in challenge.allowed),
            self._clock.now(),
            challenge.expires_at,
            None if challenge.webauthn is None else _json(challenge.webauthn),
        )
        return row is not None

    async def find(self, actor: Actor, challenge_id: ChallengeId) -> Challenge | None:
        """Read a challenge of the caller's own device; of another one there is none."""
        row = await database.read_one(
            f"SELECT {COLUMNS} FROM challenge WHERE id = $1 AND device_id = $2",  # noqa: S608  -- our own column list
            challenge_id,
            actor.known_device,
        )
        return None if row is None else read_challenge(row, self._clock.now())

    # -------------------------------------------------------------- answering

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
        """Judge an answer, outside any transaction: see `Answers.verify`.

        Raises:
            ChallengeExpired, ChallengeFailed, InvalidCredential, CredentialLocked,
            DeviceLocked, DeviceBlocked: as there.
        """
        return await self._answers.verify(
            actor,
            challenge_id,
            device_signature,
            response,
            purpose=purpose,
            effect=effect,
        )

    async def consume(self, tx: Tx, answer: Answer) -> None:
        """Use an answer up in the transaction of its effect: PENDING to CONSUMED.

        Raises:
            AnsweredByTwin: the identical answer was faster; show what it made.
            ChallengeExpired: it is too late, or it was cancelled.
        """
        await self.settle(tx, answer, ChallengeState.CONSUMED)

    async def settle(self, tx: Tx, answer: Answer, state: ChallengeState) -> None:
        """Move an answered challenge to CONSUMED or, for a step-up, to APPROVED."""
        now = self._clock.now()
        if not await self._consumed(tx, answer, state, now):
            await self._lost_race(tx, answer)
        audit.append(
            tx,
            audit.Entry(
                action="challenge.approved",
                at=now,
                request_id=str(answer.challenge.id),
                customer=answer.customer,
                actor_kind=audit.ActorKind.CUSTOMER,
                actor_id=str(answer.customer),
                device=answer.challenge.device,
                session=answer.challenge.session,
                object=str(answer.challenge.id),
                detail={"factor": answer.factor.value},
            ),
        )

    async def _consumed(
        self, tx: Tx, answer: Answer, state: ChallengeState, now: datetime
    ) -> bool:
        if answer.owed is not None:
            return await answer.owed.consumed(tx, state, now)
        row = await tx.one(
            "UPDATE challenge SET state = $2 WHERE id = $1 AND state = 'PENDING' "
            "AND expires_at > $3 AND answer_hash = $4 AND evidence IS NOT NULL "
            "RETURNING id",
            answer.challenge.id,
            state,
            now,
            answer.hash,
        )
        return row is not None

    async def cancel(self, tx: Tx, subject: str) -> None:
        """Cancel what is pending about a subject, also what has expired unseen."""
        await tx.rows(
            "UPDATE challenge SET state = 'CANCELLED' WHERE subject = $1 "
            "AND state IN ('PENDING', 'APPROVED') RETURNING id",
            subject,
        )

    async def refuse(
        self, tx: Tx, actor: Actor, challenge_id: ChallengeId
    ) -> Challenge:
        """Let the customer say no: needs neither signature nor factor.

        Raises:
            ChallengeExpired: not pending any more, or not this device's.
        """
        now = self._clock.now()
        row = await tx.one(
            "UPDATE challenge SET state = 'CANCELLED' "  # noqa: S608  -- our own column list
            "WHERE id = $1 AND device_id = $2 AND state = 'PENDING' "
            f"AND expires_at > $3 RETURNING {COLUMNS}",
            challenge_id,
            actor.known_device,
            now,
        )
        if row is None:
            raise ChallengeExpired
        entry = actor.entry("challenge.refused", now, object=str(challenge_id))
        audit.append(tx, entry)
        return read_challenge(row, now)

    async def _lost_race(self, tx: Tx, answer: Answer) -> NoReturn:
        row = await tx.one(
            "SELECT state, answer_hash FROM challenge WHERE id = $1",
            answer.challenge.id,
        )
        if row is not None and row.find("answer_hash", bytes) == answer.hash:
            state = row.get("state", ChallengeState)
            if state in {ChallengeState.CONSUMED, ChallengeState.APPROVED}:
                raise AnsweredByTwin
        raise ChallengeExpired


def _json(facts: Mapping[str, Any]) -> str:
    return orjson.dumps(facts).decode()
