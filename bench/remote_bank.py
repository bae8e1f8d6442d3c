"""A bank process for the remote bench: two accounts a customer, in any core.

`python -m bench.remote_bank` reads one line of JSON (`live_bank.Order`) and answers
with one; the mirror of a remote core is cold then. Each further line is a wish,
answered by one line:

    nonce         a nonce for proofs
    chill PLACE   the mirror forgets what it knows of a customer
    work          the worker's loops begin beside the phones; with a core of its own
                  they do so at once
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

import uvloop

from app import database, main, telemetry, upgrade, worker
from app import settings as app_settings
from app.accounts.account import Account
from app.accounts.accounts import Opening
from app.accounts.feed import Feed
from app.accounts.linking import Links
from app.auth.standing import Added
from app.bank import Bank, open_bank
from app.database import Tx
from app.ids import uuid7
from app.integrations.core_banking import AccountKind, CanSeed, CoreCustomer
from app.integrations.outcome import OpRef
from app.money import Money
from app.partners import Role
from app.settings import Settings
from bench.live_bank import FIRST_NUMBER, Order, enrolled, lines
from bench.live_facts import Owner

ROWS = 12  # of each account; a home screen shows ten
SALARY = Money(400_000, "INR")
_POTS = ((AccountKind.CURRENT, "Everyday"), (AccountKind.SAVINGS, "Savings"))
_MIRROR = ("mirror_cursor", "mirror_balance", "mirror_transaction")


def seed(customers: int) -> dict[str, Any]:
    """Write whom the double of Fineract knows, if there are so many customers."""
    numbers = [str(FIRST_NUMBER + place) for place in range(customers)]
    return {
        "clients": [
            {
                "number": number,
                "name": f"Customer {place}",
                "accounts": [
                    {
                        "accountNo": f"6020{number}{at}",
                        "product": name,
                        "currency": "INR",
                        "externalId": f"bench-{number}-{at}",
                    }
                    for at, (_kind, name) in enumerate(_POTS)
                ],
            }
            for place, number in enumerate(numbers)
        ]
    }


class _Asleep:
    """Stands where the feed is told of new accounts: they stay cold."""

    def soon(self, accounts: Iterable[Account], *, anew: bool = False) -> None:
        """Look at nothing."""


async def seeded(bank: Bank, order: Order) -> tuple[list[Owner], list[list[str]]]:
    """Make customers with two accounts each; gives them and the tokens."""
    news, tokens = await enrolled(bank, order.jwks)
    for added in news:
        if bank.links is None:
            await _opened(bank, added)
        else:
            await _linked(bank, added)
    owners = []
    for added in news:
        (first, _second) = await bank.accounts.of_customer(added.id)
        owners.append(Owner(str(added.id), str(first.id)))
    return owners, tokens


async def _opened(bank: Bank, added: Added) -> None:
    assert isinstance(bank.core, CanSeed)
    for at, (kind, name) in enumerate(_POTS):
        number = f"6020{added.number}{at}"
        account = await bank.accounts.open_account(
            Opening(
                customer=added.id, kind=kind, name=name, currency="INR", number=number
            )
        )
        for turn in range(ROWS):
            op = OpRef(uuid7(), b"bench")
            await bank.core.deposit(op, account.ref, SALARY, f"Salary {turn}")


async def _linked(bank: Bank, added: Added) -> None:
    links = Links(
        core=bank.core,
        core_name=bank.settings.core_banking,
        vault=bank.vault,
        bank_code=bank.settings.bank_code,
        feed=cast("Feed", _Asleep()),
    )
    await links.link(CoreCustomer(id=added.id, number=added.number))


async def chill(owner: Owner) -> None:
    """Let the mirror forget a customer, as if nobody had ever asked."""

    async def work(tx: Tx) -> None:
        for table in _MIRROR:
            await tx.rows(
                f"DELETE FROM {table} WHERE account_id IN "  # noqa: S608  -- our own names
                "(SELECT id FROM account WHERE customer_id = $1) RETURNING account_id",
                owner.id,
            )

    await database.transaction(work, name="bench.chill")


async def run() -> int:
    """Serve until stdin ends; gives the exit code."""
    settings = app_settings.load()
    telemetry.configure(settings.log_format, settings.log_level)
    wishes = lines()
    order = Order.read(await anext(wishes))
    await upgrade.migrate(settings)
    answer: dict[str, Any] = {}

    @asynccontextmanager
    async def opened() -> AsyncIterator[Bank]:
        async with _working(settings, order, wishes, answer) as bank:
            yield bank

    return await main.serve(
        settings, opener=opened, ready=lambda: print(json.dumps(answer), flush=True)
    )


@asynccontextmanager
async def _working(
    settings: Settings,
    order: Order,
    wishes: AsyncIterator[str],
    answer: dict[str, Any],
) -> AsyncIterator[Bank]:
    async with (
        open_bank(settings, frozenset(Role)) as bank,
        asyncio.TaskGroup() as group,
    ):
        work = asyncio.Event()
        if bank.links is None:
            work.set()  # to open accounts leaves facts, which are worked off
        tasks = [group.create_task(_worked(bank, work))]
        owners, tokens = await seeded(bank, order)
        answer.update(owners=[one.pair for one in owners], tokens=tokens)
        tasks.append(group.create_task(_tapped(bank, owners, wishes, work)))
        try:
            yield bank
        finally:
            for task in tasks:
                task.cancel()


async def _tapped(
    bank: Bank, owners: list[Owner], wishes: AsyncIterator[str], work: asyncio.Event
) -> None:
    async for line in wishes:
        match line.split():
            case ["chill", place]:
                await chill(owners[int(place)])
            case ["work"]:
                work.set()
            case _:
                pass
        print(json.dumps({"nonce": bank.callers.nonce()}), flush=True)


async def _worked(bank: Bank, work: asyncio.Event) -> None:
    await work.wait()
    await worker.run(bank)


if __name__ == "__main__":
    sys.exit(uvloop.run(run()))  # as the bank's own commands do
