"""Binding a phone, steps 1 to 3: code by SMS, then a second proof of the person.

Each step repeats safely for ten minutes: the same proof gives the same answer, another
one counts as a try. Proofs are only reserved here; `devices.bind` uses them up.
"""

import secrets
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from app import audit, database
from app.auth import signing
from app.auth.actor import Actor, CustomerStatus
from app.auth.applicant import (
    READ,
    Activation,
    Enrolment,
    EnrolmentState,
    IdentityMethod,
    Proven,
    Sent,
    StartRequest,
    read_enrolment,
    require_valid,
    sms_text,
)
from app.auth.device import COLUMNS, read_device
from app.auth.directory import Directory, Listed
from app.auth.errors import EnrolmentExpired, InvalidCredential
from app.auth.otp import EnrolmentId, Otps
from app.auth.outbox import Outbox
from app.auth.throttle import Throttle
from app.clock import Clock
from app.database import Tx
from app.errors import NotAllowed, Refusal
from app.ids import CustomerId
from app.integrations.identity import IdentityProof, ProofRef
from app.settings import Settings
from app.vault import Vault

_TRIES = 3
_NOBODY = CustomerId(UUID(int=0))


class Enrolments:
    """Walks a new phone to its binding nonce.

    Args:
        clock: the bank's clock.
        settings: lives and tries.
        vault: recognises a repeated proof.
        directory: finds customers by phone and number.
        otps: makes and compares the codes.
        outbox: sends them.
        identity: checks activation codes.
        throttle: counts by number and address.
    """

    def __init__(  # noqa: PLR0913  -- the composition root names them all
        self,
        *,
        clock: Clock,
        settings: Settings,
        vault: Vault,
        directory: Directory,
        otps: Otps,
        outbox: Outbox,
        identity: IdentityProof,
        throttle: Throttle,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._vault = vault
        self._directory = directory
        self._otps = otps
        self._outbox = outbox
        self._identity = identity
        self._throttle = throttle

    async def start(self, actor: Actor, request: StartRequest) -> Sent:
        """Begin an enrolment and send a code; unknown numbers look the same.

        With a right activation code the customer has a quota of his own; a wrong one
        sends nothing and is charged to the address only.

        Raises:
            ValidationFailed: not a phone number in E.164.
            RateLimited: the number's or the address's quota is used up.
        """
        require_valid(request)
        await self._throttle.enrol_address(actor.origin)
        customer = await self._directory.by_phone(request.phone)
        phone = self._directory.phone_value(request.phone)
        if customer is not None:
            phone = customer.phone
        sends_to = customer
        if request.activation is None:
            await self._throttle.enrol(phone[1].hex())
        else:
            sends_to = await self._code_first(request.activation, phone)
        enrolment = EnrolmentId(UUID(bytes=secrets.token_bytes(16)))
        now = self._clock.now()

        async def work(tx: Tx) -> Sent:
            await self._insert(tx, actor, enrolment, request, phone)
            entry = actor.entry("enrolment.started", now, object=None)
            audit.append(tx, entry)
            return await self._send(tx, actor, enrolment, request.model, sends_to)

        return await database.transaction(work, name="auth.enrolment_start")

    async def resend(self, actor: Actor, enrolment_id: EnrolmentId) -> Sent:
        """Send a new code; the old one dies.

        Raises:
            EnrolmentExpired: too old, or the phone is proven already.
            RateLimited: the number's quota is used up.
        """
        found = await self._live(enrolment_id, EnrolmentState.STARTED)
        await self._throttle.enrol_address(actor.origin)
        await self._throttle.enrol(found.phone[1].hex())
        customer = await self._directory.by_phone_value(found.phone)

        async def work(tx: Tx) -> Sent:
            return await self._send(tx, actor, found.id, found.model, customer)

        return await database.transaction(work, name="auth.enrolment_resend")

    async def verify(
        self, actor: Actor, enrolment_id: EnrolmentId, otp: str
    ) -> list[IdentityMethod]:
        """Take the code of step 2; gives the methods of step 3.

        Raises:
            InvalidCredential: wrong code.
            EnrolmentExpired: too old, or the code has no try left.
        """
        found = await self._live(
            enrolment_id,
            EnrolmentState.STARTED,
            EnrolmentState.PHONE_PROVEN,
            EnrolmentState.IDENTITY_PROVEN,
        )
        proven = found.state is not EnrolmentState.STARTED
        now = self._clock.now()

        async def work(tx: Tx) -> Refusal | None:
            right = await self._otps.check(tx, found.id, otp, proven=proven)
            if right is None:
                raise EnrolmentExpired
            if not right:
                entry = actor.entry(
                    "enrolment.otp_failed", now, outcome=audit.Outcome.DENIED
                )
                audit.append(tx, entry)
                return InvalidCredential()
            await tx.rows(
                "UPDATE enrolment SET state = 'PHONE_PROVEN' "
                "WHERE id = $1 AND state = 'STARTED' RETURNING id",
                found.id,
            )
            return None

        await database.transaction(work, name="auth.enrolment_verify")
        return list(IdentityMethod)

    async def prove(
        self, actor: Actor, enrolment_id: EnrolmentId, given: Activation
    ) -> Proven:
        """Take the second proof of step 3; repeated, it gives a fresh nonce.

        Raises:
            InvalidCredential: number or code is wrong, or they do not fit the phone.
            EnrolmentExpired: too old, not that far, or three wrong tries.
            NotAllowed: staff blocked the customer; told once identity is proven.
        """
        found = await self._live(
            enrolment_id, EnrolmentState.PHONE_PROVEN, EnrolmentState.IDENTITY_PROVEN
        )
        if self._is_repeated(found, given) and found.customer and found.proof:
            return await self._proven(actor, found, given, found.customer, found.proof)
        attempts = await self._charge(found)
        listed = await self._directory.by_number(given.customer_number)
        fits = listed is not None and listed.phone == found.phone
        proof = await self._identity.check(
            listed.id if listed is not None and fits else _NOBODY,
            given.code,
            at=self._clock.now(),
            charge=fits,
        )
        if listed is None or not fits or proof is None:
            customer = listed.id if listed is not None and fits else None
            return await self._not_proven(actor, found, customer, attempts)
        if listed.status is CustomerStatus.BLOCKED_BY_STAFF:
            raise NotAllowed("Please call the bank.")
        return await self._proven(actor, found, given, listed.id, proof)

    # -------------------------------------------------------------- inside

    async def _code_first(
        self, given: Activation, phone: tuple[int, bytes]
    ) -> Listed | None:
        """Give the customer of a right activation code, charging his own quota."""
        listed = await self._directory.by_number(given.customer_number)
        fits = listed is not None and listed.phone == phone
        proof = await self._identity.check(
            listed.id if listed is not None and fits else _NOBODY,
            given.code,
            at=self._clock.now(),
            charge=False,
        )
        if listed is None or not fits or proof is None:
            return None
        await self._throttle.enrol(str(listed.id))
        return listed

    async def _insert(
        self,
        tx: Tx,
        actor: Actor,
        enrolment: EnrolmentId,
        request: StartRequest,
        phone: tuple[int, bytes],
    ) -> None:
        now = self._clock.now()
        await tx.rows(
            "INSERT INTO enrolment (id, phone_lookup, phone_key_id, platform, model, "
            "app_version, state, code_first, source, created_at, expires_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, 'STARTED', $7, $8, $9, $10) RETURNING id",
            enrolment,
            phone[1],
            phone[0],
            request.platform,
            request.model,
            request.app_version,
            request.activation is not None,
            actor.origin.address,
            now,
            now + timedelta(seconds=self._settings.enrolment_s),
        )

    async def _send(
        self,
        tx: Tx,
        actor: Actor,
        enrolment: EnrolmentId,
        model: str | None,
        customer: Listed | None,
    ) -> Sent:
        """Make a code; a number nobody has gets the same work and no message."""
        code, expires_at = await self._otps.make(tx, enrolment)
        host = urlsplit(self._settings.public_url).hostname
        text = sms_text(code, model, host)
        if customer is None:
            await self._outbox.put_nowhere(tx, text)
        else:
            to = self._directory.phone_of(customer)
            await self._outbox.put(tx, to, text, expires_at)
        audit.append(tx, actor.entry("enrolment.otp_sent", self._clock.now()))
        return Sent(
            enrolment=enrolment,
            otp_expires_at=expires_at,
            resend_after_s=self._settings.limit_resend.window_s,
        )

    async def _live(
        self, enrolment_id: EnrolmentId, *states: EnrolmentState
    ) -> Enrolment:
        row = await database.read_one(READ, enrolment_id)
        if row is None:
            raise EnrolmentExpired
        found = read_enrolment(row)
        if found.state not in states or found.expires_at <= self._clock.now():
            raise EnrolmentExpired
        return found

    def _is_repeated(self, found: Enrolment, given: Activation) -> bool:
        if found.state is not EnrolmentState.IDENTITY_PROVEN or not found.proof_mac:
            return False
        return signing.same(
            self._mac(found.id, given, found.proof_key_id), found.proof_mac
        )

    def _mac(
        self, enrolment: EnrolmentId, given: Activation, key_id: int | None = None
    ) -> bytes:
        text = signing.jcs([str(enrolment), given.customer_number, given.code])
        return self._vault.mac("mac/proof", text.encode(), key_id)

    async def _charge(self, found: Enrolment) -> int:
        """Count a try of step 3, committed before anything is compared."""

        async def work(tx: Tx) -> int:
            row = await tx.one(
                "UPDATE enrolment SET attempts = attempts + 1 WHERE id = $1 "
                "AND attempts < $2 AND state IN ('PHONE_PROVEN', 'IDENTITY_PROVEN') "
                "RETURNING attempts",
                found.id,
                _TRIES,
            )
            if row is None:
                raise EnrolmentExpired
            return row.get("attempts", int)

        return await database.transaction(work, name="auth.enrolment_charge")

    async def _not_proven(
        self,
        actor: Actor,
        found: Enrolment,
        customer: CustomerId | None,
        attempts: int,
    ) -> Proven:
        now = self._clock.now()

        async def work(tx: Tx) -> Refusal | Proven:
            if attempts >= _TRIES:
                await tx.rows(
                    "UPDATE enrolment SET state = 'DEAD' "
                    "WHERE id = $1 AND state <> 'DONE' RETURNING id",
                    found.id,
                )
            audit.append(
                tx,
                audit.Entry(
                    action="enrolment.identity_failed",
                    at=now,
                    request_id=actor.origin.request_id,
                    customer=customer,
                    address=actor.origin.address,
                    outcome=audit.Outcome.DENIED,
                ),
            )
            return InvalidCredential()

        return await database.transaction(work, name="auth.enrolment_refuse")

    async def _proven(
        self,
        actor: Actor,
        found: Enrolment,
        given: Activation,
        customer: CustomerId,
        proof: ProofRef,
    ) -> Proven:
        nonce = secrets.token_bytes(signing.NONCE_BYTES)
        now = self._clock.now()

        async def work(tx: Tx) -> Proven:
            row = await tx.one(
                "UPDATE enrolment SET state = 'IDENTITY_PROVEN', customer_id = $2, "
                "proof_kind = $3, proof_ref = $4, proof_mac = $5, proof_key_id = $6, "
                "nonce_hash = $7, attempts = 0 WHERE id = $1 "
                "AND state IN ('PHONE_PROVEN', 'IDENTITY_PROVEN') RETURNING expires_at",
                found.id,
                customer,
                proof.kind,
                proof.id,
                self._mac(found.id, given),
                self._vault.pepper.current,
                signing.sha256(nonce),
            )
            if row is None:
                raise EnrolmentExpired
            audit.append(
                tx,
                audit.Entry(
                    action="enrolment.identity_proven",
                    at=now,
                    request_id=actor.origin.request_id,
                    customer=customer,
                    actor_kind=audit.ActorKind.CUSTOMER,
                    actor_id=str(customer),
                    address=actor.origin.address,
                ),
            )
            rows = await tx.rows(
                f"SELECT {COLUMNS} FROM device WHERE customer_id = $1 "  # noqa: S608  -- our own column list
                "AND state <> 'REVOKED' ORDER BY bound_at DESC",
                customer,
            )
            return Proven(
                binding_nonce=nonce,
                binding_expires_at=row.get("expires_at", datetime),
                bound_devices=tuple(read_device(one, now) for one in rows),
            )

        return await database.transaction(work, name="auth.enrolment_prove")
