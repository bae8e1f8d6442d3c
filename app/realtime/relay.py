"""The worker's loop from the log to a consumer: claimed facts, handed on in batches.

The consumer deletes the work row in its own transaction, so a fact is done exactly
once. A batch that fails is done one by one: a poisoned fact holds nobody up.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from app import telemetry
from app.clock import Clock
from app.errors import Outage
from app.realtime.dispatch import BATCH, Dispatch, Owed

_LOOK_EVERY_S = 0.5
_GATHER_S = 0.01

Take = Callable[[Sequence[Owed]], Awaitable[None]]


class Relay:
    """Hands one consumer what it is owed.

    Args:
        clock: leases and due times.
        consumer: its name, as facts have it.
        take: does the work of a batch and finishes its rows, in one transaction.
    """

    def __init__(self, *, clock: Clock, consumer: str, take: Take) -> None:
        self._dispatch = Dispatch(clock=clock, consumer=consumer)
        self._take = take
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at once; called after a commit of this process. Never waits."""
        self._woken.set()

    async def run(self) -> None:
        """Hand on what is due, now, at every wake and twice a second."""
        while True:
            self._woken.clear()
            while await self.turn() == BATCH:
                pass
            await self._dispatch.measure()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._woken.wait()
                await asyncio.sleep(_GATHER_S)  # what commits together goes together

    async def turn(self) -> int:
        """Claim one batch and hand it on; gives how many rows it had.

        Raises:
            Outage: the database is away; the rows come back when their lease ends.
        """
        batch = await self._dispatch.claim(BATCH)
        if batch and not await self._done(batch) and len(batch) > 1:
            for one in batch:
                await self._done([one])
        return len(batch)

    async def _done(self, batch: Sequence[Owed]) -> bool:
        try:
            await self._take(batch)
        except Outage:
            raise
        except Exception as failure:  # noqa: BLE001  -- the worker's loop: tried again later
            if len(batch) > 1:
                return False
            (one,) = batch
            telemetry.log.exception("event_not_told", seq=one.event.seq)
            cause = type(failure).__name__
            await self._dispatch.postpone(one.id, one.attempts, cause)
            return False
        return True
