"""Which partitions of the bus have watches in this process."""

from collections import Counter

from app.ids import CustomerId
from app.realtime.bus import Bus, partition_of


class Interest:
    """Counts watches by partition and tells the bus.

    A bus that is down is no fault here: it says so itself, hears of the present
    interest when it is back, and until then the poll finds what hints would.

    Args:
        bus: that of this process.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._watches: Counter[int] = Counter()
        self._left: set[int] = set()

    def begin(self, customer: CustomerId) -> None:
        """Count a new watch."""
        self._watches[partition_of(customer)] += 1

    def end(self, customer: CustomerId) -> None:
        """Count a watch less; its partition is dropped a little later."""
        part = partition_of(customer)
        self._watches[part] -= 1
        if not self._watches[part]:
            del self._watches[part]
            self._left.add(part)

    async def heard(self, customer: CustomerId) -> None:
        """Return when this customer's hints arrive, or cannot arrive now.

        Whoever reads a stream waits for it first: what is committed after the read
        must find a hint that is heard.
        """
        await self._tell(frozenset({partition_of(customer)}), frozenset())

    async def drop_left(self) -> None:
        """Let go of the partitions that nobody came back to."""
        gone = frozenset(part for part in self._left if part not in self._watches)
        self._left.clear()
        if gone:
            await self._tell(frozenset(), gone)

    async def _tell(self, add: frozenset[int], drop: frozenset[int]) -> None:
        try:
            await self._bus.interest(add, drop)
        except OSError:
            return
