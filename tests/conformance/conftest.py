"""One bank for all cases of a file: opened once, and it stands at the end."""

import logging
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conformance.world import World, a_world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    tmp_path_factory: pytest.TempPathFactory, empty_bank: Path
) -> AsyncIterator[World]:
    """Open the bank and its doors."""
    folder = tmp_path_factory.mktemp("conformance")
    shutil.copy(empty_bank, folder / "bank.db")
    async with a_world(folder, f"sqlite://{folder / 'bank.db'}") as found:
        yield found


@pytest.fixture
def nothing_breaks(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """See that no error was logged and no traceback printed, whatever was sent."""
    caplog.set_level(logging.ERROR)
    yield
    assert [one.getMessage() for one in caplog.get_records("call")] == []
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err
