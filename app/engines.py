"""The client class of an engine: SQLite here, PostgreSQL in `postgres.py`.

They replace only how a transaction begins and ends: the ORM's own way keeps the
connection for good when a task is cancelled inside (banking.md 1.1, D1, D8, D11).
"""

import asyncio
from collections.abc import Mapping
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

    def figures(self) -> tuple[int, int]:
        """Count the open connections, and the idle ones among them."""
        if self._connection is None:
            return 0, 0
        return 1, 0 if self.lock.locked() else 1

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
