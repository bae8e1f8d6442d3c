"""A bank per test: a migrated database, a clock that stands still, books that balance.

After every test that opened a database all proofs of all rooms run in full: a green
test with wrong books is red.
"""

import asyncio
import gc
import importlib
import logging
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-untyped]  # ships no types
import pytest
import structlog
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from structlog.dev import ConsoleRenderer, plain_traceback
from typing_extensions import override

from app import database, upgrade
from app import settings as app_settings
from app.clock import StoppedClock
from app.database import Proof
from app.realtime import log
from app.settings import Settings
from app.vault import Ring, Vault

if TYPE_CHECKING:
    from tests.postgres import Server

ROOMS_WITH_PROOFS = (
    "app.audit",
    "app.ledger.coherence",
    "app.notifications.coherence",
    "app.payments.coherence",
    "app.realtime.coherence",
)
# What each engine raises when a CHECK, a key or a trigger refuses a statement.
BROKEN = (sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError)
GARBAGE = 50_000, 20, 50
UVICORNS = ("uvicorn", "uvicorn.access", "uvicorn.error")
NOON = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
# Where a test does not configure the log, structlog's own default draws each failure
# with the source and the variables of every frame, which takes half a second.
ConsoleRenderer.get_active().exception_formatter = plain_traceback

PLAIN = app_settings.load(env="test")  # once: reading takes as long as many a test

if find_spec("sniffio") is None:
    # httpx asks for it several times a request, and pytest looks everywhere each time.
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # the way to say: absent

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


@cache
def settings_with(**chosen: Hashable) -> Settings:
    """Read the settings of a test once for each choice; they are frozen."""
    return app_settings.load(env="test", **chosen)


@pytest.fixture
def clock() -> StoppedClock:
    """Give a clock that stands at 15:00 in India until it is moved."""
    return StoppedClock(NOON)


@pytest.fixture(scope="session")
def vault() -> Vault:
    """Give key rings that every test may know."""
    ring = Ring({1: bytes(range(32))})
    return Vault(sealing=ring, pepper=Ring({1: bytes(range(32, 64))}))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run choose its engine; two engines never meet in one process (trap D6)."""
    parser.addoption(
        "--engine",
        choices=("sqlite", "postgres"),
        default="sqlite",
        help="which database the tests run on; postgres leaves out what has none",
    )


def pytest_collection() -> None:
    """Collect no garbage while the tests are gathered: none of that is ever let go."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Collect it from here on, and never look at the gathered tests again.

    More seldom than Python does by itself: that took a tenth of the processor's time.
    """
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin each test with a log that nobody set up, whatever the one before did."""
    structlog.reset_defaults()
    for name in UVICORNS:  # one that ran in this process kept its words to itself
        logger = logging.getLogger(name)
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what the engine of this run has no part in.

    What asks for a database, itself or through a fixture, runs on both engines; the
    rest runs once. `only("sqlite")` is for what looks into one engine's own catalogue.
    Slow ones come first: several workers then end at about the same time.
    """
    engine = config.getoption("engine")
    chosen: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        (chosen if _has_part(item, engine) else left).append(item)
    chosen.sort(key=lambda item: item.get_closest_marker("slow") is None)
    config.hook.pytest_deselected(items=left)
    items[:] = chosen


def _has_part(item: pytest.Item, engine: str) -> bool:
    only = item.get_closest_marker("only")
    if only is not None:
        return engine in only.args
    return engine == "sqlite" or "postgres" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator["Server | None"]:
    """Start a PostgreSQL where the run asked for one."""
    if pytestconfig.getoption("engine") != "postgres":
        yield None
        return
    from tests.postgres import (  # noqa: PLC0415  -- its driver is not for SQLite
        Server,
        own_folder,
    )

    with own_folder() as folder:
        server = Server(folder)
        yield server
        server.stop()


@pytest.fixture(scope="session")
def empty_bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrate one SQLite file; every test gets a copy."""
    file = tmp_path_factory.mktemp("empty") / "bank.db"
    chosen = app_settings.load(env="test", database_url=f"sqlite://{file}")
    asyncio.run(upgrade.migrate(chosen))
    return file


@pytest.fixture
def settings(
    tmp_path: Path, request: pytest.FixtureRequest, postgres: "Server | None"
) -> Iterator[Settings]:
    """Give settings of a test bank with a database of its own."""
    if postgres is not None:
        name = postgres.fresh()
        url: dict[str, object] = {"database_url": postgres.url(name)}
        yield PLAIN.model_copy(update=url | {"database_pool_min": 1})
        postgres.drop(name)
        return
    file = tmp_path / "bank.db"
    shutil.copy(request.getfixturevalue("empty_bank"), file)
    url = {"database_url": f"sqlite://{file}"}
    yield PLAIN.model_copy(update=url | {"database_synchronous": "OFF"})


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
    rooms = [importlib.import_module(name) for name in ROOMS_WITH_PROOFS]
    return [proof for room in rooms for proof in room.proofs()]


async def broken_proofs() -> list[str]:
    """Run every proof in full and name those that found a broken row."""
    return [proof.name for proof in all_proofs() if await database.read(proof.full)]


class no_tasks_inside_transactions(AbstractContextManager[None]):  # noqa: N801  -- reads as a sentence with `with`
    """A task made inside a transaction would join or leave it (trap D5): refuse it."""

    @override
    def __enter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._before = self._loop.get_task_factory()
        self._loop.set_task_factory(_refusing)

    @override
    def __exit__(self, *_failure: object) -> None:
        self._loop.set_task_factory(self._before)


def _refusing(
    loop: asyncio.AbstractEventLoop, coroutine: Any, **rest: Any
) -> "asyncio.Task[Any]":
    if database.inside_transaction() and not _of_the_driver(coroutine):
        coroutine.close()
        raise RuntimeError("a task was made inside a transaction")
    return asyncio.Task(coroutine, loop=loop, **rest)


def _of_the_driver(coroutine: Any) -> bool:
    """PostgreSQL's driver gives connections back, and opens them, in its own tasks."""
    code = getattr(coroutine, "cr_code", None)
    return code is not None and "asyncpg" in Path(code.co_filename).parts
