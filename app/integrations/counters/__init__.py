"""The Counters port: rate buckets and used proofs, shared by all web processes."""

from typing import Protocol

from app import telemetry
from app.clock import Clock

_RETRY_S = 1.0


class CountersDown(Exception):
    """The shared store does not answer; says the kind of failure, nothing else."""


class Counters(Protocol):
    """Counts things for a short while. Losing it costs accuracy, never money."""

    async def take(self, bucket: str, cost: int, count: int, window_s: int) -> int:
        """Take `cost` from a bucket of `count` that refills within `window_s`.

        Returns:
            0 when it was there, else the whole seconds to wait.

        Raises:
            CountersDown: a shared store does not answer.
        """
        ...

    async def first_time(self, key: str, keep_s: int) -> bool:
        """Remember a key for a while; False when it was known already.

        Raises:
            CountersDown: a shared store does not answer.
        """
        ...

    async def close(self) -> None:
        """Give back what was opened."""
        ...


class SparedCounters:
    """Shared counters that go on in this process while their store is away.

    Money stays protected meanwhile by single-use challenges and idempotency keys
    (auth.md section 11). The store is asked again once a second, so that an outage
    does not slow every request down.

    Args:
        shared: counts for all processes.
        spare: counts in this process.
        clock: the bank's clock.
    """

    def __init__(self, shared: Counters, spare: Counters, clock: Clock) -> None:
        self._shared = shared
        self._spare = spare
        self._clock = clock
        self._away_until = 0.0

    async def take(self, bucket: str, cost: int, count: int, window_s: int) -> int:
        """Take from the shared bucket, or from this process's own."""
        if self._is_there():
            try:
                return await self._shared.take(bucket, cost, count, window_s)
            except CountersDown as down:
                self._went(down)
        return await self._spare.take(bucket, cost, count, window_s)

    async def first_time(self, key: str, keep_s: int) -> bool:
        """Ask the shared store, or this process's own memory."""
        if self._is_there():
            try:
                return await self._shared.first_time(key, keep_s)
            except CountersDown as down:
                self._went(down)
        return await self._spare.first_time(key, keep_s)

    async def close(self) -> None:
        """Close both."""
        await self._shared.close()
        await self._spare.close()

    def _is_there(self) -> bool:
        return self._clock.monotonic() >= self._away_until

    def _went(self, down: CountersDown) -> None:
        self._away_until = self._clock.monotonic() + _RETRY_S
        telemetry.counters_down.inc()
        telemetry.log.warning("counters_down", cause=str(down))
