"""What a remote core said of accounts, as it is read: figures and pages of rows.

`imprint.py` writes it, one look at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from typing_extensions import override

from app import database, keyset
from app.ids import AccountId
from app.integrations.core_banking import CoreTxn, TxnQuery
from app.integrations.kept import KeptTxn
from app.money import Money
from app.rows import Row, Scalar

TABLE = "mirror_transaction"
COLUMNS = (
    "account_id, core_id, id, status, kind, direction, amount, running_balance, "
    "counterparty_name, counterparty_masked, narration, rail, reference, payment_ref, "
    "decline_code, original_minor, original_currency, value_on, search, core_at, "
    "created_at, booked_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an account stands in the mirror, in minor units of its currency.

    Args:
        booked, held, available, version: its figures.
        polled_at: when the look was asked for that confirmed them.
        dirty: whether it was written to since.
        used_on: the last bank day on which somebody asked for it.
    """

    account: AccountId
    booked: int
    held: int
    available: int
    version: int
    polled_at: datetime
    dirty: bool
    used_on: date | None


async def standings(accounts: Sequence[AccountId]) -> dict[AccountId, Standing]:
    """Give how accounts stand, in one statement; those never looked at: left out."""
    if not accounts:
        return {}
    rows = await database.read(
        "SELECT b.account_id, b.booked, b.held, b.available, b.version, "  # noqa: S608  -- placeholders only
        "c.polled_at, c.dirty_at, c.used_on "
        "FROM mirror_balance b JOIN mirror_cursor c ON c.account_id = b.account_id "
        f"WHERE b.account_id IN {database.placeholders(1, len(accounts))}",
        *accounts,
    )
    return {found.account: found for found in map(_standing, rows)}


def _standing(row: Row) -> Standing:
    return Standing(
        account=row.get("account_id", AccountId),
        booked=row.get("booked", int),
        held=row.get("held", int),
        available=row.get("available", int),
        version=row.get("version", int),
        polled_at=row.get("polled_at", datetime),
        dirty=row.find("dirty_at", datetime) is not None,
        used_on=row.find("used_on", date),
    )


# ------------------------------------------------------------------ rows


async def page(
    accounts: Sequence[AccountId], query: TxnQuery
) -> dict[AccountId, list[CoreTxn]]:
    """Give the rows of one page of each account, all in one statement."""
    pages: dict[AccountId, list[CoreTxn]] = {account: [] for account in accounts}
    if not pages:
        return {}
    ids = [account.value for account in pages]
    wanted = keyset.Page(TABLE, COLUMNS, ids, query)
    rows = await database.read(
        f"SELECT l.*, a.currency, a.core_ref FROM ({wanted.sql}) l "  # noqa: S608  -- own names and placeholders
        "JOIN account a ON a.id = l.account_id "
        f"ORDER BY l.account_id, {wanted.order_of('l')}",
        *wanted.values,
    )
    for row in rows:
        pages[row.get("account_id", AccountId)].append(_shown(row))
    return pages


async def by_ids(ids: Sequence[UUID]) -> list[CoreTxn]:
    """Give rows by their ids, unknown ones left out."""
    return await _where("id", ids)


async def of_payments(payments: Sequence[UUID]) -> list[CoreTxn]:
    """Give all rows of payments, oldest first."""
    return await _where("payment_ref", [str(one) for one in payments])


async def _where(column: str, values: Sequence[Scalar]) -> list[CoreTxn]:
    if not values:
        return []
    columns = ", ".join(f"l.{name}" for name in COLUMNS.split(", "))
    rows = await database.read(
        f"SELECT {columns}, a.currency, a.core_ref FROM {TABLE} l "  # noqa: S608  -- own names and placeholders
        "JOIN account a ON a.id = l.account_id "
        f"WHERE l.{column} IN {database.placeholders(1, len(values))} "
        "ORDER BY l.created_at, l.id",
        *values,
    )
    return [_shown(row) for row in rows]


def _shown(row: Row) -> CoreTxn:
    return _Shown(row, row.get("core_ref", str), row.get("currency", str))


class _Shown(KeptTxn):
    """A row of the mirror: a far core may tell more than our book."""

    __slots__ = ()

    @property
    @override
    def decline_code(self) -> str | None:
        return self._row.find("decline_code", str)

    @property
    @override
    def original(self) -> Money | None:
        abroad = self._row.find("original_currency", str)
        if not abroad:
            return None
        return Money(self._row.get("original_minor", int), abroad)


def row_of(row: Row, ref: str, currency: str) -> CoreTxn:
    """Read a row of the table; its `id` is ours."""
    running = row.find("running_balance", int)
    abroad = row.find("original_currency", str)
    payment = row.find("payment_ref", str)
    return CoreTxn(
        id=row.get("id", UUID),
        ref=ref,
        status=row.get("status", str),
        kind=row.get("kind", str),
        direction=row.get("direction", str),
        amount=Money(row.get("amount", int), currency),
        running_balance=None if running is None else Money(running, currency),
        created_at=row.get("created_at", datetime),
        booked_at=row.find("booked_at", datetime),
        value_on=row.find("value_on", date),
        counterparty_name=row.find("counterparty_name", str),
        counterparty_masked=row.find("counterparty_masked", str),
        narration=row.find("narration", str),
        rail=row.get("rail", str),
        reference=row.find("reference", str),
        payment=None if payment is None else UUID(payment),
        decline_code=row.find("decline_code", str),
        original=Money(row.get("original_minor", int), abroad) if abroad else None,
    )
