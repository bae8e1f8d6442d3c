"""The one door to the database: `transaction()` and `read()`, on SQLite and PostgreSQL.

A transaction runs as its own shielded task, so a caller who goes away leaks no
connection; it is tried again on a deadlock, so the work is a function; its hooks let
audit and event log write last. SQL is written once with `$1`.

Each rule answers a trap of the ORM that was seen (banking.md section 1.1, D1-D15).
"""

import asyncio
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Sequence,
)
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from tortoise import Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.sqlite import client as sqlite_client
from tortoise.exceptions import OperationalError

from app import complaints, telemetry
from app.connections import connection_config
from app.engines import SqliteClient
from app.errors import Outage, Refusal
from app.rows import Row, Scalar, for_postgres, for_sqlite, numbered
from app.settings import Settings

T = TypeVar("T")

MODELS = ("app.accounts.models", "app.auth.models", "app.payments.models")
_ALIAS = "default"


# ------------------------------------------------------------------ transactions

Step = Callable[["Tx"], Awaitable[None]]


class Tx:
    """What a transaction's work may touch. Valid only inside it."""

    def __init__(self, client: BaseDBAsyncClient) -> None:
        self.orm = client
        self._run = _statement_of(client)
        self._steps: dict[str, tuple[int, Step]] = {}
        self._gathered: dict[str, list[Any]] = {}
        self._hints: list[Callable[[], None]] = []

    async def one(self, sql: str, *args: Scalar) -> Row | None:
        """Run a statement and give its first row, or None."""
        found = await self._run(sql, args)
        return Row(found[0]) if found else None

    async def rows(self, sql: str, *args: Scalar) -> list[Row]:
        """Run a statement and give its rows; writes say RETURNING to be counted."""
        return [Row(columns) for columns in await self._run(sql, args)]

    def gather(self, name: str, item: object, step: Step, *, rank: int) -> None:
        """Keep an item for a step that runs once, before the commit.

        Args:
            name: whose items these are; `gathered(name)` gives them to the step.
            item: anything.
            step: runs inside the transaction after the work, in order of rank.
            rank: audit is 1, the event log 2: their rows are the hottest.
        """
        self._steps.setdefault(name, (rank, step))
        self._gathered.setdefault(name, []).append(item)

    def gathered(self, name: str) -> list[Any]:
        """Give what was kept under a name, oldest first."""
        return self._gathered.get(name, [])

    def after_commit(self, hint: Callable[[], None]) -> None:
        """Run something quick and fail-safe once the transaction is committed."""
        self._hints.append(hint)

    async def finish(self) -> None:
        """Run the gathered steps, in order of rank. Called by `transaction()`."""
        for _rank, step in sorted(self._steps.values(), key=lambda found: found[0]):
            await step(self)

    def committed(self) -> None:
        """Run the hints. Called by `transaction()`."""
        for hint in self._hints:
            hint()


Statement = Callable[[str, Sequence[Scalar]], Awaitable[list[Any]]]


def _statement_of(client: BaseDBAsyncClient) -> Statement:
    """Give the quickest way to run SQL on the connection of a client."""
    connection = client._connection  # noqa: SLF001  -- the driver below the ORM
    if isinstance(client, sqlite_client.SqliteClient):

        async def on_sqlite(sql: str, args: Sequence[Scalar]) -> list[Any]:
            _counted(sql)
            values = [for_sqlite(value) for value in args]
            return list(await connection.execute_fetchall(numbered(sql), values))

        return on_sqlite

    async def on_postgres(sql: str, args: Sequence[Scalar]) -> list[Any]:
        _counted(sql)
        values = [for_postgres(value) for value in args]
        return list(await connection.fetch(sql, *values))

    return on_postgres


_PATIENCE_S = 3600  # a read over everything
_inside: ContextVar[bool] = ContextVar("inside_transaction", default=False)
_open: set["asyncio.Task[Any]"] = set()
_watchers: list[Callable[[str], None]] = []


_opened: list[BaseDBAsyncClient] = []


def _client() -> BaseDBAsyncClient:
    if not _opened:
        raise Outage("the database is not open", component="ACCOUNTS")
    return _opened[0]


