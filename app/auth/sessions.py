"""Sign-ins: `mint_session`, the one gate to tokens; the idle clock; the ends.

Locks, device state, app version and customer standing are checked in `mint` and nowhere
else, because checks per sign-in method are how tokens leak to locked users.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app import audit, database
from app.auth import signing
from app.auth.actor import Actor, CustomerStatus, DeviceState
from app.auth.device import Device, state_at
from app.auth.errors import (
    AppUpdateRequired,
    CredentialLocked,
    DeviceBlocked,
    DeviceLocked,
)
from app.auth.revocations import EndReason, Revocations
from app.auth.tokens import AccessTokens, Claims
from app.clock import Clock
from app.database import Tx
from app.errors import Unauthenticated
from app.ids import CustomerId, DeviceId, SessionId
from app.rows import Row
from app.settings import Settings
from app.vault import Vault

_SEED_BYTES = 32
_TOUCH_EVERY_S = 15
_LISTED = 20
_TOUCHED_MAX = 10_000

_COLUMNS = (
    "id, customer_id, device_id, jkt, seed, key_id, generation, created_at, "
    "last_active_at, absolute_end, ended_at, amr, ip"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in of one device."""

    id: SessionId
    customer: CustomerId
    device: DeviceId
    jkt: str
    seed: bytes = field(repr=False)
    key_id: int
    generation: int
    created_at: datetime
    last_active_at: datetime
    absolute_end: datetime
    ended_at: datetime | None
    factor: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What a phone gets for signing in. Its repr shows no token.

    Args:
        access_token: bound to the device key.
        refresh_token: useless without the device key.
        expires_at: end of the access token.
        idle_expires_at: the session locks then without an operation of the customer.
        session_expires_at: hard end.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    idle_expires_at: datetime
    session_expires_at: datetime


class Sessions:
    """Makes, shows and ends sessions.

    Args:
        clock: the bank's clock.
        settings: lives of tokens and sessions, least app version.
        vault: its pepper makes refresh tokens.
        tokens: signs access tokens.
        revocations: is told of each end.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        vault: Vault,
        tokens: AccessTokens,
        revocations: Revocations,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._vault = vault
        self._tokens = tokens
        self._revocations = revocations
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
        await self._require_standing(tx, device, now)
        version = actor.origin.app_version or device.app_version
        if _parts(version) < _parts(self._settings.min_app_version):
            raise AppUpdateRequired
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
        await _insert(tx, session, actor.origin.agent)
        await tx.rows(
            "UPDATE device SET last_seen_at = $2, app_version = $3 WHERE id = $1 "
            "RETURNING id",
            device.id,
            now,
            version,
        )
        entry = actor.entry("session.started", now, object=str(session.id))
        audit.append(tx, entry)
        return session

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
            refresh_token=self._refresh_token(session),
            expires_at=expires.replace(microsecond=0),
            idle_expires_at=idle,
            session_expires_at=session.absolute_end,
        )

    async def find(self, session: SessionId) -> Session | None:
        """Read a session, ended or not. Not for a customer's eyes."""
        row = await database.read_one(
            f"SELECT {_COLUMNS} FROM session WHERE id = $1",  # noqa: S608  -- our own column list
            session,
        )
        return None if row is None else _read(row)

    async def of_customer(self, actor: Actor) -> list[Session]:
        """List the customer's live sessions, newest first, at most 20."""
        rows = await database.read(
            f"SELECT {_COLUMNS} FROM session WHERE customer_id = $1 "  # noqa: S608  -- our own column list
            "AND ended_at IS NULL AND absolute_end > $2 "
            "ORDER BY created_at DESC, id DESC LIMIT $3",
            actor.known_customer,
            self._clock.now(),
            _LISTED,
        )
        return [_read(row) for row in rows]

    async def require_live(self, tx: Tx, actor: Actor) -> None:
        """Re-read session and device inside a transaction that moves something.

        Raises:
            Unauthenticated: SESSION_ENDED, or DEVICE_LOCKED.
        """
        now = self._clock.now()
        row = await tx.one(
            "SELECT s.ended_at, s.absolute_end, d.state FROM session s "
            "JOIN device d ON d.id = s.device_id "
            "WHERE s.id = $1 AND s.device_id = $2 AND s.customer_id = $3",
            actor.known_session,
            actor.known_device,
            actor.known_customer,
        )
        if row is None or row.get("state", DeviceState) is DeviceState.REVOKED:
            raise Unauthenticated("SESSION_ENDED")
        if row.get("state", DeviceState) is DeviceState.LOCKED:
            raise Unauthenticated("DEVICE_LOCKED")
        ended = row.find("ended_at", datetime) is not None
        if ended or row.get("absolute_end", datetime) <= now:
            raise Unauthenticated("SESSION_ENDED")

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
        device, now = actor.known_device, self._clock.now()

        async def work(tx: Tx) -> None:
            for session in await self.end_of_device(tx, device, EndReason.LOGOUT):
                entry = actor.entry(
                    "session.ended",
                    now,
                    object=str(session),
                    detail={"reason": EndReason.LOGOUT.value},
                )
                audit.append(tx, entry)

        await database.transaction(work, name="auth.logout")

    async def end_of_device(
        self, tx: Tx, device: DeviceId, reason: EndReason
    ) -> list[SessionId]:
        """End the live session of a device and cancel what it was asked to sign."""
        now = self._clock.now()
        rows = await tx.rows(
            "UPDATE session SET ended_at = $2, ended_reason = $3 "
            "WHERE device_id = $1 AND ended_at IS NULL RETURNING id",
            device,
            now,
            reason,
        )
        ended = [row.get("id", SessionId) for row in rows]
        for session in ended:
            await tx.rows(
                "UPDATE challenge SET state = 'CANCELLED' WHERE session_id = $1 "
                "AND state IN ('PENDING', 'APPROVED') RETURNING id",
                session,
            )
            tx.after_commit(self._hint(session, device, reason))
        return ended

    def _hint(
        self, session: SessionId, device: DeviceId, reason: EndReason
    ) -> Callable[[], None]:
        return lambda: self._revocations.ended(session, device, reason)

    async def _require_standing(self, tx: Tx, device: Device, now: datetime) -> None:
        """Look at device and customer as they are inside this transaction."""
        row = await tx.one(
            "SELECT d.state, d.cooling_until, c.status, c.blocked_until FROM device d "
            "JOIN customer c ON c.id = d.customer_id WHERE d.id = $1",
            device.id,
        )
        assert row is not None  # noqa: S101  -- devices are never deleted
        cooling_until = row.find("cooling_until", datetime)
        state = state_at(row.get("state", DeviceState), cooling_until, now)
        require_usable(state)
        until = row.find("blocked_until", datetime)
        require_customer(row.get("status", CustomerStatus), until, now)

    def _refresh_token(self, session: Session) -> str:
        name, generation = str(session.id), session.generation
        message = signing.refresh_message(session.seed, name, generation)
        mac = self._vault.mac("mac/refresh", message, session.key_id)
        return f"rt1.{name}.{generation}.{signing.b64u(mac)}"


