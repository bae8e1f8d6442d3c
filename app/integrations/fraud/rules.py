"""The bank's own rules: a file of bands and weights, read at the start, added up.

A rule names one of the features below and its band edges; there are no expressions in
the file and nothing of it is run. Source: banking.md section 6.6.
"""

import hashlib
import tomllib
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app import telemetry
from app.integrations.fraud import RiskAction, RiskDecision, RiskFacts, RiskReason
from app.settings import Misconfigured

OURS = Path(__file__).with_name("rules.toml")
SETTLED_MIN = 5  # fewer payments have no "usual" amount
_NONE, _WRONG = ".x00", ".err"

Value = int | str | None
Feature = Callable[[RiskFacts], Value]


class Settings(BaseSettings):
    """Which rules."""

    model_config = SettingsConfigDict(env_prefix="SIXPENCE_FRAUD_RULES_", frozen=True)

    file: Path | None = Field(None, description="Rules of the bank; unset: ours.")


# ------------------------------------------------------------------ features


def _over_usual(facts: RiskFacts) -> Value:
    if facts.own_account or facts.settled < SETTLED_MIN or not facts.usual:
        return None
    return facts.amount * 100 // facts.usual


def _of_velocity(name: str) -> Feature:
    def feature(facts: RiskFacts) -> Value:
        return None if facts.own_account else int(getattr(facts.velocity, name))

    return feature


def _first(facts: RiskFacts) -> Value:
    return None if facts.own_account else int(facts.first_to_payee)


def _drained(facts: RiskFacts) -> Value:
    if facts.own_account:
        return None
    return (facts.amount + facts.velocity.waiting) * 100 // max(facts.available, 1)


_SUMS = ("sum_5m", "sum_1h", "sum_24h")
VELOCITY = frozenset({"count_5m", "count_1h", "count_24h", *_SUMS})
FEATURES: Mapping[str, Feature] = MappingProxyType(
    {
        "amount_over_usual": _over_usual,
        "payee_age": lambda facts: facts.payee_age_s,
        "first_to_payee": _first,
        "name_check": lambda facts: facts.name_check,
        "device_age": lambda facts: facts.device_age_s,
        "failed_logins": lambda facts: facts.failed_logins,
        "drained": _drained,
    }
    | {name: _of_velocity(name) for name in sorted(VELOCITY)}
)


# ------------------------------------------------------------------ the file


class Actions(BaseModel):
    """From which score on the customer is asked for more, and a person looks first."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    step_up: int = Field(gt=0)
    hold: int = Field(gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.hold <= self.step_up:
            raise ValueError("actions: hold is greater than step_up")
        return self


class Rule(BaseModel):
    """One rule of the file: edges with weights, or cases."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(min_length=1, max_length=40)
    feature: str
    reason: str = Field(min_length=1, max_length=40)
    edges: list[int] = Field(default_factory=list)
    weights: list[int] = Field(default_factory=list)
    cases: dict[str, int] = Field(default_factory=dict)
    none: int = Field(0, ge=0)
    block: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.feature not in FEATURES:
            raise ValueError(f"{self.name}: there is no feature {self.feature!r}")
        if bool(self.edges) == bool(self.cases):
            raise ValueError(f"{self.name}: give edges with weights, or cases")
        if len(self.weights) != (len(self.edges) + 1 if self.edges else 0):
            raise ValueError(f"{self.name}: one weight more than edges")
        if any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError(f"{self.name}: edges rise")
        if any(weight < 0 for weight in (*self.weights, *self.cases.values())):
            raise ValueError(f"{self.name}: weights are 0 or more")
        if self.block and not self.edges:
            raise ValueError(f"{self.name}: only a rule with edges can block")
        return self

    def judged(self, value: Value, factor: int) -> tuple[str, int, bool]:
        """Give band, weight, and whether it blocks; the last band of `block` does.

        Raises:
            LookupError, TypeError: not a value of this rule.
        """
        if value is None:
            return _NONE, self.none, False
        if self.cases:
            place = list(self.cases).index(str(value)) if value in self.cases else -1
            if place < 0:
                raise LookupError(value)
            return f".{place + 1:02}", self.cases[str(value)], False
        if not isinstance(value, int):
            raise TypeError(value)
        times = factor if self.feature in VELOCITY else 1
        place = bisect_right([edge * times for edge in self.edges], value)
        blocks = self.block and place == len(self.edges)
        return f".{place + 1:02}", self.weights[place], blocks


class RuleFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    actions: Actions
    units: dict[str, int]
    rules: list[Rule] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        names = [rule.name for rule in self.rules]
        if len(set(names)) != len(names):
            raise ValueError("two rules have one name")
        if any(unit <= 0 for unit in self.units.values()):
            raise ValueError("units are greater than 0")
        return self


# ------------------------------------------------------------------ the engine


class Rules:
    """Fits `RiskEngine`. Pure: the same facts and the same file, the same decision.

    Args:
        text: the file.
        factor: multiplies the edges of the velocity features; 1 in production.
    """

    local = True

    def __init__(self, text: str, factor: int = 1) -> None:
        self._file = _read(text)
        self._factor = factor
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.ruleset = digest if factor == 1 else f"{digest}x{factor}"

    async def assess(self, facts: RiskFacts, deadline_s: float) -> RiskDecision:  # noqa: ARG002  -- the port's; adding up takes no time
        """Add up what every rule says."""
        return self.judged(facts)

    def judged(self, facts: RiskFacts) -> RiskDecision:
        """Add up what every rule says."""
        reasons, blocked = [], False
        for rule in self._file.rules:
            reason, blocks = self._reason(rule, facts)
            reasons.append(reason)
            blocked = blocked or blocks
        score = sum(reason.weight for reason in reasons)
        return RiskDecision(
            action=RiskAction.BLOCK if blocked else self._action(score),
            score=score,
            reasons=tuple(reasons),
            ruleset=self.ruleset,
        )

    async def feedback(self, payment: UUID, truth: str) -> None:  # noqa: ARG002  -- the port's; rules learn by people
        """Count how people decided; who tunes the rules looks at it."""
        telemetry.reviews.labels(truth).inc()

    def _reason(self, rule: Rule, facts: RiskFacts) -> tuple[RiskReason, bool]:
        value: Value = None
        try:
            value = FEATURES[rule.feature](facts)
            if rule.feature in _SUMS and isinstance(value, int):
                value = value * 100 // self._file.units[facts.currency]
            band, weight, blocks = rule.judged(value, self._factor)
        except (LookupError, TypeError, ValueError, AttributeError):
            # What cannot be measured is not let through: it weighs a step-up.
            band, weight, blocks = _WRONG, self._file.actions.step_up, False
        return RiskReason(
            rule=rule.name, band=band, value=value, weight=weight, key=rule.reason
        ), blocks

    def _action(self, score: int) -> RiskAction:
        if score >= self._file.actions.hold:
            return RiskAction.HOLD
        if score >= self._file.actions.step_up:
            return RiskAction.STEP_UP
        return RiskAction.ALLOW


def _read(text: str) -> RuleFile:
    try:
        return RuleFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as wrong:
        raise Misconfigured(f"the rules of FRAUD are no TOML: {wrong}") from None
    except ValidationError as wrong:
        fault = wrong.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in fault["loc"])
        said = fault["msg"].removeprefix("Value error, ")
        raise Misconfigured(f"the rules of FRAUD: {where}: {said}") from None


async def connect(settings: Settings, *, factor: int) -> Rules:
    """Read the rules.

    Raises:
        Misconfigured: there is no such file, or it is not whole; the sentence says
            where.
    """
    file = settings.file or OURS
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(f"FRAUD_RULES_FILE: cannot read {file}") from None
    return Rules(text, factor)
