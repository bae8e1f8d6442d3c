"""What our own push providers share beyond the contract kit of every provider."""

import pytest

from app import adapters
from app.clock import Clock
from app.integrations.push import PushKind, PushProvider

FOLDER = "app.integrations.push"
SENDERS = ["apns", "fcm"]


async def opened(name: str) -> PushProvider:
    module = adapters.load(FOLDER, name)
    found: PushProvider = await module.connect(module.Settings(), clock=Clock())
    await found.close()
    return found


def test_these_are_all() -> None:
    assert adapters.choices(FOLDER) == sorted(["console", *SENDERS])


@pytest.mark.parametrize("name", adapters.choices(FOLDER))
def test_it_has_settings_of_its_own_name(name: str) -> None:
    prefix = adapters.load(FOLDER, name).Settings.model_config["env_prefix"]

    assert prefix == f"SIXPENCE_PUSH_{name.upper()}_"


async def test_no_two_that_send_reach_the_same_addresses() -> None:
    reached = [kind for name in SENDERS for kind in (await opened(name)).kinds]

    assert sorted(reached) == sorted(PushKind)
