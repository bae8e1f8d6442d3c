"""One row among many, changed, removed or inserted behind the bank's back."""

import asyncio
import tracemalloc

import pytest

from app import audit, database
from app.audit import Broken
from app.settings import Settings
from tests.test_audit import CHAIN, altered, appended, entry, inserted

BATCH = 500
PEAK_BYTES = 32 * 1024 * 1024


async def a_chain(many: int) -> None:
    for first in range(1, many, BATCH):
        await appended(*(entry(first + number) for number in range(BATCH)))


@pytest.mark.parametrize(
    "many",
    [
        pytest.param(10_000, marks=pytest.mark.slow),
        pytest.param(100_000, marks=pytest.mark.chaos),
    ],
)
async def test_one_row_among_many_is_named_whatever_was_done_to_it(
    settings: Settings, many: int
) -> None:
    async with database.open_database(settings):
        await a_chain(many)
        middle = many // 2
        tracemalloc.start()
        assert await audit.verify() == []
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < PEAK_BYTES

        await altered_here("UPDATE audit_entry SET action = 'x' WHERE seq = $1", many)
        assert await audit.verify() == [Broken(CHAIN, many, "changed or inserted")]
        await altered_here("DELETE FROM audit_entry WHERE seq = $1", many)
        assert await audit.verify() == [Broken(CHAIN, many, "missing at the end")]
        await altered_here(
            "UPDATE audit_entry SET request_id = 'other' WHERE seq = $1", middle + 1
        )
        assert await audit.verify() == [
            Broken(CHAIN, middle + 1, "changed or inserted")
        ]
        await altered_here("DELETE FROM audit_entry WHERE seq = $1", middle)
        assert await audit.verify() == [Broken(CHAIN, middle, "missing")]
        await altered_here(
            "UPDATE audit_entry SET seq = $1 WHERE seq = $2", middle, middle + 1
        )
        assert await audit.verify() == [Broken(CHAIN, middle, "changed or inserted")]
        if database.dialect() == "sqlite":
            early = many // 4
            await inserted(early)
            found = await audit.verify()
            assert found == [Broken(CHAIN, early, "changed or inserted")]


async def altered_here(sql: str, *args: int) -> None:
    """Run a statement without the guards, on either engine."""
    if database.dialect() == "sqlite":
        await altered(sql, *args)
        return

    async def work(tx: database.Tx) -> None:
        await tx.rows("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        await tx.rows(sql, *args)

    await database.transaction(work, name="test.alter")


async def test_what_is_written_while_it_verifies_is_no_break(
    bank_database: Settings,
) -> None:
    await a_chain(2_000)
    stop = asyncio.Event()

    async def writing() -> None:
        number = 10_000
        while not stop.is_set():
            number += 1
            await appended(entry(number))

    async with asyncio.TaskGroup() as group:
        group.create_task(writing())
        found = [await audit.verify() for _ in range(5)]
        stop.set()

    assert found == [[], [], [], [], []]
