"""Many phones of one server in this process: open, subscribe, count, never skip.

Each phone checks the number of every event against the one before. A frame costs as
little as Python allows: the server is to be the slower side.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from typing_extensions import override

from bench.live_servers import LiveServer
from mock_mobile_client.dpop import Covered, make_proof
from mock_mobile_client.fleet_line import Address, End, Line, Listener, connect
from mock_mobile_client.keys import DeviceKey

DOCUMENT = (Path(__file__).parent / "events.graphql").read_text()
PATIENCE_S = 120.0
AT_ONCE = 200
LOOK_S = 0.001
_SEQUENCE, _VERSION, _CURSOR = b'"sequence":"', b'"version":"', b'"cursor":"'
_ACK, _PING, _READY = b'"connection_ack"', b'"ping"', b'"StreamReady"'
_CAUGHT_UP = b'"CaughtUp"'
_PONG = b'{"type":"pong"}'
Init = Callable[[], dict[str, object]]


@dataclass(slots=True)
class Count:
    """What a crowd has seen.

    Args:
        opened: streams that stand.
        caught_up: streams that were told all they had missed.
        frames: events that came.
        gaps: events before which one was missing, and resets.
        doubles: events that had come before.
        ends: codes or HTTP statuses of sockets that ended.
        fault: what no phone should be told.
        arrivals: version and moment of each event; kept only while `timed`.
    """

    opened: int = 0
    caught_up: int = 0
    frames: int = 0
    gaps: int = 0
    doubles: int = 0
    ends: list[int] = field(default_factory=list)
    fault: bytes = b""
    arrivals: list[tuple[int, int]] = field(default_factory=list)
    timed: bool = False


class Socket(Listener):
    """One phone's socket; opened again it resumes where it was.

    Args:
        count: of the crowd.
        init: makes the payload of `connection_init`.
        resumes: whether it says where it was.
    """

    def __init__(self, count: Count, init: Init, *, resumes: bool) -> None:
        self._count = count
        self._init = init
        self._resumes = resumes
        self._stands = False
        self.line: Line | None = None
        self.last = b""
        self.seen = 0

    async def open(self, address: Address) -> None:
        """Connect; the rest happens as the server answers."""
        self._stands = False
        await connect(address, self)

    @override
    def opened(self, line: Line) -> None:
        """Say who calls."""
        self.line = line
        self._say({"type": "connection_init", "payload": self._init()})

    @override
    def told(self, text: bytes) -> None:
        """Count an event, or do what the frame asks for."""
        start = text.find(_SEQUENCE)
        if start < 0:
            self._control(text)
            return
        start += len(_SEQUENCE)
        number = int(text[start : text.index(b'"', start)])
        if not self._stands or number != self.seen + 1:
            self._unusual(text, number)
            return
        self.seen = number
        self.last = text
        count = self._count
        count.frames += 1
        if count.timed:
            self._timed(text)

    @override
    def ended(self, end: End) -> None:
        """Note how."""
        self.line = None
        self._count.ends.append(end.status or end.code)

    def _unusual(self, text: bytes, number: int) -> None:
        """Take the opening, the end of a replay, or an event that breaks the row."""
        count = self._count
        if not self._stands and _READY in text:
            self._stands = True
            count.opened += 1
        elif number == self.seen and _CAUGHT_UP in text:
            count.caught_up += 1
        elif number > self.seen or b'"StreamReset"' in text:
            count.gaps += 1
        else:
            count.doubles += 1
        self.seen, self.last = number, text

    def _timed(self, text: bytes) -> None:
        begin = text.rfind(_VERSION) + len(_VERSION)
        if begin > len(_VERSION):  # other kinds of events have no version
            version = int(text[begin : text.index(b'"', begin)])
            self._count.arrivals.append((version, time.monotonic_ns()))

    def _control(self, text: bytes) -> None:
        if _ACK in text:
            after = self._cursor() if self._resumes and self.last else None
            asked = {"query": DOCUMENT, "variables": {"after": after}}
            self._say({"id": "1", "type": "subscribe", "payload": asked})
        elif _PING in text:
            assert self.line is not None
            self.line.say(_PONG)
        else:
            self._count.fault = text[:500]
            self._count.ends.append(0)

    def _cursor(self) -> str:
        start = self.last.index(_CURSOR) + len(_CURSOR)
        return self.last[start : self.last.index(b'"', start)].decode()

    def _say(self, message: object) -> None:
        assert self.line is not None
        self.line.say(orjson.dumps(message))


class Crowd:
    """The phones of one server.

    Args:
        server: whose.
        inits: one per socket; sockets of one customer need not lie together.
        resumes: whether the server knows `after`.
    """

    def __init__(
        self, server: LiveServer, inits: Sequence[Init], *, resumes: bool
    ) -> None:
        self.server = server
        self.count = Count()
        self._address = Address.of(server.url)
        self.sockets = [Socket(self.count, one, resumes=resumes) for one in inits]

    @property
    def standing(self) -> int:
        """How many sockets are open."""
        return sum(socket.line is not None for socket in self.sockets)

    async def open(self, first: int | None = None) -> None:
        """Open all sockets, or the first ones; returns when every stream stands."""
        goal = self.count.opened
        for socket in self.sockets[:first]:
            await self._until(lambda: self.count.opened > goal - AT_ONCE)  # noqa: B023  -- called at once
            await socket.open(self._address)
            goal += 1
        await self._until(lambda: self.count.opened >= goal)

    async def cut(self) -> None:
        """Break every line without a word."""
        for socket in self.sockets:
            if socket.line is not None:
                socket.line.cut()
        while self.standing:  # noqa: ASYNC110  -- of many sockets
            await asyncio.sleep(LOOK_S)
        self.count.ends.clear()

    async def frames(self, goal: int) -> None:
        """Wait until so many events came in all."""
        await self._until(lambda: self.count.frames >= goal)

    async def caught_up(self, goal: int) -> None:
        """Wait until so many streams were told what they had missed."""
        await self._until(lambda: self.count.caught_up >= goal)

    def require_whole(self) -> None:
        """End the bench when an event was missed or doubled, or a socket fell."""
        count = self.count
        if count.gaps or count.doubles or count.ends:
            raise SystemExit(
                f"{self.server.name}: {count.gaps} gaps, {count.doubles} doubles, "
                f"sockets ended with {sorted(set(count.ends))}"
            )

    async def _until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not done():
            if self.count.ends or time.monotonic() > end:
                if done():
                    return
                raise SystemExit(
                    f"{self.server.name}: {self.count.opened} streams, "
                    f"{self.count.frames} events, ended {self.count.ends[:9]}, "
                    f"told {self.count.fault!r}"
                )
            await asyncio.sleep(LOOK_S)


def signed(server: LiveServer, key: DeviceKey, token: str) -> Init:
    """Sign in on our sockets: a proof of its own for each."""

    def payload() -> dict[str, object]:
        covered = Covered("GET", server.url, None, token)
        return {"accessToken": token, "dpop": make_proof(key, covered, time.time())}

    return payload


def named(place: int) -> Init:
    """Sign in at a peer: by saying who one is."""
    return lambda: {"customer": place}
