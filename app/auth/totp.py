"""Authenticator apps: enrolled in two steps, removed, shown (auth.md 3.5).

Enrolment gives ten recovery codes in the same answer, so that nobody has an
authenticator without a way back. A COOLING phone may neither enrol nor remove one.
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import cast
from uuid import UUID

import orjson
import pyotp

from app import audit, database
from app.auth import alerts, lockout, signing
from app.auth.actor import Actor, FactorKind, FactorState
from app.auth.cooling import require_cooled, require_cooled_inside
from app.auth.errors import CredentialLocked, InvalidCredential
from app.auth.factors import FactorStatus, take_turn
from app.auth.outcomes import Outcomes
from app.auth.recovery import RecoveryCodes
from app.auth.sessions import Sessions
from app.auth.standing import Customers
from app.auth.step_up import StepUps, StepUpWish
from app.auth.totp_check import TABLE, step_of
from app.clock import Clock
from app.database import Tx
from app.errors import NotAllowed, Refusal
from app.ids import CustomerId, uuid7
from app.rows import Row
from app.settings import Settings
from app.vault import Vault

_SECRET_BYTES = 20
_ISSUER = "Sixpence"
_START = StepUpWish(
    operation="totpEnrolStart",
    input={},
    summary="Add an authenticator app",
    sensitive=True,
)
_REMOVE = StepUpWish(
    operation="totpRemove",
    input={},
    summary="Remove the authenticator app",
    sensitive=True,
)
_READ = (
    "SELECT id, state, sealed, failed, paused_until, set_at, session_id, "
    "outcome_sealed, outcome_until FROM totp_secret WHERE customer_id = $1"
)
NOT_SET = FactorStatus(kind=FactorKind.TOTP, state=FactorState.NOT_SET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A new secret, shown once: as the text of a QR code and in base32."""

    uri: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """An authenticator that works, and ten ways back without it."""

    factor: FactorStatus
    codes: list[str] = field(repr=False)


