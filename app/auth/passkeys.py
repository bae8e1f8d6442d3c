"""Passkeys of a customer: registered in two steps, listed (auth.md 3.9, 4, 6.3).

The first factor of a phone is free for fifteen minutes after binding; later a session
and an approval by mPIN or biometric key are needed. A COOLING phone registers one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from app import audit, database
from app.auth import alerts, factors, signing
from app.auth import passkey_ceremony as ceremony
from app.auth.actor import Actor, DeviceState, Level
from app.auth.device import Device, of_caller
from app.auth.errors import ChallengeExpired, CoolingPeriod, PasskeyRejected
from app.auth.gate import require_usable
from app.auth.passkey import COLUMNS, Passkey, read_passkey
from app.auth.passkey_ceremony import Registered, RelyingParty
from app.auth.registrations import Registration, RegistrationId, Registrations
from app.auth.sessions import Sessions
from app.auth.standing import Customers
from app.auth.step_up import Grant, StepUps, StepUpWish
from app.clock import Clock
from app.database import Tx
from app.errors import Forbidden, NotAllowed, Refusal, ValidationFailed
from app.ids import DeviceId, PasskeyId
from app.rows import Row
from app.settings import Settings

_OPERATION = "passkeyRegisterStart"
_OWNERS = "SELECT device_id FROM passkey WHERE customer_id = $1"
_LABEL_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A registration that waits, and what the authenticator is asked."""

    id: RegistrationId
    options: Mapping[str, object]


