"""A line to a real server, and a phone that follows the streams."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.clock import StoppedClock
from app.schema import execution
from app.schema.plan.plans import NoPlans, Plans
from app.settings import Settings
from app.vault import Vault
from tests.conftest import PLAIN
from tests.schema.desk import Desk, a_desk
from tests.schema.follower import Phone, a_phone
from tests.schema.line import Line, serving


@pytest.fixture
def chosen() -> dict[str, Any]:
    """Give settings that a test of the line sets by `parametrize`."""
    return {}


@pytest.fixture
async def line(
    chosen: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Line]:
    """Serve sockets with the limits of production."""
    caplog.set_level(logging.CRITICAL, "uvicorn.error")
    settings = PLAIN.model_copy(
        update={"limit_factor": 1, "socket_admit_per_s": 10_000, **chosen}
    )
    async with serving(settings) as running:
        yield running


# The check goes the first way, `make test` both.
@pytest.fixture(
    params=[Plans, pytest.param(NoPlans, marks=pytest.mark.twice)],
    ids=["plans", "graphql-core"],
)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Plans]:
    """Let the engines of a test run queries by plans, then all by graphql-core."""
    chosen: type[Plans] = request.param
    monkeypatch.setattr(execution, "Plans", chosen)
    return chosen


@pytest.fixture
async def phone(bank_database: Settings, clock: StoppedClock) -> AsyncIterator[Phone]:
    """Give a phone beside a running hub."""
    async with a_phone(bank_database, clock) as running:
        yield running


@pytest.fixture
async def desk(bank_database: Settings, clock: StoppedClock, vault: Vault) -> Desk:
    """Give a signed-in phone without an address, and the notifications room."""
    return await a_desk(bank_database, clock, vault)
