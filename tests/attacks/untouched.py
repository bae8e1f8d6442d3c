"""What stands in the tables of a running bank, and what an attack did to it."""

import time
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.journeys.books import Books

Rows = Mapping[str, Counter[str]]

TABLES = {
    "SQLite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "PostgreSQL": (
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    ),
}
COLUMNS = {
    "SQLite": "SELECT name FROM pragma_table_info('{}')",
    "PostgreSQL": (
        "SELECT column_name FROM information_schema.columns WHERE table_name = '{}' "
        "AND table_schema = 'public' ORDER BY ordinal_position"
    ),
}
# Refused attempts are written down, and proofs note how far they looked.
WRITTEN_ANYWAY = {
    *("audit_entry", "audit_head", "proof_watermark", "sqlite_sequence"),
    *("tortoise_migrations", "schema_guard", "device_stream"),
}
# A phone that asks is a phone that was seen.
CLOCKS = {"last_active_at", "last_seen_at", "answering_until"}
QUIET_S = 0.4
PATIENCE_S = 15


def rows(books: Books) -> Rows:
    """Read every row of every table, but what is written anyway."""
    selects = _selects(books)
    found = books.read_each([*selects.values()])
    return {
        table: Counter(map(repr, rows))
        for table, rows in zip(selects, found, strict=True)
    }


@cache
def _selects(books: Books) -> dict[str, str]:
    """Write the question for each table once; tables do not change under a bank."""
    found = {}
    tables = [table for (table,) in books.read(TABLES[books.engine])]
    asked = [COLUMNS[books.engine].format(table) for table in tables]
    for table, named in zip(tables, books.read_each(asked), strict=True):
        if table not in WRITTEN_ANYWAY:
            columns = ", ".join(f'"{name}"' for (name,) in named if name not in CLOCKS)
            found[table] = f"SELECT {columns} FROM {table}"  # noqa: S608  -- the schema's own names
    return found


def at_rest(books: Books) -> Rows:
    """Wait until the bank's own work is done; gives the rows.

    Raises:
        AssertionError: it never comes to rest.
    """
    end = time.monotonic() + PATIENCE_S
    before = rows(books)
    while time.monotonic() < end:
        time.sleep(QUIET_S)
        after = rows(books)
        if after == before:
            return after
        before = after
    raise AssertionError("the bank does not come to rest")


def gone(before: Rows, after: Rows) -> list[tuple[str, str]]:
    """Name the rows that were changed or taken away."""
    return [(table, row) for table in before for row in before[table] - after[table]]


def added(before: Rows, after: Rows) -> set[str]:
    """Name the tables that grew."""
    return {table for table in after if after[table].total() > before[table].total()}


def as_hex(value: Any) -> str:
    """Write an id of a table as ids are written outside."""
    return value.hex() if isinstance(value, bytes) else str(value).replace("-", "")
