"""The Counters port: rate buckets and used proofs, shared by all web processes."""

from typing import Protocol


class Counters(Protocol):
    """Counts things for a short while. Losing it costs accuracy, never money."""

    async def take(self, bucket: str, cost: int, count: int, window_s: int) -> int:
        """Take `cost` from a bucket of `count` that refills within `window_s`.

        Returns:
            0 when it was there, else the whole seconds to wait.
        """
        ...

    async def first_time(self, key: str, keep_s: int) -> bool:
        """Remember a key for a while; False when it was known already."""
        ...
