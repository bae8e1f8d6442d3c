"""An accounts room over the test's own database."""

from collections.abc import AsyncIterator

import pytest

from app.clock import StoppedClock
from app.settings import Settings
from app.vault import Vault
from tests.accounts.far_world import FarRoom, a_far_room
from tests.accounts.world import Room, a_room


@pytest.fixture
async def room(bank_database: Settings, clock: StoppedClock, vault: Vault) -> Room:
    """Give the room without any account."""
    return await a_room(bank_database, clock, vault)


@pytest.fixture
async def far_room(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> AsyncIterator[FarRoom]:
    """Give a room over a remote core, without any account."""
    async with a_far_room(clock, vault) as found:
        yield found


@pytest.fixture(params=["embedded", "mirrored"])
async def any_room(
    request: pytest.FixtureRequest,
    bank_database: Settings,
    clock: StoppedClock,
    vault: Vault,
) -> AsyncIterator[Room]:
    """Give a room over either kind of core: what is read of them is alike."""
    if request.param == "embedded":
        yield await a_room(bank_database, clock, vault)
        return
    async with a_far_room(clock, vault) as found:
        yield found
