"""Another epoch for streams whose past is not theirs any more.

Mandatory after every restore from a backup: phones hold cursors from a lost future, and
the numbers they know would be given to other events. Another epoch makes each phone
load its picture once again (realtime.md section 2.1 of the design).
"""

from datetime import date
from uuid import UUID

from app import database
from app.database import Tx
from app.ids import CustomerId
from app.realtime import log
from app.rows import Scalar

_STEP = "epochs"
_RANK = 2  # as the log's: audit heads are locked before stream heads
_BATCH = 500
_BEFORE_ALL = CustomerId(UUID(int=0))


def renew(tx: Tx, customer: CustomerId) -> None:
    """Give a customer's stream another epoch with the transaction.

    Numbers go on where they are. A customer without a stream gets the first epoch with
    the first event, as ever.
    """
    tx.gather(_STEP, customer, _write, rank=_RANK)


async def renew_all() -> int:
    """Give every stream another epoch, 500 in a transaction; gives how many there were.

    One that is interrupted is begun anew: another epoch more does no harm.
    """
    renewed, last = 0, _BEFORE_ALL
    while batch := await _after(last):
        await _renew_batch(batch)
        renewed, last = renewed + len(batch), batch[-1]
    return renewed


async def count() -> int:
    """Count the streams there are."""
    row = await database.read_one("SELECT count(*) AS streams FROM stream_head")
    return 0 if row is None else row.get("streams", int)


async def _after(last: CustomerId) -> list[CustomerId]:
    rows = await database.read(
        "SELECT customer_id FROM stream_head WHERE customer_id > $1 "
        "ORDER BY customer_id LIMIT $2",
        last,
        _BATCH,
    )
    return [row.get("customer_id", CustomerId) for row in rows]


async def _renew_batch(batch: list[CustomerId]) -> None:
    async def work(tx: Tx) -> None:
        for customer in batch:
            renew(tx, customer)

    await database.transaction(work, name="epochs.renew")


async def _write(tx: Tx) -> None:
    """Change the epochs in customer order, as the log takes its heads."""
    wanted: list[CustomerId] = sorted(set(tx.gathered(_STEP)))
    there = await tx.rows(
        "SELECT customer_id, seq, day FROM stream_head "  # noqa: S608  -- placeholders only
        f"WHERE customer_id IN {database.placeholders(1, len(wanted))} "
        "ORDER BY customer_id",
        *wanted,
    )
    if not there:
        return
    values: list[Scalar] = []
    for row in there:
        values += [row.get("customer_id", CustomerId), log.new_epoch()]
        values += [row.get("seq", int), row.get("day", date)]
    rows = await tx.rows(
        "INSERT INTO stream_head (customer_id, epoch, seq, day) VALUES "  # noqa: S608  -- placeholders only
        f"{database.placeholders(len(there), 4)} "
        "ON CONFLICT (customer_id) DO UPDATE SET epoch = excluded.epoch "
        "RETURNING customer_id, epoch, seq, day",
        *values,
    )
    heads = log.heads_of(rows)
    tx.after_commit(lambda: log.tell(heads))
