"""The server goes away under an open bank and comes back; the bank needs no restart."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg  # type: ignore[import-untyped]  # ships no types
import httpx
import pytest

from app import connections, database, main, upgrade
from app import settings as app_settings
from app.complaints import ConnectionGone
from app.database import Tx
from app.errors import Outage
from app.settings import Misconfigured, Settings
from tests.conftest import NOON
from tests.journeys.durable import Durable
from tests.postgres import own_folder

if TYPE_CHECKING:
    from tests.postgres import Server

pytestmark = pytest.mark.only("postgres")
BACK_WITHIN_S = 5
OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Durable]:
    """Start a server that may be ended."""
    with own_folder() as folder:
        started = Durable(folder)
        yield started
        started.stop()


@pytest.fixture
def own(server: Durable) -> Settings:
    """Give settings of a migrated bank on it."""
    chosen = app_settings.load(env="test", database_url=server.url(server.fresh()))
    asyncio.run(upgrade.migrate(chosen))
    return chosen


@asynccontextmanager
async def an_open_door(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = main.create_app(settings)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://bank.test") as client,
    ):
        yield client


async def ready(client: httpx.AsyncClient) -> int:
    return (await client.get("/readyz")).status_code


async def marks() -> list[str]:
    rows = await database.read("SELECT name FROM proof_watermark ORDER BY name")
    return [row.get("name", str) for row in rows]


async def mark(tx: Tx) -> None:
    await tx.rows(
        "INSERT INTO proof_watermark (name, mark, at) VALUES ('m', $1, $1)", NOON
    )


async def hung_up(settings: Settings) -> None:
    """End every other connection to this database, as an operator may."""
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute(OTHERS)
    await connection.close()


# ------------------------------------------------------------------ the whole server


async def test_a_bank_outlives_a_crash_of_its_server(
    own: Settings, server: Durable
) -> None:
    async with an_open_door(own) as client:
        assert await ready(client) == 200
        await asyncio.gather(*(database.read("SELECT pg_sleep(0.05)") for _ in "12345"))

        await asyncio.to_thread(server.end, signal.SIGQUIT)
        assert await ready(client) == 503
        with pytest.raises(Outage, match="DATABASE_LOST"):
            await database.transaction(mark, name="test")
        with pytest.raises(Outage, match="DATABASE_LOST"):
            await marks()
        await asyncio.to_thread(server.begin)
        began = time.monotonic()
        while await ready(client) != 200:
            assert time.monotonic() - began < BACK_WITHIN_S
            await asyncio.sleep(0.05)

        await database.transaction(mark, name="test")
        assert await marks() == ["m"]
        there, idle = database.pool_figures()
        assert there == idle > 0


async def test_a_crash_under_open_transactions_is_an_outage_for_each(
    own: Settings, server: Durable
) -> None:
    async with database.open_database(own):
        inside, opened = asyncio.Barrier(4), asyncio.Event()

        async def work(tx: Tx) -> None:
            await tx.rows("SELECT 1")
            await inside.wait()
            await opened.wait()
            await tx.rows("SELECT 1")

        callers = [
            asyncio.ensure_future(database.transaction(work, name="test"))
            for _ in range(3)
        ]
        await inside.wait()
        await asyncio.to_thread(server.crash, signal.SIGQUIT)
        opened.set()
        answers = await asyncio.gather(*callers, return_exceptions=True)

        assert [getattr(a, "cause", a) for a in answers] == ["DATABASE_LOST"] * 3
        await database.transaction(mark, name="test")
        assert await marks() == ["m"]


async def test_a_server_that_is_away_stops_the_start_with_one_sentence(
    own: Settings, server: Durable
) -> None:
    await asyncio.to_thread(server.end, signal.SIGQUIT)
    try:
        for start in (upgrade.migrate, upgrade.require_head):
            with pytest.raises(Misconfigured, match="cannot reach the database"):
                await start(own)
    finally:
        await asyncio.to_thread(server.begin)


# ------------------------------------------------------------------ one connection


async def test_a_read_whose_connection_dies_is_asked_again(
    bank_database: Settings,
) -> None:
    reading = asyncio.ensure_future(
        database.read("SELECT 7 AS seven FROM pg_sleep(0.5)")
    )
    await asyncio.sleep(0.2)

    await hung_up(bank_database)

    (row,) = await reading
    assert row.get("seven", int) == 7


async def test_a_write_whose_connection_dies_is_an_outage_and_undone(
    bank_database: Settings,
) -> None:
    async def work(tx: Tx) -> None:
        await mark(tx)
        await hung_up(bank_database)
        await tx.rows("SELECT 1")

    with pytest.raises(Outage, match="DATABASE_LOST"):
        await database.transaction(work, name="test")

    assert await marks() == []
    await database.transaction(mark, name="test")
    assert await marks() == ["m"]


@pytest.mark.parametrize(
    "stumble",
    [asyncpg.InternalClientError("cannot switch to state 11"), BrokenPipeError()],
    ids=["the driver's state", "the pipe"],
)
async def test_a_driver_that_stumbles_over_a_dead_line_is_an_outage(
    bank_database: Settings, stumble: Exception
) -> None:
    async def work(tx: Tx) -> None:
        await mark(tx)
        raise stumble

    with pytest.raises(Outage, match="DATABASE_LOST"):
        await database.transaction(work, name="test")

    assert await marks() == []
    there, idle = database.pool_figures()
    assert there == idle


async def test_a_connection_that_died_in_the_pool_is_not_noticed_by_anybody(
    bank_database: Settings,
) -> None:
    await asyncio.gather(*(database.read("SELECT pg_sleep(0.05)") for _ in "12345"))

    await hung_up(bank_database)
    answers = await asyncio.gather(
        database.transaction(mark, name="test"),
        *(database.read("SELECT 1 AS one") for _ in "12345"),
    )

    assert len(answers) == 6
    assert await marks() == ["m"]


async def test_one_dead_line_takes_the_trust_from_all_that_lie_beside_it(
    bank_database: Settings,
) -> None:
    before = await backends()

    with pytest.raises(ConnectionGone):
        async with database._client().acquire_connection():  # noqa: SLF001  -- the pool
            raise asyncpg.InternalClientError("cannot switch to state 12")

    assert len(before) == 5
    assert not before & await backends()


async def backends() -> set[int]:
    """Name the server's ends of five connections, used at once."""
    asked = "SELECT pg_backend_pid() AS pid FROM (SELECT pg_sleep(0.05)) AS slept"
    found = await asyncio.gather(*(database.read_one(asked) for _ in "12345"))
    return {row.get("pid", int) for row in found if row is not None}


async def test_a_server_that_falls_silent_is_an_outage_in_time(
    settings: Settings, postgres: "Server", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_COMMAND_S", 0.5)
    async with database.open_database(settings):
        began = time.monotonic()

        with pytest.raises(Outage, match="DATABASE_BUSY"):
            await database.read("SELECT pg_sleep(4)")

        assert time.monotonic() - began < 2
        await database.transaction(mark, name="test")
        assert await marks() == ["m"]
