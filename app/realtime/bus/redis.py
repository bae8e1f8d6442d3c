"""Hints over Pub/Sub of Valkey or Redis: one connection to send, one to hear.

A customer's hints travel in the channel of the partition, and a process hears only
those partitions in which it has watchers; what is for everybody travels in
`sx:control`. A message holds ids and numbers, never an amount or a name.

Pub/Sub loses what nobody hears, without an error at the sender. So every new line says
`Reconnected` once the server has confirmed what it hears, and whoever could not send
tells all listeners with the next message that arrives. One server, or one address that
leads to the present primary; TLS by rediss://. Not a cluster: there plain Pub/Sub goes
to every node.
"""

import asyncio
import secrets
import struct
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app import telemetry
from app.ids import CustomerId, SessionId
from app.realtime.announce import Announcement, Broadcast, Hint, Revoke
from app.realtime.bus import BusDown, Reconnected, partition_of
from app.settings import Misconfigured

CONTROL = b"sx:control"
_ANSWER_S = 1.0
_OPEN_S = 5.0
_QUIET_S = 15.0  # silence after which the server is asked whether it is there
_PONG_S = 5.0
_PAUSE_S = (0.05, 1.0)  # first and longest pause between two tries to connect

_HINT = struct.Struct("!16s8sQ")  # customer, epoch, number
_REVOKE = struct.Struct("!16s?")  # session, superseded
_IS_REVOKE, _IS_BROADCAST, _IS_LOST = b"R", b"B", b"L"
_GAP = (CONTROL, _IS_LOST)

Message = tuple[bytes, bytes]  # channel, body


