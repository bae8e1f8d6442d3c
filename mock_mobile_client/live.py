"""The live stream as an app keeps it: `events` and `balanceChanged`, resumed by itself.

The rules are those of realtime.md §5 and the close-code table of graphql.md §11.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Protocol, Self

from mock_mobile_client import documents
from mock_mobile_client.closing import LINE_BROKEN, Reaction, Verdict, verdict
from mock_mobile_client.errors import (
    NotReady,
    NotSeen,
    PhoneError,
    Refused,
    SocketClosed,
    Unreachable,
)
from mock_mobile_client.stream import Event, Picture
from mock_mobile_client.values import BalanceValue, JsonObject
from mock_mobile_client.wire import Frame, Wire

WAIT_S = 15.0
BALANCES = "balances"


class Line(Protocol):
    """What a stream needs of its phone."""

    @property
    def socket_url(self) -> str:
        """The bank's socket."""

    def init_payload(self) -> JsonObject:
        """Token and a fresh proof."""

    def token_in_use(self) -> str:
        """The token `init_payload` would send now."""

    async def renew(self, used: str) -> None:
        """Get a newer token than this one."""

    def applied(self, cursor: str) -> None:
        """Store the cursor with what it led to."""


class Live:
    """One phone's live stream; open it with `async with`.

    Attributes:
        picture: What the stream taught so far.
        connections: How often a socket was acknowledged.
        closings: Every end of a socket, in order.
    """

    def __init__(
        self,
        line: Line,
        after: str | None = None,
        *,
        resume: bool = True,
        listener: Callable[[str], None] | None = None,
    ) -> None:
        self.picture = Picture(cursor=after)
        self.connections = 0
        self.closings: list[SocketClosed] = []
        self._line = line
        self._resume = resume
        self._tell = listener or (lambda _: None)
        self._changed = asyncio.Condition()
        self._wire: Wire | None = None
        self._events = ""
        self._subscribed = 0
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
        """Go to the background: leave, keep the cursor."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._wire is not None:
            await self._wire.close()

    async def cut(self) -> None:
        """Break the line without a close frame, as a tunnel does."""
        if self._wire is not None:
            await self._wire.cut()

    def is_ready(self) -> bool:
        """True once both subscriptions have shown where they stand."""
        return self.picture.sequence is not None and bool(self.picture.by_snapshot)

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
        self._wire = await Wire.open(self._line.socket_url, self._line.init_payload())
        self.connections += 1
        await self._subscribe_events()
        await self._wire.subscribe(BALANCES, documents.load("balance_changed"), {})
        async for frame in self._wire.frames():
            await self._take(frame)

    async def _subscribe_events(self) -> None:
        """Open `events` from where the picture stands."""
        if self._wire is not None:
            self._subscribed += 1
            self._events = f"events-{self._subscribed}"
            after = {"after": self.picture.cursor}
            await self._wire.subscribe(self._events, documents.load("events"), after)

    async def _take(self, frame: Frame) -> None:
        """Apply one frame; a hole asks again from the last applied event."""
        if frame.operation not in {self._events, BALANCES}:
            return
        if frame.kind == "error" or not isinstance(frame.payload, dict):
            raise _operation_error(frame)
        if frame.payload.get("errors"):
            raise _operation_error(Frame("error", "", frame.payload["errors"]))
        node = frame.payload["data"]
        self._attempt = 0
        if frame.operation == BALANCES:
            changed = node["balanceChanged"]
            self.picture.show(changed, self.picture.by_snapshot)
        else:
            await self._apply(Event.read(node["events"]))
        async with self._changed:
            self._changed.notify_all()

    async def _apply(self, event: Event) -> None:
        if self.picture.apply(event):
            self._line.applied(event.cursor)
            self._tell(describe(event))
        elif self._wire is not None:
            await self._wire.complete(self._events)
            await self._subscribe_events()

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
        except (Refused, NotReady, Unreachable):
            await self._end(closed)
            return
        await asyncio.sleep(wait_s)

    async def _end(self, error: PhoneError) -> None:
        """Nothing more will come; tell whoever waits."""
        async with self._changed:
            self._ended = error
            self._changed.notify_all()


def describe(event: Event) -> str:
    """One line for people about one event."""
    body = event.body
    if event.kind == "StreamReady":
        return f"ready     seq {event.sequence}  {body['missed']} missed"
    if event.kind == "CaughtUp":
        return f"caught up seq {event.sequence}"
    if event.kind == "BalanceChanged":
        balance = BalanceValue.read(body["balance"])
        text = f"{body['account']['name']} {balance.available}"
        return f"balance   {text} (v {balance.version})   seq {event.sequence}"
    if event.kind == "PaymentChanged":
        payment = body["payment"]
        return f"payment   {payment['id']} {payment['status']}   seq {event.sequence}"
    return f"event     {event.kind}   seq {event.sequence}"


def _version(balance: BalanceValue) -> int:
    return balance.version


def _drawn(what: Verdict) -> float:
    """Full jitter, unless the bank named the time."""
    if what.exact:
        return what.wait_max_s
    return secrets.SystemRandom().uniform(0, what.wait_max_s)


def _operation_error(frame: Frame) -> Refused:
    """The bank refused an operation on the socket, or completed it too early."""
    errors = frame.payload if isinstance(frame.payload, list) else []
    ended: JsonObject = {"message": f"the operation ended: {frame.kind}"}
    error = errors[0] if errors else ended
    extensions = dict(error.get("extensions") or {})
    code = str(extensions.pop("code", "INTERNAL"))
    request_id = extensions.pop("requestId", None)
    return Refused(code, str(error.get("message", "")), extensions, request_id)
