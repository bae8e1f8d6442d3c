"""Approval of one call: the same field, the same input, the same session, once.

Order at the field (auth.md 3.9): idempotency row, refusals of the field itself, then
`require` here; the grant is used up in the effect's own transaction.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from app import database
from app.auth import factors, signing
from app.auth.actor import Actor, FactorKind
from app.auth.challenge import (
    COLUMNS,
    Challenge,
    ChallengeState,
    ChallengeWish,
    FactorResponse,
    read_challenge,
)
from app.auth.challenges import Challenges
from app.auth.errors import AnsweredByTwin, ChallengeExpired, StepUpRequired
from app.auth.sessions import Sessions
from app.auth.signing import Purpose
from app.auth.throttle import Throttle
from app.clock import Clock, rfc3339
from app.database import Tx
from app.errors import Conflict, RateLimited
from app.ids import ChallengeId, SessionId
from app.settings import Settings

_SENSITIVE = (FactorKind.BIOMETRIC, FactorKind.MPIN)
_ORDINARY = (*_SENSITIVE, FactorKind.WEBAUTHN)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpWish:
    """The call that needs an approval.

    Args:
        operation: name of the GraphQL field.
        input: its coerced input in full; only secrets stand as `{"sha256": ...}`.
        summary: the sentence a person approves.
        sensitive: whether a passkey alone is too little (auth.md 1.3).
    """

    operation: str
    input: Mapping[str, object]
    summary: str
    sensitive: bool = False

    @property
    def hash(self) -> bytes:
        """Name of this call."""
        return signing.intent_hash(self.operation, self.input)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An approval that was given and is not used yet."""

    challenge: ChallengeId
    intent_hash: bytes
    actor: Actor


