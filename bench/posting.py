"""A process that posts: `python -m bench.posting DATABASE_URL`, then wishes on stdin.

    fill N      brings the book to N postings, as transfers would have left them
    spread N    N transfers by 32 workers between 64 accounts
    hot N       N transfers by 32 workers, all of them of one account
    bare N      N transfers of two postings by the same raw statements, on tables that
                have no guard, no row for a customer and no event

Each is answered by a line of JSON: how many, and in how many seconds.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from uuid import UUID

import uvloop

from app import adapters, database, upgrade
from app import settings as app_settings
from app.clock import Clock
from app.ids import CustomerId, uuid7
from app.integrations.core_banking import (
    AccountKind,
    CanSeed,
    CoreBank,
    Narrative,
    NewAccount,
)
from app.integrations.outcome import Ok, OpRef
from app.money import Money
from app.realtime import log
from bench import filling
from bench.bare import Bare

WORKERS = 32
ACCOUNTS = 64
HOLDING = 10**12
RENT = Narrative("Rent")
Pay = Callable[[UUID, UUID], Awaitable[object]]
Pairs = Iterator[tuple[UUID, UUID]]


class Posting:
    """A book with its accounts.

    Args:
        core: the embedded one, migrated and open.
        bare: the same without guards.
    """

    def __init__(self, core: CoreBank, bare: Bare) -> None:
        self.core = core
        self.bare = bare
        self.accounts: list[UUID] = []

    async def ready(self) -> None:
        """Open the accounts, with money on each."""
        assert isinstance(self.core, CanSeed)
        for _ in range(ACCOUNTS):
            account = uuid7()
            await self.core.open_account(
                NewAccount(
                    id=account,
                    owner=CustomerId.new(),
                    kind=AccountKind.CURRENT,
                    name="Everyday",
                    currency="INR",
                    masked_number="••••1234",
                )
            )
            amount = Money(HOLDING, "INR")
            await self.core.deposit(_op(), str(account), amount, "Cash")
            self.accounts.append(account)
        await self.bare.ready(self.accounts)

    async def obey(self, wish: str, number: int) -> dict[str, float]:
        """Do one wish."""
        began, done = time.perf_counter(), number
        match wish:
            case "fill":
                done = await filling.fill(self.accounts, number)
            case "spread":
                await _shared(number, self._spread(), self._transfer)
            case "hot":
                await _shared(number, self._hot(), self._transfer)
            case "bare":
                await _shared(number, self._spread(), self.bare.transfer)
            case _:
                raise SystemExit(f"no such wish: {wish}")
        return {"done": done, "seconds": time.perf_counter() - began}

    async def _transfer(self, payer: UUID, payee: UUID) -> None:
        done = await self.core.transfer(
            _op(), str(payer), str(payee), Money(1, "INR"), RENT
        )
        if not isinstance(done, Ok):
            raise SystemExit(f"a transfer ended as {done}")

    def _spread(self) -> Pairs:
        """Pair accounts so that workers that run together seldom meet."""
        place, count = 0, len(self.accounts)
        while True:
            yield self.accounts[place % count], self.accounts[(place + 1) % count]
            place += 2 if (place + 2) % count else 3

    def _hot(self) -> Pairs:
        place, others = 0, self.accounts[1:]
        while True:
            yield self.accounts[0], others[place % len(others)]
            place += 1


async def _shared(number: int, pairs: Pairs, pay: Pay) -> None:
    turns = iter(range(number))

    async def worker() -> None:
        for _ in turns:
            await pay(*next(pairs))

    await asyncio.gather(*(worker() for _ in range(WORKERS)))


def _op() -> OpRef:
    return OpRef(uuid7(), b"bench".ljust(32, b"."))


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Posting]:
    """Migrate and open a database of this process alone."""
    chosen = app_settings.load(env="test", database_url=url)
    await upgrade.migrate(chosen)
    clock = Clock()
    async with database.open_database(chosen), Bare.of(url) as bare:
        log.open_log(clock, lambda _announcement: None)
        file = adapters.load("app.integrations.core_banking", "embedded")
        found = Posting(await file.connect(file.Settings(), clock=clock), bare)
        await found.ready()
        yield found


async def main(url: str) -> None:
    """Obey until stdin ends."""
    async with opened(url) as posting:
        print(json.dumps({"ready": True}), flush=True)
        while line := (await asyncio.to_thread(sys.stdin.readline)).split():
            print(json.dumps(await posting.obey(line[0], int(line[1]))), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
