"""SQL behind the bank's back, on the database of some settings, whichever engine."""

import asyncio
import re
import sqlite3
import threading
from collections.abc import Callable, Coroutine
from contextlib import closing
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]  # ships no types

from app import upgrade
from app.settings import Settings

T = TypeVar("T")
CHECK = re.compile(r"CONSTRAINT\s+(\w+)\s+CHECK", re.IGNORECASE)
_OF_SQLITE = "SELECT type, name, sql FROM sqlite_master"
_OF_POSTGRES = (
    "SELECT conname FROM pg_constraint WHERE contype = 'c' "
    "AND connamespace = current_schema()::regnamespace "
    "UNION SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() "
    "AND indexname NOT LIKE '%\\_pkey' AND tablename NOT LIKE 'tortoise%' "
    "UNION SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
)
_LETTERS = re.compile(r"'([cijvwx])'")
_BYTES = re.compile(r"\bx'([0-9a-f]*)'")


def with_ids(sql: str) -> str:
    """Write out the letters c, i, j, v, w, x as ids: PostgreSQL wants them whole."""
    return _LETTERS.sub(
        lambda found: f"'00000000-0000-7000-8000-{ord(found.group(1)):012x}'", sql
    )


def engine_of(settings: Settings) -> str:
    """Name the engine as the guard files do: sqlite or postgres."""
    return "sqlite" if settings.database_url.startswith("sqlite") else "postgres"


def file_of(settings: Settings) -> str:
    """Give the file of a SQLite bank."""
    return settings.database_url.removeprefix("sqlite://")


def run(settings: Settings, script: str) -> None:
    """Run statements parted by `;`. Bytes are written as SQLite does: x'00'."""
    if engine_of(settings) == "sqlite":
        with closing(sqlite3.connect(file_of(settings))) as connection:
            connection.executescript(script)
        return

    async def work(connection: Any) -> None:
        await connection.execute(_BYTES.sub(r"'\\x\1'", script))

    _connected(settings, work)


def ask(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    """Run one statement; gives its rows."""
    if engine_of(settings) == "sqlite":
        with closing(sqlite3.connect(file_of(settings))) as connection:
            return connection.execute(sql).fetchall()

    async def work(connection: Any) -> list[tuple[object, ...]]:
        return [tuple(row) for row in await connection.fetch(sql)]

    return _connected(settings, work)


def tables(settings: Settings) -> set[str]:
    """List the bank's tables."""
    if engine_of(settings) == "sqlite":
        found = ask(settings, "SELECT name FROM sqlite_master WHERE type = 'table'")
    else:
        found = ask(
            settings,
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
        )
    names = {str(name) for (name,) in found}
    return {n for n in names if not n.startswith(("sqlite_", "tortoise_"))}


def catalogue(settings: Settings) -> set[str]:
    """List the CHECKs, triggers and indexes that are there."""
    if engine_of(settings) == "postgres":
        return {str(name) for (name,) in ask(settings, _OF_POSTGRES)}
    there: set[str] = set()
    for kind, name, sql in ask(settings, _OF_SQLITE):
        if kind == "table":
            there.update(CHECK.findall(str(sql)))
        elif not str(name).startswith("sqlite_"):
            there.add(str(name))
    return there


def guards_wanted(settings: Settings) -> set[str]:
    """List what the guard file of the engine makes."""
    return {name for _kind, name, _table in upgrade.guard_names(engine_of(settings))}


def _connected(
    settings: Settings, work: Callable[[Any], Coroutine[None, None, T]]
) -> T:
    """Run work on a connection of its own; in a thread, because a loop may run."""
    found: list[T] = []
    failed: list[BaseException] = []

    async def opened() -> T:
        connection = await asyncpg.connect(settings.database_url)
        try:
            return await work(connection)
        finally:
            await connection.close()

    def run() -> None:
        try:
            found.append(asyncio.run(opened()))
        except BaseException as failure:  # noqa: BLE001  -- raised again below
            failed.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]
