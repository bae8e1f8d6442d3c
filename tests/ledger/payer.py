"""A process of its own that pays: `python -m tests.ledger.payer URL PAYER PAYEE N`."""

import asyncio
import sys
from uuid import UUID

from app import database
from app import settings as app_settings
from app.clock import Clock
from app.ledger.book import Book
from app.realtime import log
from tests.ledger.world import RENT, an_op, inr


async def pay(url: str, payer: UUID, payee: UUID, times: int) -> None:
    """Pay one unit so many times."""
    chosen = app_settings.load(env="test", database_url=url, database_synchronous="OFF")
    clock = Clock()
    async with database.open_database(chosen):
        log.open_log(clock, lambda _announcement: None)
        book = Book(clock)
        for _ in range(times):
            await book.transfer(an_op(), payer, payee, inr(1), RENT)


if __name__ == "__main__":
    _program, url, payer, payee, times = sys.argv
    asyncio.run(pay(url, UUID(payer), UUID(payee), int(times)))
