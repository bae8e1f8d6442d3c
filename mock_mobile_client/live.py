"""The live stream as an app keeps it: `events` and `balanceChanged`, resumed by itself.

The rules are those of realtime.md §5 and the close-code table of graphql.md §11.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Protocol, Self

from mock_mobile_client import documents
from mock_mobile_client.acks import Acks
from mock_mobile_client.closing import LINE_BROKEN, Reaction, Verdict, verdict
from mock_mobile_client.errors import (
    NotReady,
    NotSeen,
    PhoneError,
    Refused,
    SocketClosed,
    Unreachable,
)
from mock_mobile_client.stream import CONTROL, OPENINGS, Event, Picture, describe
from mock_mobile_client.values import BalanceValue, HomeValue, JsonObject
from mock_mobile_client.wire import Frame, Wire

WAIT_S = 15.0
HOLES_MAX = 3
BALANCES = "balances"


class Line(Protocol):
    """What a stream needs of its phone."""

    @property
    def socket_door(self) -> str:
        """Where the bank's socket is opened."""

    @property
    def by_id(self) -> bool:
        """Whether operations go as ids instead of texts."""

    def init_payload(self) -> JsonObject:
        """Token and a fresh proof."""

    def token_in_use(self) -> str:
        """The token `init_payload` would send now."""

    async def freshen(self) -> None:
        """Get a newer token ahead of time if the present one is about to end."""

    async def renew(self, used: str) -> None:
        """Get a newer token than this one."""

    async def home(self) -> HomeValue:
        """Load the snapshot, which is due after a StreamReset."""

    def now(self) -> float:
        """The phone's own clock, seconds since 1970."""

    def applied(self, cursor: str, shown: JsonObject) -> None:
        """Store the cursor together with what it led to."""


