"""Builders in plain words for the tests of the book."""

from uuid import UUID

from app import database, upgrade
from app.ids import CustomerId, uuid7
from app.ledger.book import Book, Opening
from app.ledger.lines import Words
from app.ledger.ops import Op
from app.money import Money

TABLES = (
    "ledger_account",
    "ledger_balance",
    "ledger_journal",
    "ledger_posting",
    "ledger_hold",
    "ledger_line",
    "customer_event",
)
RENT = Words(narration="Rent")


def an_op(body: bytes = b"body") -> Op:
    return Op(uuid7(), body.ljust(32, b"."))


def inr(minor: int) -> Money:
    return Money(minor, "INR")


async def an_account(
    book: Book,
    holding: int = 0,
    *,
    currency: str = "INR",
    floor: int = 0,
    owner: CustomerId | None = None,
) -> UUID:
    account = uuid7()
    await book.open_account(
        Opening(
            id=account,
            owner=owner or CustomerId.new(),
            kind="CURRENT",
            name="Everyday",
            masked_number="••••1234",
            currency=currency,
            floor=floor,
        )
    )
    if holding:
        await book.deposit(an_op(), account, Money(holding, currency), "Cash")
    return account


async def figures(account: UUID) -> tuple[int, int, int]:
    """Give booked, held and version of an account."""
    row = await database.read_one(
        "SELECT committed, pending_out, version FROM ledger_balance "
        "WHERE account_id = $1",
        account,
    )
    assert row is not None
    return (
        row.get("committed", int),
        -row.get("pending_out", int),
        row.get("version", int),
    )


async def rows_of(table: str) -> int:
    row = await database.read_one(f"SELECT count(*) AS found FROM {table}")  # noqa: S608  -- own names
    assert row is not None
    return row.get("found", int)


async def sizes() -> dict[str, int]:
    """Count the rows of every table a movement writes to."""
    return {table: await rows_of(table) for table in TABLES}


async def catalogue() -> str:
    """Give the names of all checks, triggers and indexes as one text."""
    sql = (
        "SELECT name || ' ' || COALESCE(sql, '') AS found FROM sqlite_master"
        if database.dialect() == "sqlite"
        else "SELECT conname AS found FROM pg_constraint "
        "UNION SELECT tgname FROM pg_trigger UNION SELECT indexname FROM pg_indexes"
    )
    rows = await database.read(sql)
    return " ".join(row.get("found", str) for row in rows)


def off(guard: str) -> str:
    """Write the statement that takes one guard off."""
    dialect = database.dialect()
    known = upgrade.guard_names(dialect)
    kind, table = next((k, t) for k, name, t in known if name == guard)
    place = f" ON {table}" if dialect == "postgres" and kind == "TRIGGER" else ""
    return f"DROP {kind} IF EXISTS {guard}{place}"
