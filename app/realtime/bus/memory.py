"""The bus inside one process: a bounded queue."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from app import telemetry
from app.realtime.announce import Announcement
from app.realtime.bus import Reconnected

_QUEUE_MAX = 10_000


class MemoryBus:
    """Hands announcements to the one listener of this process."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Announcement | Reconnected] = asyncio.Queue(
            _QUEUE_MAX
        )

    async def publish(self, items: Sequence[Announcement]) -> None:
        """Put the items into the queue; when it is full, say that some were lost."""
        for item in items:
            try:
                self._queue.put_nowait(item)
            except asyncio.QueueFull:
                self._queue.get_nowait()
                self._queue.put_nowait(Reconnected())

    async def listen(self) -> AsyncGenerator[Announcement | Reconnected, None]:
        """Yield what is published, in order."""
        telemetry.bus_up.set(1)
        while True:
            yield await self._queue.get()

    async def interest(self, add: frozenset[int], drop: frozenset[int]) -> None:
        """Every customer is local here."""

    async def close(self) -> None:
        """There is no connection."""


async def connect(_url: str) -> MemoryBus:
    """Open the bus."""
    return MemoryBus()
