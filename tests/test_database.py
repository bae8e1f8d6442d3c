import asyncio
import gc
import logging
import sqlite3
from contextvars import Context

import pytest

from app import database, telemetry
from app.accounts.models import Account
from app.database import Tx
from app.engines import SqliteClient
from app.errors import NotFound
from app.settings import Settings
from tests.conftest import NOON

PLANTED = "482913"


async def _keys() -> list[str]:
    rows = await database.read("SELECT name FROM proof_watermark ORDER BY name")
    return [row.get("name", str) for row in rows]


async def _mark(tx: Tx, name: str, settings: Settings | None = None) -> None:
    del settings
    await tx.rows(
        "INSERT INTO proof_watermark (name, mark, at) VALUES ($1, $2, $2) "
        "RETURNING name",
        name,
        NOON,
    )


async def test_what_work_returns_is_committed(bank_database: Settings) -> None:
    async def work(tx: Tx) -> str:
        await _mark(tx, "kept")
        return "done"

    assert await database.transaction(work, name="test") == "done"

    assert await _keys() == ["kept"]


async def test_a_raised_refusal_rolls_back(bank_database: Settings) -> None:
    async def work(tx: Tx) -> None:
        await _mark(tx, "gone")
        raise NotFound

    with pytest.raises(NotFound):
        await database.transaction(work, name="test")

    assert await _keys() == []


async def test_a_returned_refusal_is_committed_and_raised(
    bank_database: Settings,
) -> None:
    async def work(tx: Tx) -> NotFound:
        await _mark(tx, "remembered")
        return NotFound()

    with pytest.raises(NotFound):
        await database.transaction(work, name="test")

    assert await _keys() == ["remembered"]


async def test_a_transaction_inside_a_transaction_is_refused(
    bank_database: Settings,
) -> None:
    async def inner(tx: Tx) -> None:
        await _mark(tx, "inner")

    async def outer(tx: Tx) -> None:
        await _mark(tx, "outer")
        await database.transaction(inner, name="inner")

    with pytest.raises(RuntimeError, match="inside a transaction"):
        await database.transaction(outer, name="outer")

    assert await _keys() == []


async def test_who_reads_waits_for_no_transaction_and_sees_what_is_committed(
    bank_database: Settings,
) -> None:
    inside, seen = asyncio.Event(), asyncio.Event()

    async def work(tx: Tx) -> None:
        await _mark(tx, "slow")
        inside.set()
        await seen.wait()

    writing = asyncio.ensure_future(database.transaction(work, name="test"))
    await inside.wait()
    async with asyncio.timeout(30):  # it hung here when both had one connection
        before = await _keys()
        whole = await database.read_whole("SELECT name FROM proof_watermark")
    seen.set()
    await writing

    assert (before, whole) == ([], [])
    assert await _keys() == ["slow"]


@pytest.mark.only("sqlite")
async def test_a_read_writes_nothing(bank_database: Settings) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await database.read("DELETE FROM proof_watermark RETURNING name")


@pytest.mark.only("sqlite")
async def test_a_text_that_is_none_does_not_hold_what_readers_see(
    bank_database: Settings,
) -> None:
    async def spoilt(tx: Tx) -> None:
        await tx.rows(
            "INSERT INTO proof_watermark (name, mark, at) "
            "VALUES (CAST(x'ff' AS TEXT), $1, $1) RETURNING mark",
            NOON,
        )

    async def mended(tx: Tx) -> None:
        await tx.rows("DELETE FROM proof_watermark RETURNING mark")
        await _mark(tx, "right")

    await database.transaction(spoilt, name="test")
    with pytest.raises(sqlite3.OperationalError, match="decode") as told:
        await _keys()
    await database.transaction(mended, name="test")

    assert await _keys() == ["right"]
    del told  # its frames hold the statement that failed


@pytest.mark.only("sqlite")
async def test_a_reader_that_does_not_close_keeps_no_writer_open(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = settings.database_url.removeprefix("sqlite://")
    client = SqliteClient(place, wait_s=1, busy_timeout=1000, connection_name="test")
    reader = await client.reader()

    async def breaks() -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(reader, "close", breaks)
        with pytest.raises(asyncio.CancelledError):
            await client.close()

    assert client.connection is None
    await reader.close()


async def test_400_cancelled_callers_leave_no_open_transaction(
    bank_database: Settings,
) -> None:
    async def work(tx: Tx) -> None:
        await _mark(tx, f"mark-{id(tx)}")
        await asyncio.sleep(0)

    async def caller() -> None:
        await database.transaction(work, name="test")

    for turn in range(400):
        task = asyncio.ensure_future(caller())
        for _ in range(turn % 7):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async with asyncio.timeout(10):
        while database.open_transactions():
            await asyncio.sleep(0.01)
    gc.collect()
    assert await database.transaction(_alive, name="test") == 1
    async with asyncio.timeout(10):
        while len(set(database.pool_figures())) > 1:
            await asyncio.sleep(0.01)
    there, idle = database.pool_figures()
    assert there == idle > 0


async def _alive(tx: Tx) -> int:
    row = await tx.one("SELECT 1 AS one")
    assert row is not None
    return row.get("one", int)


async def test_hints_run_only_after_a_commit(bank_database: Settings) -> None:
    told: list[str] = []

    async def good(tx: Tx) -> None:
        tx.after_commit(lambda: told.append("good"))
        assert told == []

    async def bad(tx: Tx) -> None:
        tx.after_commit(lambda: told.append("bad"))
        raise NotFound

    await database.transaction(good, name="test")
    with pytest.raises(NotFound):
        await database.transaction(bad, name="test")

    assert told == ["good"]


async def test_a_task_of_ours_inside_a_transaction_is_refused(
    bank_database: Settings,
) -> None:
    async def work(tx: Tx) -> None:
        await _mark(tx, "gone")
        await asyncio.ensure_future(_alive(tx))

    with pytest.raises(RuntimeError, match="a task was made inside a transaction"):
        await database.transaction(work, name="test")

    assert await _keys() == []


async def test_a_task_with_a_context_of_its_own_finds_the_database(
    bank_database: Settings,
) -> None:
    """As a request under a server does: it shares nothing with the start."""

    async def asked() -> list[str]:
        await database.transaction(lambda tx: _mark(tx, "there"), name="test")
        return await _keys()

    task = asyncio.get_running_loop().create_task(asked(), context=Context())

    assert await task == ["there"]


async def test_one_process_speaks_one_dialect(
    bank_database: Settings, pytestconfig: pytest.Config
) -> None:
    assert database.dialect() == pytestconfig.getoption("engine")


async def test_values_of_statements_are_never_logged(
    bank_database: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.configure("json", "debug")
    caplog.set_level(logging.DEBUG)

    async def work(tx: Tx) -> int:
        await _mark(tx, PLANTED)
        return await Account.filter(nickname=PLANTED).using_db(tx.orm).count()

    found = await database.transaction(work, name="test")

    assert found == 0
    assert PLANTED not in caplog.text
