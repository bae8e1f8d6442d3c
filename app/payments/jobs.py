"""What the worker does for payments: end what waited too long, carry on what was left.

What nobody knows the outcome of is asked about by the timetable of banking.md section
4.4; how old the oldest such payment is, and how many are staff's, is measured.

Run again and again by `worker.py`; any number of workers may run it at once, because
every payment is taken by a guarded statement.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from app import telemetry
from app.clock import Clock
from app.errors import Outage
from app.ids import PaymentId
from app.payments import doubts, leases, records
from app.payments.passage import Passage
from app.payments.transfers import Transfers

BATCH = 50  # payments per turn: a turn stays short, the next one comes at once
_AT_ONCE = 8  # one partner that hangs must not keep the payments of the others


class Jobs:
    """The payments a worker looks after."""

    def __init__(self, *, clock: Clock, transfers: Transfers, passage: Passage) -> None:
        self._clock = clock
        self._transfers = transfers
        self._passage = passage

    async def turn(self) -> int:
        """Do what is due now; gives with how many payments that went well.

        A full batch (`BATCH` or more) says that there may be more to do at once. What
        fails comes again after a minute, behind all others.

        Raises:
            Outage: the database is away; the next turn finds the same payments.
        """
        now = self._clock.now()
        late = await records.out_of_time(now, BATCH)
        done = await self._each(late, self._transfers.expire)
        left = await leases.due(now, BATCH)
        done += await self._each(left, self._passage.advance)
        await self._measured()
        return done

    async def _each(
        self,
        payments: Sequence[PaymentId],
        work: Callable[[PaymentId], Awaitable[object]],
    ) -> int:
        """One payment that fails, or hangs, must not keep the others waiting."""
        lanes = asyncio.Semaphore(_AT_ONCE)

        async def one(payment: PaymentId) -> bool:
            async with lanes:
                try:
                    await work(payment)
                except Exception:  # noqa: BLE001  -- the worker's loop: a later turn tries again
                    telemetry.log.exception("payment_job_failed", payment=str(payment))
                    await self._put_aside(payment)
                    return False
            return True

        return sum(await asyncio.gather(*(one(payment) for payment in payments)))

    async def _put_aside(self, payment: PaymentId) -> None:
        """Let the others go first; a database that is away keeps nothing, nor order."""
        try:
            await leases.rest(payment, self._clock.now())
        except Outage as outage:
            telemetry.log.warning("payment_not_put_aside", cause=outage.cause)

    async def _measured(self) -> None:
        found, age_s = await doubts.figures(), 0.0
        if found.oldest is not None:
            age_s = (self._clock.now() - found.oldest).total_seconds()
        telemetry.payments_unsure_oldest.set(max(0.0, age_s))
        telemetry.payments_with_staff.set(found.with_staff)
