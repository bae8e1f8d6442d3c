"""Forgetting old rows, a batch at a time, so that nobody waits behind a long delete."""

from datetime import date, datetime

from app import database
from app.database import Tx

BATCH = 5000


async def forget(
    sql: str, before: date | datetime, *, name: str, batch: int = BATCH
) -> int:
    """Run a delete until it finds nothing more; gives how many rows went.

    Args:
        sql: deletes at most `$2` rows of before `$1`, and returns one for each.
        before: an instant, or a day.
        name: of its transactions, `room.action`.
        batch: how many rows one transaction deletes.

    Raises:
        Outage: the database is away; the batches before stay deleted.
    """

    async def work(tx: Tx) -> int:
        return len(await tx.rows(sql, before, batch))

    total = 0
    while gone := await database.transaction(work, name=name):
        total += gone
    return total
