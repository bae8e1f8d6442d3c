"""The figures that the design (realtime.md section 15) promises of pushes."""

import pytest

from app import telemetry
from app.auth.actor import Actor
from app.ids import CustomerId
from app.integrations.push import (
    AddressDead,
    AddressSuspect,
    ConfigError,
    PayloadError,
    PushOutcome,
    Retry,
    Sent,
    Unknown,
)
from app.notifications import due
from tests.notifications.world import World, money

pytestmark = pytest.mark.only("sqlite")  # the figures are not the database's

REACH = "FCM_FID+FCM_TOKEN"
PUSH = "sixpence_push_"


def figure(name: str, **labels: str) -> float:
    """Read one figure; what never moved is 0."""
    return telemetry.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def before() -> dict[str, float]:
    """Read what other tests of this process have moved already."""
    return {
        "told": figure(f"{PUSH}latency_seconds_count"),
        "dead": figure("sixpence_addresses_pruned_total", reason="ADDRESS_DEAD"),
    }


@pytest.mark.parametrize(
    ("outcome", "name"),
    [
        (Sent("ref"), "SENT"),
        (AddressDead(), "ADDRESS_DEAD"),
        (AddressSuspect(), "ADDRESS_SUSPECT"),
        (Retry(), "RETRY"),
        (ConfigError("key"), "CONFIG"),
        (PayloadError("bug"), "PAYLOAD"),
        (Unknown("reset"), "UNKNOWN"),
    ],
)
async def test_every_outcome_is_counted_by_provider_and_name(
    world: World,
    asha: CustomerId,
    phone: Actor,
    before: dict[str, float],
    outcome: PushOutcome,
    name: str,
) -> None:
    world.provider.answer = lambda _message: outcome
    count = figure(f"{PUSH}outcomes_total", provider=REACH, outcome=name)

    await world.tell(money(asha, world.clock))
    await world.send()

    now = figure(f"{PUSH}outcomes_total", provider=REACH, outcome=name)
    told = figure(f"{PUSH}latency_seconds_count") - before["told"]
    dead = figure("sixpence_addresses_pruned_total", reason="ADDRESS_DEAD")
    assert now == count + 1
    assert told == (1 if name == "SENT" else 0)
    assert dead - before["dead"] == (1 if name == "ADDRESS_DEAD" else 0)


async def test_latency_runs_from_the_fact_and_the_oldest_from_its_due_time(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    took = figure(f"{PUSH}latency_seconds_sum")
    await world.tell(money(asha, world.clock))
    world.clock.move(seconds=7)

    waits = await due.oldest_s(world.clock)
    await world.send()

    assert waits == 7
    assert figure(f"{PUSH}latency_seconds_sum") - took == 7
    assert await due.oldest_s(world.clock) == 0
