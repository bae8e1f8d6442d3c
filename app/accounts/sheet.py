"""Where balances and rows of accounts are read, whoever keeps them.

A core in our own database is read itself: no second copy exists of it, for that would
only add a way to be wrong. What a remote core said is read from the mirror
(banking.md section 3 of the design).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.accounts.account import Account
from app.clock import Clock
from app.errors import Outage
from app.ids import AccountId
from app.integrations.core_banking import (
    CanJoin,
    Chosen,
    CoreBalance,
    CoreBank,
    CoreTxn,
    LocalBook,
    TxnQuery,
)
from app.rows import Row


class LocalCore(CoreBank, LocalBook, Protocol):
    """A core whose rows lie in our own database."""


@dataclass(frozen=True, slots=True)
class Said:
    """A balance as a core said it; `stale`: too long ago, or it does not answer now."""

    balance: CoreBalance
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one account, and when its core confirmed them."""

    rows: Sequence[CoreTxn]
    as_of: datetime
    stale: bool = False


class Sheet(Protocol):
    """What is read of accounts whose owner has been decided before."""

    async def balances(self, accounts: Sequence[Account]) -> dict[AccountId, Said]:
        """Give the balances of accounts; those of which nothing is known: left out.

        Raises:
            Outage: our database does not answer.
        """
        ...

    async def now(self, account: Account) -> CoreBalance:
        """Give the balance as the core says now, for a decision.

        Raises:
            Outage: the core does not answer, or does not know the account now.
        """
        ...

    async def pages(
        self, accounts: Sequence[Account], query: TxnQuery
    ) -> dict[AccountId, Rows]:
        """Give a page of rows of each account.

        Raises:
            Outage: our database does not answer.
        """
        ...

    async def joined(
        self, chosen: Chosen, rows: int
    ) -> list[tuple[Row, Said | None, Rows]] | None:
        """Give chosen accounts, balances and newest rows in one statement.

        None: it cannot, and each is asked for by itself.

        Raises:
            Outage: our database does not answer.
        """
        ...

    async def rows(self, ids: Sequence[UUID]) -> list[CoreTxn]:
        """Give rows by their ids, unknown ones left out."""
        ...

    async def rows_of(self, payments: Sequence[UUID]) -> list[CoreTxn]:
        """Give all rows that payments of ours made, oldest first."""
        ...

    async def known_until(self, refs: Sequence[str]) -> dict[str, datetime]:
        """Tell until when all rows of accounts are known, by the core's names.

        Accounts whose history is not whole are left out.
        """
        ...


class LocalSheet:
    """Reads a core in our own database, each question one statement.

    Args:
        core: the book.
        clock: for the instant of the rows, which are never stale.
    """

    def __init__(self, core: LocalCore, clock: Clock) -> None:
        self._core = core
        self._joins = core if isinstance(core, CanJoin) else None
        self._clock = clock

    async def balances(self, accounts: Sequence[Account]) -> dict[AccountId, Said]:
        """Give the balances as they are."""
        ids = {account.ref: account.id for account in accounts}
        found = await self._core.balances(list(ids))
        return {ids[balance.ref]: Said(balance) for balance in found}

    async def now(self, account: Account) -> CoreBalance:
        """Give the balance as it is."""
        return named(await self._core.balances([account.ref]), account)

    async def pages(
        self, accounts: Sequence[Account], query: TxnQuery
    ) -> dict[AccountId, Rows]:
        """Give a page of rows of each account."""
        found = await self._core.transactions([one.ref for one in accounts], query)
        at = self._clock.now()
        return {one.id: Rows(found.get(one.ref, []), at) for one in accounts}

    async def joined(
        self, chosen: Chosen, rows: int
    ) -> list[tuple[Row, Said | None, Rows]] | None:
        """Give accounts, balances and newest rows in one statement."""
        if self._joins is None:
            return None
        found = await self._joins.joined(chosen, rows)
        at = self._clock.now()
        return [
            (row, None if balance is None else Said(balance), Rows(lines, at))
            for row, balance, lines in found
        ]

    async def rows(self, ids: Sequence[UUID]) -> list[CoreTxn]:
        """Give rows by their ids."""
        return await self._core.transactions_by_id(ids)

    async def rows_of(self, payments: Sequence[UUID]) -> list[CoreTxn]:
        """Give all rows that payments made."""
        return await self._core.transactions_of(payments)

    async def known_until(self, refs: Sequence[str]) -> dict[str, datetime]:
        """Say that all is known: the book is ours."""
        return dict.fromkeys(refs, self._clock.now())


def named(found: Sequence[CoreBalance], account: Account) -> CoreBalance:
    """Give the balance of an account among those a core told.

    Raises:
        Outage: it is not among them.
    """
    for balance in found:
        if balance.ref == account.ref:
            return balance
    raise Outage("the core tells no balance", component="ACCOUNTS")
