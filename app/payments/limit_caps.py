"""Which limits a payment meets, what is left of each, and what a customer sees of them.

A phone that cools, one whose statement is old, a weak one and a new payee lower what
the bank allows; the smallest decides (auth.md sections 5 and 6.3). Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from app.auth.cooling import Trust
from app.ids import BeneficiaryId, CustomerId
from app.money import Money, zero
from app.payments import limit
from app.payments.limit import Limit, LimitWindow, Period, Rule, Scope
from app.payments.limit_use import Counter

# The customer's limits that the purse of cooling phones lowers.
_PURSED = frozenset({LimitWindow.PER_TRANSACTION, LimitWindow.DAY})
_PAYEE_LIMIT = UUID(int=0)  # no rule of the bank stands behind a payee's own limit
_SHOWN = list(LimitWindow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """One limit that a payment meets.

    Args:
        rule: the bank's rule; None: the customer's own limit of a payee.
        counter: what counts it; None: each payment is judged alone.
        most: minor units in all.
        ends_at: when the waiting time behind it is over; None: no waiting time is.
        shown: the payee's own limit, where it is that.
    """

    rule: Rule | None
    counter: Counter | None
    most: int
    ends_at: datetime | None = None
    shown: Limit | None = None

    def lowers(self, window: LimitWindow) -> bool:
        """Tell whether it lowers what a customer's limit of this window shows."""
        scope = None if self.rule is None else self.rule.scope
        if scope is Scope.DEVICE_COOLING:
            return window in _PURSED
        return scope is Scope.DEVICE_WEAK and self.period == window.value

    @property
    def period(self) -> str | None:
        """Give over what the bank's rule counts."""
        return None if self.rule is None else self.rule.period.value

    def left(self, taken: Mapping[Counter, int]) -> int:
        """Give what may still be paid, minor units."""
        if self.counter is None:
            return self.most
        return max(0, self.most - taken[self.counter])


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeTerms:
    """What a payment to a saved payee meets besides.

    Args:
        id: which payee.
        cooling_until: end of its waiting time, also when that is over.
        limit: the customer's own limit for one payment; None: none.
    """

    id: BeneficiaryId
    cooling_until: datetime
    limit: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Finds the limits of one moment.

    Args:
        customer: whose payments.
        trust: of the phone that asks.
        now: the moment.
        zone: in which the bank's days turn.
    """

    customer: CustomerId
    trust: Trust
    now: datetime
    zone: ZoneInfo

    def of_customer(self, rules: Sequence[Rule]) -> list[Cap]:
        """Give the limits that all payments from this phone meet."""
        return [
            self._cap(rule, self.customer.value, self._ends(rule))
            for rule in rules
            if self._applies(rule)
        ]

    def of_payee(self, rules: Sequence[Rule], payee: PayeeTerms) -> list[Cap]:
        """Give the limits that payments to one payee meet besides."""
        found = []
        if payee.cooling_until > self.now:
            found = [
                self._cap(rule, payee.id.value, payee.cooling_until)
                for rule in rules
                if rule.scope is Scope.PAYEE_COOLING
            ]
        ceiling = None if payee.limit is None else ceiling_of(rules, payee.limit)
        if payee.limit is not None and ceiling is not None:
            shown = payee_limit(payee.id, payee.limit, ceiling)
            own = Cap(rule=None, counter=None, most=payee.limit.minor, shown=shown)
            found.append(own)
        return found

    def _applies(self, rule: Rule) -> bool:
        match rule.scope:
            case Scope.BANK:
                return True
            case Scope.DEVICE_COOLING:
                return self.trust.cooling_until is not None or self.trust.old
            case Scope.DEVICE_WEAK:
                return self.trust.weak
            case Scope.CUSTOMER | Scope.PAYEE_COOLING:
                return False

    def _ends(self, rule: Rule) -> datetime | None:
        cools = rule.scope is Scope.DEVICE_COOLING
        return self.trust.cooling_until if cools else None

    def _cap(self, rule: Rule, subject: UUID, ends_at: datetime | None) -> Cap:
        counter = Counter(
            customer=self.customer,
            rule=rule.id,
            subject=subject,
            period=rule.period,
            start=limit.window_start(rule.period, self.now, self.zone),
        )
        alone = rule.period is Period.PER_TRANSACTION
        return Cap(
            rule=rule,
            counter=None if alone else counter,
            most=rule.max,
            ends_at=ends_at,
        )

    def shown(self, caps: Sequence[Cap], taken: Mapping[Counter, int]) -> list[Limit]:
        """Give what the customer sees of the bank's limits on this phone."""
        found = [
            self._limit(cap, cap.rule, caps, taken)
            for cap in caps
            if cap.rule is not None and cap.rule.scope is Scope.BANK
        ]
        found.sort(key=lambda one: (one.max.currency, _SHOWN.index(one.window)))
        return found

    def _limit(
        self, cap: Cap, rule: Rule, caps: Sequence[Cap], taken: Mapping[Counter, int]
    ) -> Limit:
        window = LimitWindow(rule.period.value)
        lower = [
            one
            for one in caps
            if one.lowers(window) and one.rule and one.rule.currency == rule.currency
        ]
        used = 0 if cap.counter is None else taken[cap.counter]
        waits = rule.pending
        return Limit(
            id=limit.of_customer(rule, self.customer),
            name=limit.NAMES[window],
            rail=rule.rail,
            window=window,
            max=Money(min(one.most for one in (cap, *lower)), rule.currency),
            used=Money(used, rule.currency),
            remaining=Money(
                min(one.left(taken) for one in (cap, *lower)), rule.currency
            ),
            resets_at=limit.window_end(rule.period, self.now, self.zone),
            ceiling=Money(rule.ceiling, rule.currency),
            pending_max=None if waits is None else Money(waits[0], rule.currency),
            pending_from=None if waits is None else waits[1],
        )


def counters(caps: Sequence[Cap]) -> list[Counter]:
    """Give what the limits are counted by; those of one payment are not."""
    return [cap.counter for cap in caps if cap.counter is not None]


def about(cap: Cap, shown: Sequence[Limit]) -> Limit:
    """Name the customer's limit behind a refusal: the rule's own, or the day's."""
    own = [one for one in shown if one.window.value == cap.period]
    days = [one for one in shown if one.window is LimitWindow.DAY]
    return (own or days or list(shown))[0]


def payee_limit(payee: BeneficiaryId, most: Money, ceiling: Money) -> Limit:
    """Show the customer's own limit for one payment to a payee."""
    return Limit(
        id=limit.limit_id(payee.value, _PAYEE_LIMIT),
        name="Each payment to this payee",
        rail=None,
        window=LimitWindow.PER_TRANSACTION,
        max=most,
        used=zero(most.currency),
        remaining=most,
        resets_at=None,
        ceiling=ceiling,
    )


def ceiling_of(rules: Sequence[Rule], amount: Money) -> Money | None:
    """Give the most a customer may choose for one payment in an amount's currency."""
    for rule in rules:
        alone = rule.scope is Scope.BANK and rule.period is Period.PER_TRANSACTION
        if alone and rule.currency == amount.currency:
            return Money(rule.ceiling, rule.currency)
    return None
