"""Balances: of the embedded core as they are, of a remote one as it said them last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.accounts.account import Account
from app.accounts.sheet import Said, Sheet
from app.ids import AccountId
from app.money import Money
from app.realtime.shots import BalanceShot


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Absolute figures of one account.

    Args:
        account: whose.
        available: what can be spent now: booked minus held, plus arranged overdraft.
        booked: sum of booked transactions.
        held: reserved, positive.
        as_of: when the core last confirmed them.
        stale: whether the core did not answer and these are the last known.
        version: grows with every change.
    """

    account: AccountId
    available: Money
    booked: Money
    held: Money
    as_of: datetime
    stale: bool
    version: int


def shot(balance: Balance) -> BalanceShot:
    """Give the display snapshot that facts carry."""
    return BalanceShot(
        available=balance.available.minor,
        booked=balance.booked.minor,
        held=balance.held.minor,
        currency=balance.booked.currency,
        as_of=balance.as_of,
        version=balance.version,
        stale=balance.stale,
    )


class Balances:
    """Reads balances.

    Args:
        sheet: where they are read.
    """

    def __init__(self, *, sheet: Sheet) -> None:
        self._sheet = sheet

    async def of(self, accounts: Sequence[Account]) -> dict[AccountId, Balance]:
        """Give the balances of accounts; those of which nothing is known: left out.

        While a remote core is away: the figures it said last, as stale.

        Args:
            accounts: whose owner has been decided before.

        Raises:
            Outage: our database does not answer.
        """
        if not accounts:
            return {}
        found = await self._sheet.balances(accounts)
        return {account: balance_of(account, said) for account, said in found.items()}

    async def sure(self, account: Account) -> Balance:
        """Give the balance of an account as the core says now, for a decision.

        Raises:
            Outage: the core does not answer, or does not know the account now.
        """
        return balance_of(account.id, Said(await self._sheet.now(account)))


def balance_of(account: AccountId, said: Said) -> Balance:
    """Give what a core said of an account."""
    found = said.balance
    return Balance(
        account=account,
        available=found.available,
        booked=found.committed,
        held=found.held,
        as_of=found.as_of,
        stale=said.stale,
        version=found.version,
    )
