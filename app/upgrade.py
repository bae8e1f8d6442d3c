"""`migrate`: one lock, guards off, the numbered steps, guards on, everything looked at.

Guards are triggers and indexes. They come off before an upgrade, because an altered
table loses them silently or the alteration fails, and go on after it, also after a
failed step. The catalogue then has to show every one, or the bank does not start.
"""

import asyncio
import fcntl
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import TortoiseContext
from tortoise.exceptions import OperationalError
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

from app import complaints, connections, database, telemetry
from app.settings import Misconfigured, Settings

CONSTRAINTS = ("schema_guard_one",)

_FOLDER = Path(__file__).parent / "migrations"
_APP = "bank"
_ADVISORY_LOCK = 6016
_MADE = re.compile(
    r"CREATE\s+(?:UNIQUE\s+)?(TRIGGER|INDEX)\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)",
    re.IGNORECASE,
)
_ON = re.compile(r"\sON\s+(\w+)", re.IGNORECASE)


class SchemaBehind(Misconfigured):
    """The schema is not at head or lacks guards: `python -m app migrate` first."""


def guard_statements(dialect: str) -> list[str]:
    """Read the guard file of an engine: its statements, one after the other."""
    text = (_FOLDER / f"{dialect}.sql").read_text()
    lines = (line for line in text.splitlines() if not line.startswith("-- "))
    parts = re.split(r"^--$", "\n".join(lines), flags=re.MULTILINE)
    return [part.strip() for part in parts if part.strip()]


def guard_names(dialect: str) -> list[tuple[str, str, str]]:
    """List what a guard file makes: (TRIGGER or INDEX, name, table)."""
    found = []
    for statement in guard_statements(dialect):
        made = _MADE.match(statement)
        if made:
            on = _ON.search(statement)
            table = on.group(1) if on else ""
            found.append((made.group(1).upper(), made.group(2), table))
    return found


def _file_hash(dialect: str) -> str:
    return hashlib.sha256((_FOLDER / f"{dialect}.sql").read_bytes()).hexdigest()


async def migrate(
    settings: Settings,
    *,
    target: str | None = None,
    after: Callable[[], Awaitable[None]] | None = None,
) -> list[str]:
    """Bring the schema to head (or to `target`) and put the guards on.

    Args:
        settings: says which database.
        target: name of a migration to go to, up or down; None is the newest.
        after: looks at the result, for example runs all proofs; raising is a failure.

    Returns:
        Names of the steps that ran; empty when nothing was pending.

    Raises:
        Misconfigured: a step failed or a guard is missing afterwards.
    """
    async with _locked(settings), _own_connection(settings) as client:
        executor = _executor(client)
        dialect = str(client.capabilities.dialect)
        goal = MigrationTarget(_APP, target or "__latest__")
        steps = [step.migration.name for step in await executor.plan([goal])]
        if not steps and await _guarded(client, dialect):
            return []
        await _guards_off(client, dialect)
        try:
            await executor.migrate([goal])
        finally:
            await _guards_on(client, dialect, complete=target is None)
        await _look(client, dialect, complete=target is None)
        if after is not None:
            await after()
        return steps


async def require_head(settings: Settings) -> None:
    """Refuse to go on unless the schema is at head with all its guards.

    Raises:
        SchemaBehind: says what to do.
    """
    async with _own_connection(settings) as client:
        dialect = str(client.capabilities.dialect)
        pending = await _executor(client).plan([MigrationTarget(_APP, "__latest__")])
        if pending or not await _guarded(client, dialect):
            raise SchemaBehind(
                "the database is not up to date: run `python -m app migrate`"
            )


def _executor(client: BaseDBAsyncClient) -> MigrationExecutor:
    return MigrationExecutor(client, {_APP: {"migrations": "app.migrations"}})


@asynccontextmanager
async def _locked(settings: Settings) -> AsyncIterator[None]:
    """Let one migration run at a time; on PostgreSQL `_turn` does it."""
    scheme, _, rest = settings.database_url.partition("://")
    if scheme != "sqlite":
        yield
        return
    file = Path(rest + ".migrate")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:  # noqa: ASYNC230  -- a lock file, opened at once
        await asyncio.to_thread(fcntl.flock, handle, fcntl.LOCK_EX)
        yield


