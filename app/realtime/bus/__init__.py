"""The Bus port: lossy hints between processes. The log is the truth, never the bus.

A bus may drop, double and reorder; it must say `Reconnected` after any time in which it
may have dropped; it never raises into business code other than `BusDown`.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol
from zlib import crc32

from app.ids import CustomerId
from app.realtime.announce import Announcement

PARTITIONS = 128


class BusDown(OSError):
    """The bus cannot be reached; hints are lost until it can."""


@dataclass(frozen=True, slots=True)
class Reconnected:
    """Hints may have been lost: look at every watch again."""


class Bus(Protocol):
    """One process's end of the bus."""

    async def publish(self, items: Sequence[Announcement]) -> None:
        """Send at most once.

        Raises:
            BusDown: within one second when the bus cannot be reached.
        """
        ...

    def listen(self) -> AsyncGenerator[Announcement | Reconnected, None]:
        """Receive; one consumer per process. Never ends, whatever happens."""
        ...

    async def interest(self, add: frozenset[int], drop: frozenset[int]) -> None:
        """Say which partitions (0..127) have local watchers.

        When it returns, what is published to the added ones arrives here.

        Raises:
            BusDown: it does not listen now, and will say Reconnected when it does.
        """
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


def partition_of(customer: CustomerId) -> int:
    """Give the partition in which a customer's hints travel."""
    return crc32(customer.value.bytes) % PARTITIONS
