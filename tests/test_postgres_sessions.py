"""Pooled sessions after a busy story: each is as a fresh one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from app import database
from app.clock import StoppedClock
from app.schema.execution import Call
from app.settings import Settings
from tests.conftest import broken_proofs
from tests.schema.full_bank import a_full_bank
from tests.test_statements import LIMITS, text_of

pytestmark = pytest.mark.only("postgres")

GIVEN = {"platform": "ANDROID", "version": "1.0.0", "first": 25}
STATE = {
    "settings": "SELECT name, setting FROM pg_settings WHERE source = 'session'",
    "locks": "SELECT classid, objid FROM pg_locks "
    "WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    "channels": "SELECT pg_listening_channels()",
    "tables": "SELECT relname FROM pg_class WHERE relpersistence = 't'",
    "cursors": "SELECT name FROM pg_cursors WHERE is_holdable",
}


async def state_of(connection: Any) -> dict[str, list[tuple[object, ...]]]:
    """Give what a session has that another has not."""
    return {
        what: sorted(tuple(row) for row in await connection.fetch(sql))
        for what, sql in STATE.items()
    }


@asynccontextmanager
async def all_connections() -> AsyncIterator[list[Any]]:
    """Take every open connection out of the pool at once."""
    pool = await database.orm().pool()  # type: ignore[attr-defined]  # PostgreSQL's has one
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(pool.acquire())
            for _ in range(pool.get_size())
        ]


async def fresh_state() -> dict[str, list[tuple[object, ...]]]:
    """Give the state of a session nobody has used."""
    pool = await database.orm().pool()  # type: ignore[attr-defined]  # PostgreSQL's has one
    await pool.expire_connections()
    async with pool.acquire() as connection:
        return await state_of(connection)


async def test_after_a_busy_story_each_session_is_as_a_fresh_one(
    settings: Settings, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_full_bank(settings, clock, monkeypatch) as full:
        for operation in LIMITS:
            await full.ask(Call(text_of(operation), variables=GIVEN))
        assert await broken_proofs() == []  # reads with a setting of their own

        async with all_connections() as taken:
            used = [await state_of(one) for one in taken]
            pids = {one.get_server_pid() for one in taken}
        fresh = await fresh_state()

    assert len(pids) == len(used) > 0
    assert used == [fresh] * len(used)


@pytest.mark.parametrize(
    "statement",
    [
        "SET work_mem = '8MB'",
        "SELECT set_config('lock_timeout', '9s', false)",
        "SELECT pg_advisory_lock(7)",
        "LISTEN hints",
        "CREATE TEMP TABLE seen (id INT)",
    ],
)
async def test_what_stays_on_a_session_is_seen(
    bank_database: Settings, statement: str
) -> None:
    await database.read(statement)

    async with all_connections() as taken:
        used = [await state_of(one) for one in taken]
    fresh = await fresh_state()

    assert any(one != fresh for one in used)
