"""A bank whose hub polls often."""

import pytest

from app.settings import Settings


@pytest.fixture
def ours(bank_database: Settings) -> Settings:
    """Give the test's bank, with a poll every twentieth of a second."""
    return bank_database.model_copy(update={"poll_s": 0.05})
