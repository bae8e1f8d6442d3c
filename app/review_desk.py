"""The desk's view of risky and unsure payments on the command line: lines of text.

Whoever looks is written down too: these lines show what customers pay, and to whom.
"""

from typing import Protocol

from app import audit
from app.auth.standing import Staff, require_staff
from app.clock import Clock, rfc3339
from app.integrations.fraud import RiskDecision, RiskReason
from app.payments.doubts import Doubt, Doubts
from app.payments.payment import Payment
from app.payments.reviews import Held, Reviews


class ReviewDesk(Protocol):
    """What it needs of a bank."""

    @property
    def reviews(self) -> Reviews:
        """Decides."""
        ...

    @property
    def clock(self) -> Clock:
        """The bank's clock."""
        ...


async def listed(bank: ReviewDesk, staff: Staff) -> list[str]:
    """List what waits: two lines a payment, at most 200 payments.

    Raises:
        ValidationFailed: who or why is missing.
    """
    require_staff(staff)
    found = await bank.reviews.waiting()
    await _written(bank, staff, "staff.reviews_listed", count=len(found))
    lines = [line for held in found for line in _of(held)]
    return lines or ["No payment waits for a review."]


async def released(bank: ReviewDesk, staff: Staff, payment: str) -> str:
    """Let a payment go on.

    Raises:
        NotFound, NotAllowed, ValidationFailed: as `Reviews.release`.
    """
    found = await bank.reviews.release(staff, payment)
    assert found.authorise_by is not None  # noqa: S101  -- a released one waits
    until = rfc3339(found.authorise_by)
    return f"released {found.id}; its customer may approve it until {until}"


async def refused(bank: ReviewDesk, staff: Staff, payment: str) -> str:
    """End a payment.

    Raises:
        NotFound, NotAllowed, ValidationFailed: as `Reviews.refuse`.
    """
    found = await bank.reviews.refuse(staff, payment)
    return f"refused {found.id}"


async def replayed(
    bank: ReviewDesk, staff: Staff, payment: str
) -> tuple[list[str], bool]:
    """Decide again from stored facts; tells too whether the same rules differ now.

    Raises:
        NotFound, ValidationFailed: no decision is stored; who or why is missing.
    """
    require_staff(staff)
    found = await bank.reviews.replay(payment)
    await _written(bank, staff, "staff.decision_replayed", subject=payment)
    then, again = found.decided.decision, found.again
    lines = [_summary("then", then), *_reasons(then.reasons)]
    if again is None:
        lines.append("No rule decided then: no facts were there in time.")
        return lines, False
    lines += [_summary("now", again), *_reasons(again.reasons)]
    verdicts = {
        True: "The same rules say the same.",
        False: "The same rules say something else: this must not be.",
        None: "Decided without these rules: another text of them, or none in time.",
    }
    return [*lines, verdicts[found.is_same]], found.is_same is False


async def unsure(doubts: Doubts, staff: Staff) -> list[str]:
    """List payments nobody is sure of, one line each.

    Raises:
        ValidationFailed: who or why is missing.
    """
    found = await doubts.unsure(staff)
    return [_doubt(one) for one in found] or ["Nobody has a doubt."]


def _of(held: Held) -> list[str]:
    first = _payment(held.payment)
    if held.decided is None:
        return [first]
    return [first, "  " + _summary("risk", held.decided.decision), *_seen(held)]


def _seen(held: Held) -> list[str]:
    assert held.decided is not None  # noqa: S101  -- asked above
    reasons = held.decided.decision.reasons
    weighty = [one for one in reasons if one.weight or one.rule.startswith("bank.")]
    return _reasons(weighty)


def _payment(payment: Payment) -> str:
    until = "-" if payment.authorise_by is None else rfc3339(payment.authorise_by)
    way = payment.destination
    return (
        f"{payment.id}  until {until}  {payment.amount.minor} minor "
        f"{payment.amount.currency}  {way.payer.masked} -> "
        f"{way.payee.name} {way.payee.masked}"
    )


def _doubt(found: Doubt) -> str:
    """Write one payment: what it is, who has to act, and by which ids to ask."""
    payment = found.payment
    whose = "WORKER" if payment.manual_since is None else "STAFF"
    parts = [
        str(payment.id),
        "CONFLICT" if payment.conflict else whose,
        payment.state.value,
        f"{payment.amount.minor} {payment.amount.currency}",
        payment.rail,
    ]
    if found.op is not None and found.first_sent_at is not None:
        parts += [f"{found.kind} {found.op}", f"since {rfc3339(found.first_sent_at)}"]
        parts += [f"asked {found.tries} times"]
    if found.provider_ref is not None:
        parts.append(f"reference {found.provider_ref}")
    return "  ".join(parts)


def _summary(when: str, decision: RiskDecision) -> str:
    return f"{when}: {decision.action} score {decision.score} ({decision.ruleset})"


def _reasons(reasons: list[RiskReason] | tuple[RiskReason, ...]) -> list[str]:
    return [
        f"    {one.weight:>4}  {one.rule}{one.band}  {one.key}: {one.value}"
        for one in reasons
    ]


async def _written(
    bank: ReviewDesk,
    staff: Staff,
    action: str,
    *,
    subject: str | None = None,
    count: int | None = None,
) -> None:
    detail = None if count is None else {"payments": count}
    await audit.alone(
        staff.entry(action, bank.clock.now(), object=subject, detail=detail)
    )
