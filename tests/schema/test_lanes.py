"""Streams that own no task: what is ready is written at once, slow readers wait."""

import asyncio
import socket
from asyncio.transports import BaseTransport
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from typing_extensions import override
from websockets.asyncio.client import ClientConnection

from app.accounts.account import Account, shot
from app.realtime import facts, log, stream
from app.schema.transport.operations import SocketOperations
from app.schema.transport.socket import Connection
from app.schema.transport.wire import Wire
from app.settings import Settings
from tests.realtime.patience import until
from tests.realtime.world import balance_fact, cursor_at, record
from tests.schema.follower import ANN, Phone, account_of, every_fact
from tests.schema.line import Line, ask, heard, init, say, serving

_SMALL = 8192  # bytes in the kernel, so that a test needs few events to fill a line
_THEIRS = 32_768
_OURS = 65_536
_FRAME = 2048
WIDE = """subscription { events { sequence event {
  __typename ... on BalanceChanged { account { name } } } } }"""
PLAIN = "subscription { events { sequence event { __typename } } }"


class NarrowWire(Wire):
    """A line with little room in the kernel."""

    @override
    def connection_made(self, transport: BaseTransport) -> None:
        end: socket.socket = transport.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SMALL)
        super().connection_made(transport)


@dataclass
class House:
    """The phone's bank behind a real line."""

    phone: Phone
    line: Line
    account: Account

    @property
    def readers(self) -> int:
        return self.phone.bank.hub.readers

    @property
    def buffers(self) -> list[int]:
        """Give how much waits in our own memory for each socket."""
        wires = [link.wire for link in self.links]
        return [one.transport.get_write_buffer_size() for one in wires if one]

    @property
    def links(self) -> list[Connection]:
        """Give what stands behind each socket."""
        seats = self.line.sockets._seats  # noqa: SLF001  -- the register is inside
        return [cast("Connection", seat.link) for seat in seats]

    async def tell(self, count: int) -> None:
        """Commit so many events, by the hundred."""
        rest = count
        while rest > 0:
            part = min(rest, 100)
            await record(
                *(balance_fact(ANN, 1, shot(self.account)) for _ in range(part))
            )
            rest -= part


@pytest.fixture
async def house(
    phone: Phone, bank_database: Settings, chosen: dict[str, Any]
) -> AsyncIterator[House]:
    """Serve the phone's bank, every phone that a test names being Ann's."""
    account = replace(account_of(ANN), name="n" * 1500)
    phone.bank.accounts.all = [account]
    operations = SocketOperations(phone.engine, cast("Any", phone.bank))
    settings = bank_database.model_copy(update={"limit_factor": 1000, **chosen})
    async with serving(settings, operations=operations, wire=NarrowWire) as line:
        for number in range(201):
            line.callers.phone(f"ann {number}", customer=ANN)
        yield House(phone, line, account)


@asynccontextmanager
async def following(
    house: House, phone: str = "ann 0", query: str = WIDE
) -> AsyncIterator[ClientConnection]:
    """Give a socket whose stream has said StreamReady."""
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _THEIRS)
    end.connect(("127.0.0.1", house.line.port))
    end.setblocking(False)  # noqa: FBT003  -- the library's name and order
    async with house.line.open(sock=end, close_timeout=0.1) as client:
        await init(client, phone)
        await heard(client)
        await ask(client, "s", query)
        assert shown(await heard(client))["event"]["__typename"] == "StreamReady"
        yield client


def shown(message: dict[str, Any]) -> dict[str, Any]:
    assert message["type"] == "next", message
    found: dict[str, Any] = message["payload"]["data"]["events"]
    return found


async def numbers(client: ClientConnection, count: int) -> list[int]:
    return [int(shown(await heard(client))["sequence"]) for _ in range(count)]


async def test_a_live_stream_owns_no_task_and_its_end_leaves_nothing(
    house: House,
) -> None:
    async with following(house) as client:
        await until(lambda: house.readers == 1)
        before = len(asyncio.all_tasks())
        for name in ("a", "b", "c"):
            await ask(client, name, PLAIN)
            await heard(client)
        await house.tell(2)
        events = [await heard(client) for _ in range(8)]

        await until(lambda: len(asyncio.all_tasks()) == before)
        assert house.readers == 4
        for name in ("a", "b", "c", "s"):
            await say(client, {"id": name, "type": "complete"})
        await until(lambda: house.readers == 0)
        await ask(client, "s", PLAIN)
        again = await heard(client)

    await until(lambda: house.readers == 0 and len(house.line.sockets) == 0)
    assert {one["id"] for one in events} == {"a", "b", "c", "s"}
    assert shown(again)["event"]["__typename"] == "StreamReady"