class Passkeys:
    """Registers and lists passkeys.

    Args:
        clock: the bank's clock.
        settings: relying party, how many, how long a registration lives.
        customers: the name an authenticator shows.
        sessions: re-reads the session where something is kept.
        step_ups: asks for the approval of one more passkey.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        customers: Customers,
        sessions: Sessions,
        step_ups: StepUps,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._party = RelyingParty.of(settings)
        self._customers = customers
        self._sessions = sessions
        self._step_ups = step_ups
        self._registrations = Registrations(clock, settings.approval_s)

    async def start(self, actor: Actor) -> Opened:
        """Open a registration, single use, for as long as an approval lives.

        Asked again it gives the same one: an answer that got lost needs no second
        approval.

        Raises:
            Forbidden: a factor exists and there is no session.
            StepUpRequired: a factor exists; one more must be approved.
            NotAllowed: no factor, and the time for a first one is over.
            CoolingPeriod: this phone is COOLING and has registered one, or the mPIN
                that would approve is still young.
            PasskeyRejected: the customer has as many as there may be.
            DeviceLocked, DeviceBlocked: the phone may not.
        """
        device = await of_caller(actor, self._clock.now())
        require_usable(device.state)
        free = await self._is_free(actor, device)
        found = await self._registrations.pending(actor)
        if found is None:
            self._require_room(await database.read(_OWNERS, device.customer), device)
            grant = None if free else await self._grant(actor, device)
            found = await self._open(actor, device, grant)
        await ceremony.ready()
        return await self._opened(actor, found)

    async def finish(
        self,
        actor: Actor,
        registration: RegistrationId,
        credential: object,
        label: str | None = None,
    ) -> Passkey:
        """Verify what the authenticator made and keep it; the same bytes give it again.

        Args:
            actor: the phone that started.
            registration: from `start`.
            credential: PublicKeyCredential.toJSON().
            label: chosen by the customer, 1..64 characters; the phone's name if none.

        Raises:
            ValidationFailed: the label is too long.
            ChallengeExpired: too old, used with other bytes, or not this phone's.
            PasskeyRejected: whatever does not fit.
            Forbidden, NotAllowed, CoolingPeriod, DeviceLocked, DeviceBlocked: as
                `start`.
        """
        name = None if label is None else label.strip()
        if name is not None and not 0 < len(name) <= _LABEL_MAX:
            raise ValidationFailed(field=["label"])
        device = await of_caller(actor, self._clock.now())
        require_usable(device.state)
        digest = _digest(credential)
        found = await self._registrations.find(actor, registration)
        if not found.pending:
            return await self._finished(actor, found, digest)
        if found.expires_at <= self._clock.now():
            raise ChallengeExpired
        try:
            await self._is_free(actor, device)
        except (Forbidden, NotAllowed):
            # The identical answer may just have made the phone's first factor.
            found = await self._registrations.find(actor, registration)
            if found.pending:
                raise
            return await self._finished(actor, found, digest)
        if found.session not in {None, actor.session}:
            raise ChallengeExpired
        await ceremony.ready()
        made = await self._verified(actor, found, credential, digest)
        return await self._kept(actor, device, found, (made, digest, name))

    async def of_customer(self, actor: Actor) -> list[Passkey]:
        """List the customer's passkeys, oldest first."""
        rows = await database.read(
            f"SELECT {COLUMNS} FROM passkey WHERE customer_id = $1 "  # noqa: S608  -- our own column list
            "ORDER BY created_at, id",
            actor.known_customer,
        )
        return [read_passkey(row) for row in rows]

    async def find(self, actor: Actor, passkey: PasskeyId) -> Passkey | None:
        """Read one passkey of the customer; another customer's does not exist."""
        row = await database.read_one(
            f"SELECT {COLUMNS} FROM passkey WHERE id = $1 AND customer_id = $2",  # noqa: S608  -- our own column list
            passkey,
            actor.known_customer,
        )
        return None if row is None else read_passkey(row)

    # -------------------------------------------------------------- who may

    async def _is_free(self, actor: Actor, device: Device) -> bool:
        """Decide between the two faces: the free first factor, or one more."""
        until = device.first_factor_until
        first = await database.read_one(factors.ANY, device.id) is None
        if first and until is not None and until > self._clock.now():
            return True
        if actor.level >= Level.LOGIN:
            return False
        if first:
            raise NotAllowed("Please enrol this phone again.")
        raise Forbidden(requiredLevel="LOGIN")

    def _require_room(self, owners: Sequence[Row], device: Device) -> None:
        """Refuse one too many: of the customer, or of a COOLING phone (6.3)."""
        makers = [row.get("device_id", DeviceId) for row in owners]
        if device.id in makers and device.state is DeviceState.COOLING:
            raise CoolingPeriod(device.cooling_until or self._clock.now())
        if len(makers) >= self._settings.passkeys_max:
            raise PasskeyRejected("There are too many passkeys. Remove one first.")

    async def _grant(self, actor: Actor, device: Device) -> Grant:
        wish = StepUpWish(
            operation=_OPERATION,
            input={},
            summary=f"Add a passkey on {device.name}",
            sensitive=True,
        )
        return await self._step_ups.require(actor, wish)

    # -------------------------------------------------------------- starting

    async def _open(
        self, actor: Actor, device: Device, grant: Grant | None
    ) -> Registration:
        async def work(tx: Tx) -> Registration:
            if grant is not None:
                await self._step_ups.consume(tx, grant)
            await self._take_turn(tx, device)
            self._require_room(await tx.rows(_OWNERS, device.customer), device)
            return await self._registrations.open(tx, actor)

        return await database.transaction(work, name="auth.passkey_start")

    async def _opened(self, actor: Actor, found: Registration) -> Opened:
        row = await database.read_one(
            "SELECT handle FROM customer WHERE id = $1", actor.known_customer
        )
        assert row is not None  # noqa: S101  -- customers are never deleted
        profile = await self._customers.profile(actor.known_customer)
        options = ceremony.creation_options(
            self._party,
            found.challenge,
            (row.get("handle", bytes), profile.name),
            [one.descriptor for one in await self.of_customer(actor)],
        )
        return Opened(id=found.id, options=options)

    # -------------------------------------------------------------- finishing

    async def _finished(
        self, actor: Actor, found: Registration, digest: bytes
    ) -> Passkey:
        """Answer the identical bytes as before; others came too late."""
        if found.answer_hash != digest:
            raise ChallengeExpired
        if found.passkey is None:
            raise PasskeyRejected
        kept = await self.find(actor, found.passkey)
        if kept is None:
            raise ChallengeExpired
        return kept

    async def _verified(
        self, actor: Actor, found: Registration, credential: object, digest: bytes
    ) -> Registered:
        """Verify outside a transaction; a misfit uses the registration up."""
        try:
            return ceremony.finish_registration(
                self._party, credential, found.challenge
            )
        except PasskeyRejected as no:
            refusal: Refusal = no

        async def refused(tx: Tx) -> Refusal:
            return await self._misfit(tx, actor, found, digest, refusal)

        raise await database.transaction(refused, name="auth.passkey_refuse")

    async def _misfit(
        self,
        tx: Tx,
        actor: Actor,
        found: Registration,
        digest: bytes,
        refusal: Refusal,
    ) -> Refusal:
        await self._registrations.fail(tx, found.id, digest)
        entry = actor.entry(
            "passkey.failed",
            self._clock.now(),
            outcome=audit.Outcome.DENIED,
            code=refusal.code.value,
        )
        audit.append(tx, entry)
        return refusal

    async def _kept(
        self,
        actor: Actor,
        device: Device,
        found: Registration,
        answer: tuple[Registered, bytes, str | None],
    ) -> Passkey:
        made, digest, label = answer
        kept = Passkey(
            id=PasskeyId.new(),
            credential_id=made.credential_id,
            transports=made.transports,
            label=label or device.name,
            backed_up=made.bs,
            created_at=self._clock.now(),
            last_used_at=None,
        )

        async def work(tx: Tx) -> Passkey | Refusal | None:
            if actor.session is not None:
                await self._sessions.require_live(tx, actor)
            await self._take_turn(tx, device)
            if not await self._registrations.use(tx, found.id, digest, kept.id):
                return None
            self._require_room(await tx.rows(_OWNERS, device.customer), device)
            if not await _insert(tx, kept, made, device):
                return await self._misfit(tx, actor, found, digest, PasskeyRejected())
            entry = actor.entry(
                "passkey.added",
                kept.created_at,
                object=str(kept.id),
                detail={"backedUp": made.bs, "aaguid": str(made.aaguid)},
            )
            alerts.tell(tx, entry, f"A passkey was added: {kept.label}.")
            return kept

        done = await database.transaction(work, name="auth.passkey_finish")
        if isinstance(done, Passkey):
            return done
        return await self._finished(
            actor, await self._registrations.find(actor, found.id), digest
        )

    async def _take_turn(self, tx: Tx, device: Device) -> None:
        """Let two registrations of one customer come one after the other."""
        await factors.take_turn(tx, device.customer)
        row = await tx.one("SELECT state FROM device WHERE id = $1", device.id)
        assert row is not None  # noqa: S101  -- devices are never deleted
        require_usable(row.get("state", DeviceState))


async def _insert(tx: Tx, kept: Passkey, made: Registered, device: Device) -> bool:
    """Store a passkey; False when that credential is known already, to anybody."""
    row = await tx.one(
        "INSERT INTO passkey (id, credential_id, customer_id, device_id, cose_key, "
        "sign_count, aaguid, be, bs, transports, label, state, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'ACTIVE', $12) "
        "ON CONFLICT (credential_id) DO NOTHING RETURNING id",
        kept.id,
        made.credential_id,
        device.customer,
        device.id,
        made.cose_key,
        made.sign_count,
        made.aaguid,
        made.be,
        made.bs,
        ",".join(made.transports),
        kept.label,
        kept.created_at,
    )
    return row is not None


def _digest(credential: object) -> bytes:
    try:
        return signing.sha256(orjson.dumps(credential, option=orjson.OPT_SORT_KEYS))
    except (TypeError, RecursionError):
        raise PasskeyRejected from None
