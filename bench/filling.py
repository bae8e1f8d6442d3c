"""Brings a book to a size, by the rows that as many transfers would have left.

A million transfers by the book itself would take half an hour; these are inserted many
at once, with every guard on, and the proofs hold afterwards. Events are left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from app import database
from app.database import Tx
from app.ids import uuid7
from app.rows import Scalar

AT_ONCE = 200  # transfers of one transaction
_OPS = (
    "INSERT INTO ledger_op (op_id, fingerprint, kind, outcome, journal_id, answer, at) "
    "VALUES "
)
_POSTINGS = (
    "INSERT INTO ledger_posting (journal_id, no, account_id, phase, amount, "
    "after_committed, after_pending_out, version) VALUES "
)
_JOURNALS = "INSERT INTO ledger_journal (id, op_id, kind, memo, value_on, at) VALUES "
_LINES = (
    "INSERT INTO ledger_line (id, account_id, op_id, journal_id, direction, amount, "
    "kind, status, rail, narration, value_on, search, running_balance, created_at, "
    "booked_at) VALUES "
)


@dataclass(slots=True)
class Figures:
    """An account while it is filled."""

    account: UUID
    committed: int
    version: int


async def fill(accounts: Sequence[UUID], postings: int) -> int:
    """Insert transfers until the book has so many postings; gives how many it has."""
    [row] = await database.read("SELECT count(*) AS n FROM ledger_posting")
    there = row.get("n", int)
    figures = [await figures_of(account) for account in accounts]
    await ring(figures, max(0, postings - there) // 2)
    await database.transaction(lambda tx: _settle(tx, figures), name="bench.fill")
    [row] = await database.read("SELECT count(*) AS n FROM ledger_posting")
    return row.get("n", int)


async def lengthen(accounts: Sequence[UUID], rows: int) -> None:
    """Give each of several accounts so many rows of history more, an even number."""
    figures = [await figures_of(account) for account in accounts]
    await ring(figures, len(figures) * rows // 2)
    await database.transaction(lambda tx: _settle(tx, figures), name="bench.fill")


async def ring(figures: Sequence[Figures], transfers: int) -> None:
    """Insert transfers from each account to the next; the balances are left as is."""
    turns = _pairs(figures)
    left = transfers
    while left:
        pairs = [next(turns) for _ in range(min(AT_ONCE, left))]
        await database.transaction(
            lambda tx, pairs=pairs: _some(tx, pairs),  # type: ignore[misc]  # bound now
            name="bench.fill",
        )
        left -= len(pairs)


def _pairs(figures: Sequence[Figures]) -> Iterator[tuple[Figures, Figures]]:
    place = 0
    while True:
        yield figures[place % len(figures)], figures[(place + 1) % len(figures)]
        place += 1


async def figures_of(account: UUID) -> Figures:
    """Read an account as it is."""
    row = await database.read_one(
        "SELECT committed, version FROM ledger_balance WHERE account_id = $1", account
    )
    assert row is not None
    return Figures(account, row.get("committed", int), row.get("version", int))


async def _some(tx: Tx, pairs: Sequence[tuple[Figures, Figures]]) -> None:
    now = datetime.now(UTC)
    ops: list[Scalar] = []
    postings: list[Scalar] = []
    journals: list[Scalar] = []
    lines: list[Scalar] = []
    for pair in pairs:
        op, journal = uuid7(), uuid7()
        ops += [op, b"bench".ljust(32, b"."), "TRANSFER", "OK", journal, "{}", now]
        journals += [journal, op, "TRANSFER", "Rent", now.date(), now]
        for no, (one, amount) in enumerate(zip(pair, (-1, 1), strict=True), start=1):
            one.committed += amount
            one.version += 1
            postings += [journal, no, one.account, "COMMITTED", amount]
            postings += [one.committed, 0, one.version]
            lines += [uuid7(), one.account, op, journal, "IN" if no > 1 else "OUT", 1]
            lines += ["TRANSFER", "BOOKED", "INTERNAL", "Rent", now.date(), "rent"]
            lines += [one.committed, now, now]
    for sql, width, values in (
        (_OPS, 7, ops),
        (_POSTINGS, 8, postings),
        (_JOURNALS, 6, journals),
        (_LINES, 15, lines),
    ):
        await tx.rows(sql + database.placeholders(len(values) // width, width), *values)


async def _settle(tx: Tx, figures: Sequence[Figures]) -> None:
    """Bring the balances to what was posted."""
    for one in figures:
        await tx.rows(
            "UPDATE ledger_balance SET committed = $2, version = $3 "
            "WHERE account_id = $1 RETURNING account_id",
            one.account,
            one.committed,
            one.version,
        )
