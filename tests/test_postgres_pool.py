"""A pool that is too small, statements that take too long, locks that cross."""

import asyncio
import time
from datetime import datetime

import pytest

from app import database, telemetry
from app.database import Tx
from app.errors import Outage
from app.settings import Settings
from tests.conftest import NOON

pytestmark = pytest.mark.only("postgres")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Give a pool of two and half a second of patience."""
    small = {"database_pool_max": 2, "database_pool_wait_s": 0.5}
    return settings.model_copy(update=small)


async def marks() -> list[str]:
    rows = await database.read("SELECT name FROM proof_watermark ORDER BY name")
    return [row.get("name", str) for row in rows]


async def mark(tx: Tx, name: str) -> None:
    await tx.rows(
        "INSERT INTO proof_watermark (name, mark, at) VALUES ($1, $2, $2)", name, NOON
    )


async def all_are_back() -> bool:
    """Tell whether every open connection is idle again, within two seconds."""
    async with asyncio.timeout(2):
        while database.pool_figures()[0] != database.pool_figures()[1]:
            await asyncio.sleep(0.01)
    return True


# ------------------------------------------------------------------ the pool


async def test_fifty_callers_share_two_connections(bank_database: Settings) -> None:
    async def marked(name: str) -> None:
        await database.transaction(lambda tx: mark(tx, name), name="test")

    await asyncio.gather(
        *(marked(f"mark {turn}") for turn in range(50)),
        *(database.read("SELECT 1 AS one") for _ in range(50)),
    )

    assert len(await marks()) == 50
    assert database.pool_figures()[0] <= 2
    assert await all_are_back()


async def test_fifty_callers_of_a_busy_pool_are_told_so_in_time(
    bank_database: Settings,
) -> None:
    opened, inside = asyncio.Event(), 0

    async def long(tx: Tx) -> None:
        nonlocal inside
        inside += 1
        await mark(tx, f"long {inside}")
        await opened.wait()

    async def short(tx: Tx) -> None:
        await mark(tx, "short")

    holders = [
        asyncio.ensure_future(database.transaction(long, name="test")) for _ in range(2)
    ]
    while inside < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    began = time.monotonic()

    answers = await asyncio.gather(
        *(database.transaction(short, name="test") for _ in range(25)),
        *(database.read("SELECT 1 AS one") for _ in range(25)),
        return_exceptions=True,
    )

    assert time.monotonic() - began < 2
    assert [a.cause for a in answers if isinstance(a, Outage)] == ["DATABASE_BUSY"] * 50
    opened.set()
    await asyncio.gather(*holders)
    assert [name.split()[0] for name in await marks()] == ["long", "long"]
    assert await all_are_back()


async def test_a_session_has_the_limits_of_the_house(bank_database: Settings) -> None:
    rows = await database.read(
        "SELECT name, setting FROM pg_settings WHERE name IN ('statement_timeout', "
        "'lock_timeout', 'idle_in_transaction_session_timeout', 'application_name', "
        "'transaction_isolation') ORDER BY name"
    )

    assert {row.get("name", str): row.get("setting", str) for row in rows} == {
        "application_name": "sixpence",
        "idle_in_transaction_session_timeout": "10000",
        "lock_timeout": "2000",
        "statement_timeout": "5000",
        "transaction_isolation": "read committed",
    }


# ------------------------------------------------------------------ time and locks


@pytest.mark.parametrize(
    ("limit", "statement", "cause"),
    [
        ("statement_timeout", "SELECT pg_sleep(9)", "DATABASE_BUSY"),
        ("lock_timeout", "LOCK TABLE proof_watermark", "DATABASE_BUSY"),
        ("idle_in_transaction_session_timeout", "SELECT 1", "DATABASE_LOST"),
    ],
)
async def test_what_takes_too_long_is_an_outage_and_leaves_nothing(
    bank_database: Settings, limit: str, statement: str, cause: str
) -> None:
    locked, opened = asyncio.Event(), asyncio.Event()

    async def holding(tx: Tx) -> None:
        await tx.rows("LOCK TABLE proof_watermark IN SHARE UPDATE EXCLUSIVE MODE")
        locked.set()
        await opened.wait()

    async def late(tx: Tx) -> None:
        await tx.rows(f"SET LOCAL {limit} = '100ms'")
        await asyncio.sleep(0.3)
        await tx.rows(statement)

    holder = asyncio.ensure_future(database.transaction(holding, name="test"))
    await locked.wait()
    with pytest.raises(Outage, match=cause):
        await database.transaction(late, name="test")
    opened.set()
    await holder

    assert await marks() == []
    assert await all_are_back()


async def test_two_that_lock_crosswise_both_get_through(
    bank_database: Settings,
) -> None:
    async def both(tx: Tx) -> None:
        await mark(tx, "a")
        await mark(tx, "b")

    await database.transaction(both, name="test")
    met, tries = asyncio.Barrier(2), 0

    async def crossing(first: str, second: str) -> None:
        turns = 0

        async def work(tx: Tx) -> None:
            nonlocal turns, tries
            turns, tries = turns + 1, tries + 1
            await raised(tx, first)
            if turns == 1:
                await met.wait()
            await raised(tx, second)

        await database.transaction(work, name="test")

    before = deadlocks()
    await asyncio.gather(crossing("a", "b"), crossing("b", "a"))

    rows = await database.read("SELECT name, mark FROM proof_watermark")
    assert {row.get("mark", datetime).year for row in rows} == {NOON.year + 2}
    assert tries == 3
    assert deadlocks() == before + 1


async def raised(tx: Tx, name: str) -> None:
    """Add a year to a mark."""
    await tx.rows(
        "UPDATE proof_watermark SET mark = mark + interval '1 year' WHERE name = $1",
        name,
    )


def deadlocks() -> float:
    found = telemetry.registry.get_sample_value(
        "sixpence_transaction_retries_total", {"sqlstate": "40P01"}
    )
    return found or 0.0


async def test_a_read_over_everything_may_take_longer_and_leaves_no_trace(
    bank_database: Settings,
) -> None:
    shown = "SELECT current_setting('statement_timeout') AS limit_ms"

    [patient] = await database.read_whole(shown)
    [usual] = await database.read(shown)

    assert patient.get("limit_ms", str) == "1h"
    assert usual.get("limit_ms", str) == "5s"
