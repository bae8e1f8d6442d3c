"""Several processes write one database: nothing is lost, nobody hears an error."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import pytest

from app import database
from app.ledger.book import Book
from app.settings import Settings
from tests.ledger.world import an_account

PROCESSES, WORKERS, ACCOUNTS = 4, 8, 8
HOLDING = 1_000_000  # minor units in each account at first
LOOK_S = 0.1
_FIGURES = "SELECT account_id, committed, version FROM ledger_balance"


class Looking:
    """Looks at all balances while others write.

    Attributes:
        looks: how often it looked.
        wrong: everything that did not fit.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._seen: dict[UUID, tuple[int, int]] = {}
        self.looks = 0
        self.wrong: list[str] = []

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """One statement is one moment: the sum must stand, versions only grow."""
        rows = await database.read(_FIGURES)
        self.looks += 1
        if sum(row.get("committed", int) for row in rows) != self._total:
            self.wrong.append(f"look {self.looks}: another total")
        for row in rows:
            account = row.get("account_id", UUID)
            now = row.get("version", int), row.get("committed", int)
            before = self._seen.get(account, now)
            if now[0] < before[0] or (now[0] == before[0] and now != before):
                self.wrong.append(f"{account}: {before} became {now}")
            self._seen[account] = now


@pytest.mark.slow
@pytest.mark.parametrize(
    "transfers",
    [600, pytest.param(50_000, marks=pytest.mark.chaos)],
    ids=["600", "50000"],
)
async def test_thirty_two_workers_in_four_processes_lose_nothing(
    book: Book,
    settings: Settings,
    transfers: int,
    record_property: Callable[[str, object], None],
) -> None:
    accounts = [await an_account(book, HOLDING) for _ in range(ACCOUNTS)]
    looking = Looking(await _total())

    asked = settings.database_url, transfers // PROCESSES, accounts
    payers = await asyncio.gather(*(_opened(*asked) for _ in range(PROCESSES)))
    async with asyncio.TaskGroup() as group:
        looker = group.create_task(looking.run())
        began = time.monotonic()
        said = await asyncio.gather(*(_paid(payer) for payer in payers))
        took_s = time.monotonic() - began
        looker.cancel()
        with suppress(asyncio.CancelledError):
            await looker

    await looking.look()
    again = sum(each["again"] for each in said)
    record_property(
        "figures",
        f"{transfers} transfers by {PROCESSES} x {WORKERS} workers on "
        f"{database.dialect()}: {transfers / took_s:.0f} a second, total unchanged in "
        f"{looking.looks} looks, {again} sent again as told",
    )
    assert sum(each["made"] for each in said) == transfers
    assert looking.wrong == []
    assert await _versions() == 2 * transfers + 2 * ACCOUNTS


async def _opened(url: str, times: int, accounts: list[UUID]) -> Process:
    """Start a paying process and wait until it is ready to pay."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.ledger.payer",
        url,
        *map(str, (WORKERS, times, *accounts)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline()
    return process


async def _paid(process: Process) -> dict[str, int]:
    """Let it pay to its end; an error in it is an error here."""
    out, _ = await process.communicate(b"go\n")
    assert process.returncode == 0
    told: dict[str, int] = json.loads(out)
    return told


async def _total() -> int:
    rows = await database.read(_FIGURES)
    return sum(row.get("committed", int) for row in rows)


async def _versions() -> int:
    rows = await database.read(_FIGURES)
    return sum(row.get("version", int) for row in rows)
