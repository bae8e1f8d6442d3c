"""What the worker does for payments: end what waited too long, carry on what was left.

Run again and again by `worker.py`; any number of workers may run it at once, because
every payment is taken by a guarded statement.
"""

from collections.abc import Awaitable, Callable, Sequence

from app import telemetry
from app.clock import Clock
from app.ids import PaymentId
from app.payments import records
from app.payments.passage import Passage
from app.payments.transfers import Transfers

BATCH = 50  # payments per turn: a turn stays short, the next one comes at once


class Jobs:
    """The payments a worker looks after."""

    def __init__(self, *, clock: Clock, transfers: Transfers, passage: Passage) -> None:
        self._clock = clock
        self._transfers = transfers
        self._passage = passage

    async def turn(self) -> int:
        """Do what is due now; gives how many payments were looked at.

        A full batch (`BATCH` or more) says that there may be more to do at once.

        Raises:
            Outage: the database is away; the next turn finds the same payments.
        """
        now = self._clock.now()
        late = await records.out_of_time(now, BATCH)
        await _each(late, self._transfers.expire)
        left = await records.abandoned(now, BATCH)
        await _each(left, self._passage.advance)
        return len(late) + len(left)


async def _each(
    payments: Sequence[PaymentId], work: Callable[[PaymentId], Awaitable[None]]
) -> None:
    """One payment that fails must not keep the others waiting."""
    for payment in payments:
        try:
            await work(payment)
        except Exception:  # noqa: BLE001  -- the worker's loop: the next turn tries again
            telemetry.log.exception("payment_job_failed", payment=str(payment))
