"""How much a customer may pay: set aside with each payment, shown, chosen.

The bank's rules and their amounts are rows (`limit_rule`). A lower choice counts at
once, also from a phone in its waiting time; a higher one after 24 hours, never from
such a phone and never above the ceiling. Source: banking.md section 4.5, auth.md 6.3.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from app import database
from app.accounts.accounts import Accounts
from app.auth import alerts, denials, factors
from app.auth.actor import Actor, FactorKind
from app.auth.cooling import Statements, Trust, trust_of
from app.auth.errors import CoolingPeriod
from app.auth.outcomes import Outcomes
from app.auth.step_up import Grant, StepUps, StepUpWish
from app.clock import Clock, rfc3339
from app.database import Tx
from app.errors import Conflict, NotFound, NotSupported, Refusal, ValidationFailed
from app.ids import BeneficiaryId, LimitId
from app.money import MINOR_MAX, Money
from app.payments import address_book, limit_rules, limit_texts, limit_use
from app.payments.errors import CurrencyMismatch, LimitExceeded
from app.payments.limit import (
    Limit,
    Period,
    Rule,
    Scope,
    of_customer,
)
from app.payments.limit_caps import Cap, Caps, about, counters
from app.payments.limit_use import Counter
from app.payments.payment import Payment
from app.realtime import coding, log
from app.realtime.facts import LimitChanged
from app.realtime.shots import LimitShot
from app.settings import Settings

OPERATION = "limitSet"
_AMOUNT = ("amount",)
_MAX = ("max",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A limit after its customer's choice, and from when the choice counts."""

    limit: LimitShot
    effective_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeLimits:
    """What limits payments to one payee.

    Args:
        cooling: what may still be paid in its waiting time; None when that is over.
        own: the customer's own limit; None: none.
    """

    cooling: Money | None
    own: Limit | None


