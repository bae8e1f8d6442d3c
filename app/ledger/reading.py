"""Reads of the book, each one statement for any number of accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app import database, keyset
from app.ids import CustomerId
from app.ledger.journal import Account, Figures
from app.ledger.lines import COLUMNS
from app.ledger.posting import State
from app.rows import Row, Scalar

# What is shown of a row; the rest is for us.
SHOWN = (
    "id, status, kind, direction, amount, running_balance, created_at, booked_at, "
    "value_on, counterparty_name, counterparty_masked, narration, rail, reference, "
    "payment_ref"
)
# Where each of them is in a row of `joined`.
PLACES = {name: place for place, name in enumerate(SHOWN.split(", "))}


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
    return [Reading(_account(row), figures(row)) for row in rows]


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


def figures(row: Row) -> Figures:
    """Read the figures of a balance."""
    return Figures(
        committed=row.get("committed", int),
        pending_out=row.get("pending_out", int),
        version=row.get("version", int),
        floor=row.find("floor_minor", int),
    )


async def page(accounts: Sequence[UUID], query: LineQuery) -> list[Row]:
    """Give the rows of one page of each account: `COLUMNS` and their currency."""
    if not accounts:
        return []
    page = keyset.Page("ledger_line", COLUMNS, accounts, query)
    return await database.read(
        f"SELECT l.*, a.currency FROM ({page.sql}) l "  # noqa: S608  -- own names and placeholders
        "JOIN ledger_account a ON a.id = l.account_id "
        f"ORDER BY l.account_id, {page.order_of('l')}",
        *page.values,
    )


async def by_ids(ids: Sequence[UUID]) -> list[Row]:
    """Give rows by their ids, with their currency; unknown ones are left out."""
    return await _where(f"l.id IN ({_marks(len(ids))})", ids)


async def of_payments(payments: Sequence[UUID]) -> list[Row]:
    """Give all rows of payments, oldest first, with their currency."""
    marks = _marks(len(payments))
    return await _where(f"l.payment_ref IN ({marks})", [str(one) for one in payments])


async def _where(test: str, args: Sequence[Scalar]) -> list[Row]:
    if not args:
        return []
    columns = ", ".join(f"l.{name}" for name in COLUMNS.split(", "))
    return await database.read(
        f"SELECT {columns}, a.currency FROM ledger_line l "  # noqa: S608  -- own names and placeholders
        "JOIN ledger_account a ON a.id = l.account_id "
        f"WHERE {test} ORDER BY l.created_at, l.id",
        *args,
    )


async def joined(chosen: str, rows: int, *values: Scalar) -> list[Row]:
    """Give chosen accounts with their figures and newest rows, all in one statement.

    Args:
        chosen: a SELECT that gives at least core_ref, our account's id as text, and
            `place` and id, which sort the accounts.
        rows: how many rows of each; as the JSON array `lines` of arrays with the
            columns of `SHOWN` in their `PLACES`, newest first, or NULL: names would be
            half of it. The figures are NULL for an account that the book does not know.
        values: the parameters of `chosen`.
    """
    on_postgres = database.dialect() == "postgres"
    own = "CAST(c.core_ref AS uuid)" if on_postgres else "c.core_ref"
    found = (
        "(SELECT json_agg(json_build_array({shown})) FROM ({newest}) r)"
        if on_postgres
        else "(SELECT json_group_array(json_array({shown})) FROM ({newest}))"
    ).format(shown=SHOWN, newest=_newest(len(values) + 1))
    return await database.read(
        "SELECT c.*, b.account_id, b.committed, b.pending_out, b.version, "  # noqa: S608  -- own names and placeholders
        f"b.floor_minor, {found} AS lines FROM ({chosen}) c "
        f"LEFT JOIN ledger_balance b ON b.account_id = {own} "
        "ORDER BY c.place, c.id",
        *values,
        rows,
    )


def _newest(mark: int) -> str:
    return (
        f"SELECT {SHOWN} FROM ledger_line WHERE account_id = b.account_id "  # noqa: S608  -- own names
        f"ORDER BY created_at DESC, id DESC LIMIT ${mark}"
    )


def _marks(count: int) -> str:
    return ", ".join(f"${number}" for number in range(1, count + 1))
