"""Several processes write one SQLite file, and none is told that it is locked."""

import asyncio
import sys

import pytest

from app.ledger.book import Book
from app.settings import Settings
from tests.ledger.world import an_account, figures

PROCESSES, TIMES = 4, 20


@pytest.mark.slow
async def test_four_processes_on_one_file_all_pay(
    book: Book, settings: Settings
) -> None:
    hot, other = await an_account(book, 1000), await an_account(book, 1000)

    async def process(number: int) -> tuple[int | None, bytes]:
        sides = (hot, other) if number % 2 else (other, hot)
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.ledger.payer",
            settings.database_url,
            *map(str, sides),
            str(TIMES),
            stderr=asyncio.subprocess.PIPE,
        )
        _out, said = await running.communicate()
        return running.returncode, said

    ended = await asyncio.gather(*(process(number) for number in range(PROCESSES)))

    assert [code for code, _said in ended] == [0] * PROCESSES, ended
    booked, _held, version = await figures(hot)
    assert (booked, version) == (1000, 1 + PROCESSES * TIMES)
