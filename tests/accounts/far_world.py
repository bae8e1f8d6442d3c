"""An accounts room over a remote core, wired as `partners.py` does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from typing_extensions import override

from app import database
from app.accounts.account import Account
from app.accounts.accounts import Accounts
from app.accounts.balances import Balances
from app.accounts.far_sheet import FarSheet
from app.accounts.feed import Feed
from app.accounts.linking import Linked, Links
from app.accounts.teller import Teller
from app.accounts.transactions import Transactions
from app.clock import StoppedClock
from app.database import Tx
from app.ids import CustomerId
from app.integrations.core_banking import AccountKind, CoreBank, CoreCustomer
from app.realtime import log
from app.realtime.facts import Fact
from app.status.health import Component, Health
from app.vault import Vault
from tests.accounts.far_core import FarCore
from tests.accounts.world import BANK_CODE, Room

FAR = "far"
_SOON_S = 10.0


class Settling:
    """A teller after whose writes one waits for the looks behind them."""

    def __init__(self, teller: Teller, feed: Feed) -> None:
        self.caps = teller.caps
        self._teller = teller
        self._feed = feed

    def __getattr__(self, name: str) -> object:
        found = getattr(self._teller, name)

        async def done(*args: object, **named: object) -> object:
            answer = await found(*args, **named)
            await self._feed.settled(_SOON_S)
            return answer

        return done


@dataclass(frozen=True)
class FarRoom(Room):
    """The room, and the core far away."""

    far: FarCore = None  # type: ignore[assignment]  # always given
    feed: Feed = None  # type: ignore[assignment]  # same
    links: Links = None  # type: ignore[assignment]  # same
    teller: Teller = None  # type: ignore[assignment]  # same

    @override
    async def settled(self) -> None:
        """Return when no look is under way."""
        await self.feed.settled(_SOON_S)

    @override
    async def an_account(
        self,
        money: int = 0,
        *,
        owner: CustomerId | None = None,
        name: str = "Everyday",
        number: str | None = None,
        currency: str = "INR",
        kind: AccountKind = AccountKind.CURRENT,
    ) -> Account:
        """Open an account at the core and link it, as an hourly turn does."""
        customer = owner or CustomerId.new()
        ref = self.far.open(
            customer.value.hex,
            money,
            name=name,
            kind=kind,
            currency=currency,
            number=number,
        )
        await self.link(customer)
        await self.settled()
        mine = await self.accounts.of_customer(customer)
        return next(one for one in mine if one.ref == ref)

    async def link(self, customer: CustomerId) -> Linked:
        """Take a customer's accounts into our list."""
        return await self.links.link(CoreCustomer(customer, customer.value.hex))


@asynccontextmanager
async def a_far_room(
    clock: StoppedClock,
    vault: Vault,
    far: FarCore | None = None,
    health: Health | None = None,
) -> AsyncIterator[FarRoom]:
    """Wire a room as a process does; several over one core are several processes."""
    core = far or FarCore(clock)
    watched = health.watching(core, Component.ACCOUNTS) if health else core
    feed = Feed(core=watched, core_name=FAR, clock=clock, hints=core)
    teller = Teller(core, feed, clock)
    accounts = Accounts(core=teller, core_name=FAR, vault=vault, bank_code=BANK_CODE)
    sheet = FarSheet(feed, clock)
    links = Links(
        core=teller, core_name=FAR, vault=vault, bank_code=BANK_CODE, feed=feed
    )
    async with feed:
        yield FarRoom(
            core=cast("CoreBank", Settling(teller, feed)),
            accounts=accounts,
            balances=Balances(sheet=sheet),
            transactions=Transactions(sheet=sheet, accounts=accounts),
            statements=2,
            far=core,
            feed=feed,
            links=links,
            teller=teller,
        )


async def forget() -> None:
    """Empty the mirror, as before the first look."""

    async def work(tx: Tx) -> None:
        for table in ("balance", "cursor", "transaction"):
            await tx.rows(f"DELETE FROM mirror_{table}")  # noqa: S608  -- own names

    await database.transaction(work, name="test.forget")


async def cold(room: FarRoom, owner: CustomerId, *money: int) -> list[Account]:
    """Give accounts that are linked and were never looked at."""
    for minor in money:
        room.far.open(owner.value.hex, minor)
    await room.link(owner)
    await room.settled()
    await forget()
    room.far.looks.clear()
    return await room.accounts.of_customer(owner)


async def told(customer: CustomerId) -> list[Fact]:
    """Give everything the customer's phones were told, oldest first."""
    return [event.fact for event in await log.read_after(customer, 0, 500)]


async def names_told(customer: CustomerId) -> list[str]:
    """Give the kinds of what was told, oldest first."""
    return [type(fact).__name__ for fact in await told(customer)]
