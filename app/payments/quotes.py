"""What a payment would cost, how it would go, and what stands in its way.

Nothing is written: all that a quote promises is sealed into its id (`offers.py`).
Source: banking.md section 4.5.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.auth.actor import Actor, FactorKind
from app.auth.challenges import Challenges
from app.clock import Clock
from app.errors import Refusal
from app.integrations.fraud import RiskAction
from app.integrations.rails import INTERNAL, PayeeAddress
from app.money import Money
from app.payments import approval
from app.payments.draft import Draft
from app.payments.intake import Intake
from app.payments.limit import Limit
from app.payments.limits import Limits
from app.payments.name_checks import NameChecks
from app.payments.offers import Offers
from app.payments.payee_check import PayeeCheck, PayeeMatch
from app.payments.payment import DestinationKind, PaymentRequest
from app.payments.screening import Screening

_FRESH = timedelta(days=1)  # a check younger than this is not asked for again


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A payment as it would be now.

    Args:
        id: gives the promise back with paymentCreate.
        expires_at: until when it counts.
        fee, total: what it costs, and amount and fee together.
        rail, arrives_by: how it goes, and when the payee has it.
        check: of the payee's name; None where nothing is to be checked.
        limit: the one it comes closest to.
        allowed: what may approve it on this phone; none when it would be held.
        blockers: what paymentCreate would say no with.
    """

    id: str
    expires_at: datetime
    fee: Money
    total: Money
    rail: str
    arrives_by: datetime | None
    check: PayeeCheck | None
    limit: Limit | None
    allowed: tuple[FactorKind, ...]
    blockers: tuple[Refusal, ...]


class Quotes:
    """Makes quotes.

    Args:
        clock: the bank's clock.
        intake: looks at the request as paymentCreate does.
        screening: judges how risky it would be.
        limits: foresees which limit it meets.
        checks: asks for names.
        challenges: knows what may approve it.
        offers: seals the promise.
    """

    def __init__(  # noqa: PLR0913  -- one argument per collaborator
        self,
        *,
        clock: Clock,
        intake: Intake,
        screening: Screening,
        limits: Limits,
        checks: NameChecks,
        challenges: Challenges,
        offers: Offers,
    ) -> None:
        self._clock = clock
        self._intake = intake
        self._screening = screening
        self._limits = limits
        self._checks = checks
        self._challenges = challenges
        self._offers = offers

    async def quote(self, actor: Actor, request: PaymentRequest) -> Quote:
        """Quote a payment; writes nothing and sets nothing aside.

        Raises:
            Refusal: what `Intake.looked_at` raises, because nothing can be quoted then.
            RateLimited: too many names of payees were asked for.
            Outage: the core or the rail is away.
        """
        checked = replace(request, risk_acknowledged=True)  # judged below, anew
        draft, noes = await self._intake.looked_at(actor, checked)
        check = await self._checked(actor, draft)
        draft = replace(draft, check=check)
        mismatch = draft.mismatch()
        if mismatch is not None:
            noes.append(mismatch)
        fresh = draft.payment(actor, request, self._clock.now())
        limit, over = await self._limits.foreseen(actor, fresh)
        if over is not None:
            noes.append(over)
        judgement = await self._screening.judged(actor, fresh.id, draft)
        allowed: tuple[FactorKind, ...] = ()
        if judgement.action in {RiskAction.ALLOW, RiskAction.STEP_UP}:
            risky = judgement.is_risky
            wish = approval.wish(actor, fresh, draft.payee, 1, risky=risky)
            allowed = await self._challenges.allowed(actor, wish)
        offer = self._offers.made(
            rail=draft.rail, fee=draft.fee, arrives_by=draft.arrives_by, check=check
        )
        return Quote(
            id=self._offers.sealed(actor.known_customer, request, offer),
            expires_at=offer.expires_at,
            fee=draft.fee,
            total=draft.amount + draft.fee,
            rail=draft.rail,
            arrives_by=draft.arrives_by,
            check=check,
            limit=limit,
            allowed=allowed,
            blockers=tuple(noes),
        )

    async def _checked(self, actor: Actor, draft: Draft) -> PayeeCheck | None:
        """Give the check that was kept with the payee, or ask for a new one.

        A bank that does not tell today takes nothing back that it told before.
        """
        kept, payee = draft.check, draft.payee
        if draft.destination.kind is DestinationKind.OWN_ACCOUNT:
            return None
        told = kept is not None and kept.match is not PayeeMatch.UNAVAILABLE
        fresh = kept is not None and self._clock.now() - kept.checked_at < _FRESH
        if (told and fresh) or payee.scheme == INTERNAL:
            return kept
        address = PayeeAddress(
            scheme=payee.scheme, number=payee.address, bank_code=payee.bank_code
        )
        found = (await self._checks.check(actor, address, payee.name)).check
        return kept if told and found.match is PayeeMatch.UNAVAILABLE else found
