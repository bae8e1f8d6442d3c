"""Step 3 of enrolment: a second proof of the person, for a nonce to bind a phone with.

The same proof gives a fresh nonce for as long as the enrolment lives; another one
counts as a try. The third wrong one ends the enrolment (auth.md 3.1).
"""

import secrets
from datetime import datetime

from app import audit, database
from app.auth import approval, signing
from app.auth.actor import Actor, CustomerStatus
from app.auth.applicant import (
    Enrolment,
    EnrolmentState,
    OtherPhone,
    Proven,
    Reserved,
    Shown,
    find_live,
)
from app.auth.device import COLUMNS, read_device
from app.auth.directory import Directory
from app.auth.errors import EnrolmentExpired, InvalidCredential
from app.auth.identity_proofs import IdentityProofs
from app.auth.otp import EnrolmentId
from app.clock import Clock
from app.database import Tx
from app.errors import NotAllowed, Refusal
from app.ids import CustomerId
from app.vault import Vault

_TRIES = 3


class Identification:
    """Takes the second proof.

    Args:
        clock: the bank's clock.
        vault: recognises a repeated proof.
        directory: finds customers by number.
        proofs: compares what is shown.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        vault: Vault,
        directory: Directory,
        proofs: IdentityProofs,
    ) -> None:
        self._clock = clock
        self._vault = vault
        self._directory = directory
        self._proofs = proofs

    async def prove(
        self, actor: Actor, enrolment_id: EnrolmentId, given: Shown
    ) -> Proven:
        """Take the second proof of step 3; repeated, it gives a fresh nonce.

        Raises:
            InvalidCredential: number or proof is wrong, they do not fit the phone, or
                the customer has to use another way.
            CredentialLocked: that way is paused.
            EnrolmentExpired: too old, not that far, or three wrong tries.
            NotAllowed: staff blocked the customer; told once identity is proven.
        """
        found = await find_live(
            enrolment_id,
            self._clock.now(),
            EnrolmentState.PHONE_PROVEN,
            EnrolmentState.IDENTITY_PROVEN,
        )
        if self.is_repeated(found, given) and found.customer and found.proof:
            return await self.proven(actor, found, given, found.customer, found.proof)
        attempts = await self.charge(found)
        listed = await self._directory.by_number(given.customer_number)
        fits = listed is not None and self._directory.has_phone(listed, found.phone)
        customer = listed.id if listed is not None and fits else None
        proof = await self._proofs.check(actor, customer, given)
        if listed is None or proof is None:
            return await self.not_proven(actor, found, customer, attempts=attempts)
        if listed.status is CustomerStatus.BLOCKED_BY_STAFF:
            raise NotAllowed("Please call the bank.")
        return await self.proven(actor, found, given, listed.id, proof)

    # -------------------------------------------------------------- its steps

    def is_repeated(self, found: Enrolment, given: Shown | OtherPhone) -> bool:
        """Tell whether this is what the enrolment was given last, and took."""
        if not found.proof_mac:
            return False
        return signing.same(
            self._mac(found.id, given, found.proof_key_id), found.proof_mac
        )

    def fresh_mac(
        self, enrolment: EnrolmentId, given: Shown | OtherPhone
    ) -> tuple[int, bytes]:
        """Give what a proof is recognised by, after the id of its key."""
        return self._vault.pepper.current, self._mac(enrolment, given)

    def _mac(
        self,
        enrolment: EnrolmentId,
        given: Shown | OtherPhone,
        key_id: int | None = None,
    ) -> bytes:
        text = signing.jcs(
            [str(enrolment), given.customer_number, given.method.value, given.code]
        )
        return self._vault.mac("mac/proof", text.encode(), key_id)

    async def charge(self, found: Enrolment) -> int:
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

    async def not_proven(
        self,
        actor: Actor,
        found: Enrolment,
        customer: CustomerId | None,
        *,
        attempts: int = _TRIES,
    ) -> Proven:
        """Refuse; the third wrong try ends the enrolment.

        Args:
            actor: the applicant.
            found: the enrolment.
            customer: whose number was given, if it fits the phone.
            attempts: how many tries that were; all of them where nothing is left.

        Raises:
            InvalidCredential: always.
        """
        now = self._clock.now()

        async def work(tx: Tx) -> Refusal | Proven:
            if attempts >= _TRIES:
                await approval.end(tx, found.id)
                await self._withdraw(tx, found)
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

    async def proven(
        self,
        actor: Actor,
        found: Enrolment,
        given: Shown | OtherPhone,
        customer: CustomerId,
        proof: Reserved,
    ) -> Proven:
        """Reserve a proof that is good, and give a fresh nonce.

        Raises:
            EnrolmentExpired: it is over meanwhile.
        """
        nonce = secrets.token_bytes(signing.NONCE_BYTES)
        key_id, mac = self.fresh_mac(found.id, given)
        now = self._clock.now()

        async def work(tx: Tx) -> Proven:
            row = await tx.one(
                "UPDATE enrolment SET state = 'IDENTITY_PROVEN', customer_id = $2, "
                "proof_kind = $3, proof_ref = $4, proof_mac = $5, proof_key_id = $6, "
                "nonce_hash = $7, proof_step = $8, attempts = 0 WHERE id = $1 "
                "AND state IN ('PHONE_PROVEN', 'IDENTITY_PROVEN') RETURNING expires_at",
                found.id,
                customer,
                proof.kind,
                proof.ref,
                mac,
                key_id,
                signing.sha256(nonce),
                proof.step,
            )
            if row is None:
                raise EnrolmentExpired
            await self._withdraw(tx, found)
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

    async def _withdraw(self, tx: Tx, found: Enrolment) -> None:
        """Ask other phones no more: the enrolment went on without them, or is over."""
        if found.customer is not None:
            await approval.withdraw(tx, found.customer, approval.name_of(found.id))