class Live:
    """One phone's live stream; open it with `async with`.

    Attributes:
        picture: What the stream taught so far, and what was applied.
        acks: How far the bank was told of it.
        connections: How often a socket was acknowledged.
        closings: Every end of a socket, in order.
    """

    def __init__(
        self,
        line: Line,
        picture: Picture | None = None,
        *,
        resume: bool = True,
        listener: Callable[[str], None] | None = None,
    ) -> None:
        self.picture = picture or Picture()
        self.acks = Acks()
        self.connections = 0
        self.closings: list[SocketClosed] = []
        self._line = line
        self._resume = resume
        self._tell = listener or (lambda _: None)
        self._changed = asyncio.Condition()
        self._wire: Wire | None = None
        self._events = ""
        self._subscribed = 0
        self._opened = 0
        self._past_is_due = False
        self._asked_again = 0
        self._attempt = 0
        self._ended: PhoneError | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reader = asyncio.create_task(self._run())
        try:
            await self.until(self.is_ready, "the stream to be ready")
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave for good, keep the cursor."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        if self._wire is not None:
            await self._wire.close()

    async def sleep(self) -> None:
        """Go to the background: close the socket, keep cursor and picture."""
        await self.close()

    async def cut(self, *, stay_away: bool = False) -> None:
        """Break the line without a close frame, as a tunnel does.

        It resumes by itself, or with `stay_away` at `wake`.
        """
        if stay_away and self._wire is not None:
            await self._wire.cut()
            await self.close()
        elif self._wire is not None:
            await self._wire.cut()

    async def wake(self) -> None:
        """Come back to the foreground: resume, and wait until the past is told.

        Raises:
            NotReady: the stream is awake.
            PhoneError: it ended; a new one is needed.
        """
        if self._reader is not None:
            raise NotReady("the stream is awake")
        before, self._attempt = self.connections, 0
        self._reader = asyncio.create_task(self._run())
        await self.until(
            lambda: self.connections > before and self.is_caught_up(),
            "the stream to resume",
        )

    @property
    def ended(self) -> PhoneError | None:
        """Why the stream will never go on by itself; None while it may."""
        return self._ended

    @property
    def is_awake(self) -> bool:
        """Whether the stream listens, or tries to."""
        return self._reader is not None

    def is_ready(self) -> bool:
        """True once both subscriptions have shown where they stand."""
        opened = self._opened == self.connections > 0
        return opened and bool(self.picture.by_snapshot)

    def is_caught_up(self) -> bool:
        """True once all that was missed is told, or replaced by a snapshot."""
        return self.is_ready() and not self._past_is_due

    async def until(
        self, met: Callable[[], bool], what: str, timeout_s: float = WAIT_S
    ) -> None:
        """Wait until something holds, looking after every frame.

        Raises:
            NotSeen: it did not come in time.
            PhoneError: the stream ended before, for example SocketClosed.
        """
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                while not met():
                    if self._ended is not None:
                        raise self._ended
                    await self._changed.wait()
        except TimeoutError as error:
            raise NotSeen(f"waited {timeout_s:.0f} s for {what}") from error

    async def until_shown(self, account_id: str, fresh: BalanceValue) -> None:
        """Wait until both subscriptions show exactly these figures."""
        picture = self.picture

        def shown() -> bool:
            told = picture.by_event.get(account_id), picture.by_snapshot.get(account_id)
            return told == (fresh, fresh)

        await self.until(shown, f"{fresh.available} on both subscriptions")

    async def until_event(self, met: Callable[[Event], bool], what: str) -> Event:
        """Wait for an event; one that came before counts."""
        picture = self.picture
        await self.until(lambda: any(map(met, picture.applied)), what)
        return next(filter(met, picture.applied))

    async def until_closed(self, timeout_s: float = WAIT_S) -> SocketClosed:
        """Wait for the end of the stream and tell its close code."""
        await self.until(lambda: self._ended is not None, "the socket's end", timeout_s)
        if isinstance(self._ended, SocketClosed):
            return self._ended
        raise NotSeen("the stream ended otherwise") from self._ended

    async def balance(self, name: str) -> BalanceValue:
        """The newest figures shown for an account of this name."""
        picture = self.picture

        def found() -> str | None:
            return next((i for i, n in picture.names.items() if n == name), None)

        await self.until(lambda: found() is not None, f"a balance of {name}")
        account_id = found() or ""
        told = picture.by_event.get(account_id), picture.by_snapshot.get(account_id)
        return max((one for one in told if one is not None), key=_version)

    async def _run(self) -> None:
        """Connect as long as the close codes say so."""
        while self._ended is None:
            used = self._line.token_in_use()
            try:
                await self._one_connection()
            except SocketClosed as closed:
                await self._closed(closed, used)
            except Unreachable as error:
                if self.connections == 0:
                    await self._end(error)
                await self._closed(SocketClosed(LINE_BROKEN, str(error)), used)
            except PhoneError as error:
                await self._end(error)

    async def _one_connection(self) -> None:
        """From handshake to close."""
        await self._line.freshen()
        line = self._line
        init = line.init_payload()
        wire = await Wire.open(line.socket_door, init, by_id=line.by_id)
        self._wire = wire
        self.connections += 1
        acking = asyncio.create_task(self.acks.run(wire))
        try:
            await self._subscribe_events(wire)
            await wire.subscribe(BALANCES, documents.load("balance_changed"), {})
            async for frame in wire.frames():
                await self._take(frame, wire)
        finally:
            acking.cancel()
            await asyncio.gather(acking, return_exceptions=True)
            await wire.close()

    async def _subscribe_events(self, wire: Wire) -> None:
        """Open `events` from where the picture stands."""
        self._subscribed += 1
        self._events = f"events-{self._subscribed}"
        self._past_is_due = self.picture.cursor is not None
        after = {"after": self.picture.cursor}
        await wire.subscribe(self._events, documents.load("events"), after)

    async def _take(self, frame: Frame, wire: Wire) -> None:
        """Apply one frame; a hole asks again from the last applied event."""
        if self.acks.take(frame):
            await self._notify()
            return
        if frame.operation not in {self._events, BALANCES}:
            return
        if frame.kind == "error" or not isinstance(frame.payload, dict):
            raise operation_error(frame)
        if frame.payload.get("errors"):
            raise operation_error(Frame("error", "", frame.payload["errors"]))
        node = frame.payload["data"]
        self._attempt = 0
        if frame.operation == BALANCES:
            changed = node["balanceChanged"]
            self.picture.show(changed, self.picture.by_snapshot)
        else:
            await self._apply(Event.read(node["events"], self._line.now()), wire)
        await self._notify()

    async def _apply(self, event: Event, wire: Wire) -> None:
        """Apply an event and store what it led to.

        After a reset the snapshot is loaded first: the place of the reset is only
        stored together with it.
        """
        is_reset = event.kind == "StreamReset"
        snapshot = (await self._line.home()).accounts if is_reset else ()
        if not self.picture.apply(event):
            await self._ask_again(wire)
            return
        if event.kind not in CONTROL:
            self._asked_again = 0
        self.picture.load(snapshot)
        if event.kind in OPENINGS:
            self._opened = self.connections
        if event.kind in {"StreamReset", "CaughtUp"}:
            self._past_is_due = False
        self._line.applied(event.cursor, self.picture.to_store())
        if event.kind != "StreamReady":
            self.acks.owe(event.cursor)
        self._tell(describe(event))

    async def _ask_again(self, wire: Wire) -> None:
        """Subscribe anew from the last applied event, a few times.

        Raises:
            NotSeen: the bank leaves the hole open.
        """
        self._asked_again += 1
        if self._asked_again > HOLES_MAX:
            raise NotSeen(f"event {(self.picture.sequence or 0) + 1} is missing")
        await wire.complete(self._events)
        await self._subscribe_events(wire)

    async def _closed(self, closed: SocketClosed, used: str) -> None:
        """Do what the close-code table says."""
        self.closings.append(closed)
        what = verdict(closed.code, closed.reason, self._attempt)
        self._attempt += 1
        if not self._resume or what.reaction in {Reaction.STOP, Reaction.SIGN_IN}:
            await self._end(closed)
            return
        wait_s = _drawn(what)
        self._tell(f"closed    {closed.code} {closed.reason}, again in {wait_s:.1f} s")
        try:
            if what.reaction is Reaction.RENEW:
                await self._line.renew(used)
        except (Refused, NotReady):
            await self._end(closed)
            return
        except Unreachable:  # it will say the same when it is back
            wait_s = max(wait_s, _drawn(verdict(LINE_BROKEN, "", self._attempt)))
        await asyncio.sleep(wait_s)

    async def _end(self, error: PhoneError) -> None:
        """Nothing more will come; tell whoever waits."""
        self._ended = error
        await self._notify()

    async def _notify(self) -> None:
        """Let whoever waits look again."""
        async with self._changed:
            self._changed.notify_all()


def _version(balance: BalanceValue) -> int:
    return balance.version


def _drawn(what: Verdict) -> float:
    """Full jitter, unless the bank named the time."""
    if what.exact:
        return what.wait_max_s
    return secrets.SystemRandom().uniform(0, what.wait_max_s)


def operation_error(frame: Frame) -> Refused:
    """The bank refused an operation on the socket, or completed it too early."""
    errors = frame.payload if isinstance(frame.payload, list) else []
    ended: JsonObject = {"message": f"the operation ended: {frame.kind}"}
    error = errors[0] if errors else ended
    extensions = dict(error.get("extensions") or {})
    code = str(extensions.pop("code", "INTERNAL"))
    request_id = extensions.pop("requestId", None)
    return Refused(code, str(error.get("message", "")), extensions, request_id)
