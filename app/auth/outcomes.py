"""Stored outcomes: a lost answer of a keyless STEP_UP field is given again (3.9, 6).

The answer stands sealed on the consumed challenge for five minutes. It ends earlier
with the session's next successful step-up of another intent: then the same call is a
new one (lock, unlock, lock).
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import orjson

from app import database
from app.auth.actor import Actor
from app.auth.step_up import Grant, StepUpWish, forget_outcomes
from app.clock import Clock
from app.database import Tx
from app.errors import Refusal
from app.ids import ChallengeId, SessionId
from app.vault import Vault

_TABLE = "challenge"


class Outcomes:
    """Keeps and gives again what a step-up field answered.

    Args:
        clock: the bank's clock.
        vault: seals the answers, because they may hold codes.
        kept_s: how long one is given again, seconds.
    """

    def __init__(self, *, clock: Clock, vault: Vault, kept_s: int) -> None:
        self._clock = clock
        self._vault = vault
        self._kept = timedelta(seconds=kept_s)

    async def once(
        self,
        actor: Actor,
        wish: StepUpWish,
        act: Callable[[], Awaitable[Mapping[str, object]]],
    ) -> Mapping[str, object]:
        """Give the kept answer, or act; whom a twin overtook gets the twin's answer.

        Args:
            actor: who calls.
            wish: the call.
            act: asks for the approval, uses it up and keeps what it gives.
        """
        kept = await self.find(actor, wish)
        if kept is not None:
            return kept
        try:
            return await act()
        except Refusal:
            kept = await self.find(actor, wish)
            if kept is None:
                raise
            return kept

    async def find(self, actor: Actor, wish: StepUpWish) -> Mapping[str, object] | None:
        """Give what this session's same call answered a moment ago."""
        row = await database.read_one(
            "SELECT id, outcome_sealed FROM challenge WHERE session_id = $1 "
            "AND intent_hash = $2 AND state = 'CONSUMED' AND outcome_until > $3 "
            "AND outcome_sealed IS NOT NULL ORDER BY outcome_until DESC LIMIT 1",
            actor.known_session,
            wish.hash,
            self._clock.now(),
        )
        if row is None:
            return None
        name = str(row.get("id", ChallengeId))
        opened = self._vault.open(_TABLE, name, row.get("outcome_sealed", bytes))
        found: Mapping[str, object] = orjson.loads(opened)
        return found

    async def keep(self, tx: Tx, grant: Grant, answer: Mapping[str, object]) -> None:
        """Keep an answer in the transaction that used the grant up.

        Earlier answers of the session ended when it was used (`StepUps.consume`).

        Args:
            tx: the effect's transaction, after `StepUps.consume`.
            grant: the approval that was used.
            answer: JSON values; may hold codes.
        """
        await tx.rows(
            "UPDATE challenge SET outcome_sealed = $2, outcome_until = $3 "
            "WHERE id = $1 RETURNING id",
            grant.challenge,
            self._vault.seal(_TABLE, str(grant.challenge), orjson.dumps(answer)),
            self._clock.now() + self._kept,
        )

    async def forget(self, tx: Tx, session: SessionId) -> None:
        """Erase what is kept for a session."""
        await forget_outcomes(tx, session)


async def erase_old(tx: Tx, now: datetime) -> None:
    """Erase the answers whose time is over: a job of the worker."""
    await tx.rows(
        "UPDATE challenge SET outcome_sealed = NULL, outcome_until = NULL "
        "WHERE outcome_sealed IS NOT NULL AND outcome_until <= $1 RETURNING id",
        now,
    )
