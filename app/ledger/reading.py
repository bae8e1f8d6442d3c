"""Reads of the book, each one statement for any number of accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app import database, keyset
from app.ids import CustomerId
from app.ledger.journal import Account, Figures
from app.ledger.lines import COLUMNS, Line, line_of
from app.ledger.posting import State
from app.rows import Row, Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class LineQuery:
    """A keyset page per account, newest first; the port's TxnQuery explains it."""

    first: int
    after: tuple[datetime, UUID] | None = None
    before: tuple[datetime, UUID] | None = None
    since: datetime | None = None
    until: datetime | None = None
    direction: str | None = None
    statuses: tuple[str, ...] = ()
    min_minor: int | None = None
    max_minor: int | None = None
    text: str | None = None
    noted: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """An account with its figures, as they are now."""

    account: Account
    figures: Figures


async def balances(accounts: Sequence[UUID]) -> list[Reading]:
    """Give accounts with their figures; unknown ones are left out."""
    if not accounts:
        return []
    return await _readings(f"a.id IN ({_marks(len(accounts))})", *accounts)


async def of_owner(owner: CustomerId) -> list[Reading]:
    """Give the accounts of a customer, oldest first."""
    return await _readings("a.owner_id = $1", owner)


async def _readings(where: str, *args: Scalar) -> list[Reading]:
    rows = await database.read(
        "SELECT a.id, a.owner_id, a.kind, a.name, a.masked_number, a.currency, "  # noqa: S608  -- own conditions
        "b.state, b.committed, b.pending_out, b.version, b.floor_minor "
        "FROM ledger_account a JOIN ledger_balance b ON b.account_id = a.id "
        f"WHERE {where} ORDER BY a.opened_at, a.id",
        *args,
    )
    return [Reading(_account(row), _figures(row)) for row in rows]


def _account(row: Row) -> Account:
    return Account(
        id=row.get("id", UUID),
        owner=row.find("owner_id", CustomerId),
        kind=row.get("kind", str),
        name=row.get("name", str),
        masked_number=row.find("masked_number", str),
        currency=row.get("currency", str),
        state=row.get("state", State),
    )


def _figures(row: Row) -> Figures:
    return Figures(
        committed=row.get("committed", int),
        pending_out=row.get("pending_out", int),
        version=row.get("version", int),
        floor=row.find("floor_minor", int),
    )


async def page(accounts: Sequence[UUID], query: LineQuery) -> list[tuple[Line, str]]:
    """Give the rows of one page of each account, with their currency."""
    if not accounts:
        return []
    page = keyset.Page("ledger_line", COLUMNS, accounts, query)
    rows = await database.read(
        f"SELECT l.*, a.currency FROM ({page.sql}) l "  # noqa: S608  -- own names and placeholders
        "JOIN ledger_account a ON a.id = l.account_id "
        f"ORDER BY l.account_id, {page.order_of('l')}",
        *page.values,
    )
    return [(line_of(row), row.get("currency", str)) for row in rows]


async def by_ids(ids: Sequence[UUID]) -> list[tuple[Line, str]]:
    """Give rows by their ids, with their currency; unknown ones are left out."""
    return await _where(f"l.id IN ({_marks(len(ids))})", ids)


async def of_payments(payments: Sequence[UUID]) -> list[tuple[Line, str]]:
    """Give all rows of payments, oldest first, with their currency."""
    marks = _marks(len(payments))
    return await _where(f"l.payment_ref IN ({marks})", [str(one) for one in payments])


async def _where(test: str, args: Sequence[Scalar]) -> list[tuple[Line, str]]:
    if not args:
        return []
    columns = ", ".join(f"l.{name}" for name in COLUMNS.split(", "))
    rows = await database.read(
        f"SELECT {columns}, a.currency FROM ledger_line l "  # noqa: S608  -- own names and placeholders
        "JOIN ledger_account a ON a.id = l.account_id "
        f"WHERE {test} ORDER BY l.created_at, l.id",
        *args,
    )
    return [(line_of(row), row.get("currency", str)) for row in rows]


def _marks(count: int) -> str:
    return ", ".join(f"${number}" for number in range(1, count + 1))
