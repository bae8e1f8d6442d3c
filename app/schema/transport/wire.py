"""The server's socket protocol with what ASGI does not offer: finished frames, a cut.

A frame that is bytes already goes to the transport as it is; a full transport says so,
because what waits in it is memory. A close frame to a reader who does not read never
leaves, so such a socket can only be cut (realtime.md section 8.5 of the design).
"""

import asyncio
from asyncio.transports import BaseTransport
from collections.abc import Mapping
from typing import Protocol, cast

from typing_extensions import override
from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from websockets.datastructures import Headers
from websockets.http11 import Request

from app.schema.transport.frugal import Gate, Mailbox
from app.schema.transport.sturdy import BUFFER_MAX, Sturdy

EXTENSION = "sixpence.wire"
_TEXT = 0x81  # the whole of a text message in one frame (RFC 6455 section 5.2)
_SHORT, _MIDDLE = 126, 65_536


class Writer(Protocol):
    """Who writes to a wire, and has to know when it is full."""

    def full(self) -> None:
        """Note that the reader does not keep up."""

    def free(self) -> None:
        """Go on writing."""


class Wire(Sturdy):
    """uvicorn's protocol; puts itself into the scope so that a socket finds it."""

    writer: Writer | None = None

    @override
    def connection_made(self, transport: BaseTransport) -> None:
        """Take the line, with little to hold."""
        self.queue = cast("asyncio.Queue[ASGIReceiveEvent]", Mailbox())
        self.writable = cast("asyncio.Event", Gate())
        super().connection_made(transport)

    @override
    def handle_connect(self, event: Request) -> None:
        """Start the application, with this protocol within its reach."""
        self.transport.set_write_buffer_limits(BUFFER_MAX)
        super().handle_connect(event)
        if not self.transport.is_closing():
            self.scope["extensions"][EXTENSION] = {"wire": self}

    @override
    async def send(self, message: ASGISendEvent) -> None:
        """Send; a handshake answered by HTTP is complete, or the server reports it."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True
        elif message["type"] == "websocket.accept":
            self._forget_handshake()

    def _forget_handshake(self) -> None:
        """Let go of the headers of both sides: they are read once, and weigh 4 KiB."""
        self.request.headers = self.response.headers = Headers()
        cast("list[object]", self.scope["headers"]).clear()

    @override
    def pause_writing(self) -> None:
        """Tell the socket that 64 KiB wait for the reader."""
        super().pause_writing()
        if self.writer is not None:
            self.writer.full()

    @override
    def resume_writing(self) -> None:
        """Tell the socket that the reader has read."""
        super().resume_writing()
        if self.writer is not None:
            self.writer.free()

    @property
    def is_free(self) -> bool:
        """Whether a frame may be written: less than 64 KiB wait, nobody has ended."""
        return (
            self.writable.is_set()
            and not self.close_sent
            and not self.transport.is_closing()
        )

    def write_text(self, *parts: bytes) -> None:
        """Write a finished text message at once; ask `is_free` before.

        Args:
            parts: UTF-8, joined in the frame.
        """
        self.transport.write(b"".join((_head(sum(map(len, parts))), *parts)))

    def cut(self, after_s: float) -> asyncio.TimerHandle:
        """Drop the connection after so many seconds, unless it is gone by then."""
        return self.loop.call_later(after_s, self.transport.abort)


def _head(size: int) -> bytes:
    """Give the head of an unmasked frame, which is how a server writes them."""
    if size < _SHORT:
        return bytes((_TEXT, size))
    if size < _MIDDLE:
        return bytes((_TEXT, 126)) + size.to_bytes(2, "big")
    return bytes((_TEXT, 127)) + size.to_bytes(8, "big")


def wire_of(extensions: Mapping[str, Mapping[str, object]]) -> Wire | None:
    """Find the wire in a scope's extensions; None under another server."""
    found = extensions.get(EXTENSION, {}).get("wire")
    return found if isinstance(found, Wire) else None
