"""One graphql-transport-ws connection: handshake, init, operations, frames."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
)
from websockets.typing import Subprotocol

from mock_mobile_client.closing import LINE_BROKEN
from mock_mobile_client.documents import Document
from mock_mobile_client.errors import SocketClosed, Unreachable
from mock_mobile_client.values import JsonObject

SUBPROTOCOL = Subprotocol("graphql-transport-ws")
OPEN_S = 10.0
FRAME_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of the bank about one operation: next, error or complete."""

    kind: str
    operation: str
    payload: JsonObject | list[JsonObject] | None


class Wire:
    """An open and acknowledged connection. Pings are answered by `frames`."""

    def __init__(
        self, connection: ClientConnection, ack: JsonObject, *, by_id: bool = False
    ) -> None:
        self._connection = connection
        self._by_id = by_id
        self.ack = ack

    @classmethod
    async def open(cls, url: str, init: JsonObject, *, by_id: bool = False) -> Self:
        """Connect, send `connection_init`, wait for the ack.

        Raises:
            Unreachable: no socket, or the handshake was answered by HTTP.
            SocketClosed: refused after the handshake, for example 4403.
        """
        connection = await handshake(url)
        try:
            await _send(connection, {"type": "connection_init", "payload": init})
            async with asyncio.timeout(OPEN_S):
                message = await _receive(connection)
        except TimeoutError as error:
            await connection.close()
            raise Unreachable("the bank did not acknowledge the socket") from error
        except BaseException:
            await connection.close()
            raise
        if message["type"] != "connection_ack":
            await connection.close(4400)
            raise Unreachable(f"the bank began with {message['type']!r}")
        return cls(connection, message.get("payload") or {}, by_id=by_id)

    async def subscribe(
        self, operation: str, document: Document, variables: JsonObject
    ) -> None:
        """Start an operation under an id of the phone's choice."""
        payload = document.request(variables, by_id=self._by_id)
        await self._say({"id": operation, "type": "subscribe", "payload": payload})

    async def complete(self, operation: str) -> None:
        """End an operation; the socket stays."""
        await self._say({"id": operation, "type": "complete"})

    async def frames(self) -> AsyncIterator[Frame]:
        """Every message of the bank about an operation, until the socket ends.

        Raises:
            SocketClosed: the end, always; with 1006 when the line broke.
        """
        while True:
            message = await _receive(self._connection)
            kind = message["type"]
            if kind == "ping":
                await self._say({"type": "pong"})
            elif kind in {"next", "error", "complete"}:
                yield Frame(kind, message["id"], message.get("payload"))

    async def close(self, code: int = 1000) -> None:
        """Leave."""
        await self._connection.close(code)

    async def cut(self) -> None:
        """Break the line without a close frame, as a tunnel does."""
        self._connection.transport.abort()
        await self._connection.wait_closed()

    async def _say(self, message: JsonObject) -> None:
        await _send(self._connection, message)


async def handshake(url: str, origin: str | None = None) -> ClientConnection:
    """The WebSocket handshake alone.

    Raises:
        Unreachable: no listener, another subprotocol, or an HTTP refusal.
    """
    headers = None if origin is None else {"origin": origin}
    try:
        connection = await connect(
            url,
            subprotocols=[SUBPROTOCOL],
            additional_headers=headers,
            compression=None,
            proxy=None,
            ping_interval=None,
            open_timeout=OPEN_S,
            max_size=FRAME_BYTES_MAX,
        )
    except InvalidStatus as error:
        code = error.response.status_code
        raise Unreachable(f"the bank refused the socket with HTTP {code}") from error
    except (OSError, InvalidHandshake, InvalidURI) as error:
        raise Unreachable(f"{url} cannot be reached") from error
    if connection.subprotocol != SUBPROTOCOL:
        await connection.close()
        raise Unreachable(f"the bank does not speak {SUBPROTOCOL} there")
    return connection


async def _send(connection: ClientConnection, message: JsonObject) -> None:
    try:
        await connection.send(orjson.dumps(message), text=True)
    except ConnectionClosed as closed:
        raise _ended(closed) from closed


async def _receive(connection: ClientConnection) -> JsonObject:
    try:
        text = await connection.recv()
    except ConnectionClosed as closed:
        raise _ended(closed) from closed
    message = orjson.loads(text)
    return message if isinstance(message, dict) else {"type": "unknown"}


def _ended(closed: ConnectionClosed) -> SocketClosed:
    """The close code the bank sent, or 1006 when none came."""
    if closed.rcvd is None:
        return SocketClosed(LINE_BROKEN, "the line broke")
    return SocketClosed(closed.rcvd.code, closed.rcvd.reason)
