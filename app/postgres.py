"""PostgreSQL behind the ORM's interface: a wait that ends, no connection lost for good.

Loaded only where PostgreSQL is used. It replaces how a connection is taken and given
back and how a transaction begins and ends: the ORM waits for ever for a connection and
keeps it when a task is cancelled inside (banking.md 1.1, D1, D8).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # ships no types
from tortoise.backends.asyncpg import client as pg
from tortoise.backends.base.client import TransactionContext
from typing_extensions import override

from app import complaints
from app.complaints import ConnectionGone

# Where the driver cannot say by a sqlstate that the other side is away.
_WORDLESS = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


def _gone(connection: Any) -> bool:  # noqa: ANN401  -- asyncpg is untyped
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # the pool took it back when it died
        return True


def _lost(failure: object, connection: Any) -> bool:  # noqa: ANN401  -- asyncpg is untyped
    """Tell whether a failure means that the other side is away.

    The driver stumbles over its own state before it hears that the line is down.
    """
    if isinstance(failure, TimeoutError):
        return False
    if isinstance(failure, (asyncpg.InternalClientError, OSError)):
        return True
    return isinstance(failure, asyncpg.InterfaceError) and _gone(connection)


def _ended(connection: Any) -> None:  # noqa: ANN401  -- asyncpg is untyped
    with suppress(asyncpg.InterfaceError):  # the pool took it back when it died
        connection.terminate()


class Seat:
    """One pooled connection for one statement outside a transaction."""

    def __init__(self, parent: "PostgresClient") -> None:
        self._parent = parent

    async def __aenter__(self) -> Any:  # noqa: ANN401  -- asyncpg is untyped
        """Take a connection; see `PostgresClient.taken`."""
        self._connection = await self._parent.taken()
        return self._connection

    async def __aexit__(
        self, kind: object, failure: BaseException | None, trace: object
    ) -> None:
        """Give it back; a failure of a dead connection says so."""
        lost = _lost(failure, self._connection)
        if lost:
            await self._parent.ended(self._connection)
        await self._parent.given_back(self._connection)
        if lost:
            raise ConnectionGone("08006") from failure


class Door(TransactionContext):
    """One pooled transaction; gives the connection back whatever happens (D1)."""

    def __init__(self, parent: "PostgresClient") -> None:
        self._parent = parent

    @override
    async def __aenter__(self) -> Any:
        try:
            await self._begin()
        except ConnectionGone as gone:
            if gone.sqlstate not in complaints.LOST:
                raise
            await self._begin()  # it died in the pool: nothing was asked of it yet
        return self._client

    async def _begin(self) -> None:
        self._connection = await self._parent.taken()
        self._client = pg.TransactionWrapper(self._parent)
        self._client._connection = self._connection  # noqa: SLF001  -- the ORM's own way
        try:
            await self._client.begin()
        except BaseException as failure:
            gone = _gone(self._connection) or _lost(failure, self._connection)
            if gone:
                await self._parent.ended(self._connection)
            await self._parent.given_back(self._connection)
            if gone and isinstance(failure, Exception):
                raise ConnectionGone("08006") from failure
            raise

    @override
    async def __aexit__(
        self, kind: object, failure: BaseException | None, trace: object
    ) -> None:
        try:
            if failure is None:
                await self._commit()
            else:
                await self._roll_back(failure)
        finally:
            await self._parent.given_back(self._connection)

    async def _commit(self) -> None:
        """Commit; a lost answer is neither yes nor no, so nobody may try again."""
        try:
            await self._client.commit()
        except Exception as failure:
            state = getattr(failure, "sqlstate", None)
            if isinstance(state, str) and state[:2] not in {"08", "57"}:
                raise  # the engine itself said no
            _ended(self._connection)
            raise ConnectionGone(complaints.UNSURE) from failure

    async def _roll_back(self, failure: BaseException) -> None:
        """Undo; on a dead connection the server does it."""
        if _lost(failure, self._connection):
            _ended(self._connection)
            raise ConnectionGone("08006") from failure
        try:
            await self._client.rollback()
        except Exception:  # noqa: BLE001  -- the first failure is the one to tell
            _ended(self._connection)


class _AsItIs(asyncpg.Connection):  # type: ignore[misc]  # asyncpg is untyped
    """A connection that is given back without a round trip to reset it.

    Nothing of ours leaves a setting, a lock, a cursor or a listener on a session
    (performance.md section 3.5); an open transaction is rolled back all the same.
    """

    @override
    def get_reset_query(self) -> str:
        return ""


class PostgresClient(pg.AsyncpgDBClient):
    """PostgreSQL as we want it.

    Args:
        wait_s: longest wait for a connection, in seconds.
        rest: as the ORM's client.
    """

    def __init__(self, *, wait_s: float, **rest: Any) -> None:  # noqa: ANN401  -- as the ORM
        super().__init__(connection_class=_AsItIs, **rest)
        self.wait_s = wait_s

    async def pool(self) -> Any:  # noqa: ANN401  -- asyncpg is untyped
        """Give the pool, made at the first call."""
        if self._pool is None:
            async with self._pool_init_lock:
                if self._pool is None:
                    await self.create_connection(with_db=True)
        return self._pool

    def figures(self) -> tuple[int, int]:
        """Count the open connections, and the idle ones among them."""
        if self._pool is None:
            return 0, 0
        return self._pool.get_size(), self._pool.get_idle_size()

    async def taken(self) -> Any:  # noqa: ANN401  -- asyncpg is untyped
        """Take a connection out of the pool.

        Raises:
            TimeoutError: all are in use, or the server accepts and says nothing.
            ConnectionGone: the server is away.
        """
        try:
            pool = await self.pool()
            # The pool's own timeout would make a task of each call.
            async with asyncio.timeout(self.wait_s):
                return await pool.acquire()
        except TimeoutError:
            raise
        except _WORDLESS as away:
            raise ConnectionGone(complaints.UNREACHABLE) from away

    async def ended(self, connection: Any) -> None:  # noqa: ANN401  -- asyncpg is untyped
        """End one that died while it lay in the pool, and trust none beside it.

        What cut it cut them too, and the driver may not have heard: whoever asks again
        gets a connection that was made since.
        """
        _ended(connection)
        await (await self.pool()).expire_connections()

    async def given_back(self, connection: Any) -> None:  # noqa: ANN401  -- asyncpg is untyped
        """Give a connection back; the pool throws away one that cannot be reset."""
        with suppress(Exception):
            await (await self.pool()).release(connection, timeout=self.wait_s)

    @override
    def acquire_connection(self) -> Any:
        return Seat(self)

    @override
    async def _translate_exceptions(
        self,
        func: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Make an outage of what the ORM's own reads meet."""
        try:
            return await super()._translate_exceptions(func, *args, **kwargs)
        except Exception as failure:
            state = complaints.state_of(failure)
            if state is None:
                raise
            raise complaints.outage(state) from failure

    @override
    def _in_transaction(self) -> TransactionContext:
        return Door(self)
