from collections.abc import Iterator

import httpx
import pytest

from tests.sandbox.core_bank import CoreBank, called
from tests.sandbox.world import an_open_world


@pytest.fixture(scope="session")
def started_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    clock_file = tmp_path_factory.mktemp("world") / "state" / "clock"
    with an_open_world("--clock-file", str(clock_file)) as world:
        yield world


@pytest.fixture
def world(started_world: httpx.Client) -> Iterator[httpx.Client]:
    yield started_world
    started_world.delete("/_faults").raise_for_status()
    started_world.put("/_clock", json={"offset_s": 0}).raise_for_status()


@pytest.fixture(scope="session")
def started_bank(started_world: httpx.Client) -> Iterator[CoreBank]:
    with called(started_world) as found:
        yield found


@pytest.fixture
def bank(world: httpx.Client, started_bank: CoreBank) -> Iterator[CoreBank]:
    before = started_bank.turned()
    del before["today"]
    yield started_bank
    started_bank.turn(**before)