async def test_an_event_for_the_library_keeps_its_place_among_ready_ones(
    house: House,
) -> None:
    query = """subscription { events { sequence event {
      __typename ... on DeviceChanged { device { name isCurrent } } } } }"""
    device = next(
        one for one in every_fact(house.account) if isinstance(one, facts.DeviceChanged)
    )
    balance = balance_fact(ANN, 1, shot(house.account))

    async with following(house, query=query) as client:
        await record(balance, device, balance, device)
        events = [shown(await heard(client)) for _ in range(4)]

    assert [one["sequence"] for one in events] == ["1", "2", "3", "4"]
    assert events[1]["event"] == {
        "__typename": "DeviceChanged",
        "device": {"name": "Phone", "isCurrent": False},
    }


async def test_a_filtered_stream_says_caught_up_by_itself(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_CHECKPOINT_S", 0.1)
    query = """subscription { events(categories: [SECURITY]) {
      sequence event { __typename } } }"""

    async with following(house, query=query) as client:
        await house.tell(2)
        checkpoint = shown(await heard(client))

    assert checkpoint == {"sequence": "2", "event": {"__typename": "CaughtUp"}}


async def test_a_stream_that_breaks_says_internal_and_gives_its_id_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_rest: object) -> None:
        raise ValueError("a secret of ours")

    async with following(house) as client:
        monkeypatch.setattr(house.phone.bank.accounts, "found", broken)
        await house.tell(1)
        failed, complete = await heard(client), await heard(client)
        await ask(client, "s", PLAIN)
        again = await heard(client)

    (error,) = failed["payload"]["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert failed["payload"]["data"] is None
    assert complete == {"id": "s", "type": "complete"}
    assert shown(again)["event"]["__typename"] == "StreamReady"


async def test_an_answer_that_cannot_be_written_ends_its_stream_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unwritable(*_rest: object) -> None:
        raise TypeError("a secret of ours")

    async with following(house) as client:
        (link,) = house.links
        monkeypatch.setattr(link, "pass_on", unwritable)
        await house.tell(1)
        error = await heard(client)
        monkeypatch.undo()
        await ask(client, "s", PLAIN)
        again = await heard(client)
        assert house.readers == 1

    assert (error["type"], error["id"]) == ("error", "s")
    assert error["payload"][0]["extensions"]["code"] == "INTERNAL"
    assert shown(again)["event"]["__typename"] == "StreamReady"


async def test_a_server_that_stops_takes_its_lanes_with_it(house: House) -> None:
    async with following(house) as client:
        (link,) = house.links
        link._group._parent_task.cancel()  # type: ignore[attr-defined]  # noqa: SLF001  -- as a server's end does
        await until(lambda: house.readers == 0 and len(house.line.sockets) == 0)
        await house.tell(1)
        client.transport.abort()

    assert house.phone.bank.hub.readers == 0


async def test_a_reader_who_pauses_goes_on_where_he_was_from_the_log(
    house: House,
) -> None:
    async with following(house) as slow, following(house, "ann 1") as quick:
        slow.transport.pause_reading()
        told = 0
        while all(link.wire is None or link.wire.is_free for link in house.links):
            assert told < 3000, "the line never fills"
            await house.tell(30)
            told += len(await numbers(quick, 30))
        await house.tell(100)
        full = max(house.buffers)
        slow.transport.resume_reading()
        late = await numbers(slow, told + 100)
        await house.tell(1)
        last = await numbers(slow, 1)

    assert full < _OURS + _FRAME
    assert late == list(range(1, told + 101))
    assert last == [told + 101]


@pytest.mark.parametrize("chosen", [{"socket_stall_s": 0.3}])
@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.chaos)])
async def test_sockets_that_never_read_are_cut_and_their_phones_resume_whole(
    house: House, count: int
) -> None:
    before = len(asyncio.all_tasks())
    async with AsyncExitStack() as stack:
        silent = [
            await stack.enter_async_context(following(house, f"ann {number}"))
            for number in range(1, count + 1)
        ]
        for client in silent:
            client.transport.pause_reading()
        async with following(house) as reading:
            live = []
            for _ in range(10):
                await house.tell(20)
                live += await numbers(reading, 20)
            most = max(house.buffers)
            await until(lambda: len(house.line.sockets) == 1, seconds=30)
            assert house.readers == 1
        for client in silent:
            client.transport.abort()

    kept = cursor_at(await log.head(ANN), 100)
    resume = PLAIN.replace("events", f'events(after: "{kept}")')
    async with house.line.signed_in("ann 1") as client:
        await ask(client, "s", resume)
        again = await numbers(client, 102)

    assert live == list(range(1, 201))
    assert most < _OURS + _FRAME
    assert again == [100, *range(101, 201), 200]  # StreamReady, the events, CaughtUp
    await until(lambda: len(house.line.sockets) == 0 and house.readers == 0)
    await until(lambda: len(asyncio.all_tasks()) <= before)


async def test_a_full_line_a_thousand_events_behind_is_closed_before_its_time(
    house: House,
) -> None:
    async with following(house) as client:
        (link,) = house.links
        client.transport.pause_reading()
        await house.tell(1200)
        await until(lambda: house.readers == 0)
        ending = link._ended.result()  # noqa: SLF001  -- the frame cannot reach him
        client.transport.abort()

    assert (ending.code, ending.reason) == (4410, "TOO_FAR_BEHIND")
