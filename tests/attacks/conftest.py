"""Phones that misbehave against a real bank; whatever they try, nothing moves."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mock_mobile_client.handset import Setting
from mock_mobile_client.phone import Phone, introduce
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.store import FileStore
from mock_mobile_client.values import JsonObject
from tests.journeys.bank_process import BankProcess, a_bank

FIGURES = "{ me { accounts { id balance { booked { minorUnits } version } } } }"


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BankProcess]:
    with a_bank(tmp_path_factory.mktemp("attacked")) as bank:
        yield bank


@pytest.fixture(scope="session")
def phones_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("phones")


def setting(folder: Path) -> Setting:
    return Setting(store=FileStore(folder), iterations=ITERATIONS_MIN)


@pytest.fixture
async def asha(attacked: BankProcess, phones_folder: Path) -> AsyncIterator[Phone]:
    """Give Asha's first phone, signed in, with Ben as a payee."""
    world = (attacked.url, attacked.sandbox, setting(phones_folder))
    async with Phone("asha", *world) as phone, Phone("ben", *world) as ben:
        await phone.start()
        await ben.start()
        await introduce(phone, ben)
        yield phone


@pytest.fixture
async def ben(attacked: BankProcess, phones_folder: Path) -> AsyncIterator[Phone]:
    """Give Ben's phone, signed in."""
    async with Phone(
        "ben", attacked.url, attacked.sandbox, setting(phones_folder)
    ) as phone:
        await phone.start()
        yield phone


async def figures(phone: Phone) -> JsonObject:
    """Read what must not move: every booked figure and its version."""
    home = await phone.session.call("home", {})
    return {
        row["id"]: (row["balance"]["booked"]["minorUnits"], row["balance"]["version"])
        for row in home["accounts"]
    }
