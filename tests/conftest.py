"""A bank per test: a migrated database, a clock that stands still, books that balance.

After every test that opened a database all proofs of all rooms run in full: a green
test with wrong books is red.
"""

import asyncio
import importlib
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from app import database, upgrade
from app import settings as app_settings
from app.clock import StoppedClock
from app.database import Proof
from app.realtime import log
from app.settings import Settings
from app.vault import Ring, Vault

ROOMS_WITH_PROOFS = (
    "app.audit",
    "app.ledger.coherence",
    "app.payments.coherence",
    "app.realtime.coherence",
)
NOON = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)

hypothesis_settings.register_profile(
    "check",
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
hypothesis_settings.register_profile(
    "chaos", hypothesis_settings.get_profile("check"), max_examples=10_000
)
hypothesis_settings.load_profile("check")


@pytest.fixture
def clock() -> StoppedClock:
    """Give a clock that stands at 15:00 in India until it is moved."""
    return StoppedClock(NOON)


@pytest.fixture(scope="session")
def vault() -> Vault:
    """Give key rings that every test may know."""
    ring = Ring({1: bytes(range(32))})
    return Vault(sealing=ring, pepper=Ring({1: bytes(range(32, 64))}))


@pytest.fixture(scope="session")
def empty_bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrate one SQLite file; every test gets a copy."""
    file = tmp_path_factory.mktemp("empty") / "bank.db"
    chosen = app_settings.load(env="test", database_url=f"sqlite://{file}")
    asyncio.run(upgrade.migrate(chosen))
    return file


@pytest.fixture
def settings(tmp_path: Path, empty_bank: Path) -> Settings:
    """Give settings of a test bank on a SQLite file of its own."""
    file = tmp_path / "bank.db"
    shutil.copy(empty_bank, file)
    return app_settings.load(
        env="test", database_url=f"sqlite://{file}", database_synchronous="OFF"
    )


@pytest.fixture
async def bank_database(
    settings: Settings,
    clock: StoppedClock,
    record_property: Callable[[str, object], None],
) -> AsyncIterator[Settings]:
    """Open the database and the log; afterwards the books must balance."""
    async with database.open_database(settings):
        log.open_log(clock, lambda _announcement: None)
        with no_tasks_inside_transactions():
            yield settings
        assert await broken_proofs() == []
        record_property("books", "balanced")  # counted by tests/house/closing.py


def all_proofs() -> list[Proof]:
    """Gather the proofs of every room."""
    found: list[Proof] = []
    for name in ROOMS_WITH_PROOFS:
        if importlib.util.find_spec(name):
            found += importlib.import_module(name).proofs()
    return found


async def broken_proofs() -> list[str]:
    """Run every proof in full and name those that found a broken row."""
    return [proof.name for proof in all_proofs() if await database.read(proof.full)]


class no_tasks_inside_transactions:  # noqa: N801  -- reads as a sentence with `with`
    """A task made inside a transaction would join or leave it (trap D5): refuse it."""

    def __enter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._before = self._loop.get_task_factory()
        self._loop.set_task_factory(_refusing)

    def __exit__(self, *_failure: object) -> None:
        self._loop.set_task_factory(self._before)


def _refusing(
    loop: asyncio.AbstractEventLoop, coroutine: Any, **rest: Any
) -> "asyncio.Task[Any]":
    if database.inside_transaction():
        coroutine.close()
        raise RuntimeError("a task was made inside a transaction")
    return asyncio.Task(coroutine, loop=loop, **rest)
