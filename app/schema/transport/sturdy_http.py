"""uvicorn's HTTP protocol with an end to what a stranger may send around a body.

The body has its limit at the edge, which sees no more than bodies. Heads, trailers and
the framing of chunks have none in uvicorn 0.54 with httptools: they fill the memory, or
hold a line for ever by a byte now and then. It also writes an answer's head and body
apart, which wakes the reader twice.
"""

import asyncio
from typing import cast

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_WRAPPING_MAX = (
    262_144  # a body of 64 KiB in chunks of one byte needs 320 KiB; nobody's
)
_HEAD_S = 10.0

_TOO_LARGE = "What surrounds the body is too large."
_TOO_SLOW = "The head of the request came too slowly."
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Whole:
    """The line of one answer, whose head leaves with the beginning of its body.

    So ASGI wants it: nothing is sent before the first part of the body.

    Args:
        line: to the client.
    """

    __slots__ = ("_head", "_line")

    def __init__(self, line: asyncio.Transport) -> None:
        self._line = line
        self._head: bytes | None = b""  # empty: to come; None: it has left

    def write(self, part: bytes) -> None:
        """Write a part; the head waits for the next."""
        if self._head is None:
            self._line.write(part)
        elif self._head:
            head, self._head = self._head, None  # a line that is gone raises
            self._line.write(head + part)
        elif part == _GO_ON:
            self._line.write(part)
        else:
            self._head = part

    def close(self) -> None:
        """End the line; a head that waits leaves before."""
        if self._head and not self._line.is_closing():
            self.write(b"")
        self._line.close()

    def is_closing(self) -> bool:
        """Tell whether the line ends."""
        return self._line.is_closing()


class SturdyHttp(HttpToolsProtocol):
    """Counts what is not body, and waits for a head so long and no longer."""

    _wrapping = 0
    _has_asked = False
    _slow: asyncio.TimerHandle | None = None

    @override
    def connection_made(  # type: ignore[override]  # uvicorn narrows it, too
        self, transport: asyncio.Transport
    ) -> None:
        """Wait for a first request as long as for a next one."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the line."""
        self._in_time()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        """Read on, and end a line with too much around its bodies."""
        self._wrapping += len(data)
        super().data_received(data)
        if self._wrapping > _WRAPPING_MAX:
            self._refuse(_TOO_LARGE)

    @override
    def on_message_begin(self) -> None:
        """Start to wait for the head."""
        super().on_message_begin()
        if self._slow is None:
            self._slow = self.loop.call_later(_HEAD_S, self._refuse, _TOO_SLOW)

    @override
    def on_headers_complete(self) -> None:
        """Answer; the rest is the body's time."""
        self._in_time()
        before = self.cycle
        super().on_headers_complete()
        # An answer to HEAD has no body to wait for; an upgrade has no answer here.
        if self.cycle is not before and self.scope["method"] != "HEAD":
            self.cycle.transport = cast("asyncio.Transport", Whole(self.transport))
        self._has_asked = True

    @override
    def on_body(self, body: bytes) -> None:
        """Take a part of the body, which is counted where it is read."""
        self._wrapping -= len(body)
        super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        """Count anew for the next request."""
        super().on_message_complete()
        self._wrapping = 0

    @override
    def handle_websocket_upgrade(self) -> None:
        """Hand the line over; what comes now is counted by the socket's protocol."""
        super().handle_websocket_upgrade()
        self._wrapping = 0

    def _in_time(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def _refuse(self, why: str) -> None:
        """End the line, with an answer unless one is under way."""
        if self.transport.is_closing():
            return
        if self._has_asked and not self.cycle.response_complete:
            self.transport.close()
        else:
            self.send_400_response(why)