def require_usable(state: DeviceState) -> None:
    """Let COOLING and ACTIVE phones through.

    Raises:
        DeviceLocked: suspended; the keys stay.
        DeviceBlocked: removed.
    """
    if state is DeviceState.LOCKED:
        raise DeviceLocked
    if state is DeviceState.REVOKED:
        raise DeviceBlocked


def require_customer(
    status: CustomerStatus, blocked_until: datetime | None, now: datetime
) -> None:
    """Let customers in good standing through.

    Raises:
        CredentialLocked: blocked for a while, or until staff or an enrolment ends it.
    """
    if blocked_until is not None and blocked_until > now:
        raise CredentialLocked(blocked_until)
    if status is not CustomerStatus.ACTIVE:
        raise CredentialLocked


def _parts(version: str | None) -> tuple[int, ...]:
    """Read `1.12.0` as numbers; what is no number counts as 0."""
    words = (version or "0").split("-")[0].split(".")
    return tuple(
        int(word) if word.isdecimal() else 0 for word in (words + ["0"] * 3)[:3]
    )


async def _insert(tx: Tx, session: Session, agent: str | None) -> None:
    await tx.rows(
        "INSERT INTO session (id, customer_id, device_id, jkt, seed, key_id, "
        "generation, created_at, last_active_at, absolute_end, amr, ip, agent) "
        "VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10, $11, $12) RETURNING id",
        session.id,
        session.customer,
        session.device,
        session.jkt,
        session.seed,
        session.key_id,
        session.created_at,
        session.last_active_at,
        session.absolute_end,
        session.factor,
        session.address,
        agent,
    )


def _read(row: Row) -> Session:
    return Session(
        id=row.get("id", SessionId),
        customer=row.get("customer_id", CustomerId),
        device=row.get("device_id", DeviceId),
        jkt=row.get("jkt", str),
        seed=row.get("seed", bytes),
        key_id=row.get("key_id", int),
        generation=row.get("generation", int),
        created_at=row.get("created_at", datetime),
        last_active_at=row.get("last_active_at", datetime),
        absolute_end=row.get("absolute_end", datetime),
        ended_at=row.find("ended_at", datetime),
        factor=row.get("amr", str),
        address=row.get("ip", str),
    )
