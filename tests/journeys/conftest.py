"""One demo bank for the journeys of this session, and phones that lie in its folder.

With `--engine=postgres` every bank of a journey has a database of its own: of the
server of the tests, or of one with fsync on where something is killed.
"""

import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from tests.conftest import broken_proofs
from tests.journeys.bank_process import BankProcess, a_bank
from tests.journeys.books import Books, books_of
from tests.journeys.planted import Pocket, known_to_people, leaked, texted
from tests.journeys.way_back import Story, Town, a_town
from tests.rounds import quick_pins

if TYPE_CHECKING:
    from tests.journeys.durable import Durable
    from tests.postgres import Server

STILL = ("sixpence_transactions_open", "sixpence_sockets_open")


@pytest.fixture
def books(tmp_path: Path, postgres: "Server | None") -> Iterator[Books]:
    """Give the books of one bank in the folder of this test."""
    with books_of(tmp_path, postgres) as found:
        yield found


@pytest.fixture(scope="session")
def durable(pytestconfig: pytest.Config) -> Iterator["Durable | None"]:
    """Start a PostgreSQL with fsync on, where the run asked for PostgreSQL."""
    if pytestconfig.getoption("engine") != "postgres":
        yield None
        return
    from tests.journeys.durable import Durable  # noqa: PLC0415  -- not for SQLite
    from tests.postgres import own_folder  # noqa: PLC0415  -- same

    with own_folder() as folder:
        server = Durable(folder)
        yield server
        server.stop()


@pytest.fixture
def durable_books(tmp_path: Path, durable: "Durable | None") -> Iterator[Books]:
    """Give books that outlive a kill -9 of everybody."""
    with books_of(tmp_path, durable) as found:
        yield found


@pytest.fixture(scope="session")
def demo_bank(
    tmp_path_factory: pytest.TempPathFactory, postgres: "Server | None"
) -> Iterator[BankProcess]:
    """Start the bank that the proofs of this session share."""
    folder = tmp_path_factory.mktemp("demo")
    with books_of(folder, postgres) as found, a_bank(folder, found) as bank:
        yield bank


@pytest.fixture(scope="module")
def migrated(
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    postgres: "Server | None",
) -> Iterator[str]:
    """Give the URL of a migrated database that the tests of one file share."""
    if postgres is None:
        file = tmp_path_factory.mktemp("migrated") / "bank.db"
        shutil.copy(request.getfixturevalue("empty_bank"), file)
        yield f"sqlite://{file}"
        return
    name = postgres.fresh()
    yield postgres.url(name)
    postgres.drop(name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(
    tmp_path_factory: pytest.TempPathFactory, migrated: str
) -> AsyncIterator[Town]:
    """Open the bank in which the customers of one file lose something.

    As in production it runs listed documents only.
    """
    async with a_town(tmp_path_factory.mktemp("town"), migrated, "trusted") as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def story(
    town: Town, record_property: Callable[[str, object], None]
) -> AsyncIterator[Story]:
    """Give a story in that bank; at its end the books balance."""
    with quick_pins():
        async with AsyncExitStack() as stack:
            yield Story(town, stack)
    assert await broken_proofs() == []
    record_property("books", "balanced")


@pytest.fixture
def books_balance(
    demo_bank: BankProcess, record_property: Callable[[str, object], None]
) -> Iterator[None]:
    """Look at the books after the test, in the database the bank writes."""
    yield
    assert demo_bank.broken_proofs() == []
    record_property("books", "balanced")


@pytest.fixture
def phones(demo_bank: BankProcess) -> Path:
    """Give the folder in which the phones of this bank live."""
    return demo_bank.folder / "phones"


@pytest.fixture(scope="session")
def pocket(demo_bank: BankProcess) -> Pocket:
    """Give the store of those phones, which remembers their secrets."""
    return Pocket(demo_bank.folder / "phones")


@pytest.fixture
def all_is_well(
    books_balance: None, demo_bank: BankProcess, pocket: Pocket
) -> Iterator[None]:
    """Look after a proof, whatever it was about (acceptance.md section 1).

    Sums, balances, holds and event numbers by `books_balance`; the audit chain; nothing
    left open; no secret of a phone in the logs.
    """
    del books_balance
    yield
    assert demo_bank.broken_chains() == ""
    still = {f"{name} 0.0" for name in STILL}
    seen = open_things(demo_bank)
    for _ in range(50):  # the worker's own short transactions come and go
        if seen == still:
            break
        time.sleep(0.1)
        seen = open_things(demo_bank)
    assert seen == still
    secrets = known_to_people() | texted(demo_bank) | pocket.secrets
    assert secrets > known_to_people()
    assert leaked(secrets, demo_bank.folder) == set()


def open_things(bank: BankProcess) -> set[str]:
    """Read the gauges of what may not stay open."""
    told = httpx.get(f"{bank.url}/metrics").text.splitlines()
    return {line for line in told if line.startswith(STILL)}
