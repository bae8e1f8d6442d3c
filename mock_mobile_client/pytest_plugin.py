"""Fixtures for integrators: `-p mock_mobile_client.pytest_plugin`.

`bank_url` and `sandbox` come from the command line and may be overridden by a fixture
of the same name that starts a server of its own.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mock_mobile_client.handset import Setting
from mock_mobile_client.phone import SANDBOX, URL, Phone, introduce
from mock_mobile_client.pin import ITERATIONS_MIN


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two addresses."""
    group = parser.getgroup("sixpence")
    group.addoption("--bank-url", default=URL, help="public address of the bank")
    group.addoption("--bank-sandbox", default=SANDBOX, help="where SMS arrive")


@pytest.fixture
def bank_url(request: pytest.FixtureRequest) -> str:
    """The bank's public address."""
    return str(request.config.getoption("--bank-url"))


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> str:
    """Where the SMS of the demo customers arrive."""
    return str(request.config.getoption("--bank-sandbox"))


@pytest_asyncio.fixture
async def phone(bank_url: str, sandbox: str) -> AsyncIterator[Phone]:
    """Asha's phone, freshly enrolled and signed in; it lives in memory only."""
    setting = Setting(iterations=ITERATIONS_MIN)
    async with Phone("Asha-1", bank_url, sandbox, setting) as asha:
        await asha.start()
        yield asha


@pytest_asyncio.fixture
async def phone_pair(
    phone: Phone, bank_url: str, sandbox: str
) -> AsyncIterator[tuple[Phone, Phone]]:
    """Asha's and Ben's phones, signed in, each a saved payee of the other."""
    setting = Setting(iterations=ITERATIONS_MIN)
    async with Phone("Ben-1", bank_url, sandbox, setting) as ben:
        await ben.start()
        await introduce(phone, ben)
        await introduce(ben, phone)
        yield phone, ben
