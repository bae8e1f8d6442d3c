"""The chains of audit: rows with the hash of the one before, and where each ends.

The end of a chain is one row, its head. A process remembers the heads it wrote, so as
a rule a chain goes on by one statement that names the end it builds on; where another
process wrote meanwhile, that statement finds nothing and the head is asked first.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import orjson

from app.clock import rfc3339
from app.database import Tx
from app.shelf import Shelf

ZERO = bytes(32)
_REMEMBERED = 10_000
# Number and hash of the last row of a chain, as this process committed them.
_heads: Shelf[str, tuple[int, bytes]] = Shelf(_REMEMBERED)


async def lengthened(
    tx: Tx, chain: str, rows: Sequence[Sequence[object]]
) -> list[list[object]]:
    """Chain rows behind those that are there, and move the head.

    Args:
        tx: the transaction of what the rows tell.
        chain: which; whoever writes to several takes them in sorted order.
        rows: without their number, the hash before them and their own.

    Returns:
        The rows as they are stored: chain, number, their columns, both hashes.
    """
    known = _heads.of(chain)
    if known is not None:
        found, last = _linked(chain, rows, *known)
        if await tx.one(
            "UPDATE audit_head SET seq = $2, hash = $3 "
            "WHERE chain = $1 AND seq = $4 AND hash = $5 RETURNING chain",
            chain,
            *last,
            *known,
        ):
            _remember(tx, chain, last)
            return found
    return await _asked_first(tx, chain, rows)


async def _asked_first(
    tx: Tx, chain: str, rows: Sequence[Sequence[object]]
) -> list[list[object]]:
    head = await tx.one(
        "INSERT INTO audit_head (chain, seq, hash) VALUES ($1, $2, $3) "
        "ON CONFLICT (chain) DO UPDATE SET seq = audit_head.seq + excluded.seq "
        "RETURNING seq, hash",
        chain,
        len(rows),
        ZERO,
    )
    assert head is not None  # noqa: S101  -- an upsert that returns always returns
    before = head.get("seq", int) - len(rows)
    found, last = _linked(chain, rows, before, head.get("hash", bytes))
    await tx.one(
        "UPDATE audit_head SET hash = $2 WHERE chain = $1 RETURNING chain",
        chain,
        last[1],
    )
    _remember(tx, chain, last)
    return found


def _linked(
    chain: str, rows: Sequence[Sequence[object]], seq: int, prev: bytes
) -> tuple[list[list[object]], tuple[int, bytes]]:
    found: list[list[object]] = []
    for row in rows:
        seq += 1
        columns = [chain, seq, *row]
        own = digest(prev, columns)
        found.append([*columns, prev, own])
        prev = own
    return found, (seq, prev)


def _remember(tx: Tx, chain: str, last: tuple[int, bytes]) -> None:
    """Remember a head once it is committed; a wrong one would only cost a statement."""

    def keep() -> None:
        _heads.keep(chain, last)

    tx.after_commit(keep)


def digest(prev: bytes, columns: Sequence[object]) -> bytes:
    """Chain one row: SHA-256 over the hash before it and its columns as JSON."""
    plain = [
        rfc3339(value)
        if isinstance(value, datetime)
        else (value if isinstance(value, int | None) else str(value))
        for value in columns
    ]
    return hashlib.sha256(prev + orjson.dumps(plain)).digest()