@asynccontextmanager
async def _own_connection(settings: Settings) -> AsyncIterator[BaseDBAsyncClient]:
    """Open the ORM's plain client: its schema editor is chosen by the client's module.

    SQLite runs with foreign keys off, because remaking a table would delete children.
    """
    block = connections.connection_config(settings)
    credentials: dict[str, Any] = block["credentials"] | {"foreign_keys": "OFF"}
    credentials.pop("wait_s")
    engine = "tortoise.backends.sqlite"
    if "file_path" not in credentials:
        engine = "tortoise.backends.asyncpg"
        del credentials["foreign_keys"]
        credentials |= {"minsize": 1, "maxsize": 3, "command_timeout": 3600}
        credentials["server_settings"] = {"statement_timeout": "0"}
    else:
        Path(credentials["file_path"]).parent.mkdir(parents=True, exist_ok=True)
    block = {"engine": engine, "credentials": credentials}
    with TortoiseContext() as context:
        # No model takes part, so there is no app to initialise, only the connection.
        context.connections._init_config({"default": block})  # noqa: SLF001  -- no public way
        client = context.connections.get("default")
        try:
            if engine.endswith("asyncpg"):
                async with _turn(client):
                    yield client
            else:
                yield client
        finally:
            await context.close_connections()


@asynccontextmanager
async def _turn(client: BaseDBAsyncClient) -> AsyncIterator[None]:
    """Let one migration run at a time, as long as the connection with the lock is held.

    One that goes back to the pool is reset, and its locks with it.

    Raises:
        Misconfigured: nobody answers there, or not to this user.
    """
    async with AsyncExitStack() as stack:
        try:
            held = await stack.enter_async_context(client.acquire_connection())
            await held.execute(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})")
        except Exception as away:
            if not isinstance(away, OSError) and complaints.state_of(away) is None:
                raise
            why = type(away).__name__
            raise Misconfigured(
                f"cannot reach the database ({why}): look at DATABASE_URL"
            ) from away
        yield


async def _guarded(client: BaseDBAsyncClient, dialect: str) -> bool:
    """Tell whether the guards of the present file are recorded and in the catalogue."""
    try:
        rows = await client.execute_query_dict("SELECT file_hash FROM schema_guard")
    except OperationalError as missing:
        if database.is_missing_table(missing):
            return False
        raise
    if not rows or rows[0]["file_hash"] != _file_hash(dialect):
        return False
    return not await missing_guards(client, dialect)


async def missing_guards(client: BaseDBAsyncClient, dialect: str) -> list[str]:
    """List the names of the guard file that the catalogue does not show."""
    sql = (
        "SELECT name FROM sqlite_master WHERE type IN ('trigger', 'index')"
        if dialect == "sqlite"
        else "SELECT tgname AS name FROM pg_trigger WHERE NOT tgisinternal "
        "UNION SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()"
    )
    there = {row["name"] for row in await client.execute_query_dict(sql)}
    return [name for _kind, name, _table in guard_names(dialect) if name not in there]


async def _guards_off(client: BaseDBAsyncClient, dialect: str) -> None:
    """Drop what the last run put on; on PostgreSQL an index goes only when renamed.

    A trigger without a table never came on: its statement was wrong.
    """
    try:
        rows = await client.execute_query_dict("SELECT names FROM schema_guard")
    except OperationalError as missing:
        if database.is_missing_table(missing):
            return
        raise
    keep = {name for _kind, name, _table in guard_names(dialect)}
    for kind, name, table in orjson.loads(rows[0]["names"]) if rows else ():
        if kind == "TRIGGER" and dialect == "postgres":
            if table:
                await client.execute_query(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        elif kind == "TRIGGER" or dialect == "sqlite" or name not in keep:
            await client.execute_query(f"DROP {kind} IF EXISTS {name}")


async def _guards_on(
    client: BaseDBAsyncClient, dialect: str, *, complete: bool
) -> None:
    """Run the guard file; one that does not fit a half-way schema leaves no hash."""
    file_hash = _file_hash(dialect)
    for statement in guard_statements(dialect):
        try:
            await client.execute_query(statement)
        except OperationalError as unfit:
            file_hash = ""
            if complete:
                telemetry.log.error("guard_failed", cause=str(unfit))
    names = orjson.dumps(guard_names(dialect)).decode()
    try:
        await client.execute_query("DELETE FROM schema_guard")
        await client.execute_query(
            "INSERT INTO schema_guard (id, file_hash, names) VALUES "  # noqa: S608  -- our own file's names
            f"(1, '{file_hash}', '{names}')"
        )
    except OperationalError as missing:
        if not database.is_missing_table(missing):
            raise


async def _look(client: BaseDBAsyncClient, dialect: str, *, complete: bool) -> None:
    missing = await missing_guards(client, dialect) if complete else []
    if missing:
        raise Misconfigured("missing after the upgrade: " + ", ".join(missing))
    if dialect == "sqlite":
        orphans = await client.execute_query_dict("PRAGMA foreign_key_check")
        if orphans:
            raise Misconfigured(f"{len(orphans)} rows point to nothing")