class Limits:
    """The limits of every customer.

    Args:
        settings: how long a raise waits, and what phones must say about themselves.
        clock: the bank's clock; its zone is where days turn.
        accounts: in which currencies a customer pays.
        step_ups: asks for the approval of a choice.
        outcomes: gives a lost answer again.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        accounts: Accounts,
        step_ups: StepUps,
        outcomes: Outcomes,
    ) -> None:
        self._raise_after = timedelta(seconds=settings.limit_raise_s)
        self._policy = settings.attestation
        self._clock = clock
        self._accounts = accounts
        self._step_ups = step_ups
        self._outcomes = outcomes

    # -------------------------------------------------------------- paying

    async def reserve(
        self,
        tx: Tx,
        actor: Actor,
        payment: Payment,
        *,
        again: bool = False,
        trust: Trust | None = None,
    ) -> None:
        """Set a payment's amount aside in every limit it meets, or in none.

        Args:
            tx: the transaction that writes the payment.
            actor: from which phone it is asked for.
            payment: the row is written.
            again: another phone may have asked before: what the payment is counted by
                already stays and is not counted twice.
            trust: how far the phone is trusted, where this transaction has read it.

        Raises:
            LimitExceeded: carries the limit that leaves the least.
            CoolingPeriod: the phone or the payee is new; carries what goes now.
            NotSupported: the bank has no limits for this currency, so no payments.
        """
        now = self._clock.now()
        caps = await self._met(tx.rows, actor, payment, trust)
        already = await limit_use.rules_of(tx, payment.id) if again else set()
        caps = [one for one in caps if one.rule is None or one.rule.id not in already]
        minor = payment.amount.minor
        if any(minor > cap.most for cap in caps):
            raise await self._no(tx.rows, actor, payment, caps, ())
        await limit_use.reserve(tx, payment, counters(caps))
        took: list[Counter] = []
        for cap in sorted(caps, key=_order):
            if cap.counter is None:
                continue
            if not await limit_use.take(tx, cap.counter, minor, cap.most, now):
                raise await self._no(tx.rows, actor, payment, caps, took)
            took.append(cap.counter)

    async def _met(
        self, ask: Statements, actor: Actor, payment: Payment, here: Trust | None = None
    ) -> list[Cap]:
        customer, now = payment.customer, self._clock.now()
        currencies = [payment.amount.currency]
        rules = await limit_rules.in_force(ask, customer, currencies, now)
        rules = [one for one in rules if one.rail in {None, payment.rail}]
        if not any(one.scope is Scope.BANK for one in rules):
            raise NotSupported(
                "Payments in this currency are not offered.",
                field=["amount", "currency"],
            )
        found = await self._caps(ask, actor, here)
        caps = found.of_customer(rules)
        payee = payment.destination.beneficiary
        if payee is not None:
            for terms in await address_book.terms(ask, customer, [payee]):
                caps += found.of_payee(rules, terms)
        return caps

    async def _no(
        self,
        ask: Statements,
        actor: Actor,
        payment: Payment,
        caps: Sequence[Cap],
        took: Collection[Counter],
    ) -> Refusal:
        """Say the smallest limit; what this transaction took goes with it."""
        taken = await limit_use.taken(
            ask, counters(caps), self._clock.now(), payment.id.value
        )
        for counter in took:
            if counter.period is not Period.ROLLING_DAY:
                taken[counter] -= payment.amount.minor
        cap = min(caps, key=lambda one: one.left(taken))
        left = Money(cap.left(taken), payment.amount.currency)
        if cap.ends_at is not None:
            return CoolingPeriod(
                cap.ends_at, left if left.minor else None, field=_AMOUNT
            )
        shown = cap.shown or about(
            cap, (await self._caps(ask, actor)).shown(caps, taken)
        )
        return LimitExceeded(shown, field=_AMOUNT)

    # -------------------------------------------------------------- reading

    async def foreseen(
        self, actor: Actor, payment: Payment
    ) -> tuple[Limit, Refusal | None]:
        """Give the limit that a payment would come closest to, and its refusal if any.

        Raises:
            NotSupported: the bank has no limits for this currency, so no payments.
        """
        ask: Statements = database.read
        caps = await self._met(ask, actor, payment)
        taken = await limit_use.taken(ask, counters(caps), self._clock.now())
        near = min(caps, key=lambda one: one.left(taken))
        over = near.left(taken) < payment.amount.minor
        no = await self._no(ask, actor, payment, caps, ()) if over else None
        found = await self._caps(ask, actor)
        return near.shown or about(near, found.shown(caps, taken)), no

    async def of(self, actor: Actor) -> list[Limit]:
        """Give the customer's limits as they are on the phone that asks."""
        currencies = await self._accounts.currencies(actor.known_customer)
        found = await self._caps(database.read, actor)
        rules = await self._rules(database.read, actor, currencies)
        return await self._shown(database.read, found, rules)

    async def of_payees(
        self, actor: Actor, payees: Sequence[BeneficiaryId]
    ) -> dict[BeneficiaryId, PayeeLimits]:
        """Give what limits payments to some of the caller's payees.

        The allowance of a new payee is in the currency of the customer's first
        account, because a payee has none of its own.
        """
        customer = actor.known_customer
        currencies = await self._accounts.currencies(customer)
        if not currencies or not payees:
            return {}
        rules = await self._rules(database.read, actor, currencies)
        found = await self._caps(database.read, actor)
        terms = await address_book.terms(database.read, customer, payees)
        caps = {one.id: found.of_payee(rules, one) for one in terms}
        every = [cap for of_one in caps.values() for cap in of_one]
        taken = await limit_use.taken(database.read, counters(every), found.now)
        return {
            payee: _of_payee(of_one, taken, currencies[0])
            for payee, of_one in caps.items()
        }

    async def _caps(
        self, ask: Statements, actor: Actor, trust: Trust | None = None
    ) -> Caps:
        now = self._clock.now()
        return Caps(
            customer=actor.known_customer,
            trust=trust or await trust_of(ask, actor.known_device, self._policy, now),
            now=now,
            zone=self._clock.zone,
        )

    async def _rules(
        self, ask: Statements, actor: Actor, currencies: Sequence[str]
    ) -> list[Rule]:
        customer, now = actor.known_customer, self._clock.now()
        return await limit_rules.in_force(ask, customer, currencies, now)

    async def _shown(
        self, ask: Statements, found: Caps, rules: Sequence[Rule]
    ) -> list[Limit]:
        caps = found.of_customer(rules)
        taken = await limit_use.taken(ask, counters(caps), found.now)
        return found.shown(caps, taken)

    # -------------------------------------------------------------- choosing

    async def choose(self, actor: Actor, limit: str, most: Money) -> Chosen:
        """Set a limit of the caller's.

        Raises:
            NotFound: no such limit of this customer.
            ValidationFailed: the amount is not greater than zero.
            CurrencyMismatch: the limit is kept in another currency.
            LimitExceeded: more than the ceiling.
            CoolingPeriod: a raise, and this phone is in its waiting time.
            StepUpRequired: the approval that is needed; a raise takes mPIN or
                biometric key.
        """
        wish = _wish(limit, most)
        kept = await self._outcomes.once(
            actor, wish, partial(self._chosen, actor, limit, most, wish)
        )
        at = datetime.fromisoformat(str(kept["effectiveAt"]))
        fact = coding.decode(
            LimitChanged.__name__, str(kept["limit"]), actor.known_customer, at
        )
        assert isinstance(fact, LimitChanged)  # noqa: S101  -- `_written` kept it
        return Chosen(limit=fact.limit, effective_at=at)

    async def _chosen(
        self, actor: Actor, limit: str, most: Money, wish: StepUpWish
    ) -> Mapping[str, object]:
        async with denials.kept(actor, "limit.changed", self._clock, limit):
            kept_in = await self._accounts.currencies(actor.known_customer)
            rule = await self._judged(database.read, actor, limit, most, kept_in)
            raised = most.minor > rule.max
            grant = await self._step_ups.require(
                actor,
                replace(
                    wish,
                    summary=limit_texts.summary(rule, most, self._raise_after),
                    sensitive=raised,
                ),
            )
            return await database.transaction(
                lambda tx: self._written(tx, actor, (limit, most), grant),
                name="payments.limit_set",
            )

    async def _judged(
        self,
        ask: Statements,
        actor: Actor,
        limit: str,
        most: Money,
        currencies: Sequence[str],
    ) -> Rule:
        """Find the rule behind a limit and say every "no" there is to say."""
        customer, found = actor.known_customer, await self._caps(ask, actor)
        rules = await self._rules(ask, actor, currencies)
        name = LimitId.parse(limit)
        banks = [rule for rule in rules if rule.scope is Scope.BANK]
        rule = next((one for one in banks if of_customer(one, customer) == name), None)
        if rule is None:
            raise NotFound(field=["id"])
        if most.currency != rule.currency:
            raise CurrencyMismatch(field=[*_MAX, "currency"])
        if not 0 < most.minor <= MINOR_MAX:
            raise ValidationFailed(
                "The limit must be greater than zero.", field=[*_MAX, "minorUnits"]
            )
        if most.minor > rule.ceiling:
            shown = await self._shown(ask, found, rules)
            named = next(one for one in shown if one.id == name)
            raise LimitExceeded(named, field=_MAX)
        if most.minor > rule.max and found.trust.cooling_until is not None:
            raise CoolingPeriod(found.trust.cooling_until, field=_MAX)
        return rule

    async def _written(
        self, tx: Tx, actor: Actor, chosen: tuple[str, Money], grant: Grant
    ) -> Mapping[str, object]:
        """Write the choice, use the approval up, tell every phone."""
        limit, most = chosen
        customer, now = actor.known_customer, self._clock.now()
        await factors.take_turn(tx, customer)
        by = await self._step_ups.consume(tx, grant)
        rule = await self._judged(tx.rows, actor, limit, most, [most.currency])
        raised = most.minor > rule.max
        if raised and by is FactorKind.WEBAUTHN:
            raise Conflict  # it was a lower one when the passkey approved it
        counts_from = now + self._raise_after if raised else None
        await limit_rules.choose(tx, customer, rule, most.minor, counts_from)
        rules = await self._rules(tx.rows, actor, [rule.currency])
        here = await self._caps(tx.rows, actor)
        name = LimitId.parse(limit)
        anywhere = await self._shown(tx.rows, replace(here, trust=Trust()), rules)
        told = next(one for one in anywhere if one.id == name)
        fact = LimitChanged(customer=customer, occurred_at=now, limit=told.shot())
        log.append(tx, fact)
        entry = actor.entry(
            "limit.changed",
            now,
            object=limit,
            detail={
                "from": f"{rule.max} {rule.currency}",
                "to": f"{most.minor} {most.currency}",
                "raised": raised,
            },
        )
        later = self._raise_after if raised else None
        alerts.tell(tx, entry, limit_texts.title(rule, most, later))
        answer = next(
            one for one in await self._shown(tx.rows, here, rules) if one.id == name
        )
        kept = {
            "limit": coding.encode(replace(fact, limit=answer.shot())),
            "effectiveAt": rfc3339(counts_from or now),
        }
        await self._outcomes.keep(tx, grant, kept)
        return kept


def _order(cap: Cap) -> tuple[Any, ...]:
    return () if cap.counter is None else cap.counter.order


def _of_payee(
    caps: Sequence[Cap], taken: Mapping[Counter, int], currency: str
) -> PayeeLimits:
    left = [
        cap.left(taken) for cap in caps if cap.rule and cap.rule.currency == currency
    ]
    return PayeeLimits(
        cooling=Money(min(left), currency) if left else None,
        own=next((cap.shown for cap in caps if cap.shown), None),
    )


def _wish(limit: str, most: Money) -> StepUpWish:
    figure = {"currency": most.currency, "minorUnits": str(most.minor)}
    return StepUpWish(
        operation=OPERATION, input={"id": limit, "max": figure}, summary=""
    )
