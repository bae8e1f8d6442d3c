"""How well each part of the bank answers, counted in this process.

Nobody types it in: `watching` wraps a partner's port, and each of its answers counts
for one component. An open breaker counts at once, without waiting for calls: where all
ways of a component are shut it is away, where some are it is so in part. A component
without traffic in the last minute is OPERATIONAL and says so by `success_rate_1m` None.
Figures are of one process; a restart begins anew.
"""

import functools
import inspect
import math
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar, cast

from app.clock import Clock
from app.errors import Outage
from app.integrations.breaker import Breaker, BreakerState, breaker_of
from app.integrations.outcome import Unknown

P = TypeVar("P")

WINDOW_S = 60.0
_KEPT = 2000  # answers per component; at more traffic the newest 2000 speak
_ENOUGH = 5  # fewer answers than this say nothing
_GOOD, _FAIR, _POOR = 0.99, 0.9, 0.5  # shares of good answers where the state turns


class Component(StrEnum):
    """The parts of the bank a customer may ask about."""

    LOGIN = "LOGIN"
    ACCOUNTS = "ACCOUNTS"
    TRANSFERS = "TRANSFERS"
    NOTIFICATIONS = "NOTIFICATIONS"
    UPI = "UPI"
    CARDS = "CARDS"
    BILLS = "BILLS"
    CHAT = "CHAT"
    OPEN_BANKING = "OPEN_BANKING"


class State(StrEnum):
    """How a component is, best first."""

    OPERATIONAL = "OPERATIONAL"
    DEGRADED = "DEGRADED"
    PARTIAL_OUTAGE = "PARTIAL_OUTAGE"
    MAJOR_OUTAGE = "MAJOR_OUTAGE"
    MAINTENANCE = "MAINTENANCE"


OFFERED = (
    Component.LOGIN,
    Component.ACCOUNTS,
    Component.TRANSFERS,
    Component.NOTIFICATIONS,
)


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """One component now: its state, since when, and the figures behind it."""

    component: Component
    state: State
    since: datetime
    success_rate_1m: float | None
    p95_ms: int | None


@dataclass(slots=True)
class _Seen:
    state: State
    since: datetime
    answers: deque[tuple[float, bool, float]]
    ways: list[Breaker | None] = field(default_factory=list)
    halted: bool = False


class Health:
    """Counts answers by component. One per process; safe within one event loop."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._seen = {
            component: _Seen(State.OPERATIONAL, clock.now(), deque(maxlen=_KEPT))
            for component in OFFERED
        }

    def note(self, component: Component, *, good: bool, took_ms: float) -> None:
        """Count one answer of the partner behind a component."""
        seen = self._seen.get(component)
        if seen is not None:
            seen.answers.append((self.clock.monotonic(), good, took_ms))

    def watching(self, partner: P, component: Component) -> P:
        """Give a partner's port whose calls count for a component.

        An Outage and an Unknown are bad answers; a definite no is a good one, and
        anything else that is raised is our bug and counts for nobody.
        """
        self.leads(component, partner)
        return cast("P", _Watched(self, partner, component))

    def leads(self, component: Component, partner: object) -> None:
        """Take a partner as one way of a component; an open breaker shuts it."""
        self._seen[component].ways.append(breaker_of(partner))

    def halt(self, component: Component, *, halted: bool) -> bool:
        """Say that a component is stopped, or is not any more; gives what changed."""
        seen = self._seen[component]
        changed, seen.halted = seen.halted != halted, halted
        return changed

    def require(self, component: Component) -> None:
        """Let nobody begin what is stopped.

        Raises:
            Outage: the component is stopped; nothing happened.
        """
        if self._seen[component].halted:
            raise Outage("halted", component=component, retry_after_s=None)

    def now(self) -> tuple[ComponentHealth, ...]:
        """Tell how every offered component is, in the contract's order."""
        return tuple(self._judge(component) for component in OFFERED)

    def of(self, component: Component) -> ComponentHealth:
        """Tell how one offered component is."""
        return self._judge(component)

    def _judge(self, component: Component) -> ComponentHealth:
        seen = self._seen[component]
        oldest = self.clock.monotonic() - WINDOW_S
        while seen.answers and seen.answers[0][0] < oldest:
            seen.answers.popleft()
        share = _share(seen.answers)
        state = max(
            _state(share, len(seen.answers)), _shut(seen), key=list(State).index
        )
        if state is not seen.state:
            seen.state, seen.since = state, self.clock.now()
        return ComponentHealth(
            component, seen.state, seen.since, share, _p95_ms(seen.answers)
        )


class _Watched:
    """Stands before a port: the same methods, counted."""

    def __init__(self, health: Health, partner: object, component: Component) -> None:
        self._health = health
        self._partner = partner
        self._component = component

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  -- whatever the port has
        found = getattr(self._partner, name)
        if not inspect.iscoroutinefunction(found):
            return found

        @functools.wraps(found)
        async def counted(*args: object, **named: object) -> object:
            began = self._health.clock.monotonic()
            try:
                answer = await found(*args, **named)
            except Outage:
                self._count(began, good=False)
                raise
            self._count(began, good=not isinstance(answer, Unknown))
            return answer

        self.__dict__[name] = counted  # found without this method from now on
        return counted

    def _count(self, began: float, *, good: bool) -> None:
        took_ms = (self._health.clock.monotonic() - began) * 1000
        self._health.note(self._component, good=good, took_ms=took_ms)


def _shut(seen: _Seen) -> State:
    """Tell how far a component is shut by breakers, or stopped altogether."""
    ways = [one is not None and one.state is BreakerState.OPEN for one in seen.ways]
    if seen.halted or (ways and all(ways)):
        return State.MAJOR_OUTAGE
    return State.PARTIAL_OUTAGE if any(ways) else State.OPERATIONAL


def _share(answers: deque[tuple[float, bool, float]]) -> float | None:
    if not answers:
        return None
    return sum(good for _, good, _ in answers) / len(answers)


def _state(share: float | None, count: int) -> State:
    if share is None or count < _ENOUGH or share >= _GOOD:
        return State.OPERATIONAL
    if share >= _FAIR:
        return State.DEGRADED
    return State.PARTIAL_OUTAGE if share >= _POOR else State.MAJOR_OUTAGE


def _p95_ms(answers: deque[tuple[float, bool, float]]) -> int | None:
    if not answers:
        return None
    ordered = sorted(took_ms for _, _, took_ms in answers)
    return round(ordered[math.ceil(0.95 * len(ordered)) - 1])
