"""The options of the kit, and one opened bench for each adapter that is tried."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import stamina

from tests.integrations.kit import loading
from tests.integrations.kit.core_bench import CoreBench, a_core_bench
from tests.integrations.kit.loading import Choice, Missing
from tests.integrations.kit.push_bench import PushBench
from tests.integrations.kit.rail_bench import RailBench
from tests.integrations.kit.sms_bench import SmsBench

# The fixture of each port's suite. Where nothing is chosen, every file is tried.
BENCHES = {
    "core": "core_banking",
    "rail": "rails",
    "push": "push",
    "sms": "sms",
}
# The embedded core's books lie in our database: it is tried on each engine.
OURS = "embedded"
Opened = Callable[[Choice], Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add two options; they are known where the kit is named on the command line."""
    kit = parser.getgroup("kit", "the contract kit for adapters (docs/adapters.md)")
    kit.addoption(
        "--adapter",
        action="append",
        metavar="PORT=MODULE",
        help="try this adapter and no other; may be given for several ports",
    )
    kit.addoption("--rig", metavar="MODULE", help="the module with its rig")


def _chosen(config: pytest.Config) -> list[Choice]:
    named: list[str] = config.getoption("--adapter", default=None) or []
    return loading.chosen(named, config.getoption("--rig", default=None))


def pytest_configure(config: pytest.Config) -> None:
    """Look whether what is named is there, before anything runs."""
    try:
        _chosen(config)
    except Missing as missing:
        raise pytest.UsageError(str(missing)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tell each test of a port of each adapter that is tried."""
    only = _chosen(metafunc.config)
    for fixture in BENCHES.keys() & set(metafunc.fixturenames):
        port = BENCHES[fixture]
        all_of_it = [one for one in only if one.port == port]
        given = all_of_it if only else loading.listed(port)
        if "remote" in metafunc.fixturenames:
            given = [one for one in given if one.name != OURS]
        both = pytest.mark.only("sqlite", "postgres")
        marks = {OURS: (both,)}
        rows = [pytest.param(c, marks=marks.get(c.name, ()), id=c.name) for c in given]
        metafunc.parametrize("choice", rows)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out the ports that a run with --adapter is not about."""
    if not _chosen(config):
        return
    left = [item for item in items if "NOTSET" in item.name]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


@pytest.fixture(autouse=True)
def _tries_without_waiting(_one_list_of_authorities: None) -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture(scope="session")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Start each stand-in once, when it is first wanted."""
    opened: dict[Choice, Any] = {}
    with ExitStack() as stack:

        def of(choice: Choice) -> Any:
            if choice not in opened:
                folder = tmp_path_factory.mktemp(choice.port)
                opened[choice] = stack.enter_context(choice.rigs()(folder))
            return opened[choice]

        yield of


@pytest.fixture
def rig(choice: Choice, rigs: Opened, request: pytest.FixtureRequest) -> Any:
    """Give the rig of the adapter that is tried."""
    found = rigs(choice)
    if getattr(found, "our_database", False):
        request.getfixturevalue("bank_database")
    return found


@pytest.fixture
def transactions(request: pytest.FixtureRequest) -> None:
    """Open a database of ours to have a transaction in."""
    request.getfixturevalue("bank_database")


@pytest.fixture
async def core(choice: Choice, rig: Any) -> AsyncIterator[CoreBench]:
    """Give a core bank, connected to its stand-in."""
    async with a_core_bench(choice.adapter(), rig) as bench:
        yield bench


@pytest.fixture
async def remote(core: CoreBench) -> CoreBench:
    """Give a core behind a wire, with a rig that can break it."""
    core.must_have_a_line()
    return core


@pytest.fixture
async def rail(choice: Choice, rig: Any) -> AsyncIterator[RailBench]:
    """Give a rail, connected to its stand-in."""
    async with RailBench.opened(choice.adapter(), rig) as bench:
        yield bench


@pytest.fixture
async def push(choice: Choice, rig: Any) -> AsyncIterator[PushBench]:
    """Give a push provider, connected to its stand-in."""
    async with PushBench.opened(choice.adapter(), rig) as bench:
        yield bench


@pytest.fixture
async def sms(choice: Choice, rig: Any) -> AsyncIterator[SmsBench]:
    """Give a text gateway, connected to its stand-in."""
    async with SmsBench.opened(choice.adapter(), rig) as bench:
        yield bench