def pool_figures() -> tuple[int, int]:
    """Count the open connections of this process, and the idle ones among them."""
    found: tuple[int, int] = _opened[0].figures() if _opened else (0, 0)  # type: ignore[attr-defined]  # both our clients have it
    return found


telemetry.database_connections.labels("open").set_function(lambda: pool_figures()[0])
telemetry.database_connections.labels("idle").set_function(lambda: pool_figures()[1])


def orm() -> BaseDBAsyncClient:
    """Give what ORM reads outside a transaction pass as `using_db`."""
    return _client()


def inside_transaction() -> bool:
    """Tell whether the caller runs inside a transaction: no network there."""
    return _inside.get()


def open_transactions() -> int:
    """Count the transactions in flight."""
    return len(_open)


def _counted(sql: str) -> None:
    for watcher in _watchers:
        watcher(sql)


@asynccontextmanager
async def watched_statements() -> AsyncIterator[list[str]]:
    """Collect the SQL that runs meanwhile: for tests and benches that count it."""
    seen: list[str] = []
    _watchers.append(seen.append)
    try:
        yield seen
    finally:
        _watchers.remove(seen.append)


async def transaction(
    work: Callable[[Tx], Awaitable[T | Refusal]], *, name: str, attempts: int = 5
) -> T:
    """Run `work` in one transaction, shielded from the caller's cancellation.

    Raising rolls everything back. Returning commits, also when what is returned is a
    Refusal, which is then raised to the caller: for a "no" that must be remembered.

    Args:
        work: may run more than once; touches nothing but its Tx and values it makes.
        name: for metrics, `room.action`.
        attempts: tries in all when the engine asks for a new one (40001, 40P01, busy).

    Raises:
        Refusal: as raised or returned by `work`.
        Outage: the database is lost or stayed busy; nothing happened. Only when the
            answer to COMMIT got lost does nobody know: a repeat finds the truth.
    """
    if _inside.get():
        raise RuntimeError(f"{name}: a transaction inside a transaction; pass the tx")
    task = asyncio.create_task(_tried(work, name, attempts), name=name)
    _open.add(task)
    telemetry.transactions_open.inc()
    task.add_done_callback(_closed)
    return await asyncio.shield(task)


def _closed(task: "asyncio.Task[Any]") -> None:
    _open.discard(task)
    telemetry.transactions_open.dec()
    if not task.cancelled():
        task.exception()  # a caller who left must not make it "never retrieved"


async def _tried(
    work: Callable[[Tx], Awaitable[T | Refusal]], name: str, attempts: int
) -> T:
    _inside.set(True)
    began = time.perf_counter()
    for attempt in range(1, attempts + 1):
        try:
            outcome = await _once(work)
        except Exception as failure:
            state = complaints.state_of(failure)
            if state is None:
                raise
            if state not in complaints.AGAIN or attempt == attempts:
                if state == complaints.UNSURE:
                    telemetry.log.warning("commit_unsure", name=name)
                raise complaints.outage(state) from failure
            telemetry.transaction_retries.labels(state).inc()
            await asyncio.sleep(complaints.pause_s())
        else:
            seconds = time.perf_counter() - began
            telemetry.transaction_seconds.labels(name).observe(seconds)
            if isinstance(outcome, Refusal):
                raise outcome
            return outcome
    raise AssertionError("unreachable: the last attempt raises")


async def _once(work: Callable[[Tx], Awaitable[T | Refusal]]) -> T | Refusal:
    async with _client()._in_transaction() as client:  # noqa: SLF001  -- the only opener
        tx = Tx(cast("BaseDBAsyncClient", client))
        outcome = await work(tx)
        await tx.finish()
    tx.committed()
    return outcome


async def read(sql: str, *args: Scalar) -> list[Row]:
    """Run one SELECT outside a transaction.

    Where the connection dies under it, it is asked once more on a fresh one.

    Raises:
        Outage: the database is lost or stayed busy.
    """
    if _inside.get():
        raise RuntimeError("a read beside its own transaction waits for ever; use tx")
    try:
        return await _asked(sql, args)
    except Exception as failure:
        state = complaints.state_of(failure)
        if state is None:
            raise
        if state not in complaints.LOST:
            raise complaints.outage(state) from failure
    return await _translated(_asked(sql, args))


