"""New tokens for a refresh token: the order of the checks is the rule (auth.md 3.7).

A phone that lost an answer repeats its token and gets what it should have had, however
late; only a token whose successor was used ends the session. No clock takes part in it.
A copy of the token under another key is refused, told to the customer once, and leaves
the session alone: else whoever reads a log could sign people out.
"""

from dataclasses import replace
from datetime import timedelta

from app import audit, database
from app.auth import alerts, refresh_token, signing
from app.auth.actor import Actor
from app.auth.errors import InvalidCredential, SessionEnded, SessionLocked
from app.auth.revocations import EndReason
from app.auth.session import Session, TokenPair
from app.auth.sessions import Sessions
from app.auth.throttle import Throttle
from app.clock import Clock
from app.database import Tx
from app.errors import DpopInvalid, DpopRequired, Refusal
from app.settings import Settings
from app.vault import Vault

_COPIED = "Somebody tried to use a copy of your sign-in. It was refused."
_REPLAYED = "An outdated copy of your sign-in was used. You were signed out."


class Refreshes:
    """Judges refresh tokens and gives new pairs.

    Args:
        clock: the bank's clock; only idle and absolute end ask it.
        settings: the idle time.
        vault: its peppers prove the tokens.
        sessions: read, rotated and ended here; makes the pairs.
        throttle: counts by key.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        vault: Vault,
        sessions: Sessions,
        throttle: Throttle,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._vault = vault
        self._sessions = sessions
        self._throttle = throttle

    async def refresh(self, actor: Actor, token: str) -> TokenPair:
        """Give the successor of a refresh token, with a new access token.

        The idle clock does not move.

        Args:
            actor: must carry a proof that covers the body.
            token: as the phone keeps it.

        Raises:
            DpopRequired, DpopInvalid: no proof, or one without `bh`.
            RateLimited: too many refreshes of this key.
            InvalidCredential: not our token, or another phone's.
            SessionEnded: signed out, twelve hours over, or reused just now.
            SessionLocked: idle; the customer signs in again.
            DeviceLocked, DeviceBlocked, CredentialLocked, AppUpdateRequired: as when
                the session began.
        """
        if actor.proof is None:
            raise DpopRequired
        if not actor.proof.covers_body:
            raise DpopInvalid
        await self._throttle.refresh(actor.proof.jkt)
        presented = refresh_token.read(token)
        if presented is None:
            raise InvalidCredential
        session = await self._sessions.find(presented.session)
        genuine = refresh_token.is_genuine(self._vault, presented, session)
        if session is None or not genuine:
            raise InvalidCredential
        self._require_open(session)
        jkt = actor.proof.jkt
        if not signing.same(jkt.encode(), session.jkt.encode()):
            await self._tell_of_copy(actor, session, jkt)
        return await self._successor(actor, session, presented.generation)

    async def _successor(
        self, actor: Actor, session: Session, generation: int
    ) -> TokenPair:
        owner = replace(
            actor,
            customer=session.customer,
            device=session.device,
            session=session.id,
        )

        async def work(tx: Tx) -> Session | Refusal:
            rotated = await self._rotate(tx, session, generation)
            current = await self._sessions.read(tx, session.id)
            self._require_open(current)
            if current.generation != generation + 1:
                return await self._end_reused(tx, owner, generation)
            await self._sessions.require_standing(tx, owner, session.device)
            if rotated:
                audit.append(tx, self._entry(owner, "session.refreshed", generation))
            return current

        rotated = await database.transaction(work, name="auth.refresh")
        return self._sessions.token_pair(rotated)

    async def _rotate(self, tx: Tx, session: Session, generation: int) -> bool:
        """Make this generation the former one, if it is the present one."""
        row = await tx.one(
            "UPDATE session SET generation = generation + 1, rotated_at = $3 "
            "WHERE id = $1 AND generation = $2 AND ended_at IS NULL RETURNING id",
            session.id,
            generation,
            self._clock.now(),
        )
        return row is not None

    def _require_open(self, session: Session) -> None:
        """Let sessions through that neither ended nor fell idle."""
        now = self._clock.now()
        if session.ended_at is not None or session.absolute_end <= now:
            raise SessionEnded
        idle = timedelta(seconds=self._settings.idle_s)
        if session.last_active_at + idle <= now:
            raise SessionLocked

    async def _end_reused(self, tx: Tx, owner: Actor, generation: int) -> Refusal:
        """End a session whose outdated token came back under the right key."""
        no = SessionEnded()
        if await self._sessions.end(tx, owner.known_session, EndReason.REUSE):
            entry = self._entry(owner, "session.reuse_detected", generation)
            entry = replace(entry, outcome=audit.Outcome.DENIED, code=no.code)
            alerts.tell(tx, entry, _REPLAYED)
        return no

    async def _tell_of_copy(self, actor: Actor, session: Session, jkt: str) -> None:
        """Refuse a token under a foreign key; the customer hears of the first.

        The entry stands in the chain of the token's owner, whoever sent it.
        """
        entry = audit.Entry(
            action="session.key_mismatch",
            at=self._clock.now(),
            request_id=actor.origin.request_id,
            customer=session.customer,
            session=session.id,
            address=actor.origin.address,
            object=str(session.id),
            outcome=audit.Outcome.DENIED,
            code=InvalidCredential.code,
            detail={"key": jkt},
        )

        async def work(tx: Tx) -> Refusal:
            first = await tx.one(
                "UPDATE session SET alerted_at = $2 "
                "WHERE id = $1 AND alerted_at IS NULL RETURNING id",
                session.id,
                entry.at,
            )
            if first is None:
                audit.append(tx, entry)
            else:
                alerts.tell(tx, entry, _COPIED)
            return InvalidCredential()

        await database.transaction(work, name="auth.refresh_copied")

    def _entry(self, owner: Actor, action: str, generation: int) -> audit.Entry:
        return owner.entry(
            action,
            self._clock.now(),
            object=str(owner.known_session),
            detail={"generation": generation},
        )