class StepUps:
    """Asks for approvals, takes them and uses them up.

    Args:
        clock: the bank's clock.
        settings: life and number of pending approvals.
        challenges: makes and verifies them.
        sessions: re-reads the session where something moves.
        throttle: counts the answers.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        challenges: Challenges,
        sessions: Sessions,
        throttle: Throttle,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._challenges = challenges
        self._sessions = sessions
        self._throttle = throttle

    async def require(self, actor: Actor, wish: StepUpWish) -> Grant:
        """Give the grant for this call, or ask for it.

        Raises:
            StepUpRequired: carries the challenge; an identical call that is pending
                gets the existing one.
            RateLimited: three approvals of this session are pending.
            NotAllowed: no factor of this device may approve.
            CoolingPeriod: none may yet: the one there is was set by a passkey alone.
            ChallengeExpired: the same call was approved and done a moment ago.
            Unauthenticated: the session ended.
        """
        found = await self._find(actor, wish.hash)
        if found is None:
            try:
                found = await self._ask(actor, wish)
            except Conflict:  # the same call twice at once: the other one asked
                found = await self._find(actor, wish.hash)
        if found is None:
            raise Conflict
        if found.state is ChallengeState.APPROVED:
            return Grant(challenge=found.id, intent_hash=wish.hash, actor=actor)
        raise StepUpRequired(found)

    async def consume(self, tx: Tx, grant: Grant) -> FactorKind:
        """Use a grant up in the transaction of the effect; gives what approved it.

        Stored answers of the session's earlier calls end with it (3.9, 6).

        Raises:
            ChallengeExpired: it is too old or was used.
            Unauthenticated: the session ended or the device is locked.
        """
        await self._sessions.require_live(tx, grant.actor)
        row = await tx.one(
            "UPDATE challenge SET state = 'CONSUMED' WHERE id = $1 "
            "AND state = 'APPROVED' AND session_id = $2 AND intent_hash = $3 "
            "AND expires_at > $4 RETURNING evidence",
            grant.challenge,
            grant.actor.known_session,
            grant.intent_hash,
            self._clock.now(),
        )
        if row is None:
            raise ChallengeExpired
        await forget_outcomes(tx, grant.actor.known_session)
        return FactorKind(row.get("evidence", dict)["factor"])

    async def answer(
        self,
        actor: Actor,
        challenge_id: ChallengeId,
        device_signature: str,
        response: FactorResponse,
    ) -> Challenge:
        """Take the customer's approval: PENDING to APPROVED.

        Raises:
            RateLimited: too many answers of this device.
            ChallengeExpired, ChallengeFailed, InvalidCredential, CredentialLocked: as
                `Challenges.verify`.
        """
        await self._throttle.respond(actor)
        answer = await self._challenges.verify(
            actor, challenge_id, device_signature, response, purpose=Purpose.STEP_UP
        )

        async def work(tx: Tx) -> None:
            await self._sessions.require_live(tx, actor)
            await self._challenges.settle(tx, answer, ChallengeState.APPROVED)

        if not answer.repeated:
            with suppress(AnsweredByTwin):
                await database.transaction(work, name="auth.step_up")
        found = await self._challenges.find(actor, challenge_id)
        if found is None:
            raise ChallengeExpired
        return found

    async def refuse(self, actor: Actor, challenge_id: ChallengeId) -> Challenge:
        """Take the customer's refusal: CANCELLED.

        Raises:
            ChallengeExpired: it is not pending any more, or not this device's.
        """

        async def work(tx: Tx) -> Challenge:
            return await self._challenges.refuse(tx, actor, challenge_id)

        return await database.transaction(work, name="auth.step_up_refuse")

    async def _find(self, actor: Actor, intent_hash: bytes) -> Challenge | None:
        now = self._clock.now()
        row = await database.read_one(
            f"SELECT {COLUMNS} FROM challenge WHERE session_id = $1 "  # noqa: S608  -- our own column list
            "AND intent_hash = $2 AND state IN ('PENDING', 'APPROVED') "
            "AND expires_at > $3",
            actor.known_session,
            intent_hash,
            now,
        )
        return None if row is None else read_challenge(row, now)

    async def _ask(self, actor: Actor, wish: StepUpWish) -> Challenge:
        def payload(challenge: ChallengeId, expires_at: datetime) -> dict[str, object]:
            return {
                "v": 1,
                "challengeId": str(challenge),
                "deviceId": str(actor.known_device),
                "operation": wish.operation,
                "input": wish.input,
                "summary": wish.summary,
                "expiresAt": rfc3339(expires_at),
            }

        made = ChallengeWish(
            purpose=Purpose.STEP_UP,
            subject=None,
            allowed=_SENSITIVE if wish.sensitive else _ORDINARY,
            life_s=self._settings.approval_s,
            payload=payload,
            intent_hash=wish.hash,
            full=wish.sensitive,
        )

        async def work(tx: Tx) -> Challenge:
            await self._sessions.require_live(tx, actor)
            await self._make_room(tx, actor)
            await self._require_undone(tx, actor, wish.hash)
            return await self._challenges.create(tx, actor, made)

        return await database.transaction(work, name="auth.step_up_ask")

    async def _require_undone(self, tx: Tx, actor: Actor, intent_hash: bytes) -> None:
        """Ask nobody for what a twin of this call just did; its answer is kept."""
        done = await tx.one(
            "SELECT id FROM challenge WHERE session_id = $1 AND intent_hash = $2 "
            "AND state = 'CONSUMED' AND outcome_until > $3",
            actor.known_session,
            intent_hash,
            self._clock.now(),
        )
        if done is not None:
            raise ChallengeExpired

    async def _make_room(self, tx: Tx, actor: Actor) -> None:
        """Cancel what expired unseen, then count what is pending (push fatigue)."""
        now = self._clock.now()
        await factors.hold_wishes(tx, actor.known_session)
        await tx.rows(
            "UPDATE challenge SET state = 'CANCELLED' WHERE session_id = $1 "
            "AND state IN ('PENDING', 'APPROVED') AND expires_at <= $2 RETURNING id",
            actor.known_session,
            now,
        )
        pending = await tx.rows(
            "SELECT expires_at FROM challenge WHERE session_id = $1 "
            "AND state = 'PENDING' AND purpose = 'step-up' ORDER BY expires_at",
            actor.known_session,
        )
        if len(pending) >= self._settings.limit_step_ups * self._settings.limit_factor:
            first = pending[0].get("expires_at", datetime)
            raise RateLimited(max(1, int((first - now).total_seconds())))


async def forget_outcomes(tx: Tx, session: SessionId) -> None:
    """Erase what a session's step-up calls answered; see `outcomes.py`."""
    await tx.rows(
        "UPDATE challenge SET outcome_sealed = NULL, outcome_until = NULL "
        "WHERE session_id = $1 AND outcome_sealed IS NOT NULL RETURNING id",
        session,
    )
