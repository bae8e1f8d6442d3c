"""A room per test, with people and phones."""

import pytest

from app.clock import StoppedClock
from app.settings import Settings
from app.vault import Vault
from tests.auth.passkey_holder import Holder, a_holder
from tests.auth.room import Person, Phone, Room, a_customer
from tests.auth.wiring import open_room


@pytest.fixture
async def room(bank_database: Settings, clock: StoppedClock, vault: Vault) -> Room:
    """Give the room of a bank with the tries and codes of production."""
    strict = bank_database.model_copy(update={"activation_reusable": False})
    return await open_room(strict, clock, vault)


@pytest.fixture
async def asha(room: Room) -> Person:
    """Give a customer with an activation code."""
    return await a_customer(room)


@pytest.fixture
async def phone(room: Room, asha: Person) -> Phone:
    """Give Asha's phone: bound, with its mPIN set, not signed in."""
    found = Phone(room)
    await found.enrol(asha)
    return found


@pytest.fixture
async def holder(room: Room, asha: Person) -> Holder:
    """Give Asha's phone with a passkey that counts as its one factor."""
    return await a_holder(room, asha, count=10)
