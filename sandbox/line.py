"""The line to the caller: connections that break and a port that refuses them."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HOST = "127.0.0.1"  # nothing but this machine may reach the outside world
BACKLOG = 512
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s; closing sends a reset
_TRY_EVERY_S = 0.05


def listen(port: int) -> socket.socket:
    """Open the listening socket; port 0 takes a free one.

    Raises:
        OSError: the port is in use or not allowed.
    """
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it,
    # each answer on a kept connection takes 44 ms.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HOST, port))
        found.listen(BACKLOG)  # at bind two may share a port, at listen they may not
    except OSError:
        found.close()
        raise
    found.setblocking(False)  # noqa: FBT003  -- positional only in the library
    return found


class Line:
    """Breaks connections of the running server, which is given after the app is made.

    Source: an application cannot do this by ASGI, so it reaches for the server's
    connections by the caller's address and port.
    """

    def __init__(self) -> None:
        self._server: uvicorn.Server | None = None
        self._partners: set[tuple[str, int]] = set()
        self._opening = asyncio.Event()
        self._closing: list[Callable[[], None]] = []

    def belongs_to(self, server: uvicorn.Server) -> None:
        """Take the server whose connections are meant."""
        self._server = server

    def partner_called(self, request: Request) -> None:
        """Remember that this connection is one of the bank's to a partner."""
        if request.client is not None:
            live = {c.client for c in self._connections() if c.client}
            self._partners &= live
            self._partners.add((request.client.host, request.client.port))

    async def cut(self, request: Request) -> Response:
        """Break the connection with a reset; the answer returned reaches nobody."""
        client = request.client
        if client is not None:
            self._reset({(client.host, client.port)})
        await asyncio.sleep(0.01)  # lets the server see that the connection is gone
        return Response(status_code=503)

    async def refuse_for(self, seconds: float, asker: Request) -> None:
        """Close the port for a time: the kernel refuses every new connection.

        Connections the bank has open to partners break as well, else a pooled one
        would go on as if nothing had happened; the asker's own stays. While the port
        is closed already nothing changes.
        """
        server = self._server
        open_ports = (
            [s for one in server.servers for s in one.sockets] if server else []
        )
        if server is None or not open_ports:
            return
        port = int(open_ports[0].getsockname()[1])
        self._opening = asyncio.Event()
        for listener in server.servers:
            listener.close()
        own = asker.client and (asker.client.host, asker.client.port)
        self._reset({client for client in self._partners if client != own})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._opening.wait()
        await _listen_again(server, port)

    def open_again(self) -> None:
        """End a `refuse_for` now."""
        self._opening.set()

    def at_close(self, step: Callable[[], None]) -> None:
        """Register what lets long answers end when the server closes."""
        self._closing.append(step)

    def close(self) -> None:
        """Let long answers end; the server is about to close."""
        self.open_again()
        for step in self._closing:
            step()

    def _connections(self) -> list[HttpToolsProtocol]:
        if self._server is None:
            return []
        found = self._server.server_state.connections
        return [one for one in found if isinstance(one, HttpToolsProtocol)]

    def _reset(self, clients: set[tuple[str, int]]) -> None:
        for connection in self._connections():
            if connection.client in clients:
                wire = connection.transport.get_extra_info("socket")
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                connection.transport.abort()


async def _listen_again(server: uvicorn.Server, port: int) -> None:
    """Open the port once more, waiting while somebody else holds it."""
    while not server.should_exit:
        try:
            found = listen(port)
        except OSError:
            await asyncio.sleep(_TRY_EVERY_S)
            continue
        loop = asyncio.get_running_loop()
        server.servers = [await loop.create_server(_protocol(server), sock=found)]
        return


def _protocol(server: uvicorn.Server) -> Callable[[], asyncio.Protocol]:
    def make() -> asyncio.Protocol:
        kind: Callable[..., asyncio.Protocol] = server.config.http_protocol_class
        return kind(
            config=server.config,
            server_state=server.server_state,
            app_state=server.lifespan.state,
        )

    return make
