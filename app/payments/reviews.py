"""Payments that a person looks at before they may go on, and the decisions of rules.

Who decides gives a name and a reason; both stand in the audit. What is released still
waits for its customer, who approves it with a challenge made then (banking.md 4.3).
"""

from dataclasses import dataclass
from datetime import timedelta

from app import audit, database, telemetry
from app.auth.standing import Staff, require_staff
from app.clock import Clock
from app.database import Tx
from app.errors import ErrorCode, NotAllowed, NotFound
from app.ids import MalformedId, PaymentId
from app.integrations.fraud import MalformedFacts, RiskDecision, RiskEngine
from app.payments import decisions, moves, news, records
from app.payments.decisions import Decided
from app.payments.lifecycle import Event
from app.payments.moves import Move
from app.payments.passage import Passage
from app.payments.payment import Payment, StepDetail, StepSource
from app.payments.screening import UNJUDGED
from app.settings import Settings

LISTED_MAX = 200
_OWN = "bank."  # our own reasons beside those of the rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A payment under review, and why."""

    payment: Payment
    decided: Decided | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A stored decision, made again from its stored facts.

    Args:
        decided: as it was made then.
        again: what the rules of this process say; None: no facts were stored.
        is_same: the same rules gave the same score for the same reasons. None where
            they cannot be compared: other rules, or none decided then.
    """

    decided: Decided
    again: RiskDecision | None
    is_same: bool | None


class Reviews:
    """The staff's side of risky payments.

    Args:
        settings: how long a released payment waits for its customer.
        clock: the bank's clock.
        passage: knows the paying account.
        engine: hears what people found, and decides again.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        passage: Passage,
        engine: RiskEngine,
    ) -> None:
        self._waits = timedelta(seconds=settings.review_s)
        self._deadline_s = settings.fraud_deadline_s
        self._clock = clock
        self._passage = passage
        self._engine = engine

    async def waiting(self) -> list[Held]:
        """List payments under review, the oldest first, at most 200."""
        found = await records.held(self._clock.now(), LISTED_MAX)
        known = await decisions.several([one.id for one in found])
        return [Held(payment=one, decided=known.get(one.id)) for one in found]

    async def release(self, staff: Staff, payment: str) -> Payment:
        """Let a payment go on: its customer has 24 hours to approve it.

        Raises:
            NotFound: no such payment.
            NotAllowed: it waits for no review any more.
            ValidationFailed: who or why is missing.
        """
        return await self._decided(
            staff, payment, Event.RELEASED_BY_REVIEW, StepDetail.RELEASED, "released"
        )

    async def refuse(self, staff: Staff, payment: str) -> Payment:
        """End a payment; the customer learns that it was not accepted, not by what.

        Raises:
            NotFound, NotAllowed, ValidationFailed: as `release`.
        """
        return await self._decided(
            staff,
            payment,
            Event.REFUSED_BY_REVIEW,
            StepDetail.REFUSED_BY_BANK,
            "refused",
        )

    async def replay(self, payment: str) -> Replayed:
        """Make a stored decision again from its stored facts; changes nothing.

        Raises:
            NotFound: no such payment, or it is older than the rules.
        """
        try:
            decided = await decisions.find(PaymentId.parse(payment))
        except (MalformedId, MalformedFacts):
            decided = None
        if decided is None:
            raise NotFound("No decision is stored about that payment.")
        if decided.facts is None:
            return Replayed(decided=decided, again=None, is_same=None)
        again = await self._engine.assess(decided.facts, self._deadline_s)
        comparable = decided.decision.ruleset == again.ruleset != UNJUDGED
        return Replayed(
            decided=decided,
            again=again,
            is_same=_is_same(decided.decision, again) if comparable else None,
        )

    async def _decided(
        self, staff: Staff, text: str, event: Event, detail: StepDetail, truth: str
    ) -> Payment:
        require_staff(staff)
        try:
            found = await records.find(PaymentId.parse(text))
        except MalformedId:
            found = None
        if found is None:
            raise NotFound("There is no such payment.")
        account = await self._passage.account_of(found)
        now = self._clock.now()
        refused = event is Event.REFUSED_BY_REVIEW
        move = Move(
            event=event,
            at=now,
            source=StepSource.STAFF,
            detail=detail,
            code=ErrorCode.RISK_DECLINED if refused else None,
        )

        async def work(tx: Tx) -> Payment:
            held = await moves.lock_held(tx, found.id, now, now + self._waits)
            moved = None if held is None else await moves.move(tx, held, move)
            if moved is None:
                raise NotAllowed("This payment waits for no review.")
            audit.append(tx, _entry(staff, moved[0], move, truth))
            news.tell(tx, *moved, account)
            return moved[0]

        payment = await database.transaction(work, name="payments.review")
        try:
            await self._engine.feedback(payment.id.value, truth)
        except Exception as failure:  # noqa: BLE001  -- what an engine learns never undoes what a person decided
            telemetry.log.warning("risk_feedback_failed", exc_info=failure)
        return payment


def _entry(staff: Staff, payment: Payment, move: Move, truth: str) -> audit.Entry:
    return staff.entry(
        f"payment.{truth}_by_review",
        move.at,
        customer=payment.customer,
        object=str(payment.id),
        code=payment.reason,
        detail={"amount": f"{payment.amount.minor} {payment.amount.currency}"},
    )


def _is_same(stored: RiskDecision, again: RiskDecision) -> bool:
    """Compare what the rules said; what the bank added itself is not theirs."""
    theirs = tuple(one for one in stored.reasons if not one.rule.startswith(_OWN))
    added = len(theirs) < len(stored.reasons)
    same = (stored.score, theirs) == (again.score, again.reasons)
    return same and (added or stored.action is again.action)
