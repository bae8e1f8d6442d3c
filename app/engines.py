"""The client classes of both engines: SQLite and PostgreSQL behind the ORM's interface.

They replace only how a transaction begins and ends: the ORM's own way keeps the
connection for good when a task is cancelled inside (banking.md 1.1, D1, D8, D11).
"""

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient, TransactionContext
from tortoise.backends.sqlite import client as sqlite_client
from typing_extensions import override


class _SqliteDoor(TransactionContext):
    """One immediate transaction; gives the connection back whatever happens (D1, D11).

    A deferred BEGIN answers "locked" as soon as two processes write; an immediate one
    waits for its turn.
    """

    def __init__(self, parent: "SqliteClient") -> None:
        self._parent = parent

    @override
    async def __aenter__(self) -> Any:
        async with asyncio.timeout(self._parent.wait_s):
            await self._parent.lock.acquire()
        try:
            if self._parent.connection is None:
                await self._parent.create_connection(with_db=True)
            self._client = sqlite_client.SqliteTransactionWrapper(self._parent)
            await self._parent.opened.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._parent.lock.release()
            raise
        return self._client

    @override
    async def __aexit__(self, kind: object, failure: object, trace: object) -> None:
        try:
            if kind is None:
                await _committed_or_undone(self._parent.opened)
            else:
                await self._parent.opened.rollback()
        finally:
            self._parent.lock.release()


async def _committed_or_undone(connection: Any) -> None:  # noqa: ANN401  -- aiosqlite
    try:
        await connection.commit()
    except BaseException:
        await connection.rollback()
        raise


class SqliteClient(sqlite_client.SqliteClient):
    """SQLite as we want it: immediate transactions, no leaked connection."""

    wait_s: float = 10.0

    def __init__(self, file_path: str, *, wait_s: float, **pragmas: Any) -> None:  # noqa: ANN401  -- as the ORM
        super().__init__(file_path, **pragmas)
        self.wait_s = wait_s
        self.lock = self._lock

    @property
    def connection(self) -> Any:  # noqa: ANN401  -- aiosqlite, or None before it opened
        """The driver's connection."""
        return self._connection

    @property
    def opened(self) -> Any:  # noqa: ANN401  -- same
        """The driver's connection, which is open."""
        assert self._connection is not None  # noqa: S101  -- opened on entry
        return self._connection

    @override
    def _in_transaction(self) -> TransactionContext:
        return _SqliteDoor(self)


@cache
def _postgres_client() -> type[BaseDBAsyncClient]:  # noqa: C901  -- two small classes
    """Make the PostgreSQL client; its driver is imported only where it is used."""
    from tortoise.backends.asyncpg import client as pg  # noqa: PLC0415  -- see above

    class Door(TransactionContext):
        """One pooled transaction; gives the connection back whatever happens (D1)."""

        def __init__(self, parent: "PostgresClient") -> None:
            self._parent = parent

        @override
        async def __aenter__(self) -> Any:
            pool = await self._parent.pool()
            self._connection = await pool.acquire(timeout=self._parent.wait_s)
            try:
                self._client = pg.TransactionWrapper(self._parent)
                self._client._connection = self._connection  # noqa: SLF001  -- the ORM's own way
                await self._client.begin()
            except BaseException:
                await pool.release(self._connection)
                raise
            return self._client

        @override
        async def __aexit__(self, kind: object, failure: object, trace: object) -> None:
            pool = await self._parent.pool()
            try:
                if kind is None:
                    await self._client.commit()
                else:
                    await self._client.rollback()
            finally:
                await pool.release(self._connection)

    class PostgresClient(pg.AsyncpgDBClient):
        """PostgreSQL as we want it: a wait that ends, no leaked connection."""

        def __init__(self, *, wait_s: float, **rest: Any) -> None:  # noqa: ANN401  -- as the ORM
            super().__init__(**rest)
            self.wait_s = wait_s

        async def pool(self) -> Any:  # noqa: ANN401  -- asyncpg is untyped
            if self._pool is None:
                async with self._pool_init_lock:
                    if self._pool is None:
                        await self.create_connection(with_db=True)
            return self._pool

        @override
        def _in_transaction(self) -> TransactionContext:
            return Door(self)

    return PostgresClient


def get_client_class(db_info: Mapping[str, Any]) -> type[BaseDBAsyncClient]:
    """Answer Tortoise, which asks the engine module for the class of its client."""
    if "file_path" in db_info["credentials"]:
        return SqliteClient
    return _postgres_client()
