"""The RiskEngine port: may a payment go on, be asked about, be held, or be stopped.

The bank measures the facts and stores them with the answer, so each decision can be
explained and made again later (banking.md section 6.6).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID


class RiskAction(StrEnum):
    """What is done with a payment, from the mildest to the strictest."""

    ALLOW = "ALLOW"
    STEP_UP = "STEP_UP"
    HOLD = "HOLD"
    BLOCK = "BLOCK"

    @property
    def strictness(self) -> int:
        """Give its place in that order."""
        return list(RiskAction).index(self)


class MalformedFacts(ValueError):
    """Stored facts, or an engine's answer, do not have the form of this port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Velocity:
    """How often and how much a customer pays others, this payment among it.

    Args:
        count_5m, count_1h, count_24h: payments made within that time.
        sum_5m, sum_1h, sum_24h: their amounts in minor units, of this currency.
        waiting: minor units that other payments of the account still wait to take.
    """

    count_5m: int
    count_1h: int
    count_24h: int
    sum_5m: int
    sum_1h: int
    sum_24h: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskFacts:
    """What was measured about one payment. None is: there is no such figure.

    Args:
        currency: of all amounts here.
        amount: minor units of this payment.
        available: what can be spent on the account, in minor units.
        own_account: the money stays with the customer.
        usual: median of the settled payments to others in 90 days.
        settled: how many those are.
        velocity: how often and how much of late.
        payee_age_s: since the payee was saved.
        first_to_payee: nothing to this payee was ever settled.
        name_check: MATCH, CLOSE_MATCH, NO_MATCH or UNAVAILABLE.
        device_age_s: since the phone was bound.
        failed_logins: wrong answers on the customer's phones in 24 hours that no right
            one has made good since.
    """

    currency: str
    amount: int
    available: int
    own_account: bool
    usual: int | None
    settled: int
    velocity: Velocity
    payee_age_s: int | None
    first_to_payee: bool
    name_check: str | None
    device_age_s: int | None
    failed_logins: int

    def stored(self) -> dict[str, Any]:
        """Give the facts as JSON keeps them."""
        return asdict(self)

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "RiskFacts":
        """Read stored facts.

        Raises:
            MalformedFacts: not facts of this form.
        """
        try:
            known = {field.name: stored[field.name] for field in fields(cls)}
            known["velocity"] = Velocity(**stored["velocity"])
            return cls(**known)
        except (KeyError, TypeError) as wrong:
            raise MalformedFacts(str(wrong)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskReason:
    """One rule that was looked at: what it saw, and what that weighs.

    Args:
        rule: its name.
        band: which band the value fell into: `.01` the first; `.x00` there is no such
            figure here; `.err` it could not be measured.
        value: what was measured.
        weight: what the band adds to the score.
        key: what it stands for, for people of the bank; never shown to a customer.
    """

    rule: str
    band: str
    value: int | str | None
    weight: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskDecision:
    """What an engine says, and all it takes to say it again.

    Args:
        action: what is done.
        score: sum of the weights.
        reasons: every rule that was looked at, in the order of the file.
        ruleset: names the rules as they were: another text, another name.
    """

    action: RiskAction
    score: int
    reasons: tuple[RiskReason, ...]
    ruleset: str


class RiskEngine(Protocol):
    """Judges facts. An engine keeps no books and decides about nothing else.

    `local` says that it asks nobody: it may be asked inside a transaction.
    """

    local: bool

    async def assess(self, facts: RiskFacts, deadline_s: float) -> RiskDecision:
        """Judge a payment; who is later than the deadline is not waited for."""
        ...

    async def feedback(self, payment: UUID, truth: str) -> None:
        """Hear what people found: `released` or `refused`."""
        ...
