"""Ends the process before or after a transaction or a call of a partner: by exception.

What ran before stays, as after a kill; the lease stays too, until it runs out.
"""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from app import database
from tests.payments.faults import Fault, Faults
from tests.payments.line import Killed

Blow = Callable[[str, str, int], bool]


class Scythe:
    """Stands in for `database.transaction` and asks at each border whether to strike.

    Args:
        strikes: is told `before` or `after`, the name, and which time it is.
        how: what striking does; raises, unless the process really dies.
    """

    def __init__(self, strikes: Blow, how: Callable[[str], None] | None = None) -> None:
        self._strikes = strikes
        self._how = how or _raised
        self._times: Counter[str] = Counter()
        self.blows = 0
        self._real = database.transaction

    async def transaction(self, work: Any, *, name: str, attempts: int = 5) -> Any:
        """Run it, and die where it was told to."""
        self._times[name] += 1
        time = self._times[name]
        if self._strikes("before", name, time):
            self._strike(name)
        outcome = await self._real(work, name=name, attempts=attempts)
        if self._strikes("after", name, time):
            self._strike(name)
        return outcome

    def _strike(self, name: str) -> None:
        self.blows += 1
        self._how(name)


def _raised(name: str) -> None:
    raise Killed(name)


def at(point: str, faults: Faults) -> Blow:
    """Plan one death: `after payments.conclude 2`, or `before submit`, a call."""
    when, name, *nth = point.split()
    time = int(nth[0]) if nth else 1
    if "." not in name:
        kill = Fault.KILLED_BEFORE if when == "before" else Fault.KILLED_AFTER
        faults.plan(name, kill)
        return lambda *_border: False
    return lambda *border: border == (when, name, time)


def by_chance(chance: Random, share: float) -> Blow:
    """Die at any border of a payment under way, with so much likelihood."""
    mine = ("payments.lease", "payments.conclude", "payments.heard", "ledger.")

    def strikes(_when: str, name: str, _time: int) -> bool:
        return name.startswith(mine) and chance.random() < share

    return strikes
