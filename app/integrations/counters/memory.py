"""Counts in this process: buckets that refill, and proofs that were used.

Right for one process; several web processes need a shared store.
"""

import math
from dataclasses import dataclass

from app.clock import Clock
from app.settings import Settings

_BUCKETS_MAX = 100_000
_KEYS_MAX = 500_000


@dataclass(slots=True)
class _Bucket:
    left: float
    looked_at: float


class MemoryCounters:
    """Fits the Counters port.

    Args:
        clock: gives the seconds that only grow.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._known: dict[str, float] = {}
        self._swept_at = clock.monotonic()

    async def take(self, bucket: str, cost: int, count: int, window_s: int) -> int:
        """Take `cost` from a bucket of `count` that refills within `window_s`."""
        now, per_s = self._clock.monotonic(), count / window_s
        found = self._buckets.get(bucket)
        if found is None:
            if len(self._buckets) >= _BUCKETS_MAX:
                self._buckets.clear()
            found = self._buckets[bucket] = _Bucket(count, now)
        found.left = min(count, found.left + (now - found.looked_at) * per_s)
        found.looked_at = now
        if cost <= found.left:
            found.left -= cost
            return 0
        return max(1, math.ceil((cost - found.left) * window_s / count))

    async def first_time(self, key: str, keep_s: int) -> bool:
        """Remember a key for a while; False when it was known already."""
        now = self._clock.monotonic()
        if now - self._swept_at > keep_s or len(self._known) >= _KEYS_MAX:
            self._sweep(now)
        if self._known.get(key, now) > now:
            return False
        self._known[key] = now + keep_s
        return True

    async def close(self) -> None:
        """Nothing is open."""

    def _sweep(self, now: float) -> None:
        self._swept_at = now
        self._known = {key: until for key, until in self._known.items() if until > now}


async def connect(settings: Settings, clock: Clock) -> MemoryCounters:
    """Open the counters of this process."""
    del settings  # nothing to choose
    return MemoryCounters(clock)
