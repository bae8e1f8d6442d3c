"""Phones: bound, listed, and moved between their states.

A key is used once and in one role: a revoked phone never comes back under its old key.
Part of enrolment is consumed here, in one transaction: code, activation, nonce.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from app import audit, database
from app.auth import alerts, binding, cooling, factors, replacing, signing
from app.auth.actor import Actor, DeviceState, Platform
from app.auth.applicant import read_reserved
from app.auth.attestation import Rejected
from app.auth.attestation.grading import Attestations, Graded
from app.auth.binding import BindRequest
from app.auth.device import COLUMNS, Device, read_device
from app.auth.device_moves import DeviceMoves
from app.auth.directory import Directory
from app.auth.errors import (
    AttestationRejected,
    EnrolmentExpired,
)
from app.auth.factors import FactorStatus
from app.auth.identity_proofs import IdentityProofs
from app.auth.keys import Jwk
from app.auth.otp import EnrolmentId, Otps
from app.auth.outbox import Outbox
from app.auth.replacing import Replacing
from app.clock import Clock
from app.database import Tx
from app.errors import DpopRequired, ValidationFailed
from app.ids import CustomerId, DeviceId
from app.realtime import log
from app.realtime.facts import DeviceChanged
from app.rows import Row
from app.settings import Settings

_NAME_MAX = 64
_LISTED = 20
_SHOWN_DAYS = 90
_NOTICE_S = 3600


class Devices:
    """Binds and shows phones.

    Args:
        clock: the bank's clock.
        settings: how many, how long they cool.
        directory: the phone number that is told.
        otps: uses the code up.
        outbox: tells the number.
        proofs: uses the proof of the person up.
        attestations: judges what a key's vendor says about it.
        moves: locks the phones that are replaced.
    """

    def __init__(  # noqa: PLR0913  -- the composition root names them all
        self,
        *,
        clock: Clock,
        settings: Settings,
        directory: Directory,
        otps: Otps,
        outbox: Outbox,
        proofs: IdentityProofs,
        attestations: Attestations,
        moves: DeviceMoves,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._directory = directory
        self._otps = otps
        self._outbox = outbox
        self._proofs = proofs
        self._attestations = attestations
        self._replacing = Replacing(clock=clock, settings=settings, moves=moves)

    async def bind(self, actor: Actor, request: BindRequest) -> Device:
        """Register the device key; the same key again gives the same device.

        Raises:
            DpopRequired: the request carries no proof.
            ValidationFailed: the name is empty or too long.
            EnrolmentExpired: the nonce is unknown, too old, or its proofs were used.
            ChallengeFailed: signature, proof and key do not belong together, or the
                key was bound before.
            AttestationRejected: policy asks for one, or the one that came is not good.
            TooManyDevices: three are bound already and none of them is replaced.
            NotFound: a phone to be replaced is not this customer's.
            NotAllowed: the bank blocked the customer meanwhile.
        """
        if actor.proof is None:
            raise DpopRequired
        name = request.name.strip()
        if not 0 < len(name) <= _NAME_MAX:
            raise ValidationFailed(field=["name"])
        binding.require_key(request, actor.proof.jkt)
        enrolment = await self._enrolment(request.binding_nonce)
        bound = enrolment.find("device_id", DeviceId)
        if bound is not None:
            return await self._bound_before(bound, request.jwk)
        graded = await self._judged(actor, enrolment, request)

        async def work(tx: Tx) -> Device:
            return await self._bind(
                tx, actor, enrolment, replace(request, name=name), graded
            )

        return await database.transaction(work, name="auth.bind")

    async def of_customer(self, actor: Actor) -> list[Device]:
        """List the customer's phones, newest first, at most 20."""
        now = self._clock.now()
        rows = await database.read(
            f"SELECT {COLUMNS} FROM device WHERE customer_id = $1 "  # noqa: S608  -- our own column list
            "AND (state <> 'REVOKED' OR bound_at >= $2) "
            "ORDER BY bound_at DESC, id DESC LIMIT $3",
            actor.known_customer,
            now - timedelta(days=_SHOWN_DAYS),
            _LISTED,
        )
        return [read_device(row, now) for row in rows]

    async def find(self, actor: Actor, device_id: DeviceId) -> Device | None:
        """Read one phone of the customer; another customer's does not exist."""
        row = await database.read_one(
            f"SELECT {COLUMNS} FROM device WHERE id = $1 AND customer_id = $2",  # noqa: S608  -- our own column list
            device_id,
            actor.known_customer,
        )
        return None if row is None else read_device(row, self._clock.now())

    async def factors(
        self, devices: Sequence[DeviceId]
    ) -> dict[DeviceId, list[FactorStatus]]:
        """Give the factors of each phone, in one query."""
        return await factors.of_devices(devices, self._settings, self._clock.now())

    # -------------------------------------------------------------- inside

    async def _judged(
        self, actor: Actor, enrolment: Row, request: BindRequest
    ) -> Graded:
        """Grade the key's attestation; a refused one leaves a line in the audit."""
        platform = enrolment.get("platform", Platform)
        try:
            return await self._attestations.judge(
                platform, request.attestation, request.binding_nonce, request.jwk
            )
        except Rejected as no:
            customer = enrolment.get("customer_id", CustomerId)
            entry = replace(actor, customer=customer).entry(
                "device.attestation_rejected",
                self._clock.now(),
                outcome=audit.Outcome.DENIED,
                code=AttestationRejected.code,
                detail={"platform": platform.value, "why": no.fault.value},
            )
            await audit.denied(entry)
            raise AttestationRejected from None

    async def _enrolment(self, nonce: bytes) -> Row:
        row = await database.read_one(
            "SELECT id, customer_id, platform, model, app_version, state, device_id, "
            "proof_kind, proof_ref, proof_step, expires_at FROM enrolment "
            "WHERE nonce_hash = $1",
            signing.sha256(nonce),
        )
        if row is None or row.get("expires_at", datetime) <= self._clock.now():
            raise EnrolmentExpired
        if row.get("state", str) not in {"IDENTITY_PROVEN", "DONE"}:
            raise EnrolmentExpired
        return row

    async def _bound_before(self, device: DeviceId, jwk: Jwk) -> Device:
        """Answer a repeated step: the device of the same key, and of no other."""
        row = await database.read_one(
            f"SELECT {COLUMNS} FROM device WHERE id = $1",  # noqa: S608  -- our own column list
            device,
        )
        found = None if row is None else read_device(row, self._clock.now())
        if found is None or found.jkt != jwk.thumbprint:
            raise EnrolmentExpired
        return found

    async def _bind(
        self,
        tx: Tx,
        actor: Actor,
        enrolment: Row,
        request: BindRequest,
        graded: Graded,
    ) -> Device:
        customer = enrolment.get("customer_id", CustomerId)
        old = await self._replacing.require_room(tx, customer, request.replaces)
        kind = enrolment.get("proof_kind", str)
        profile = cooling.profile_of(kind, self._settings)
        device = self._made(enrolment, request, graded, profile)
        await replacing.take_key(tx, request.jwk, device.id, self._clock.now())
        binder = replace(actor, customer=device.customer, device=device.id)
        await self._use_up(tx, binder, enrolment)
        await binding.insert(tx, actor, device, graded, profile)
        await self._replacing.let_in(tx, binder, kind)
        await self._tell(tx, binder, device, graded)
        await self._replacing.replace(tx, binder, device, old)
        return device

    async def _use_up(self, tx: Tx, binder: Actor, enrolment: Row) -> None:
        """Use nonce, code and proof of the person up; another one may be faster."""
        done = await tx.one(
            "UPDATE enrolment SET state = 'DONE', device_id = $2 "
            "WHERE id = $1 AND state = 'IDENTITY_PROVEN' RETURNING id",
            enrolment.get("id", EnrolmentId),
            binder.known_device,
        )
        if done is None or not await self._otps.consume(
            tx, enrolment.get("id", EnrolmentId)
        ):
            raise EnrolmentExpired
        proof = read_reserved(enrolment)
        if proof is None or not await self._proofs.use(tx, binder, proof):
            raise EnrolmentExpired

    def _made(
        self, enrolment: Row, request: BindRequest, graded: Graded, profile: str
    ) -> Device:
        now = self._clock.now()
        waits = cooling.length(profile, self._settings)
        return Device(
            id=DeviceId.new(),
            customer=enrolment.get("customer_id", CustomerId),
            jkt=request.jwk.thumbprint,
            jwk=request.jwk,
            platform=enrolment.get("platform", Platform),
            name=request.name,
            model=enrolment.find("model", str),
            app_version=enrolment.find("app_version", str),
            attestation=graded.grade,
            state=DeviceState.COOLING if waits else DeviceState.ACTIVE,
            lock_reason=None,
            bound_at=now,
            last_seen_at=now,
            cooling_until=now + waits,
            first_factor_until=now + timedelta(seconds=self._settings.first_factor_s),
            failed=0,
        )

    async def _tell(
        self, tx: Tx, binder: Actor, device: Device, graded: Graded
    ) -> None:
        """Tell the other phones and the number that a phone was added."""
        now = self._clock.now()
        entry = binder.entry(
            "device.bound",
            now,
            object=str(device.id),
            detail={
                "platform": device.platform.value,
                "attestation": device.attestation.value,
                **graded.summary,
            },
        )
        alerts.tell(tx, entry, f"A phone was added: {device.name}.")
        log.append(
            tx,
            DeviceChanged(
                customer=device.customer, occurred_at=now, device=device.shot()
            ),
        )
        text = (
            f"A phone was added to your bank: {device.model or device.platform.value}. "
            "If that was not you, call us at once."
        )
        expires_at = now + timedelta(seconds=_NOTICE_S)
        to = await self._directory.phone_inside(tx, device.customer)
        await self._outbox.put(tx, to, text, expires_at)
