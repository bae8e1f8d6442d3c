"""All that a home screen shows of accounts, in one statement where the core allows it.

A look ahead, and nothing else: what it gives is what the single reads would give, and
where it gives nothing they are made.
"""

from dataclasses import dataclass

from app.accounts.account import Account
from app.accounts.accounts import Accounts, account_of
from app.accounts.balances import Balance, balance_of
from app.accounts.sheet import Sheet
from app.accounts.transactions import Page, PageQuery, page_of
from app.ids import CustomerId


@dataclass(frozen=True, slots=True)
class Shown:
    """One account with what the screen asks of it."""

    account: Account
    balance: Balance | None
    page: Page | None


def is_newest(query: PageQuery) -> bool:
    """Tell whether a page is the newest rows as they are: no place, no filter."""
    return query == PageQuery(size=query.size)


class Screens:
    """Reads screens.

    Args:
        accounts: choose whose accounts are read.
        sheet: where balances and rows are read.
    """

    def __init__(self, *, accounts: Accounts, sheet: Sheet) -> None:
        self._accounts = accounts
        self._sheet = sheet

    async def of(
        self, customer: CustomerId, query: PageQuery | None
    ) -> list[Shown] | None:
        """Give a customer's accounts in their order, each with balance and page.

        Args:
            customer: whose.
            query: see `is_newest`; None asks for no rows.

        None: this core has no such statement; each part is asked for by itself.

        Raises:
            Outage: our database does not answer.
        """
        wanted = 0 if query is None else query.size + 1
        found = await self._sheet.joined(self._accounts.chosen(customer), wanted)
        if found is None:
            return None
        shown = []
        for row, said, rows in found:
            account = account_of(row)
            page = None if query is None else page_of(account, rows, query)
            balance = None if said is None else balance_of(account.id, said)
            shown.append(Shown(account, balance, page))
        return shown