class Totps:
    """Enrols and removes authenticators.

    Args:
        clock: the bank's clock.
        settings: tries, pauses, time for the first code, life of a stored answer.
        vault: seals secrets and stored answers.
        customers: the name an authenticator shows.
        sessions: re-reads the session where something is kept.
        step_ups: asks for the approvals.
        outcomes: gives a lost answer again.
        recovery: makes the codes.
    """

    def __init__(  # noqa: PLR0913  -- the composition root names them all
        self,
        *,
        clock: Clock,
        settings: Settings,
        vault: Vault,
        customers: Customers,
        sessions: Sessions,
        step_ups: StepUps,
        outcomes: Outcomes,
        recovery: RecoveryCodes,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._vault = vault
        self._customers = customers
        self._sessions = sessions
        self._step_ups = step_ups
        self._outcomes = outcomes
        self._recovery = recovery

    async def start(self, actor: Actor) -> Opened:
        """Make a secret that waits ten minutes for its first code.

        Raises:
            StepUpRequired: it must be approved, by mPIN or biometric key.
            CoolingPeriod: this phone is COOLING.
            NotAllowed: there is an authenticator; it is removed first.
        """
        kept = await self._outcomes.once(actor, _START, partial(self._start, actor))
        return Opened(uri=str(kept["uri"]), secret=str(kept["secret"]))

    async def _start(self, actor: Actor) -> Mapping[str, object]:
        await require_cooled(actor, _START.operation, self._clock.now())
        await self._require(actor, active=False)
        grant = await self._step_ups.require(actor, _START)
        profile = await self._customers.profile(actor.known_customer)
        secret = secrets.token_bytes(_SECRET_BYTES)
        text = base64.b32encode(secret).decode()
        uri = pyotp.TOTP(text).provisioning_uri(name=profile.name, issuer_name=_ISSUER)

        async def work(tx: Tx) -> Mapping[str, object]:
            await self._step_ups.consume(tx, grant)
            await require_cooled_inside(tx, actor.known_device, self._clock.now())
            await self._wait(tx, actor, secret)
            made = {"uri": uri, "secret": text}
            await self._outcomes.keep(tx, grant, made)
            return made

        return await database.transaction(work, name="auth.totp_start")

    async def finish(self, actor: Actor, code: str) -> Enrolled:
        """Switch it on with its first code; the same code again shows the same ten.

        Raises:
            InvalidCredential: wrong code, or nothing waits for one on this phone.
            CredentialLocked: too many wrong codes.
            CoolingPeriod: this phone is COOLING.
        """
        now = self._clock.now()
        await require_cooled(actor, "totpEnrolFinish", now)
        row = await self._charged(actor)
        if row.get("state", str) == "ACTIVE":
            return await self._shown_again(actor, row, code)
        sealed, name = row.get("sealed", bytes), str(actor.known_customer)
        step = step_of(self._vault.open(TABLE, name, sealed), code, now, 0)
        if step is None:
            raise await self._wrong(actor, row)

        async def work(tx: Tx) -> Enrolled | None:
            await self._sessions.require_live(tx, actor)
            return await self._switch_on(tx, actor, row.get("id", UUID), step, code)

        enrolled = await database.transaction(work, name="auth.totp_finish")
        if enrolled is None:  # the identical code was faster
            return await self.finish(actor, code)
        return enrolled

    async def remove(self, actor: Actor) -> FactorStatus:
        """Remove the authenticator; recovery codes stay.

        Raises:
            StepUpRequired: it must be approved, by mPIN or biometric key.
            CoolingPeriod: this phone is COOLING.
            NotAllowed: there is none.
        """
        await self._outcomes.once(actor, _REMOVE, partial(self._remove, actor))
        return NOT_SET

    async def _remove(self, actor: Actor) -> Mapping[str, object]:
        await require_cooled(actor, _REMOVE.operation, self._clock.now())
        await self._require(actor, active=True)
        grant = await self._step_ups.require(actor, _REMOVE)

        async def work(tx: Tx) -> Mapping[str, object]:
            await self._step_ups.consume(tx, grant)
            await require_cooled_inside(tx, actor.known_device, self._clock.now())
            removed = await tx.one(
                "DELETE FROM totp_secret WHERE customer_id = $1 "
                "AND state = 'ACTIVE' RETURNING id",
                actor.known_customer,
            )
            if removed is None:
                raise NotAllowed("There is no authenticator app.")
            await self._outcomes.keep(tx, grant, {})
            entry = actor.entry("totp.removed", self._clock.now())
            alerts.tell(tx, entry, "The authenticator app was removed.")
            return {}

        return await database.transaction(work, name="auth.totp_remove")

    async def status(self, customer: CustomerId) -> FactorStatus:
        """Give a customer's authenticator as its owner sees it."""
        return self._status(await database.read_one(_READ, customer))

    # -------------------------------------------------------------- starting

    async def _require(self, actor: Actor, *, active: bool) -> None:
        row = await database.read_one(_READ, actor.known_customer)
        there = row is not None and row.get("state", str) == "ACTIVE"
        if there and not active:
            raise NotAllowed("There is an authenticator app. Remove it first.")
        if active and not there:
            raise NotAllowed("There is no authenticator app.")

    async def _wait(self, tx: Tx, actor: Actor, secret: bytes) -> None:
        """Keep the secret, PENDING; one that waited before is gone."""
        now = self._clock.now()
        await take_turn(tx, actor.known_customer)
        kept = await tx.one(
            "INSERT INTO totp_secret (customer_id, id, device_id, sealed, state, "
            "set_at, pending_until) VALUES ($1, $2, $3, $4, 'PENDING', $5, $6) "
            "ON CONFLICT (customer_id) DO UPDATE SET id = excluded.id, "
            "device_id = excluded.device_id, sealed = excluded.sealed, failed = 0, "
            "paused_until = NULL, set_at = excluded.set_at, "
            "pending_until = excluded.pending_until "
            "WHERE totp_secret.state = 'PENDING' RETURNING id",
            actor.known_customer,
            uuid7(),
            actor.known_device,
            self._vault.seal(TABLE, str(actor.known_customer), secret),
            now,
            now + timedelta(seconds=self._settings.totp_pending_s),
        )
        if kept is None:
            raise NotAllowed("There is an authenticator app. Remove it first.")

    # -------------------------------------------------------------- finishing

    async def _shown_again(self, actor: Actor, row: Row, code: str) -> Enrolled:
        """Answer the identical code as before: a right one counts as no try."""
        secret, sealed = row.get("id", UUID), row.get("outcome_sealed", bytes)
        kept = orjson.loads(self._vault.open(TABLE, str(secret), sealed))
        if not signing.same(str(kept["code"]).encode(), code.encode(errors="replace")):
            raise await self._wrong(actor, row)

        async def work(tx: Tx) -> Row | None:
            return await tx.one(
                "UPDATE totp_secret SET failed = failed - 1, paused_until = NULL "
                "WHERE id = $1 AND failed > 0 RETURNING *",
                secret,
            )

        left = await database.transaction(work, name="auth.totp_again")
        codes = cast("list[str]", kept["codes"])
        return Enrolled(factor=self._status(left or row), codes=codes)

    async def _charged(self, actor: Actor) -> Row:
        """Count one try, committed before anything is compared.

        Of the secret that waits, or of the stored answer of this session.
        """
        now = self._clock.now()

        async def work(tx: Tx) -> Row:
            row = await tx.one(
                "UPDATE totp_secret SET failed = failed + 1 WHERE customer_id = $1 "
                "AND device_id = $2 AND (pending_until > $3 "
                "OR (outcome_until > $3 AND session_id = $4)) "
                "AND (paused_until IS NULL OR paused_until <= $3) RETURNING *",
                actor.known_customer,
                actor.known_device,
                now,
                actor.known_session,
            )
            if row is None:
                raise await self._refusal(tx, actor)
            pause = lockout.pause(row.get("failed", int), self._settings)
            if pause is not None:
                await tx.rows(
                    "UPDATE totp_secret SET paused_until = $2 WHERE id = $1 "
                    "RETURNING id",
                    row.get("id", UUID),
                    now + pause,
                )
            return row

        return await database.transaction(work, name="auth.totp_charge")

    async def _refusal(self, tx: Tx, actor: Actor) -> Refusal:
        row = await tx.one(
            "SELECT paused_until FROM totp_secret WHERE customer_id = $1 "
            "AND paused_until > $2",
            actor.known_customer,
            self._clock.now(),
        )
        if row is None:
            return InvalidCredential()
        return CredentialLocked(row.get("paused_until", datetime))

    async def _wrong(self, actor: Actor, row: Row) -> Refusal:
        now, failed = self._clock.now(), row.get("failed", int)
        await audit.denied(
            actor.entry("totp.failed", now, outcome=audit.Outcome.DENIED)
        )
        pause = lockout.pause(failed, self._settings)
        if pause is not None:
            return CredentialLocked(now + pause)
        tries = self._settings.factor_tries
        return InvalidCredential(tries - failed % tries)

    async def _switch_on(
        self, tx: Tx, actor: Actor, secret: UUID, step: int, code: str
    ) -> Enrolled | None:
        """Make it ACTIVE and make the codes; None when the same code was faster."""
        now, customer = self._clock.now(), actor.known_customer
        await take_turn(tx, customer)
        codes = await self._codes(tx, actor, secret, step)
        if codes is None:
            return None
        stored = orjson.dumps({"code": code, "codes": codes})
        kept = timedelta(seconds=self._settings.outcome_s)
        await tx.rows(
            "UPDATE totp_secret SET session_id = $2, outcome_sealed = $3, "
            "outcome_until = $4 WHERE id = $1 RETURNING id",
            secret,
            actor.known_session,
            self._vault.seal(TABLE, str(secret), stored),
            now + kept,
        )
        await self._outcomes.forget(tx, actor.known_session)
        entry = actor.entry("totp.enrolled", now)
        alerts.tell(tx, entry, "An authenticator app was added.")
        active = FactorStatus(
            kind=FactorKind.TOTP,
            state=FactorState.ACTIVE,
            attempts_left=self._settings.factor_tries,
            set_at=now,
        )
        return Enrolled(factor=active, codes=codes)

    async def _codes(
        self, tx: Tx, actor: Actor, secret: UUID, step: int
    ) -> list[str] | None:
        row = await tx.one(
            "UPDATE totp_secret SET state = 'ACTIVE', last_step = $2, failed = 0, "
            "paused_until = NULL, pending_until = NULL, set_at = $3 "
            "WHERE id = $1 AND state = 'PENDING' AND pending_until > $3 RETURNING id",
            secret,
            step,
            self._clock.now(),
        )
        if row is None:
            return None
        return await self._recovery.make(tx, actor.known_customer)

    def _status(self, row: Row | None) -> FactorStatus:
        if row is None or row.get("state", str) != "ACTIVE":
            return NOT_SET
        paused_until = row.find("paused_until", datetime)
        paused = paused_until is not None and paused_until > self._clock.now()
        tries = self._settings.factor_tries
        return FactorStatus(
            kind=FactorKind.TOTP,
            state=FactorState.LOCKED if paused else FactorState.ACTIVE,
            attempts_left=0 if paused else tries - row.get("failed", int) % tries,
            locked_until=paused_until if paused else None,
            set_at=row.get("set_at", datetime),
        )


async def erase_old(tx: Tx, now: datetime) -> None:
    """Erase stored answers and secrets whose time is over: a job of the worker."""
    await tx.rows(
        "UPDATE totp_secret SET outcome_sealed = NULL, outcome_until = NULL "
        "WHERE outcome_until <= $1 RETURNING id",
        now,
    )
    await tx.rows(
        "DELETE FROM totp_secret WHERE state = 'PENDING' AND pending_until <= $1 "
        "RETURNING id",
        now,
    )
