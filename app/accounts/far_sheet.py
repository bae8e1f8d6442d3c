"""Reads accounts of a remote core: from the mirror, which the feed keeps young."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.accounts import mirror
from app.accounts.account import Account
from app.accounts.feed import Feed
from app.accounts.mirror import Standing
from app.accounts.sheet import Rows, Said, named
from app.clock import Clock
from app.ids import AccountId
from app.integrations.core_banking import Chosen, CoreBalance, CoreTxn, TxnQuery
from app.money import Money


class FarSheet:
    """Fits `Sheet` for a remote core.

    Args:
        feed: looks at the core.
        clock: for the instant of pages of which nothing is known.
    """

    def __init__(self, feed: Feed, clock: Clock) -> None:
        self._feed = feed
        self._clock = clock

    async def balances(self, accounts: Sequence[Account]) -> dict[AccountId, Said]:
        """Give the figures of the mirror; what was never seen is looked at first."""
        found = await self._feed.standings(accounts)
        return {
            account.id: Said(
                _balance(account, found[account.id]),
                self._feed.is_stale(found[account.id]),
            )
            for account in accounts
            if account.id in found
        }

    async def now(self, account: Account) -> CoreBalance:
        """Look at the account.

        Raises:
            Outage: the core does not answer, or does not know the account now.
        """
        balance = await self._feed.now(account)
        return named([] if balance is None else [balance], account)

    async def pages(
        self, accounts: Sequence[Account], query: TxnQuery
    ) -> dict[AccountId, Rows]:
        """Give pages of the mirror; of what nothing is known: no rows, stale."""
        found = await self._feed.standings(accounts)
        pages = await mirror.page([account.id for account in accounts], query)
        nothing = Rows([], self._clock.now(), stale=True)
        return {
            account: Rows(
                pages[account],
                found[account].polled_at,
                self._feed.is_stale(found[account]),
            )
            if account in found
            else nothing
            for account in pages
        }

    async def joined(self, chosen: Chosen, rows: int) -> None:
        """Join nothing: a look at the core may stand before the mirror's answer."""

    async def rows(self, ids: Sequence[UUID]) -> list[CoreTxn]:
        """Give rows of the mirror by their ids."""
        return await mirror.by_ids(ids)

    async def rows_of(self, payments: Sequence[UUID]) -> list[CoreTxn]:
        """Give the rows of the mirror that payments made."""
        return await mirror.of_payments(payments)

    async def known_until(self, refs: Sequence[str]) -> dict[str, datetime]:
        """Tell until when the mirror has all rows of accounts."""
        return await self._feed.known_until(refs)


def _balance(account: Account, standing: Standing) -> CoreBalance:
    return CoreBalance(
        ref=account.ref,
        committed=Money(standing.booked, account.currency),
        held=Money(standing.held, account.currency),
        available=Money(standing.available, account.currency),
        as_of=standing.polled_at,
        version=standing.version,
    )