async def read_whole(sql: str) -> list[Row]:
    """Run one SELECT over everything, for at most an hour: proofs at night.

    Raises:
        Outage: the database is lost or stayed busy.
    """
    return await _translated(_asked_patiently(sql))


async def _translated(asking: Awaitable[list[Row]]) -> list[Row]:
    try:
        return await asking
    except Exception as failure:
        state = complaints.state_of(failure)
        if state is None:
            raise
        raise complaints.outage(state) from failure


async def _asked_patiently(sql: str) -> list[Row]:
    client = _client()
    _counted(sql)
    if isinstance(client, SqliteClient):
        return [Row(columns) for columns in await client.asked_patiently(sql)]
    async with (
        client.acquire_connection() as connection,
        connection.transaction(readonly=True),
    ):
        await connection.execute(f"SET LOCAL statement_timeout = '{_PATIENCE_S}s'")
        found = await connection.fetch(sql, timeout=_PATIENCE_S)
    return [Row(columns) for columns in found]


async def _asked(sql: str, args: Sequence[Scalar]) -> list[Row]:
    client = _client()
    _counted(sql)
    if isinstance(client, SqliteClient):
        values = [for_sqlite(value) for value in args]
        found = await client.asked(numbered(sql), values)
    else:
        values = [for_postgres(value) for value in args]
        async with client.acquire_connection() as connection:
            found = await connection.fetch(sql, *values)
    return [Row(columns) for columns in found]


async def answering() -> None:
    """Wait until the database answers, and a transaction here could begin.

    Raises:
        Outage: the database is lost or stayed busy.
    """
    client = _client()
    if isinstance(client, SqliteClient):
        async with client.lock:
            pass
    await read("SELECT 1 AS one")


async def read_one(sql: str, *args: Scalar) -> Row | None:
    """Run one SELECT outside a transaction and give its first row, or None."""
    found = await read(sql, *args)
    return found[0] if found else None


def dialect() -> str:
    """Name the engine: `sqlite` or `postgres`."""
    return str(_client().capabilities.dialect)


def placeholders(rows: int, columns: int, start: int = 1) -> str:
    """Write `($1,$2),($3,$4)` for a VALUES list of so many rows and columns."""
    numbers = iter(range(start, start + rows * columns))
    return ",".join(
        "(" + ",".join(f"${next(numbers)}" for _ in range(columns)) + ")"
        for _ in range(rows)
    )


# ------------------------------------------------------------------ opening


@dataclass(frozen=True, slots=True)
class Proof:
    """What must hold in a room's tables: queries that return the rows that break it.

    Args:
        name: for people and metrics.
        since: query with `$1` = watermark instant, over what changed since.
        full: query over everything.
        freezes: whether a broken row stops all postings.
    """

    name: str
    since: str
    full: str
    freezes: bool = False


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[None]:
    """Open the one database of this process; closing waits for open transactions."""
    scheme, _, rest = settings.database_url.partition("://")
    if scheme == "sqlite":
        Path(rest).parent.mkdir(parents=True, exist_ok=True)
    config = {
        "connections": {_ALIAS: connection_config(settings)},
        "apps": {"bank": {"models": list(MODELS), "default_connection": _ALIAS}},
        "use_tz": True,
        "timezone": "UTC",
    }
    # Under uvicorn the lifespan's context is not the request's (trap D7).
    context = await Tortoise.init(config=config, _enable_global_fallback=True)
    _opened.append(context.connections.get(_ALIAS))
    try:
        # A pool that opens inside a transaction would make its tasks there (trap D5).
        await read("SELECT 1 AS one")
        yield
    finally:
        await drained(settings.drain_s)
        _opened.clear()
        await context.close_connections()


async def drained(within_s: float) -> None:
    """Wait for the transactions in flight, at most so many seconds."""
    if _open:
        await asyncio.wait(set(_open), timeout=within_s)


def is_missing_table(failure: OperationalError) -> bool:
    """Tell whether a statement failed because the schema is not there yet."""
    return "no such table" in str(failure) or "does not exist" in str(failure)
