"""COMMIT was done and its answer never came: a repeat finds the truth.

Every transaction of a payment loses its answer once: create, those that judge the
approval, approve with the lease, the core's own booking, conclude.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import pytest

from app import settings as app_settings
from app.clock import StoppedClock
from app.errors import Outage
from app.payments.lifecycle import Status
from app.payments.passage import LEASE_S
from app.settings import Settings
from tests.cutter import Cutter, a_cutter
from tests.payments.rail_town import ALL, RailTown, open_holds, ops_of
from tests.payments.town import Town

if TYPE_CHECKING:
    from tests.postgres import Server

pytestmark = pytest.mark.only("postgres")
T = TypeVar("T")
COMMITS = 5
RAIL_COMMITS = 8  # create to approve with the lease, then hold, order, capture


@pytest.fixture
def direct(postgres: "Server") -> Iterator[str]:
    """Give the URL of a fresh database."""
    name = postgres.fresh()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
async def cutter(direct: str) -> AsyncIterator[Cutter]:
    async with a_cutter(direct) as wire:
        yield wire


@pytest.fixture
def settings(cutter: Cutter) -> Settings:
    return app_settings.load(env="test", database_url=cutter.url, database_pool_min=1)


async def again_if_unheard(clock: StoppedClock, call: Callable[[], Awaitable[T]]) -> T:
    """Send it, and the same once more, a little later, where the bank does not know."""
    try:
        return await call()
    except Outage as unheard:
        if unheard.cause != "DATABASE_UNSURE":
            raise
        clock.move(seconds=LEASE_S)
        return await call()


@pytest.mark.parametrize("commit", range(1, COMMITS + 1))
async def test_a_commit_nobody_heard_of_is_done_once(
    town: Town, cutter: Cutter, clock: StoppedClock, commit: int
) -> None:
    request = town.to_ben(10_000)
    cutter.swallow(commit)

    created = await again_if_unheard(
        clock, lambda: town.bank.transfers.create(town.asha.actor, request)
    )
    challenge = await town.bank.challenge(town.asha, created.payment)
    answer = town.asha.answer(challenge)
    shown = await again_if_unheard(
        clock,
        lambda: town.bank.transfers.approve(town.asha.actor, challenge.id, *answer),
    )
    await town.bank.carried_on()

    assert cutter.cuts == 1
    assert created.replayed is (commit == 1)
    assert shown.id == created.payment.id
    assert (await town.bank.now(shown.id)).status is Status.SETTLED
    assert await town.bank.available(town.current) == 90_000
    assert await town.bank.available(town.bens) == 10_000
    assert await town.bank.everything_of("payment", "payment_op") == {
        "payment": 1,
        "payment_op": 1,
    }


async def test_over_a_rail_each_commit_nobody_heard_of_is_done_once(
    rail_town: RailTown, cutter: Cutter, clock: StoppedClock
) -> None:
    transfers, asha = rail_town.town.bank.transfers, rail_town.town.asha
    for commit in range(1, RAIL_COMMITS + 1):
        request = rail_town.town.to_ben(100)
        cutter.swallow(commit)

        created = await again_if_unheard(
            clock,
            lambda: transfers.create(asha.actor, request),  # noqa: B023  -- called within the round
        )
        challenge = await rail_town.town.bank.challenge(asha, created.payment)
        answer = asha.answer(challenge)
        await again_if_unheard(
            clock,
            lambda: transfers.approve(asha.actor, challenge.id, *answer),  # noqa: B023  -- same
        )
        ended = await rail_town.carried_through(created.payment)

        assert cutter.cuts == commit
        assert ended.status is Status.SETTLED
        assert len(await ops_of(ended.id)) == 3
        assert await rail_town.free() == ALL - 100 * commit
        assert await open_holds() == 0
