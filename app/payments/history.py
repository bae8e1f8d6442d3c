"""Payments as their owner reads them: one, a page, timelines, the open challenge."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from app import idempotency
from app.auth.actor import Actor
from app.auth.challenge import Challenge, ChallengeState
from app.auth.challenges import Challenges
from app.auth.errors import ChallengeExpired
from app.auth.signing import Purpose
from app.errors import NotFound
from app.ids import ChallengeId, MalformedId, PaymentId
from app.payments import noted, records
from app.payments.lifecycle import State, Status
from app.payments.payment import OPERATION, Payment, PaymentStep


class History:
    """Reads payments; whose they are is decided here."""

    def __init__(self, *, challenges: Challenges) -> None:
        self._challenges = challenges

    async def find(
        self, actor: Actor, payment: str | None = None, *, key: str | None = None
    ) -> Payment | None:
        """Give a payment of the caller by id or by the key it was created with."""
        if payment is not None:
            return await records.find(PaymentId.parse(payment), actor.known_customer)
        if key is None:
            return None
        made = await idempotency.made(actor.known_customer, OPERATION, key)
        return None if made is None else await self._now(PaymentId(made))

    async def page(
        self,
        actor: Actor,
        *,
        first: int,
        after: tuple[datetime, UUID] | None = None,
        statuses: Sequence[Status] = (),
    ) -> tuple[list[Payment], bool]:
        """List the caller's payments, newest first, and tell whether there are more.

        Args:
            actor: whose payments.
            first: rows, 1 to 100.
            after: (created_at, id) of the last row of the page before.
            statuses: only these; none is all.
        """
        customer = actor.known_customer
        found = await records.page(customer, statuses, after, first + 1)
        return found[:first], len(found) > first

    async def by_ids(
        self, actor: Actor, ids: Sequence[PaymentId]
    ) -> dict[PaymentId, Payment]:
        """Give the caller's payments by id; others are left out."""
        found = await records.several(ids)
        customer = actor.known_customer
        return {one.id: one for one in found.values() if one.customer == customer}

    async def noted(self, actor: Actor, text: str) -> tuple[PaymentId, ...]:
        """Give the caller's newest payments whose note holds a text, at most 200."""
        return await noted.noted(actor.known_customer, text)

    async def timelines(
        self, payments: Sequence[PaymentId]
    ) -> Mapping[PaymentId, list[PaymentStep]]:
        """Give the timelines of payments whose owner was decided, in one statement."""
        return await records.steps(payments)

    async def challenge_of(self, actor: Actor, payment: Payment) -> Challenge | None:
        """Give the challenge that the caller's device may answer now, if any."""
        waits = payment.state is State.AWAITING_AUTHORISATION
        if not waits or payment.challenge is None or payment.device != actor.device:
            return None
        found = await self._challenges.find(actor, payment.challenge)
        pending = found is not None and found.state is ChallengeState.PENDING
        return found if pending else None

    async def _subject(
        self, actor: Actor, challenge: ChallengeId, known: Challenge | None = None
    ) -> Payment:
        """Find the payment a challenge of the caller's device is about."""
        found = known or await self._challenges.find(actor, challenge)
        if found is None or found.purpose is not Purpose.PAYMENT:
            raise ChallengeExpired
        subject = PaymentId.parse(found.subject or "")
        payment = await records.find(subject, actor.known_customer)
        if payment is None:
            raise ChallengeExpired
        return payment

    async def _own(self, actor: Actor, text: str) -> Payment:
        try:
            found = await records.find(PaymentId.parse(text), actor.known_customer)
        except MalformedId:
            found = None
        if found is None:
            raise NotFound(field=["id"])
        return found

    async def _now(self, payment: PaymentId) -> Payment:
        found = await records.find(payment)
        assert found is not None, "payments are never deleted"  # noqa: S101  -- our bug
        return found
