"""One demo bank for the journeys of this session, and phones that stay in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.bank_process import BankProcess, a_bank


@pytest.fixture(scope="session")
def demo_bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BankProcess]:
    with a_bank(tmp_path_factory.mktemp("demo")) as bank:
        yield bank


@pytest.fixture
def books_balance(demo_bank: BankProcess) -> Iterator[None]:
    """Look at the books after the test, in the file the bank writes."""
    yield
    assert demo_bank.broken_proofs() == []


@pytest.fixture
def phones(tmp_path_factory: pytest.TempPathFactory, demo_bank: BankProcess) -> Path:
    """Give the folder in which the phones of this bank live."""
    return demo_bank.folder / "phones"
