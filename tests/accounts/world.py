"""An accounts room over the embedded core, and customers with money in it."""

from dataclasses import dataclass

from app import adapters
from app.accounts.account import Account
from app.accounts.accounts import Accounts, Opening
from app.accounts.balances import Balances
from app.accounts.sheet import LocalSheet
from app.accounts.transactions import Transactions
from app.auth.actor import Actor, Level, Origin
from app.clock import StoppedClock
from app.ids import CustomerId, uuid7
from app.integrations.core_banking import (
    AccountKind,
    CanSeed,
    CoreBank,
    Narrative,
)
from app.integrations.core_banking.embedded import EmbeddedCore
from app.integrations.outcome import Ok, OpRef
from app.money import Money
from app.settings import Settings
from app.vault import Vault

BANK_CODE = "SIXP0000001"
_numbers = iter(range(50100000000000, 50200000000000))


@dataclass(frozen=True)
class Room:
    """The room's services, and the core behind them.

    `statements` is how many one question takes.
    """

    core: CoreBank
    accounts: Accounts
    balances: Balances
    transactions: Transactions
    statements: int = 1

    async def settled(self) -> None:
        """Return when nothing is under way; a local core has nothing."""

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
        account = await self.accounts.open_account(
            Opening(
                customer=owner or CustomerId.new(),
                kind=kind,
                name=name,
                currency=currency,
                number=number or str(next(_numbers)),
            )
        )
        if money:
            assert isinstance(self.core, CanSeed)
            amount = Money(money, currency)
            await self.core.deposit(an_op(), account.ref, amount, "Cash")
        return account

    async def pay(
        self, payer: Account, payee: Account, minor: int, memo: str = "Rent"
    ) -> None:
        amount = Money(minor, payer.currency)
        words = Narrative(memo, payer_name="Asha Rao", payee_name="Ben Okafor")
        outcome = await self.core.transfer(an_op(), payer.ref, payee.ref, amount, words)
        assert isinstance(outcome, Ok)


def an_op() -> OpRef:
    return OpRef(uuid7(), b"body".ljust(32, b"."))


def actor_of(customer: CustomerId) -> Actor:
    origin = Origin(request_id="request", address="192.0.2.1")
    return Actor(origin=origin, level=Level.LOGIN, customer=customer)


async def a_room(settings: Settings, clock: StoppedClock, vault: Vault) -> Room:
    module = adapters.load("app.integrations.core_banking", "embedded")
    core: EmbeddedCore = await module.connect(module.Settings(), clock=clock)
    sheet = LocalSheet(core, clock)
    accounts = Accounts(
        core=core, core_name="embedded", vault=vault, bank_code=BANK_CODE
    )
    return Room(
        core=core,
        accounts=accounts,
        balances=Balances(sheet=sheet),
        transactions=Transactions(sheet=sheet, accounts=accounts),
    )
