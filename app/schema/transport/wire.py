"""The server's socket protocol with what ASGI does not offer: to cut a connection.

A close frame to a reader who does not read never leaves, so such a socket can only be
cut (realtime.md section 8.5 of the design).
"""

import asyncio
from collections.abc import Mapping

from typing_extensions import override
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "sixpence.wire"
_BUFFER_MAX = 65_536


class Wire(WebSocketsSansIOProtocol):
    """uvicorn's protocol; puts itself into the scope so that a socket finds it."""

    @override
    def handle_connect(self, event: Request) -> None:
        """Start the application, with this protocol within its reach."""
        self.transport.set_write_buffer_limits(_BUFFER_MAX)
        super().handle_connect(event)
        if not self.transport.is_closing():
            self.scope["extensions"][EXTENSION] = {"wire": self}

    @override
    async def send(self, message: ASGISendEvent) -> None:
        """Send; a handshake answered by HTTP is complete, or the server reports it."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True

    def cut(self, after_s: float) -> asyncio.TimerHandle:
        """Drop the connection after so many seconds, unless it is gone by then."""
        return self.loop.call_later(after_s, self.transport.abort)


def wire_of(extensions: Mapping[str, Mapping[str, object]]) -> Wire | None:
    """Find the wire in a scope's extensions; None under another server."""
    found = extensions.get(EXTENSION, {}).get("wire")
    return found if isinstance(found, Wire) else None
