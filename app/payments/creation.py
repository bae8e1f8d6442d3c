"""How a payment comes to be: judged by every rule, then written in one transaction, T1.

Nothing exists before T1 commits. What the risk engine said decides where the payment
begins: it waits for its customer, for a review, or it ends (banking.md section 4.2).
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType

from app import database, idempotency, telemetry
from app.accounts.account import shot
from app.auth.actor import Actor
from app.auth.challenge import Challenge
from app.auth.challenges import Challenges
from app.auth.errors import CoolingPeriod
from app.auth.sessions import Presence, Sessions
from app.clock import Clock
from app.database import Tx
from app.errors import ErrorCode, NotAllowed
from app.ids import PaymentId
from app.integrations.fraud import RiskAction
from app.payments import (
    address_book,
    approval,
    decisions,
    lifecycle,
    moves,
    news,
    texts,
)
from app.payments.draft import Draft
from app.payments.intake import Intake
from app.payments.lifecycle import Event, State
from app.payments.limits import Limits
from app.payments.payment import (
    OPERATION,
    Payment,
    PaymentRequest,
    StepDetail,
    StepSource,
)
from app.payments.screening import Judgement, Outrun, Screening
from app.settings import Settings

_EVENT = MappingProxyType(
    {
        RiskAction.ALLOW: Event.CREATED,
        RiskAction.STEP_UP: Event.CREATED,
        RiskAction.HOLD: Event.CREATED_FOR_REVIEW,
        RiskAction.BLOCK: Event.BLOCKED_BY_RISK,
    }
)


@dataclass(frozen=True, slots=True)
class Made:
    """A new payment, and the challenge it waits for; None where it waits for none."""

    payment: Payment
    challenge: Challenge | None


class Creation:
    """Makes payments out of requests.

    Args:
        settings: how long a payment waits for its customer, or for a review.
        clock: the bank's clock.
        intake: judges the request itself.
        screening: judges how risky it is.
        limits: sets its amount aside.
        challenges: asks the customer for her approval.
        sessions: knows who is still signed in.
    """

    def __init__(  # noqa: PLR0913  -- one argument per collaborator
        self,
        *,
        settings: Settings,
        clock: Clock,
        intake: Intake,
        screening: Screening,
        limits: Limits,
        challenges: Challenges,
        sessions: Sessions,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._intake = intake
        self._screening = screening
        self._limits = limits
        self._challenges = challenges
        self._sessions = sessions

    async def made(self, actor: Actor, request: PaymentRequest) -> Made | PaymentId:
        """Make a payment; gives only the id where the key has made one before.

        Raises:
            IdempotencyKeyReused: the key was used with another body.
            Refusal: what `Intake.judged` and `Limits.reserve` say no to; nothing
                exists then.
            NotAllowed: this phone has no factor that could approve.
        """
        fingerprint = texts.fingerprint(request.body())
        earlier = await idempotency.seen(
            actor.known_customer, OPERATION, request.key, fingerprint
        )
        if earlier is not None:
            return PaymentId(earlier.object_id)
        draft = await self._intake.judged(actor, request)
        judgement = await self._screening.judged(actor, PaymentId.new(), draft)
        while True:  # each turn is stricter than the one before: four at most
            fresh = self._fresh(actor, request, draft, judgement)
            try:
                return await self._written(actor, fresh, draft, judgement, fingerprint)
            except Outrun as faster:
                judgement = faster.judgement

    def _fresh(
        self,
        actor: Actor,
        request: PaymentRequest,
        draft: Draft,
        judgement: Judgement,
    ) -> Payment:
        state = lifecycle.moved(None, _EVENT[judgement.action])
        held, ended = state is State.HELD_FOR_REVIEW, state is State.DECLINED
        waits_s = self._settings.review_s if held else self._settings.authorise_s
        now = self._clock.now()
        return replace(
            draft.payment(actor, request, now),
            id=judgement.scope.payment,
            state=state,
            authorise_by=None if ended else now + timedelta(seconds=waits_s),
            reason=ErrorCode.RISK_DECLINED if ended else None,
        )

    async def _written(
        self,
        actor: Actor,
        fresh: Payment,
        draft: Draft,
        judgement: Judgement,
        fingerprint: bytes,
    ) -> Made | PaymentId:
        """T1, or the payment a twin made under the same key."""

        async def work(tx: Tx) -> Made | PaymentId:
            claim = await idempotency.claim(
                tx,
                fresh.customer,
                OPERATION,
                fresh.idempotency_key or "",
                fingerprint,
                fresh.id,
                at=fresh.created_at,
            )
            if not claim.fresh:
                return PaymentId(claim.object_id)
            here = await self._sessions.require_present(tx, actor)
            return await self._begun(tx, actor, fresh, draft, judgement, here)

        return await database.transaction(work, name="payments.create")

    async def _begun(
        self,
        tx: Tx,
        actor: Actor,
        fresh: Payment,
        draft: Draft,
        judgement: Judgement,
        here: Presence,
    ) -> Made:
        """Write the payment where the judgement lets it begin.

        Raises:
            Outrun: others came in between, or no factor is left that could approve.
        """
        payment, challenge = fresh, None
        source, detail = StepSource.CUSTOMER, StepDetail.CREATED
        if fresh.state is State.AWAITING_AUTHORISATION:
            risky = judgement.is_risky
            life_s = self._settings.approval_s
            wish = approval.wish(actor, fresh, draft.payee, life_s, risky=risky)
            wish = replace(wish, first=True)
            try:
                challenge = await self._challenges.create(
                    tx, actor, wish, usable=here.usable
                )
            except (CoolingPeriod, NotAllowed):
                if not risky:
                    raise
                raise Outrun(judgement.held()) from None
            payment = fresh.waiting_for(challenge.id, actor.known_device)
        else:
            held = fresh.state is State.HELD_FOR_REVIEW
            source = StepSource.RISK
            detail = StepDetail.HELD if held else StepDetail.STOPPED
        payload_hash = None if challenge is None else challenge.binding_hash
        step = await moves.insert(
            tx, payment, draft.payee_key, payload_hash, source=source, detail=detail
        )
        if not payment.is_final:
            await self._limits.reserve(tx, actor, payment, trust=here.trust)
            judgement = await self._screening.confirmed(tx, judgement)
        await decisions.store(tx, judgement)
        await self._checked(tx, payment, draft)
        self._told(tx, actor, payment, judgement)
        news.tell(tx, payment, step, shot(draft.account))
        return Made(payment, challenge)

    async def _checked(self, tx: Tx, payment: Payment, draft: Draft) -> None:
        """Keep what the quote learned of the payee's name: later payments see it."""
        beneficiary = payment.destination.beneficiary
        if not draft.checked_anew or draft.check is None or beneficiary is None:
            return
        payee = await address_book.keep_check(
            tx, payment.customer, beneficiary, draft.check
        )
        if payee is not None:
            news.payee_checked(tx, payee, payment.created_at)

    def _told(
        self, tx: Tx, actor: Actor, payment: Payment, judgement: Judgement
    ) -> None:
        """Write who asked for it and what was decided into the audit chain."""
        at = payment.created_at
        risk = {
            "risk": judgement.action.value,
            "score": judgement.decision.score,
            "ruleset": judgement.decision.ruleset,
        }
        news.by_customer(tx, actor, "payment.created", payment, at, more=risk)
        counted = telemetry.risk_decisions.labels(judgement.action, judgement.failure)
        tx.after_commit(counted.inc)
        if payment.state is State.HELD_FOR_REVIEW:
            news.by_bank(tx, "payment.held", payment, at, "payments.screening")
        elif payment.is_final:
            news.by_bank(tx, "payment.declined", payment, at, "payments.screening")
