"""A circuit breaker: a partner that fails is left alone for a while.

It looks at the last 20 calls of the last 10 seconds, opens when half of at least 10
failed, and lets one probe through after 5 seconds. The figures are those of the design
(banking.md section 5); time comes from the Clock, so tests move it.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

from app.clock import Clock

WINDOW_CALLS = 20
WINDOW_S = 10.0
CALLS_MIN = 10  # below this a few failures say nothing about the partner
FAILED_SHARE = 0.5
REST_S = 5.0
RATE_WINDOW_S = 60


class BreakerState(StrEnum):
    """What the breaker does with the next call."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclass(slots=True)
class _Second:
    at: int
    fine: int = 0
    all: int = 0


class Breaker:
    """Watches one partner. Not shared between processes: each sees for itself.

    Args:
        clock: tells how long ago things were.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends: deque[tuple[float, bool]] = deque(maxlen=WINDOW_CALLS)
        self._seconds: deque[_Second] = deque(maxlen=RATE_WINDOW_S)
        self._opened_at: float | None = None
        self._probe: Call | None = None

    @property
    def state(self) -> BreakerState:
        """Tell what the next call would meet."""
        if self._opened_at is None:
            return BreakerState.CLOSED
        if self._clock.monotonic() - self._opened_at < REST_S:
            return BreakerState.OPEN
        return BreakerState.HALF_OPEN

    def admit(self) -> "Call | None":
        """Let a call through, or not: None while open, or while a probe is out."""
        match self.state:
            case BreakerState.CLOSED:
                return Call(self)
            case BreakerState.HALF_OPEN if self._probe is None:
                self._probe = Call(self)
                return self._probe
            case _:
                return None

    def opens_in_s(self) -> int:
        """Give the whole seconds, at least 1, until a probe may be tried."""
        if self._opened_at is None:
            return 1
        rest_s = self._opened_at + REST_S - self._clock.monotonic()
        return max(1, -int(-rest_s // 1))

    def success_rate(self) -> float | None:
        """Give the share of calls of the last minute that went well; None for none."""
        since = int(self._clock.monotonic()) - RATE_WINDOW_S
        recent = [one for one in self._seconds if one.at > since]
        calls = sum(one.all for one in recent)
        return sum(one.fine for one in recent) / calls if calls else None

    def end(self, call: "Call", *, fine: bool | None) -> None:
        """Take the end of a call: fine, failed, or None where it says nothing.

        The end of a call that was let through before the breaker opened no longer
        counts: the probe alone decides.
        """
        if fine is not None:
            self._count(fine=fine)
        if call is self._probe:
            self._probe = None
            if fine:
                self._opened_at = None
                self._ends.clear()
            elif fine is False:
                self._opened_at = self._clock.monotonic()
        elif fine is not None and self._opened_at is None:
            self._ends.append((self._clock.monotonic(), fine))
            self._open_if_failing()

    def _open_if_failing(self) -> None:
        since = self._clock.monotonic() - WINDOW_S
        recent = [fine for at, fine in self._ends if at >= since]
        failed = recent.count(False)
        if len(recent) >= CALLS_MIN and failed >= len(recent) * FAILED_SHARE:
            self._opened_at = self._clock.monotonic()

    def _count(self, *, fine: bool) -> None:
        now = int(self._clock.monotonic())
        if not self._seconds or self._seconds[-1].at != now:
            self._seconds.append(_Second(now))
        self._seconds[-1].all += 1
        self._seconds[-1].fine += fine


class Gate:
    """A breaker, and the rests that its partner itself asks for.

    Args:
        clock: tells how long ago things were.
    """

    def __init__(self, clock: Clock) -> None:
        self.breaker = Breaker(clock)
        self._clock = clock
        self._resting_until = 0.0

    def enter(self) -> "Call | float":
        """Let a call through, or say in how many seconds to come again."""
        rest_s = self._resting_until - self._clock.monotonic()
        if rest_s > 0:
            return rest_s
        return self.breaker.admit() or float(self.breaker.opens_in_s())

    def rest(self, pause_s: float) -> None:
        """Let nothing through for so long; 0 changes nothing."""
        if pause_s:
            self._resting_until = self._clock.monotonic() + pause_s


def breaker_of(adapter: object) -> Breaker | None:
    """Give the breaker an adapter stands behind: its partner's or its sender's.

    None for what is never away: the embedded core, the console.
    """
    for name in ("partner", "sender"):
        found = getattr(getattr(adapter, name, None), "breaker", None)
        if isinstance(found, Breaker):
            return found
    return None


class Call:
    """One call that was let through; leaving the block tells the breaker its end.

    Set `fine` inside the block. Left at None, as when the caller is cancelled, the call
    says nothing about the partner and a probe may be tried again.
    """

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self.fine: bool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._breaker.end(self, fine=self.fine)
