"""uvicorn's socket protocol where a stranger pushes it, below any ASGI application.

What shows itself over a line stands in tests/conformance; here is what needs a moment
that no line can hit for sure.
"""

import asyncio
import logging
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override
from uvicorn.server import ServerState

from app.schema.transport.sturdy import BUFFER_MAX
from app.schema.transport.wire import Wire
from tests.conformance.raw import CLOSE, PING, PROTOCOL, frame
from tests.realtime.patience import until

HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Protocol: " + PROTOCOL.encode() + b"\r\n\r\n"
)

_CHUNK = st.binary(max_size=200) | st.builds(
    frame,
    st.integers(0, 15),
    st.binary(max_size=140),
    fin=st.booleans(),
    masked=st.sampled_from([True, True, True, False]),
    reserved=st.sampled_from([0, 0, 0, 1, 4]),
    length=st.sampled_from([None, None, None, 2, 70_000, 2**63 - 1]),
)
_CHUNKS = st.lists(_CHUNK, max_size=8)


class FakeTransport(asyncio.Transport):
    """Keeps what is written; says that so much was not read yet."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unread = 0
        self.is_closed = False

    @override
    def write(self, data: Any) -> None:
        self.written += data

    @override
    def get_write_buffer_size(self) -> int:
        return self.unread

    @override
    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        assert (high, low) == (BUFFER_MAX, None)

    @override
    def pause_reading(self) -> None:
        return

    @override
    def resume_reading(self) -> None:
        return

    @override
    def is_closing(self) -> bool:
        return self.is_closed

    @override
    def close(self) -> None:
        self.is_closed = True


class Application:
    """Accepts and waits for the end."""

    def __init__(self) -> None:
        self.heard: list[Message] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        while not self.heard or self.heard[-1]["type"] != "websocket.disconnect":
            self.heard.append(await receive())


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def transport() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
async def wire(application: Application, transport: FakeTransport) -> Wire:
    return a_wire(application, transport)


def config_of(application: Application) -> uvicorn.Config:
    config = uvicorn.Config(application, ws=Wire, log_config=None)
    config.load()
    return config


def a_wire(application: Application, transport: FakeTransport) -> Wire:
    protocol = Wire(config_of(application), ServerState(), {})
    protocol.connection_made(transport)
    return protocol


async def test_garbage_before_the_accept_ends_the_line_quietly(
    wire: Wire, transport: FakeTransport, application: Application
) -> None:
    wire.data_received(HANDSHAKE)
    wire.data_received(b"\xff" * 100)
    wire.data_received(b"\xff" * 100)

    assert transport.is_closed
    assert transport.written == b""
    wire.connection_lost(None)
    await until(lambda: not wire.tasks)
    assert application.heard == []


async def test_a_goodbye_before_the_accept_is_no_fault_of_ours(
    wire: Wire, transport: FakeTransport, caplog: pytest.LogCaptureFixture
) -> None:
    wire.data_received(HANDSHAKE)
    wire.data_received(frame(CLOSE, b""))

    await until(lambda: not wire.tasks)  # it accepts before the line is known as lost
    wire.connection_lost(None)

    assert transport.is_closed
    assert caplog.records == []


async def test_pings_of_one_who_never_reads_are_not_answered(
    wire: Wire, transport: FakeTransport, application: Application
) -> None:
    wire.data_received(HANDSHAKE)
    await until(lambda: transport.written.startswith(b"HTTP/1.1 101 "))
    transport.written, transport.unread = b"", BUFFER_MAX + 1

    wire.data_received(frame(PING, b"x" * 100) * 1000)
    unread = transport.written
    transport.unread = BUFFER_MAX
    wire.data_received(frame(PING, b"now"))

    assert unread == b""
    assert transport.written == b"\x8a\x03now"
    wire.connection_lost(None)
    await until(lambda: not wire.tasks)
    assert [one["type"] for one in application.heard] == ["websocket.disconnect"]


@given(chunks=_CHUNKS)
@hypothesis_settings(max_examples=100)
async def test_whatever_bytes_come_nothing_breaks(
    chunks: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    await nothing_breaks(chunks, caplog)


@pytest.mark.chaos
@given(chunks=_CHUNKS)
@hypothesis_settings(max_examples=5000)
async def test_whatever_bytes_come_in_full(
    chunks: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    await nothing_breaks(chunks, caplog)


async def nothing_breaks(chunks: list[bytes], caplog: pytest.LogCaptureFixture) -> None:
    """Feed them before the accept and after it; nothing is raised, logged or left."""
    caplog.set_level(logging.ERROR)
    caplog.clear()  # what another example left is not this one's
    for is_accepted in (False, True):
        await feed(chunks, is_accepted=is_accepted)

    assert caplog.records == []


async def feed(chunks: list[bytes], *, is_accepted: bool) -> None:
    transport = FakeTransport()
    wire = a_wire(Application(), transport)
    wire.data_received(HANDSHAKE)
    for _ in range(5 * is_accepted):
        await asyncio.sleep(0)
    assert wire.handshake_complete is is_accepted
    for chunk in chunks:
        if not transport.is_closed:
            wire.data_received(chunk)
            await asyncio.sleep(0)
    wire.connection_lost(None)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not wire.tasks
