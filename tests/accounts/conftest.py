"""An accounts room over the test's own database."""

import pytest

from app.clock import StoppedClock
from app.settings import Settings
from app.vault import Vault
from tests.accounts.world import Room, a_room


@pytest.fixture
async def room(bank_database: Settings, clock: StoppedClock, vault: Vault) -> Room:
    """Give the room without any account."""
    return await a_room(bank_database, clock, vault)
