"""The try that a right answer gets back, alone or with what the answer allows.

A try is charged and committed before it is compared (lockout.py), so it is owed until
the refund commits. Together with the effect it is one transaction less; where the
effect fails, the refund is written alone, and the evidence with it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app import database
from app.auth import lockout
from app.auth.actor import Actor
from app.auth.challenge import ChallengeState
from app.auth.errors import ChallengeExpired
from app.auth.proving import Asked, Factor
from app.database import Tx
from app.errors import Refusal
from app.ids import ChallengeId

# No other answer was written since this one was looked up: each is judged once.
AS_FOUND = "COALESCE(answer_hash, $3) = $3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """What is owed to one right answer.

    Args:
        actor: whose phone answered.
        asked: what was answered.
        hash: names the answer's bytes.
        found_hash: of the answer before it, as it was looked up.
        evidence: verifies the approval offline.
        factor: what proved the person.
        charged, proven: what charging it gave, and what its check proved.
    """

    actor: Actor
    asked: Asked
    hash: bytes
    found_hash: bytes
    evidence: str
    factor: Factor[Any, Any]
    charged: Any
    proven: Any

    async def alone(self) -> None:
        """Give the try back and keep the evidence; the owner consumes it next.

        Evidence of an answer that was never consumed, because the process was killed
        in between, gives way to the newer right one: nobody waits for the challenge to
        end.

        Raises:
            Refusal: the proof was not good after all, or the challenge is over.
        """
        await database.transaction(self._written, name="auth.refund")

    async def consumed(self, tx: Tx, state: ChallengeState, now: datetime) -> bool:
        """Give the try back in the transaction of what the answer allows.

        Args:
            tx: the owner's transaction.
            state: where the challenge goes.
            now: one that is over by then is not consumed.

        Returns:
            False when the challenge waits no more; whoever asked rolls back.

        Raises:
            Refusal: the proof was not good after all.
        """
        row = await tx.one(
            "UPDATE challenge SET answer_hash = $2, evidence = $4, "  # noqa: S608  -- our own condition
            "attempts = attempts - 1, state = $5 WHERE id = $1 "
            f"AND state = 'PENDING' AND expires_at > $6 AND {AS_FOUND} RETURNING id",
            self.asked.challenge.id,
            self.hash,
            self.found_hash,
            self.evidence,
            state,
            now,
        )
        if row is None:
            return False
        await self._forgiven(tx)
        refusal = await self._proven(tx)
        if refusal is not None:
            raise refusal
        return True

    async def _written(self, tx: Tx) -> Refusal | None:
        challenge = self.asked.challenge.id
        row = await tx.one(
            "UPDATE challenge SET answer_hash = $2, evidence = $4, "  # noqa: S608  -- our own condition
            "attempts = attempts - 1 WHERE id = $1 AND state = 'PENDING' "
            f"AND {AS_FOUND} RETURNING id",
            challenge,
            self.hash,
            self.found_hash,
            self.evidence,
        )
        await lockout.end_turn(tx, self.actor.known_device)
        if row is None and await self._was_consumed(tx):
            await self._forgiven(tx)
            return None
        refusal = await self._proven(tx)
        if refusal is not None:
            await _take_back(tx, challenge)
            return refusal
        await self._forgiven(tx)
        return ChallengeExpired() if row is None else None

    async def _was_consumed(self, tx: Tx) -> bool:
        """Tell whether this very answer was used, whoever heard of it.

        Its factor has proved the person then; a counter that was taken up must not be
        looked at again.
        """
        row = await tx.one(
            "SELECT id FROM challenge WHERE id = $1 AND answer_hash = $2 "
            "AND state IN ('CONSUMED', 'APPROVED')",
            self.asked.challenge.id,
            self.hash,
        )
        return row is not None

    async def _proven(self, tx: Tx) -> Refusal | None:
        return await self.factor.refund(
            tx, self.actor, self.asked, self.charged, self.proven
        )

    async def _forgiven(self, tx: Tx) -> None:
        await lockout.refund(
            tx, self.asked.customer, self.actor.known_device, self.asked.now
        )


async def _take_back(tx: Tx, challenge: ChallengeId) -> None:
    """Keep the answer as a refused one: its proof was not good after all."""
    await tx.rows(
        "UPDATE challenge SET evidence = NULL, attempts = attempts + 1 "
        "WHERE id = $1 AND state = 'PENDING' RETURNING id",
        challenge,
    )
