"""The line of one answer: its head leaves with its body, and is never kept back."""

from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from typing_extensions import override
from uvicorn.server import ServerState

from app.schema.transport.sturdy_http import SturdyHttp
from tests.realtime.patience import until
from tests.schema.test_sturdy import FakeTransport

ASK = b"%b / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n%b\r\n"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Packets(FakeTransport):
    """Keeps each write by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.packets: list[bytes] = []

    @override
    def write(self, data: Any) -> None:
        self.packets.append(bytes(data))


def an_application(*parts: bytes, reads: bool = False) -> Callable[..., Any]:
    """Answer in parts, perhaps when the body was read; without any it breaks off."""

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        if reads:
            await receive()
        headers = [(b"content-length", b"%d" % len(b"".join(parts)))] if parts else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for left, part in zip(range(len(parts) - 1, -1, -1), parts, strict=True):
            message = {"type": "http.response.body", "body": part}
            await send(message | {"more_body": left > 0})

    return application


def asked(
    application: Callable[..., Any], line: Packets | None = None
) -> tuple[SturdyHttp, Packets]:
    """Open a line to an application."""
    config = uvicorn.Config(application, log_config=None, date_header=False)
    config.load()
    line = line or Packets()
    protocol = SturdyHttp(config, ServerState(), {})
    protocol.connection_made(line)
    return protocol, line


async def test_an_answer_is_one_packet_and_so_is_the_next() -> None:
    protocol, line = asked(an_application(b"hello"))

    for count in (1, 2):
        protocol.data_received(ASK % (b"POST", b"") + b"{}")
        await until(lambda: not protocol.tasks)
        assert len(line.packets) == count
        assert line.packets[-1].startswith(b"HTTP/1.1 200 OK\r\n")
        assert line.packets[-1].endswith(b"\r\n\r\nhello")
    protocol.connection_lost(None)


async def test_later_parts_leave_as_they_come() -> None:
    protocol, line = asked(an_application(b"one", b"", b"two"))

    protocol.data_received(ASK % (b"POST", b"") + b"{}")
    await until(lambda: not protocol.tasks)

    assert line.packets[0].endswith(b"\r\n\r\none")
    assert b"".join(line.packets[1:]) == b"two"
    protocol.connection_lost(None)


async def test_who_waits_to_send_a_body_is_told_to_go_on_at_once() -> None:
    protocol, line = asked(an_application(b"hello", reads=True))

    protocol.data_received(ASK % (b"POST", b"Expect: 100-continue\r\n"))
    await until(lambda: line.packets != [])
    told = list(line.packets)
    protocol.data_received(b"{}")
    await until(lambda: not protocol.tasks)

    assert told == [GO_ON]
    assert line.packets[1].endswith(b"\r\n\r\nhello")
    protocol.connection_lost(None)


async def test_a_head_without_a_body_is_sent_all_the_same() -> None:
    protocol, line = asked(an_application(b"hello"))

    protocol.data_received(ASK % (b"HEAD", b"") + b"{}")
    await until(lambda: not protocol.tasks)

    assert b"".join(line.packets).endswith(b"content-length: 5\r\n\r\n")
    protocol.connection_lost(None)


async def test_an_answer_that_breaks_off_shows_its_head() -> None:
    protocol, line = asked(an_application())

    protocol.data_received(ASK % (b"POST", b"") + b"{}")
    await until(lambda: line.is_closed)

    assert b"".join(line.packets).startswith(b"HTTP/1.1 200 OK\r\n")
    protocol.connection_lost(None)


class Gone(Packets):
    """A line whose other end has left: the loop's own raises on each write."""

    @override
    def write(self, data: Any) -> None:
        raise RuntimeError("the handler is closed")


@pytest.mark.parametrize("parts", [(b"hello",), ()], ids=["whole", "broken off"])
async def test_a_line_that_is_gone_ends_its_answer_without_a_word(
    parts: tuple[bytes, ...],
) -> None:
    protocol, line = asked(an_application(*parts), Gone())

    protocol.data_received(ASK % (b"POST", b"") + b"{}")
    (answering,) = protocol.tasks
    line.close()
    await until(answering.done)

    assert answering.exception() is None
    protocol.connection_lost(None)
