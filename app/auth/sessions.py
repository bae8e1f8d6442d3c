"""Sign-ins: `mint`, the one way to a session; the idle clock; the ends."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from app import audit, database
from app.auth import factors, gate, refresh_token
from app.auth.actor import Actor, CustomerStatus, DeviceState
from app.auth.cooling import TRUST, Trust, trust_in
from app.auth.device import Device
from app.auth.factors import Usable
from app.auth.revocations import EndReason, Revocations
from app.auth.session import COLUMNS, Session, TokenPair, insert_session, read_session
from app.auth.tokens import AccessTokens, Claims
from app.clock import Clock
from app.database import Tx
from app.errors import NotFound, Unauthenticated
from app.ids import DeviceId, SessionId
from app.rows import Row, Scalar
from app.settings import Settings
from app.vault import Vault

_SEED_BYTES = 32
_TOUCH_EVERY_S = 15
_LISTED = 20
_TOUCHED_MAX = 10_000
_LIVE = "s.ended_at, s.absolute_end, c.status"
_OF = (
    "FROM session s JOIN device d ON d.id = s.device_id "
    "JOIN customer c ON c.id = s.customer_id"
)
_END = "UPDATE session SET ended_at = $2, ended_reason = $3 WHERE ended_at IS NULL AND "


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What the phone of a live session may and can now.

    Args:
        trust: how far it is trusted with money.
        usable: what can answer on it.
    """

    trust: Trust
    usable: Usable


class Bell(Protocol):
    """Who hears that a phone was signed in or out, in the same transaction."""

    async def signed_in(self, tx: Tx, device: DeviceId) -> None:
        """Let the phone be told everything again."""
        ...

    async def signed_out(self, tx: Tx, device: DeviceId) -> None:
        """Mute the phone to what concerns its security."""
        ...

    async def revoked(self, tx: Tx, device: DeviceId) -> None:
        """Give up the address of a phone that is bound no more."""
        ...