class RedisBus:
    """One process's end of the bus.

    Args:
        client: of the server; its connections send, and one more of its kind listens.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._lost = False  # something of ours reached nobody, and nobody knows
        self._wanted: set[bytes] = {CONTROL}
        self._line: AbstractConnection | None = None
        self._asked: Counter[bytes] = Counter()  # subscriptions not confirmed yet
        self._sure: set[bytes] = set()
        self._changed = asyncio.Event()

    async def publish(self, items: Sequence[Announcement]) -> None:
        """Send at most once, all items in one round trip.

        Raises:
            BusDown: the server did not take all of them within one second.
        """
        messages = [*([_GAP] if self._lost else []), *packed(items)]
        try:
            async with (
                asyncio.timeout(_ANSWER_S),
                self._client.pipeline(transaction=False) as pipe,
            ):
                for channel, body in messages:
                    pipe.publish(channel, body)  # type: ignore[unused-awaitable]  # a pipeline only notes it
                await pipe.execute()
        except (RedisError, OSError) as away:
            self._lost = True
            raise BusDown(type(away).__name__) from None
        self._lost = False

    async def interest(self, add: frozenset[int], drop: frozenset[int]) -> None:
        """Hear these partitions from now on, and those no longer.

        Raises:
            BusDown: the server does not confirm it within one second; the next line
                begins with what is wanted then.
        """
        fewer, more = set(map(_channel, drop)), set(map(_channel, add))
        fresh = more - (self._wanted - fewer)
        self._wanted = self._wanted - fewer | more
        self._sure -= fewer
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._tell("UNSUBSCRIBE", fewer - more)
                await self._tell("SUBSCRIBE", fresh)
                await self._confirmed(more)
        except (RedisError, OSError) as away:
            raise BusDown(type(away).__name__) from None

    async def listen(self) -> AsyncGenerator[Announcement | Reconnected, None]:
        """Yield what is published, and `Reconnected` at the start of every line."""
        pause_s = _PAUSE_S[0]
        while True:
            line = self._client.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # the library has none here
            try:
                await self._open(line)
                telemetry.bus_up.set(1)
                pause_s = _PAUSE_S[0]
                yield Reconnected()
                while True:
                    for item in await self._next(line):
                        yield item
            except (RedisError, OSError) as away:
                if pause_s == _PAUSE_S[0]:  # one line in the log for each outage
                    cause = type(away).__name__
                    telemetry.log.warning("bus_line_lost", cause=cause)
            finally:
                telemetry.bus_up.set(0)
                self._forget_line()
                await line.disconnect(nowait=True)
            await asyncio.sleep(pause_s * (1 + secrets.randbelow(100) / 100) / 2)
            pause_s = min(2 * pause_s, _PAUSE_S[1])

    async def close(self) -> None:
        """Give the sending connections back."""
        await self._client.aclose()

    # -------------------------------------------------------------- the line

    async def _open(self, line: AbstractConnection) -> None:
        """Connect, and return when the server has confirmed all that is wanted."""
        async with asyncio.timeout(_OPEN_S):
            await line.connect()  # type: ignore[no-untyped-call]  # same
            self._line = line
            await self._tell("SUBSCRIBE", self._wanted)
            while self._asked:
                await self._next(line)  # what comes meanwhile is lost, and said so

    async def _next(self, line: AbstractConnection) -> list[Announcement | Reconnected]:
        """Wait for a message; a server that keeps silent is asked for a sign of life.

        Raises:
            BusDown: it gives none.
        """
        reply = await line.read_response(timeout=_QUIET_S)
        if reply is None:
            await line.send_command("PING", check_health=False)
            reply = await line.read_response(timeout=_PONG_S)
            if reply is None:
                raise BusDown("silence")
        return self._understood(reply)

    def _understood(self, reply: Any) -> list[Announcement | Reconnected]:  # noqa: ANN401  -- whatever the server says
        kind, channel, *rest = reply
        if kind == b"message":
            return list(unpacked(channel, rest[0]))
        if kind == b"subscribe":
            self._asked[channel] -= 1
            if not self._asked[channel]:
                del self._asked[channel]
                self._sure |= {channel} & self._wanted
                self._wake()
        return []

    async def _tell(self, word: str, channels: Iterable[bytes]) -> None:
        named = sorted(channels)
        if self._line is None or not named:
            return
        if word == "SUBSCRIBE":
            self._asked.update(named)
        await self._line.send_command(word, *named, check_health=False)

    async def _confirmed(self, channels: set[bytes]) -> None:
        while not channels <= self._sure:
            if self._line is None:
                raise BusDown("no line")
            await self._changed.wait()

    def _forget_line(self) -> None:
        self._line = None
        self._asked.clear()
        self._sure.clear()
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


# ------------------------------------------------------------------ what travels


def packed(items: Iterable[Announcement]) -> list[Message]:
    """Write announcements as messages: one a partition, and one for each other."""
    hints: defaultdict[bytes, bytearray] = defaultdict(bytearray)
    control: list[Message] = []
    for item in items:
        if isinstance(item, Hint):
            who, epoch = item.customer.value.bytes, item.epoch.encode()
            hints[_channel(partition_of(item.customer))] += _HINT.pack(
                who, epoch, item.seq
            )
        elif isinstance(item, Revoke):
            body = _REVOKE.pack(item.session.value.bytes, item.superseded)
            control.append((CONTROL, _IS_REVOKE + body))
        else:
            control.append((CONTROL, _IS_BROADCAST + item.topic.encode()))
    return [*control, *((channel, bytes(body)) for channel, body in hints.items())]


def unpacked(channel: bytes, body: bytes) -> Iterator[Announcement | Reconnected]:
    """Read a message; one that a newer process wrote in another form is passed over."""
    try:
        if channel != CONTROL:
            for who, epoch, seq in _HINT.iter_unpack(body):
                yield Hint(CustomerId(UUID(bytes=who)), _text(epoch), seq)
        elif body == _IS_LOST:
            yield Reconnected()
        elif body.startswith(_IS_REVOKE):
            whose, superseded = _REVOKE.unpack(body[1:])
            yield Revoke(SessionId(UUID(bytes=whose)), superseded=superseded)
        elif body.startswith(_IS_BROADCAST):
            yield Broadcast(_text(body[1:]))
    except (struct.error, UnicodeDecodeError):
        telemetry.log.warning("bus_message_unreadable", bytes=len(body))


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode()


def _channel(partition: int) -> bytes:
    return b"sx:%d" % partition


async def connect(url: str) -> RedisBus:
    """Make this process's end; the server is asked for the first time when needed.

    Raises:
        Misconfigured: the URL is not one of a server.
    """
    try:
        client = Redis.from_url(
            url,
            protocol=2,
            driver_info=None,
            # We bound each wait ourselves: under this timeout the library sends within
            # `asyncio.wait_for`, which before Python 3.12 may swallow a cancellation.
            socket_timeout=None,
            socket_connect_timeout=_ANSWER_S,
            # Once more at once: a connection may have died while it was idle.
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError:
        raise Misconfigured("BUS_URL is not a redis:// or rediss:// URL") from None
    return RedisBus(client)
