"""Balances, straight from the core; of a remote one that is away, the last known.

No second copy exists for the embedded core: a copy of a local table would only add a
way to be wrong (banking.md section 3). Its figures are as of now, never stale.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.accounts.account import Account
from app.accounts.last_known import LastKnown
from app.errors import Outage
from app.ids import AccountId
from app.integrations.core_banking import CoreBank
from app.money import Money
from app.realtime.shots import BalanceShot

_KEPT = 10_000


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
        core: where the money is.
    """

    def __init__(self, *, core: CoreBank) -> None:
        self._core = core
        self._known: LastKnown[AccountId, Balance] = LastKnown(_KEPT)

    async def of(self, accounts: Sequence[Account]) -> dict[AccountId, Balance]:
        """Give the balances of accounts in one call; unknown to the core: left out.

        While a remote core is away: those it told before, marked as stale.

        Args:
            accounts: whose owner has been decided before.

        Raises:
            Outage: our database does not answer.
        """
        if not accounts:
            return {}
        if self._core.caps.local:
            return await self._asked(accounts)
        try:
            found = await self._asked(accounts)
        except Outage:
            known = (self._known.of(account.id) for account in accounts)
            return {one.account: replace(one, stale=True) for one in known if one}
        return {id_: self._known.keep(id_, one) for id_, one in found.items()}

    async def sure(self, account: Account) -> Balance:
        """Give the balance of an account as the core says now, for a decision.

        Raises:
            Outage: the core does not answer, or does not know the account now.
        """
        found = (await self._asked([account])).get(account.id)
        if found is None:
            raise Outage("the core tells no balance", component="ACCOUNTS")
        return found

    async def _asked(self, accounts: Sequence[Account]) -> dict[AccountId, Balance]:
        ids = {account.ref: account.id for account in accounts}
        return {
            ids[found.ref]: Balance(
                account=ids[found.ref],
                available=found.available,
                booked=found.committed,
                held=found.held,
                as_of=found.as_of,
                stale=False,
                version=found.version,
            )
            for found in await self._core.balances(list(ids))
        }