class Sessions:
    """Makes, shows and ends sessions.

    Args:
        clock: the bank's clock.
        settings: lives of tokens and sessions, least app version.
        vault: its pepper makes refresh tokens.
        tokens: signs access tokens.
        revocations: is told of each end.
        bell: hears of sign-ins and sign-outs.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        vault: Vault,
        tokens: AccessTokens,
        revocations: Revocations,
        bell: Bell | None = None,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._vault = vault
        self._tokens = tokens
        self._revocations = revocations
        self._bell = bell
        self._touched: dict[SessionId, datetime] = {}

    async def mint(self, tx: Tx, actor: Actor, device: Device, factor: str) -> Session:
        """Start a session in the caller's transaction: the only way to tokens.

        An older session of the device ends as SUPERSEDED.

        Args:
            tx: the transaction that uses the proof up.
            actor: who signed in, at level DEVICE.
            device: the phone, as read in this request.
            factor: what proved the person, for `amr`.

        Raises:
            DeviceLocked, DeviceBlocked: the phone may not sign in.
            CredentialLocked: the customer may not, or not yet.
            AppUpdateRequired: the app is too old.
        """
        now = self._clock.now()
        version = await self.require_standing(tx, actor, device.id)
        await self.end_of_device(tx, device.id, EndReason.SUPERSEDED)
        session = Session(
            id=SessionId.new(),
            customer=device.customer,
            device=device.id,
            jkt=device.jkt,
            seed=secrets.token_bytes(_SEED_BYTES),
            key_id=self._vault.pepper.current,
            generation=0,
            created_at=now,
            last_active_at=now,
            absolute_end=now + timedelta(seconds=self._settings.absolute_s),
            ended_at=None,
            factor=factor,
            address=actor.origin.address,
        )
        await insert_session(tx, session, actor.origin.agent)
        await tx.rows(
            "UPDATE device SET last_seen_at = $2, app_version = $3 WHERE id = $1 "
            "RETURNING id",
            device.id,
            now,
            version,
        )
        entry = actor.entry("session.started", now, object=str(session.id))
        audit.append(tx, entry)
        if self._bell is not None:
            await self._bell.signed_in(tx, device.id)
        return session

    async def require_standing(
        self, tx: Tx, actor: Actor, device: DeviceId
    ) -> str | None:
        """Ask the conditions of every token; gives the app version that was judged.

        Raises:
            DeviceLocked, DeviceBlocked, CredentialLocked, AppUpdateRequired: as
                `gate.require_standing`.
        """
        return await gate.require_standing(
            tx,
            device,
            self._clock.now(),
            version=actor.origin.app_version,
            least=self._settings.min_app_version,
        )

    def token_pair(self, session: Session) -> TokenPair:
        """Make the tokens of a live session; made again they are as good."""
        now = self._clock.now()
        idle = session.last_active_at + timedelta(seconds=self._settings.idle_s)
        whole = now + timedelta(seconds=self._settings.access_ttl_s)
        expires = min(whole, idle, session.absolute_end)
        access = self._tokens.sign(
            Claims(
                customer=session.customer,
                session=session.id,
                device=session.device,
                jkt=session.jkt,
                signed_in_at=session.created_at,
                expires_at=expires,
                factor=session.factor,
            )
        )
        return TokenPair(
            access_token=access,
            refresh_token=refresh_token.written(self._vault, session),
            expires_at=expires.replace(microsecond=0),
            idle_expires_at=idle,
            session_expires_at=session.absolute_end,
        )

    async def find(self, session: SessionId) -> Session | None:
        """Read a session, ended or not. Not for a customer's eyes."""
        row = await database.read_one(
            f"SELECT {COLUMNS} FROM session WHERE id = $1",  # noqa: S608  -- our own column list
            session,
        )
        return None if row is None else read_session(row)

    async def read(self, tx: Tx, session: SessionId) -> Session:
        """Read a session that was found, as it is inside a transaction."""
        row = await tx.one(
            f"SELECT {COLUMNS} FROM session WHERE id = $1",  # noqa: S608  -- our own column list
            session,
        )
        assert row is not None  # noqa: S101  -- it was found a moment ago
        return read_session(row)

    async def of_customer(self, actor: Actor) -> list[Session]:
        """List the customer's live sessions, newest first, at most 20."""
        rows = await database.read(
            f"SELECT {COLUMNS} FROM session WHERE customer_id = $1 "  # noqa: S608  -- our own column list
            "AND ended_at IS NULL AND absolute_end > $2 "
            "ORDER BY created_at DESC, id DESC LIMIT $3",
            actor.known_customer,
            self._clock.now(),
            _LISTED,
        )
        return [read_session(row) for row in rows]

    async def require_live(self, tx: Tx, actor: Actor) -> None:
        """Re-read session and device inside a transaction that moves something.

        Raises:
            Unauthenticated: SESSION_ENDED, or DEVICE_LOCKED.
        """
        row = await tx.one(
            f"SELECT {_LIVE}, d.state {_OF} "
            "WHERE s.id = $1 AND s.device_id = $2 AND s.customer_id = $3",
            actor.known_session,
            actor.known_device,
            actor.known_customer,
        )
        _require_live(row, self._clock.now())

    async def require_present(self, tx: Tx, actor: Actor) -> Presence:
        """Do as `require_live`, and tell what the phone may and can, in one statement.

        Raises:
            Unauthenticated: SESSION_ENDED, or DEVICE_LOCKED.
        """
        now = self._clock.now()
        row = _require_live(
            await tx.one(
                f"SELECT {_LIVE}, {TRUST}, {factors.THERE} {_OF} {factors.MPIN} "
                "WHERE s.id = $1 AND s.device_id = $4 AND s.customer_id = $5",
                actor.known_session,
                now,
                self._settings.mpin_tries,
                actor.known_device,
                actor.known_customer,
            ),
            now,
        )
        return Presence(
            trust=trust_in(row, self._settings.attestation, now),
            usable=await factors.usable_in(row, tx.rows, actor, now),
        )

    async def touch(self, actor: Actor) -> None:
        """Note an operation of the customer: moves the idle clock.

        Written at most every 15 s per session and process, so a lock falls between 285
        and 300 s. Called by the edge for LOGIN queries and mutations, never for what a
        server or an app sends by itself (auth.md 3.6).
        """
        session, now = actor.known_session, self._clock.now()
        before = self._touched.get(session)
        if before is not None and now - before < timedelta(seconds=_TOUCH_EVERY_S):
            return
        if len(self._touched) >= _TOUCHED_MAX:
            self._touched.clear()
        self._touched[session] = now

        async def work(tx: Tx) -> None:
            await tx.rows(
                "UPDATE session SET last_active_at = $2 "
                "WHERE id = $1 AND ended_at IS NULL AND last_active_at < $2 "
                "RETURNING id",
                session,
                now,
            )

        await database.transaction(work, name="auth.touch")

    async def logout(self, actor: Actor) -> None:
        """End the session of this device; without one nothing happens again."""
        device = actor.known_device

        async def work(tx: Tx) -> None:
            ended = await self.end_of_device(tx, device, EndReason.LOGOUT)
            self._note(tx, actor, ended, EndReason.LOGOUT)
            if self._bell is not None:
                await self._bell.signed_out(tx, device)

        await database.transaction(work, name="auth.logout")

    async def revoke(self, actor: Actor, session: SessionId) -> None:
        """End a session of the same customer; one that is over already stays so.

        Raises:
            NotFound: no such session, or another customer's.
            Unauthenticated: the caller's own session ended meanwhile.
        """

        async def work(tx: Tx) -> None:
            await self.require_live(tx, actor)
            found = await tx.one(
                "SELECT device_id FROM session WHERE id = $1 AND customer_id = $2",
                session,
                actor.known_customer,
            )
            if found is None:
                raise NotFound
            ended = await self.end(tx, session, EndReason.REVOKED)
            self._note(tx, actor, ended, EndReason.REVOKED)
            if ended and self._bell is not None:
                await self._bell.signed_out(tx, found.get("device_id", DeviceId))

        await database.transaction(work, name="auth.session_revoke")

    async def end(
        self, tx: Tx, session: SessionId, reason: EndReason
    ) -> list[SessionId]:
        """End one session and cancel what it was asked to sign."""
        return await self._end(tx, "id = $1", session, reason)

    async def end_of_device(
        self, tx: Tx, device: DeviceId, reason: EndReason
    ) -> list[SessionId]:
        """End the live session of a device and cancel what it was asked to sign."""
        return await self._end(tx, "device_id = $1", device, reason)

    async def _end(
        self, tx: Tx, which: str, name: Scalar, reason: EndReason
    ) -> list[SessionId]:
        rows = await tx.rows(
            f"{_END}{which} RETURNING id, device_id", name, self._clock.now(), reason
        )
        ended = []
        for row in rows:
            session, device = row.get("id", SessionId), row.get("device_id", DeviceId)
            await tx.rows(
                "UPDATE challenge SET state = 'CANCELLED' WHERE session_id = $1 "
                "AND state IN ('PENDING', 'APPROVED') RETURNING id",
                session,
            )
            tx.after_commit(self._hint(session, device, reason))
            ended.append(session)
        return ended

    def _note(
        self, tx: Tx, actor: Actor, ended: Iterable[SessionId], reason: EndReason
    ) -> None:
        """Audit the ends a customer asked for."""
        for session in ended:
            entry = actor.entry(
                "session.ended",
                self._clock.now(),
                object=str(session),
                detail={"reason": reason.value},
            )
            audit.append(tx, entry)

    def _hint(
        self, session: SessionId, device: DeviceId, reason: EndReason
    ) -> Callable[[], None]:
        return lambda: self._revocations.ended(session, device, reason)


def _require_live(row: Row | None, now: datetime) -> Row:
    if row is None or row.get("state", DeviceState) is DeviceState.REVOKED:
        raise Unauthenticated("SESSION_ENDED")
    if row.get("state", DeviceState) is DeviceState.LOCKED:
        raise Unauthenticated("DEVICE_LOCKED")
    ended = row.find("ended_at", datetime) is not None
    if ended or row.get("absolute_end", datetime) <= now:
        raise Unauthenticated("SESSION_ENDED")
    if row.get("status", CustomerStatus) is not CustomerStatus.ACTIVE:
        raise Unauthenticated("SESSION_ENDED")
    return row
