"""Reads of the accounts room, each one call for all objects of an answer."""

from collections.abc import Mapping, Sequence

from app.accounts import account as accounts
from app.accounts import balances
from app.accounts import row as rows
from app.accounts.transactions import Page, PageQuery
from app.ids import AccountId, PaymentId, TransactionId
from app.schema.context import Context
from app.schema.loaders import Batch


async def _accounts(
    context: Context, keys: Sequence[AccountId]
) -> Mapping[AccountId, accounts.Account]:
    return await context.bank.accounts.found(context.actor, keys)


async def _ever(
    context: Context, keys: Sequence[AccountId]
) -> Mapping[AccountId, accounts.Account]:
    return await context.bank.accounts.ever(context.actor, keys)


async def _numbers(
    context: Context, keys: Sequence[AccountId]
) -> Mapping[AccountId, str]:
    return await context.bank.accounts.numbers(context.actor, keys)


async def _balances(
    context: Context, keys: Sequence[accounts.Account]
) -> Mapping[accounts.Account, balances.Balance]:
    found = await context.bank.balances.of(keys)
    return {key: found[key.id] for key in keys if key.id in found}


PageKey = tuple[accounts.Account, PageQuery]


async def _pages(context: Context, keys: Sequence[PageKey]) -> Mapping[PageKey, Page]:
    found: dict[PageKey, Page] = {}
    for query in dict.fromkeys(query for _account, query in keys):
        asked = [account for account, own in keys if own == query]
        pages = await context.bank.transactions.pages(asked, query)
        found |= {(account, query): pages[account.id] for account in asked}
    return found


async def _transactions(
    context: Context, keys: Sequence[TransactionId]
) -> Mapping[TransactionId, rows.Transaction]:
    return await context.bank.transactions.by_ids(context.actor, keys)


Notes = Batch[str, tuple[PaymentId, ...]]
_NOTES: list[Notes] = []


def search_notes(notes: Notes) -> None:
    """Let a slice above name the caller's payments by a text in their notes."""
    _NOTES.append(notes)


async def noted(context: Context, text: str | None) -> tuple[PaymentId, ...]:
    """Give the caller's payments whose note holds a text, read once per operation."""
    sought = (text or "").strip()
    if not sought:
        return ()
    found = [await notes.load(context, sought) for notes in _NOTES]
    return tuple(payment for some in found for payment in some)


ACCOUNT = Batch("account", _accounts)
EVER = Batch("account that is or was the caller's", _ever)
NUMBER = Batch("account number", _numbers)
BALANCE = Batch("balance", _balances)
PAGE = Batch("transactions", _pages)
TRANSACTION = Batch("transaction", _transactions)
