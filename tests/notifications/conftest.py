"""A notifications room per test, and a customer with one phone."""

from collections.abc import AsyncIterator

import pytest

from app.auth.actor import Actor
from app.clock import StoppedClock
from app.ids import CustomerId
from app.settings import Settings
from app.vault import Vault
from tests.notifications.household import Household, a_household
from tests.notifications.world import World


@pytest.fixture
def world(bank_database: Settings, clock: StoppedClock, vault: Vault) -> World:
    """Give the room with a provider that accepts everything."""
    return World(bank_database, clock, vault)


@pytest.fixture
async def home(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> AsyncIterator[Household]:
    """Give Asha with two accounts and a phone, and what she may choose."""
    async with a_household(bank_database, clock, vault) as found:
        yield found


@pytest.fixture
def asha() -> CustomerId:
    """Give a customer."""
    return CustomerId.new()


@pytest.fixture
async def phone(world: World, asha: CustomerId) -> Actor:
    """Give Asha's phone, signed in, with a push address."""
    return await world.phone(asha, "fid-asha-1")
