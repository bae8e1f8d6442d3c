"""A process of its own that pays: `python -m tests.ledger.payer URL WORKERS N ID...`.

It says that it is ready and waits for a line. Then so many workers share N transfers of
one unit between the accounts. A worker that hears "not now" sends the same operation
again, as it was told; anything else ends it. The last line says how many were made, and
how often a worker had to send again.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from itertools import permutations
from uuid import UUID

from app import database
from app import settings as app_settings
from app.clock import Clock
from app.errors import Outage
from app.ledger.book import Book
from app.realtime import log
from tests.ledger.world import RENT, an_op, inr

AGAIN_S = 0.05


async def pay(url: str, workers: int, times: int, accounts: list[UUID]) -> int:
    """Pay so often, by so many at once; gives how often one had to send again."""
    chosen = app_settings.load(env="test", database_url=url, database_synchronous="OFF")
    clock = Clock()
    async with database.open_database(chosen):
        log.open_log(clock, lambda _announcement: None)
        book = Book(clock)
        turns = iter(range(times))
        _say({"ready": True})
        await asyncio.to_thread(sys.stdin.readline)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_worker(book, turns, accounts))
                for _ in range(workers)
            ]
        return sum(task.result() for task in tasks)


async def _worker(book: Book, turns: Iterator[int], accounts: list[UUID]) -> int:
    """Take the next turn until none is left."""
    pairs = [*permutations(accounts, 2)]
    again = 0
    for turn in turns:
        op, (payer, payee) = an_op(), pairs[turn % len(pairs)]
        while True:
            try:
                await book.transfer(op, payer, payee, inr(1), RENT)
                break
            except Outage:
                again += 1
                await asyncio.sleep(AGAIN_S)
    return again


def _say(line: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _program, url, workers, times, *accounts = sys.argv
    found = asyncio.run(pay(url, int(workers), int(times), [*map(UUID, accounts)]))
    _say({"made": int(times), "again": found})
