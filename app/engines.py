"""The client class of an engine: SQLite here, PostgreSQL in `postgres.py`.

They replace how a transaction begins and ends: the ORM's own way keeps the connection
for good when a task is cancelled inside (banking.md 1.1, D1, D8, D11). And SQLite gets
a second connection, so that who reads never waits for who writes (decision 0036).
"""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import aiosqlite
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
    """SQLite as we want it: immediate transactions, reads beside them, no leak."""

    wait_s: float = 10.0

    def __init__(self, file_path: str, *, wait_s: float, **pragmas: Any) -> None:  # noqa: ANN401  -- as the ORM
        super().__init__(file_path, **pragmas)
        self.wait_s = wait_s
        self.lock = self._lock
        self._reader: aiosqlite.Connection | None = None

    @property
    def connection(self) -> Any:  # noqa: ANN401  -- aiosqlite, or None before it opened
        """The driver's connection."""
        return self._connection

    @property
    def opened(self) -> Any:  # noqa: ANN401  -- same
        """The driver's connection, which is open."""
        assert self._connection is not None  # noqa: S101  -- opened on entry
        return self._connection

    async def reader(self) -> aiosqlite.Connection:
        """Give the connection of quick reads; it sees what is committed, as it is.

        It runs one statement after the other, each of them whole, so it needs no lock.
        """
        if self._reader is None:
            async with self.lock:
                if self._connection is None:  # it makes the file, in WAL mode
                    await self.create_connection(with_db=True)
                if self._reader is None:
                    self._reader = await self._for_reading()
        return self._reader

    async def asked(self, sql: str, values: Sequence[Any]) -> list[Any]:
        """Give the rows of a quick read.

        A reader on which a statement failed is replaced: a text that is no UTF-8
        leaves its statement open, and with it the state that the connection sees.
        """
        reader = await self.reader()
        try:
            return list(await reader.execute_fetchall(sql, values))
        except sqlite3.Error:
            if self._reader is reader:
                self._reader = None
                await reader.close()
            raise

    async def asked_patiently(self, sql: str) -> list[Any]:
        """Give the rows of a read that takes long, on a connection of its own."""
        connection = await self._for_reading()
        try:
            return list(await connection.execute_fetchall(sql))
        finally:
            await connection.close()

    async def _for_reading(self) -> aiosqlite.Connection:
        connection = await aiosqlite.connect(self.filename, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            wait = f"busy_timeout={self.pragmas['busy_timeout']}"
            for pragma in (wait, "query_only=ON"):
                await connection.execute_fetchall(f"PRAGMA {pragma}")
        except BaseException:
            await connection.close()  # its thread would outlive the process's end
            raise
        return connection

    @override
    async def close(self) -> None:
        reader, self._reader = self._reader, None
        try:
            if reader is not None:
                await reader.close()
        finally:
            await super().close()

    def figures(self) -> tuple[int, int]:
        """Count the open connections, and the idle ones among them."""
        both = (self._connection, self._reader)
        opened = sum(one is not None for one in both)
        return opened, opened - self.lock.locked()

    @override
    def _in_transaction(self) -> TransactionContext:
        return _SqliteDoor(self)


def get_client_class(db_info: Mapping[str, Any]) -> type[BaseDBAsyncClient]:
    """Answer Tortoise, which asks the engine module for the class of its client."""
    if "file_path" in db_info["credentials"]:
        return SqliteClient
    # Its driver is imported only where it is used.
    from app.postgres import PostgresClient  # noqa: PLC0415  -- see above

    return PostgresClient
