"""Asha with two accounts and a phone that is told things, over the real rooms."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import strawberry

from app import database
from app.accounts import completing
from app.accounts.account import Account
from app.accounts.accounts import Accounts
from app.accounts.balances import Balances
from app.accounts.changes import AccountChange, AccountChanges
from app.accounts.quick_balance import QuickBalances
from app.auth.actor import Actor
from app.auth.revocations import Revocations
from app.auth.sessions import Sessions
from app.auth.signing_ring import SigningRing
from app.auth.standing import NewCustomer, Staff
from app.auth.tokens import AccessTokens
from app.bank import Bank as WholeBank
from app.clock import StoppedClock
from app.database import Tx
from app.ids import CustomerId
from app.integrations.core_banking import Narrative
from app.integrations.outcome import Ok
from app.integrations.push import PushKind
from app.money import Money
from app.notifications.addresses import AddressWish
from app.notifications.choices import Change, Choices
from app.notifications.preferences import Wishes
from app.realtime import log
from app.realtime.facts import BalanceChanged, TransactionPosted
from app.schema import refusals, root
from app.schema.accounts import changes as account_fields
from app.schema.accounts import quick as quick_fields
from app.schema.context import Context
from app.schema.notifications import preferences as wish_fields
from app.schema.scalars import Node
from app.settings import Settings
from app.vault import Vault
from tests.accounts.world import an_op
from tests.notifications.world import World, notifications
from tests.payments.world import Bank, facts_of, open_bank

WORDS = Narrative("Rent", payer_name="Asha Rao", payee_name="Asha Rao")


@strawberry.type
class Customer(Node, wish_fields.CustomerFields):
    """The part of the customer that these rooms show."""


@strawberry.type
class Me:
    """A root with nothing but the caller."""

    @strawberry.field
    def me(self) -> Customer:
        return Customer(id=strawberry.ID("cus_0"))


class Caller:
    """A slice of its own."""

    Query = Me


SCHEMA = root.built([refusals, account_fields, quick_fields, wish_fields, Caller])


@dataclass(frozen=True)
class Rooms:
    """The services that these fields call."""

    accounts: Accounts
    balances: Balances
    account_changes: AccountChanges
    quick_balances: QuickBalances
    choices: Choices


@dataclass(frozen=True, kw_only=True)
class Household:
    """Asha, her phone, and what she may choose."""

    bank: Bank
    world: World
    sessions: Sessions
    rooms: Rooms
    asha: CustomerId
    phone: Actor
    current: Account
    savings: Account
    opened: int
    number: str

    async def told(self) -> int:
        """Count what she was told since."""
        return len(await notifications(self.asha)) - self.opened

    async def chooses(self, **change: Any) -> Wishes:
        """Let Asha change what she is told; gives what holds then."""
        await self.rooms.choices.change(self.phone, Change(**change))
        return await self.rooms.choices.of(self.phone)

    async def alerts(self, minor: int | None) -> None:
        """Let Asha set the low-balance alert of her current account."""
        amount = None if minor is None else Money(minor, "INR")
        change = AccountChange(id=self.current.id, alert=amount, no_alert=minor is None)
        await self.rooms.account_changes.update(self.phone, change)

    def wish(self, **change: Any) -> Change:
        """Write a change that she wants."""
        return Change(**change)

    async def in_transaction(self, work: Callable[[Tx], Awaitable[None]]) -> None:
        """Do something in a transaction of its own."""
        await database.transaction(work, name="tests.household")

    async def items(self) -> list[dict[str, Any]]:
        """Read what she was told since, oldest first."""
        rows = await database.read(
            "SELECT category, args, deep_link FROM inbox_item "
            "WHERE customer_id = $1 ORDER BY seq",
            self.asha,
        )
        return [
            {
                "category": row.get("category", str),
                "args": row.get("args", dict),
                "deep_link": row.find("deep_link", str),
            }
            for row in rows[self.opened :]
        ]

    async def named(self) -> dict[str, str | None]:
        """Give how accounts are called in the newest facts of the book."""
        shots = {
            fact.account.name: fact.account.nickname
            for fact in await facts_of(self.asha)
            if isinstance(fact, BalanceChanged)
        }
        rows = {
            fact.transaction.account.name: fact.transaction.account.nickname
            for fact in await facts_of(self.asha)
            if isinstance(fact, TransactionPosted)
        }
        assert shots == rows
        return shots

    async def moves(self, minor: int, source: Account, target: Account) -> None:
        """Move money between two accounts and let the worker fan out."""
        outcome = await self.bank.core.transfer(
            an_op(), source.ref, target.ref, Money(minor, "INR"), WORDS
        )
        assert isinstance(outcome, Ok)
        await self.world.relay.turn()

    async def asks(
        self,
        text: str,
        given: Mapping[str, object] | None = None,
        actor: Actor | None = None,
    ) -> Any:
        """Send a document as a phone does; gives its only field."""
        context = Context(
            bank=cast("WholeBank", self.rooms),
            actor=actor or self.phone,
            request_id="request",
        )
        result = await SCHEMA.execute(
            text,
            variable_values={"input": given} if given is not None else {},
            context_value=context,
        )
        assert result.errors is None, result.errors
        assert result.data is not None
        (answer,) = result.data.values()
        return answer

    async def entries(
        self, action: str
    ) -> list[tuple[str, str | None, dict[str, Any]]]:
        """Read what the audit holds of an act: outcome, code and detail."""
        rows = await database.read(
            "SELECT outcome, code, detail FROM audit_entry WHERE action = $1 "
            "ORDER BY seq",
            action,
        )
        return [
            (row.get("outcome", str), row.find("code", str), row.get("detail", dict))
            for row in rows
        ]

    async def at(self, text: str) -> None:
        """Set the clock to an instant."""
        wanted = datetime.fromisoformat(text)
        self.world.clock.move(seconds=(wanted - self.world.clock.now()).total_seconds())


@asynccontextmanager
async def a_household(
    settings: Settings, clock: StoppedClock, vault: Vault
) -> AsyncIterator[Household]:
    """Open the rooms over the test's own database."""
    log.open_log(clock, lambda _announcement: None, complete=completing.complete)
    world = World(settings, clock, vault)
    ring = SigningRing(clock, vault)
    sessions = Sessions(
        clock=clock,
        settings=settings,
        vault=vault,
        tokens=AccessTokens(clock=clock, settings=settings, ring=ring),
        revocations=Revocations(clock=clock, settings=settings),
        bell=world.addresses,
    )
    async with open_bank(settings, clock, vault) as bank:
        desk = Staff(name="Desk", reason="a test needs Asha")
        new = NewCustomer(name="Asha Rao", phone="+919812345678")
        added = await bank.customers.add(desk, new)
        asha = added.id
        phone = (await bank.a_phone(asha)).actor
        current = await bank.an_account(asha, 100_000)
        savings = await bank.an_account(asha, 5_000, name="Savings")
        await world.relay.turn()  # the opening balances are told before she listens
        wish = AddressWish(kind=PushKind.FCM_FID, value="fid-asha", app_id="bank.app")
        await world.addresses.set(phone, wish)
        rooms = Rooms(
            accounts=bank.accounts,
            balances=bank.balances,
            account_changes=AccountChanges(
                clock=clock, accounts=bank.accounts, sessions=sessions
            ),
            quick_balances=QuickBalances(
                clock=clock, accounts=bank.accounts, balances=bank.balances
            ),
            choices=Choices(
                clock=clock,
                settings=settings,
                accounts=bank.accounts,
                sessions=sessions,
            ),
        )
        yield Household(
            bank=bank,
            world=world,
            sessions=sessions,
            rooms=rooms,
            asha=asha,
            phone=phone,
            current=current,
            savings=savings,
            opened=len(await notifications(asha)),
            number=added.number,
        )
