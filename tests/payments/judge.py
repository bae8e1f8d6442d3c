"""The bank's rules, until a test lets somebody else judge: late, broken or strict."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from app.integrations.fraud import RiskAction, RiskDecision, RiskFacts, RiskReason
from app.integrations.fraud.rules import Rules

Verdict = Callable[[RiskFacts], Awaitable[RiskDecision]]


@dataclass
class Judge:
    """Fits `RiskEngine`.

    Args:
        rules: judge unless `verdict` does.
        seen: the facts of every judgement.
        heard: what people found, by payment.
    """

    rules: Rules
    verdict: Verdict | None = None
    local: bool = True
    seen: list[RiskFacts] = field(default_factory=list)
    heard: list[tuple[UUID, str]] = field(default_factory=list)

    async def assess(self, facts: RiskFacts, deadline_s: float) -> RiskDecision:
        """Judge, and remember by what."""
        self.seen.append(facts)
        if self.verdict is not None:
            return await self.verdict(facts)
        return await self.rules.assess(facts, deadline_s)

    async def feedback(self, payment: UUID, truth: str) -> None:
        """Remember what people found."""
        self.heard.append((payment, truth))

    def always(self, action: RiskAction, score: int = 0) -> None:
        """Say the same of every payment from now on."""

        async def verdict(_facts: RiskFacts) -> RiskDecision:
            return said(action, score)

        self.verdict = verdict


def said(action: RiskAction, score: int = 0) -> RiskDecision:
    """Give a decision with one reason."""
    reason = RiskReason(rule="test", band=".01", value=1, weight=score, key="a_test")
    return RiskDecision(action=action, score=score, reasons=(reason,), ruleset="test")
