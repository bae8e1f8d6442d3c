"""A WebSocket by hand (RFC 6455), so that a test may send what no library would."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any, Self

import orjson

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
PROTOCOL = "graphql-transport-ws"
BROKEN = 1006
_MASK = b"mask"
_WAIT_S = 10.0
_KEY = base64.b64encode(bytes(16)).decode()


class Raw:
    """One TCP line to a server."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.headers: Mapping[str, str] = {}

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def leave(self) -> None:
        """Close the line without a word."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # the server was first

    async def handshake(
        self, protocol: str | None = PROTOCOL, first: str = "GET /graphql", **more: str
    ) -> int:
        """Ask for a socket; gives the status, and keeps the headers of the answer.

        Args:
            protocol: the subprotocols offered; none if None.
            first: method and path.
            more: headers, `_` for `-`; an empty one is not sent.
        """
        headers = {
            "host": "localhost",
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-version": "13",
            "sec-websocket-key": _KEY,
            "sec-websocket-protocol": protocol or "",
        } | {name.replace("_", "-"): value for name, value in more.items()}
        lines = [f"{name}: {value}" for name, value in headers.items() if value]
        text = "\r\n".join([f"{first} HTTP/1.1", *lines, "", ""])
        return await self.request(text.encode("latin-1"))

    async def request(self, sent: bytes) -> int:
        """Write bytes; gives the status of the answer, 0 if there is none."""
        await self.write(sent)
        async with asyncio.timeout(_WAIT_S):
            try:
                head = await self._reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return 0
        status, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines if line]
        self.headers = {name.lower(): value for name, value in pairs}
        return int(status.split(" ")[1])

    async def body(self) -> bytes:
        """Read the body of the answer whose headers were read."""
        length = int(self.headers.get("content-length", "0"))
        async with asyncio.timeout(_WAIT_S):
            return await self._reader.readexactly(length)

    async def write(self, sent: bytes) -> None:
        """Write bytes as they are; what comes after the end is lost."""
        self._writer.write(sent)
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    async def ended(self) -> bool:
        """Read what is left; tell whether the server closed the line."""
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._reader.read()
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    async def received(self) -> tuple[int, bytes]:
        """Give opcode and payload of the next frame; BROKEN at the end of the line."""
        async with asyncio.timeout(_WAIT_S):
            try:
                first, size = await self._reader.readexactly(2)
                assert size < 128, "a server's frame is not masked"
                assert first & 0b0111_0000 == 0, "no extension was agreed"
                if size >= 126:
                    length = await self._reader.readexactly(2 if size == 126 else 8)
                    size = int.from_bytes(length)
                return first & 0b1111, await self._reader.readexactly(size)
            except (asyncio.IncompleteReadError, ConnectionError):
                return BROKEN, b""

    async def heard(self) -> dict[str, Any]:
        """Give the next message."""
        opcode, payload = await self.received()
        assert opcode == TEXT, (opcode, payload)
        found: dict[str, Any] = orjson.loads(payload)
        return found

    async def closed(self) -> int:
        """Give the code of the close frame; messages before it are passed over."""
        opcode, payload = await self.received()
        while opcode not in {CLOSE, BROKEN}:
            opcode, payload = await self.received()
        if opcode == BROKEN:
            return BROKEN
        return int.from_bytes(payload[:2]) if payload else 1005


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    masked: bool = True,
    reserved: int = 0,
    length: int | None = None,
) -> bytes:
    """Build a frame; `length` is what it says of itself, true or not."""
    first = (0b1000_0000 if fin else 0) | reserved << 4 | opcode
    told = len(payload) if length is None else length
    if told < 126:
        size = bytes([told])
    elif told < 65_536:
        size = bytes([126]) + told.to_bytes(2)
    else:
        size = bytes([127]) + told.to_bytes(8)
    if not masked:
        return bytes([first]) + size + payload
    hidden = bytes(one ^ _MASK[at % 4] for at, one in enumerate(payload))
    return bytes([first, size[0] | 0b1000_0000]) + size[1:] + _MASK + hidden


def message(told: object) -> bytes:
    """Build a text frame of a message."""
    return frame(TEXT, orjson.dumps(told))
