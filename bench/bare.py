"""Two postings by raw statements and nothing else: what a transfer costs at least.

The same statements as the book's, in the same order, one transaction: the operation is
claimed, both balances move under their condition, two postings, the journal. Tables
without a trigger; no row for a customer, no event, no audit. On PostgreSQL raw asyncpg
on a pool like the bank's, on SQLite raw sqlite3 with the bank's own pragmas.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, Self
from uuid import UUID

from app.ids import uuid7

POOL = 2, 10
_TABLES = (
    """
    CREATE TABLE bare_balance (account_id {uuid} PRIMARY KEY,
        committed BIGINT NOT NULL, version BIGINT NOT NULL)
    """,
    "CREATE TABLE bare_op (op_id {uuid} PRIMARY KEY, fingerprint {bytes} NOT NULL)",
    """
    CREATE TABLE bare_posting (journal_id {uuid}, no SMALLINT,
        account_id {uuid} NOT NULL, amount BIGINT NOT NULL,
        after_committed BIGINT NOT NULL, version BIGINT NOT NULL,
        PRIMARY KEY (journal_id, no), UNIQUE (account_id, version))
    """,
    "CREATE TABLE bare_journal (id {uuid} PRIMARY KEY, op_id {uuid} UNIQUE)",
)
_CLAIM = "INSERT INTO bare_op VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING op_id"
_MOVE = (
    "UPDATE bare_balance SET committed = committed + $2, version = version + 1 "
    "WHERE account_id = $1 AND committed + $2 >= 0 RETURNING committed, version"
)
_POST = (
    "INSERT INTO bare_posting VALUES ($1, 1, $2, $3, $4, $5), ($1, 2, $6, $7, $8, $9)"
)
_SEAL = "INSERT INTO bare_journal VALUES ($1, $2)"
_OPENED = "INSERT INTO bare_balance VALUES ($1, 1000000000000, 0)"
_FINGERPRINT = b"bench".ljust(32, b".")


class Run(Protocol):
    """Runs one statement inside the transaction of a transfer."""

    async def __call__(self, sql: str, *args: object) -> Sequence[Any]:
        """Give its rows."""
        ...


class Engine(Protocol):
    """One way to a database."""

    async def whole(self, sql: str, *args: object) -> None:
        """Run one statement by itself."""
        ...

    def transaction(self) -> Any:  # noqa: ANN401  -- an async context manager of Run
        """Begin; leaving commits."""
        ...


class Bare:
    """Transfers without anything around them."""

    def __init__(self, engine: Engine, kinds: dict[str, str]) -> None:
        self._engine = engine
        self._kinds = kinds

    @classmethod
    @asynccontextmanager
    async def of(cls, url: str) -> AsyncIterator[Self]:
        """Open it on a database."""
        if url.startswith("sqlite://"):
            lite = _Sqlite(url.removeprefix("sqlite://"))
            yield cls(lite, {"uuid": "TEXT", "bytes": "BLOB"})
            lite.close()
            return
        import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415  -- one engine has it, no types

        least, most = POOL
        async with asyncpg.create_pool(url, min_size=least, max_size=most) as pool:
            yield cls(_Postgres(pool), {"uuid": "UUID", "bytes": "BYTEA"})

    async def ready(self, accounts: Sequence[UUID]) -> None:
        """Make the tables and open the accounts."""
        for sql in _TABLES:
            await self._engine.whole(sql.format(**self._kinds))
        for account in accounts:
            await self._engine.whole(_OPENED, account)

    async def transfer(self, payer: UUID, payee: UUID) -> None:
        """Move one unit."""
        op, journal = uuid7(), uuid7()
        sides = sorted([(payer, -1), (payee, 1)])
        async with self._engine.transaction() as run:
            await run(_CLAIM, op, _FINGERPRINT)
            posted: list[object] = [journal]
            for account, amount in sides:
                [after] = await run(_MOVE, account, amount)
                posted += [account, amount, after[0], after[1]]
            await run(_POST, *posted)
            await run(_SEAL, journal, op)


class _Postgres:
    def __init__(self, pool: Any) -> None:  # noqa: ANN401  -- asyncpg is untyped
        self._pool = pool

    async def whole(self, sql: str, *args: object) -> None:
        await self._pool.execute(sql, *args)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Run]:
        async with self._pool.acquire() as connection, connection.transaction():
            yield connection.fetch


class _Sqlite:
    """One connection, one at a time, in a thread as the bank's own driver."""

    def __init__(self, file: str) -> None:
        self._turn = asyncio.Lock()
        self._line = sqlite3.connect(
            file, check_same_thread=False, isolation_level=None
        )
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self._line.execute(f"PRAGMA {pragma}")

    def close(self) -> None:
        self._line.close()

    async def whole(self, sql: str, *args: object) -> None:
        await self._run(sql, *args)

    async def _run(self, sql: str, *args: object) -> Sequence[Any]:
        values = [str(one) if isinstance(one, UUID) else one for one in args]
        return self._line.execute(sql.replace("$", "?"), values).fetchall()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Run]:
        async with self._turn:
            self._line.execute("BEGIN IMMEDIATE")
            yield self._run
            await asyncio.to_thread(self._line.execute, "COMMIT")
