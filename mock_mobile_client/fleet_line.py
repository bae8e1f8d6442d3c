"""A socket that costs next to nothing: hundreds of them in one process.

Knows as much of WebSocket (RFC 6455) as one graphql-transport-ws phone of a crowd
needs: the handshake, whole text frames, close. A client's frames are masked with zeros,
which the RFC's framing allows; a real app draws its masks, because pages that share a
browser could aim at proxies.
"""

import asyncio
import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast
from urllib.parse import urlsplit

from typing_extensions import override

SUBPROTOCOL = "graphql-transport-ws"
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
LAST = 0x80
LENGTH_2, LENGTH_8 = 126, 127
SHORT_MAX, MEDIUM_MAX = 125, 0xFFFF
UPGRADED = b"HTTP/1.1 101"
HEAD_END = b"\r\n\r\n"
NO_CODE, BROKEN, NOT_UNDERSTOOD = 1005, 1006, 1003
CODE_BYTES = 2


class Listener(Protocol):
    """Who owns a line. Every call must return at once."""

    def opened(self, line: "Line") -> None:
        """The handshake is done; what `connect` gives may come later than this."""

    def told(self, text: bytes) -> None:
        """A text frame came."""

    def ended(self, end: "End") -> None:
        """The line is over."""


@dataclass(frozen=True, slots=True)
class End:
    """How a line ended.

    Attributes:
        code: Of the close frame; 1006 when none came.
        reason: What stood in it.
        status: Of the HTTP answer when the handshake was refused, else 0.
    """

    code: int = BROKEN
    reason: str = ""
    status: int = 0


class Line(asyncio.Protocol):
    """One WebSocket connection of a phone in a crowd."""

    __slots__ = (
        "_end",
        "_head",
        "_is_open",
        "_listener",
        "_rest",
        "_transport",
    )

    def __init__(self, listener: Listener, head: bytes) -> None:
        self._listener = listener
        self._head = head
        self._rest = b""
        self._is_open = False
        self._end = End()
        self._transport: asyncio.Transport | None = None

    # -------------------------------------------------------------- asyncio's side

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop has its own
        self._transport.write(self._head)
        self._head = b""

    @override
    def data_received(self, data: bytes) -> None:
        """Hand every whole frame on; keep the rest for the next packet."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        start = 0 if self._is_open else self._upgraded(data)
        size = len(data)
        while size - start >= 2:  # noqa: PLR2004  -- the shortest header
            first, length = data[start], data[start + 1]
            begin = start + 2
            if length == LENGTH_2:
                begin = start + 4
                length = int.from_bytes(data[start + 2 : begin], "big")
            elif length == LENGTH_8:
                begin = start + 10
                length = int.from_bytes(data[start + 2 : begin], "big")
            end = begin + length
            if begin > size or end > size:
                break
            start = end
            self._take(first, data[begin:end])
        if start < size:
            self._rest = data[start:]

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Say how it ended."""
        self._transport = None
        self._listener.ended(self._end)

    # -------------------------------------------------------------- the phone's side

    def say(self, text: bytes) -> None:
        """Send a text frame; on a line that is gone nothing happens."""
        self._send(TEXT, text)

    def leave(self, code: int = 1000) -> None:
        """Close by the book; the bank ends the line."""
        self._send(CLOSE, code.to_bytes(CODE_BYTES, "big"))

    def cut(self) -> None:
        """Break the line without a word, as a tunnel does."""
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Stop reading, as a phone whose app hangs."""
        if self._transport is not None:
            self._transport.pause_reading()

    def _send(self, kind: int, body: bytes) -> None:
        if self._transport is None:
            return
        length = len(body)
        if length <= SHORT_MAX:
            head = bytes((LAST | kind, LAST | length))
        elif length <= MEDIUM_MAX:
            head = bytes((LAST | kind, LAST | LENGTH_2)) + length.to_bytes(2, "big")
        else:
            head = bytes((LAST | kind, LAST | LENGTH_8)) + length.to_bytes(8, "big")
        self._transport.write(head + bytes(4) + body)

    def _upgraded(self, data: bytes) -> int:
        """Read the answer to the handshake; gives where the first frame begins."""
        end = data.find(HEAD_END)
        if end < 0:
            self._rest = data
            return len(data)
        if not data.startswith(UPGRADED):
            self._end = End(status=int(data[9:12]) if data[9:12].isdigit() else 0)
            self.cut()
            return len(data)
        self._is_open = True
        self._listener.opened(self)
        return end + len(HEAD_END)

    def _take(self, first: int, body: bytes) -> None:
        if first == LAST | TEXT:
            self._listener.told(body)
            return
        if first == LAST | PING:
            self._send(PONG, body)
            return
        if first == LAST | CLOSE:
            self._end = _read_end(body)
            self._send(CLOSE, body[:CODE_BYTES])
        else:  # parts, bytes, pongs: no server of ours sends them
            self._end = End(NOT_UNDERSTOOD)
        if self._transport is not None:
            self._transport.close()


def _read_end(body: bytes) -> End:
    """Read a close frame."""
    if len(body) < CODE_BYTES:
        return End(NO_CODE)
    reason = body[CODE_BYTES:].decode(errors="replace")
    return End(int.from_bytes(body[:CODE_BYTES], "big"), reason)


@dataclass(frozen=True, slots=True)
class Address:
    """Where lines go, read once.

    Args:
        host: name or address.
        port: TCP port.
        secure: whether TLS is spoken.
        path: of the request line.
    """

    host: str
    port: int
    secure: bool
    path: str

    @classmethod
    def of(cls, url: str) -> "Address":
        """Read a ws or wss address."""
        parts = urlsplit(url)
        secure = parts.scheme in {"wss", "https"}
        port = parts.port or (443 if secure else 80)
        return cls(parts.hostname or "localhost", port, secure, parts.path or "/")

    def head(self) -> bytes:
        """Write a handshake."""
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        return (
            f"GET {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
        ).encode()


async def connect(address: Address, listener: Listener) -> Line:
    """Open a line; the listener hears when the handshake is done.

    Raises:
        OSError: nobody listens there.
    """
    loop = asyncio.get_running_loop()
    made: Callable[[], Line] = lambda: Line(listener, address.head())  # noqa: E731  -- one call
    _, line = await loop.create_connection(
        made, address.host, address.port, ssl=address.secure or None
    )
    return line
