"""A tap on the line to a partner: every request is noted, every byte goes through.

Breaks are passed on as breaks, so what the far end does to a connection, the near end
sees. One thread per direction: the tap lives outside of any event loop.
"""

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

Hear = Callable[[bytes], None]
_AT_ONCE = struct.pack("ii", 1, 0)  # close by a reset


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it went over the line; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Tap:
    """Where it listens, and what went through."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)


@contextmanager
def a_tap_on(url: str) -> Iterator[Tap]:
    """Listen on a free port and pass everything on to a URL's host."""
    far = urlsplit(url)
    assert far.hostname is not None
    place = far.hostname, far.port or 80
    tap = Tap()
    with socket.create_server(("127.0.0.1", 0)) as door:
        tap.url = f"http://127.0.0.1:{door.getsockname()[1]}{far.path}"
        threading.Thread(target=_serve, args=(door, place, tap), daemon=True).start()
        yield tap
        door.shutdown(socket.SHUT_RDWR)


def _serve(door: socket.socket, place: tuple[str, int], tap: Tap) -> None:
    with suppress(OSError):  # the door is closed
        while True:
            near, _ = door.accept()
            threading.Thread(target=_talk, args=(near, place, tap), daemon=True).start()


def _talk(near: socket.socket, place: tuple[str, int], tap: Tap) -> None:
    with near, suppress(OSError), socket.create_connection(place) as far:
        for line in (near, far):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=_pump, args=(far, near, None), daemon=True)
        back.start()
        _pump(near, far, _Notes(tap).hear)
        back.join()


def _pump(source: socket.socket, sink: socket.socket, hear: Hear | None) -> None:
    """Pass bytes on until one side ends; a reset ends the other side by a reset."""
    try:
        while part := source.recv(65536):
            if hear is not None:
                hear(part)
            sink.sendall(part)
    except OSError:
        with suppress(OSError):
            sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    for line in (sink, source):
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


class _Notes:
    """Reads the requests out of one connection's bytes."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._waiting = b""

    def hear(self, part: bytes) -> None:
        self._waiting += part
        while b"\r\n\r\n" in self._waiting:
            head, _, rest = self._waiting.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            size = int(headers.get("content-length", "0"))
            if len(rest) < size:
                return
            self._waiting = rest[size:]
            method, target, _version = first.split(" ")
            self._tap.requests.append(Request(method, target, headers, rest[:size]))
