"""What the caller has: all accounts, and single ones and rows by their ids."""

from collections.abc import Sequence
from typing import Any

import strawberry

from app.accounts import account as accounts
from app.accounts.screen import is_newest
from app.ids import AccountId, MalformedId, TransactionId
from app.schema.accounts.accounts import ACCOUNT_ROW, Account, Transaction
from app.schema.accounts.batches import ACCOUNT, BALANCE, EVER, PAGE, TRANSACTION
from app.schema.context import Context, Info
from app.schema.scalars import field


async def _listed(_customer: object, info: Info) -> list[accounts.Account]:
    """Read the caller's accounts."""
    context = info.context
    return await context.bank.accounts.of_customer(context.actor.known_customer)


async def _with_the_rest(
    _customer: object, info: Info, asked: Sequence[tuple[object, Any]]
) -> list[accounts.Account]:
    """Read the caller's accounts together with their figures and newest rows."""
    queries = {query for batch, query in asked if batch is PAGE}
    newest = all(query is not None and is_newest(query) for query in queries)
    if not asked or len(queries) > 1 or not newest:
        return await _listed(_customer, info)
    context = info.context
    query = next(iter(queries), None)
    found = await context.bank.screens.of(context.actor.known_customer, query)
    if found is None:
        return await _listed(_customer, info)
    BALANCE.know(context, {one.account: one.balance for one in found})
    if query is not None:
        pages = {(one.account, query): one.page for one in found}
        PAGE.know(context, pages)
    return [one.account for one in found]


@strawberry.type
class CustomerFields:
    """What the customer's own object shows of this room."""

    @field(
        description=(
            "All accounts, pots not included (see Account.pots), in the customer's "
            "order. At most 50."
        ),
        snapshots=(_listed, ACCOUNT_ROW),
        ahead=_with_the_rest,
    )
    async def accounts(self, info: Info) -> list[Account]:
        """List the caller's accounts."""
        return [Account.from_row(one) for one in await _listed(self, info)]

    @field()
    async def account(self, info: Info, id: strawberry.ID) -> Account | None:  # noqa: A002  -- the contract's name
        """Give one account of the caller, or null."""
        try:
            return await account_node(info.context, AccountId.parse(id))
        except MalformedId:
            return None


# ------------------------------------------------------------------ look-ups by id


async def account_node(context: Context, account: AccountId) -> Account | None:
    """Give an account of the caller; null for anybody else's."""
    found = await ACCOUNT.find(context, account)
    return None if found is None else Account.from_row(found)


async def paying_node(context: Context, account: AccountId) -> Account:
    """Give the account of a payment of the caller.

    Where it is another client's by now it has its name and number of then, and whatever
    else is asked of it is empty.
    """
    found = await account_node(context, account)
    return found or Account.of(accounts.shot(await EVER.load(context, account)))


async def transaction_node(
    context: Context, transaction: TransactionId
) -> Transaction | None:
    """Give a row of the caller; null for anybody else's."""
    found = await TRANSACTION.find(context, transaction)
    return None if found is None else Transaction.from_row(found)
