"""Binding a phone, steps 1 to 3: code by SMS, then a second proof of the person.

Each step repeats safely for ten minutes: the same proof gives the same answer, another
one counts as a try. Proofs are only reserved here; `devices.bind` uses them up.
"""

import secrets
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from app import audit, database
from app.auth.actor import Actor
from app.auth.applicant import (
    Activation,
    EnrolmentState,
    IdentityMethod,
    Proven,
    Sent,
    Shown,
    StartRequest,
    find_live,
    require_valid,
    sms_text,
)
from app.auth.directory import Directory, Listed
from app.auth.errors import EnrolmentExpired, InvalidCredential
from app.auth.identification import Identification
from app.auth.identity_proofs import IdentityProofs
from app.auth.otp import EnrolmentId, Otps
from app.auth.outbox import Outbox
from app.auth.throttle import Throttle
from app.clock import Clock
from app.database import Tx
from app.errors import Refusal
from app.settings import Settings


class Enrolments:
    """Walks a new phone to its binding nonce.

    Args:
        clock: the bank's clock.
        settings: lives and tries.
        directory: finds customers by phone and number.
        otps: makes and compares the codes.
        outbox: sends them.
        proofs: which ways of step 3 are open, and a code that came first.
        identification: takes step 3.
        throttle: counts by number and address.
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
        identification: Identification,
        throttle: Throttle,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._directory = directory
        self._otps = otps
        self._outbox = outbox
        self._proofs = proofs
        self._identification = identification
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
        found = await find_live(enrolment_id, self._clock.now(), EnrolmentState.STARTED)
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
        found = await find_live(
            enrolment_id,
            self._clock.now(),
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
        return await self._proofs.methods(found.phone)

    async def prove(
        self, actor: Actor, enrolment_id: EnrolmentId, given: Shown
    ) -> Proven:
        """Take the second proof of step 3: see `Identification.prove`.

        Raises:
            InvalidCredential, CredentialLocked, EnrolmentExpired, NotAllowed: as there.
        """
        return await self._identification.prove(actor, enrolment_id, given)

    # -------------------------------------------------------------- inside

    async def _code_first(
        self, given: Activation, phone: tuple[int, bytes]
    ) -> Listed | None:
        """Give the customer of a right activation code, charging his own quota."""
        listed = await self._directory.by_number(given.customer_number)
        fits = listed is not None and self._directory.has_phone(listed, phone)
        customer = listed.id if listed is not None and fits else None
        right = await self._proofs.check_code_first(customer, given)
        if listed is None or not right:
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
