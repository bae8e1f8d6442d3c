"""An account's postings between two versions: opening plus rows is closing.

Nothing is rendered before that is proved, row by row (banking.md section 2.4).
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app import database
from app.rows import Row


class StatementBroken(AssertionError):
    """The postings of an account do not add up: the books are wrong."""


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One booked movement of the account, in minor units; the sign is its direction."""

    version: int
    at: datetime
    amount: int
    balance: int
    memo: str


@dataclass(frozen=True, slots=True)
class Statement:
    """Booked movements after version `since` up to version `until`."""

    account: UUID
    since: int
    until: int
    opening: int
    closing: int
    rows: tuple[StatementRow, ...]


async def statement(account: UUID, since: int, until: int) -> Statement:
    """Read and prove a statement.

    Args:
        account: whose.
        since: balance version before its first row; 0 is the beginning.
        until: balance version of its last row.

    Raises:
        StatementBroken: opening and rows do not give the closing balance, a row does
            not follow from the one before it, or a version is missing.
    """
    rows = await database.read(
        "SELECT p.version, j.at, p.after_committed, j.memo, "
        "SUM(CASE WHEN p.phase = 'COMMITTED' THEN p.amount ELSE 0 END) AS moved "
        "FROM ledger_posting p JOIN ledger_journal j ON j.id = p.journal_id "
        "WHERE p.account_id = $1 AND p.version >= $2 AND p.version <= $3 "
        "GROUP BY p.version, j.at, p.after_committed, j.memo ORDER BY p.version",
        account,
        since,
        until,
    )
    opening = 0
    if since:
        opening = rows[0].get("after_committed", int) if rows else 0
        rows = rows[1:]
    return _proved(account, since, opening, rows, until)


def _proved(
    account: UUID, since: int, opening: int, rows: list[Row], until: int
) -> Statement:
    balance, version = opening, since
    kept: list[StatementRow] = []
    for row in rows:
        version, moved = version + 1, row.get("moved", int)
        balance += moved
        if row.get("version", int) != version:
            raise StatementBroken(f"version {version} is missing")
        if row.get("after_committed", int) != balance:
            raise StatementBroken(f"version {version} does not follow")
        if moved:
            at, memo = row.get("at", datetime), row.get("memo", str)
            kept.append(StatementRow(version, at, moved, balance, memo))
    if version != until:
        raise StatementBroken(f"version {until} is missing")
    return Statement(account, since, until, opening, balance, tuple(kept))
