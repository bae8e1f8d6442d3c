"""graphql-transport-ws by the book: one `Connection` per socket.

A connection owns every task it starts: when it ends, for whatever reason, all of its
operations end with it before the close frame leaves. Two tasks live as long as the
socket: the server's own and the reader. Rules: graphql.md section 11 of the design.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import datetime

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from app import telemetry
from app.auth.actor import Actor, Origin
from app.clock import rfc3339
from app.errors import Outage, RequestFault, TooManyRequests
from app.ids import request_id
from app.realtime.admission import Bucket
from app.realtime.sockets import Holder, Seat
from app.realtime.stream import TooSlow
from app.schema.masking import Answer, Operation
from app.schema.plan.feed import Feed
from app.schema.plan.rendering import Rendered
from app.schema.transport import frames
from app.schema.transport.codes import Close
from app.schema.transport.desk import Desk
from app.schema.transport.lane import Lane
from app.schema.transport.wire import wire_of

_VERIFY_S = 5.0
_BURST = 20
_REASON_MAX = 120
_PING = b'{"type":"ping"}'
_GOODBYE_S = 1.0
_CLOSING_S = 10.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ends; without a code the client was first."""

    code: int | None = None
    reason: str = ""


class _Gone(Exception):
    """There is nobody to write to any more: the writer has nothing left to do."""


class _Ends(Exception):
    """Raised inside the reader to end the connection with a code."""

    def __init__(self, code: Close, reason: str) -> None:
        super().__init__(reason)
        self.ending = Ending(code, reason)


class Connection:
    """One accepted socket, from `connection_init` to its close code."""

    def __init__(self, websocket: WebSocket, desk: Desk, origin: Origin) -> None:
        settings, loop = desk.settings, asyncio.get_running_loop()
        self._websocket = websocket
        self.wire = wire_of(websocket.scope.get("extensions", {}))
        self._desk = desk
        self._origin = origin
        self._actor: Actor | None = None
        self._initialised = False
        self._ended: asyncio.Future[Ending] = loop.create_future()
        self._operations: dict[str, asyncio.Task[None] | Lane] = {}
        self._stalled: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._late = loop.call_later(
            settings.socket_init_s, self.close, Close.INIT_LATE, "INIT_LATE"
        )
        rate, factor = settings.limit_messages, settings.limit_factor
        self._messages = Bucket(
            size=float(_BURST * factor),
            per_s=rate.count / rate.window_s * factor,
            at=desk.clock.monotonic(),
        )

    # -------------------------------------------------------------- Link

    def ping(self) -> None:
        """Ask the phone for a sign of life."""
        if self._ended.done():
            return
        if self.wire is not None and self.wire.is_free:
            self.wire.write_text(_PING)
        else:
            self._begin(self._ping())

    def close(self, code: int, reason: str = "") -> None:
        """End the socket with a code; a second call changes nothing."""
        if not self._ended.done():
            self._ended.set_result(Ending(code, reason))

    # -------------------------------------------------------------- life

    async def run(self) -> None:
        """Serve until either side ends; nothing of it is left afterwards."""
        seat = self._desk.sockets.open(self, self._origin.address)
        if self.wire is not None:
            self.wire.writer = self
        try:
            async with asyncio.TaskGroup() as self._group:
                self._begin(self._read(seat))
                try:
                    ending = await self._ended
                finally:
                    for work in (*self._operations.values(), *self._tasks):
                        work.cancel()
        finally:
            self._late.cancel()
            self.free()
            if self.wire is not None:
                self.wire.writer = None
            self._desk.sockets.leave(seat)
        await self._part(ending)

    def _begin(
        self, work: Coroutine[object, object, None], operation_id: str | None = None
    ) -> None:
        task = self._own(work)
        if operation_id is not None:
            self._operations[operation_id] = task

    def _own(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _part(self, ending: Ending) -> None:
        """Say goodbye, and cut the line of one who does not listen."""
        telemetry.socket_closes.labels(code=ending.code or "client").inc()
        if self.wire is not None:
            self.wire.cut(_GOODBYE_S if ending.code == Close.SLOW else _CLOSING_S)
        if ending.code is None:
            return
        try:
            async with asyncio.timeout(_GOODBYE_S):
                reason = ending.reason[:_REASON_MAX]
                await self._websocket.close(ending.code, reason)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            return  # the line is gone, or about to be cut

    # -------------------------------------------------------------- reading

    async def _read(self, seat: Seat) -> None:
        try:
            while True:
                message = await self._heard(seat)
                if message is None:
                    self._leave()
                    return
                await self._obey(message, seat)
                del message  # an idle socket does not keep its last document
        except _Ends as end:
            self.close(end.ending.code or Close.TRY_LATER, end.ending.reason)
        except frames.Malformed as malformed:
            self.close(Close.MALFORMED, str(malformed))
        except _Gone:
            return
        except Exception:  # noqa: BLE001  -- whatever breaks, the phone must come back
            telemetry.log.exception("socket_failed", request_id=self._origin.request_id)
            self.close(Close.TRY_LATER, "INTERNAL")

    async def _heard(self, seat: Seat) -> frames.Message | None:
        """Give the next message; None when the client has gone."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        self._desk.sockets.heard(seat)
        return _message_in(message)

    def _leave(self) -> None:
        if not self._ended.done():
            self._ended.set_result(Ending())

    async def _obey(self, message: frames.Message, seat: Seat) -> None:
        if isinstance(message, frames.Pong):
            return
        if not self._messages.take(self._desk.clock.monotonic()):
            raise _Ends(Close.FLOOD, "RATE_LIMITED")
        match message:
            case frames.Init(payload):
                await self._init(payload, seat)
            case frames.Ping(payload):
                echo = {} if payload is None else {"payload": payload}
                await self._send({"type": "pong", **echo})
            case frames.Subscribe():
                await self._subscribe(message)
            case frames.Complete(operation_id):
                work = self._operations.pop(operation_id, None)
                if work is not None:
                    work.cancel()

    async def _init(self, payload: Mapping[str, object], seat: Seat) -> None:
        if self._initialised:
            raise _Ends(Close.FLOOD, "SECOND_INIT")
        self._initialised = True
        self._late.cancel()
        actor, expires_at = await self._verified(payload)
        holder = Holder(
            customer=actor.customer,
            device=actor.device,
            session=actor.session,
            expires_at=expires_at,
        )
        refused = self._desk.sockets.seat(seat, holder)
        if refused is not None:
            code = Close(refused)
            ended = code is not Close.TOO_MANY  # it did while the proof was checked
            raise _Ends(code, "SESSION_ENDED" if ended else "TOO_MANY_SOCKETS")
        self._actor = actor
        await self._send({"type": "connection_ack", "payload": self._ack(expires_at)})

    async def _verified(
        self, payload: Mapping[str, object]
    ) -> tuple[Actor, datetime | None]:
        try:
            async with asyncio.timeout(_VERIFY_S):
                return await self._desk.callers.socket(self._origin, payload)
        except TooManyRequests as fault:
            raise _Ends(Close.TRY_LATER, fault.code) from None
        except RequestFault as fault:
            reason = fault.facts.get("reason", fault.code)
            raise _Ends(Close.REFUSED, str(reason)) from None
        except (TimeoutError, Outage):
            raise _Ends(Close.TRY_LATER, "UNAVAILABLE") from None

    def _ack(self, expires_at: datetime | None) -> dict[str, object]:
        settings = self._desk.settings
        return {
            "pingIntervalMs": int(settings.socket_ping_s * 1000),
            "pingTimeoutMs": int(settings.socket_pong_s * 1000),
            "expiresAt": None if expires_at is None else rfc3339(expires_at),
            "replayMax": settings.replay_max,
            "serverTime": rfc3339(self._desk.clock.now()),
        }

    # -------------------------------------------------------------- operations

    async def _subscribe(self, message: frames.Subscribe) -> None:
        if self._actor is None:
            raise _Ends(Close.REVOKED, "SUBSCRIBE_BEFORE_ACK")
        if message.id in self._operations:
            raise _Ends(Close.ID_IN_USE, "ID_IN_USE")
        origin = replace(self._actor.origin, request_id=request_id())
        actor = replace(self._actor, origin=origin)
        if len(self._operations) >= self._desk.settings.socket_operations:
            operation = Operation(actor.origin.request_id)
            fault = self._desk.masking.fault(TooManyRequests(1), operation)
            await self._send_error(message.id, [fault])
            return
        self._begin(self._operate(message, actor), message.id)

    async def _operate(self, message: frames.Subscribe, actor: Actor) -> None:
        with suppress(_Gone):
            await self._answer(message, actor)

    async def _answer(self, message: frames.Subscribe, actor: Actor) -> None:
        head = b'{"id":' + orjson.dumps(message.id) + b',"type":"next","payload":'
        task = asyncio.current_task()
        try:
            begun = await self._desk.operations.begin(actor, message.request)
            if isinstance(begun, Feed):
                lane = Lane(self, begun, head, message.id)
                self._operations[message.id] = lane
                await self._carry(lane)
                return
            async with aclosing(begun) as answers:
                async for answer in answers:
                    if answer.is_refused:
                        self._free(message.id, task)
                        await self._send_error(message.id, answer.body["errors"])
                        return
                    await self.pass_on(head, answer)
            self._free(message.id, task)
            await self._send({"id": message.id, "type": "complete"})
        except TooSlow:
            self.close(Close.SLOW, "TOO_FAR_BEHIND")
        except _Gone:
            raise
        except Exception as failure:  # noqa: BLE001  -- one operation fails, the socket stays
            self._free(message.id, task)
            operation = Operation(actor.origin.request_id)
            error = self._desk.masking.failure(failure, operation)
            await self._send_error(message.id, [error])

    def _free(self, operation_id: str, work: object) -> None:
        """Give the id back before the last message, so that it may be used at once."""
        if self._operations.get(operation_id) is work:
            del self._operations[operation_id]

    # -------------------------------------------------------------- Line

    def carry(self, lane: Lane) -> asyncio.Task[None]:
        """Run a lane in a task of this socket."""
        return self._own(self._carry(lane))

    async def _carry(self, lane: Lane) -> None:
        try:
            await lane.run()
        except TooSlow:
            self.close(Close.SLOW, "TOO_FAR_BEHIND")
        except _Gone:
            return
        except Exception as failure:  # noqa: BLE001  -- one operation fails, the socket stays
            self._free(lane.name, lane)
            with suppress(_Gone):
                await self._send_error(lane.name, lane.failed(failure))

    async def pass_on(self, head: bytes, answer: Answer) -> None:
        """Send one answer of an operation, as bytes where it is ready."""
        if isinstance(answer, Rendered):
            payload = answer.payload
        else:
            payload = orjson.dumps(answer.body)
        if self.wire is not None and self.wire.is_free:
            self.wire.write_text(head, payload, b"}")
        else:
            await self._write((head + payload + b"}").decode())

    async def finish(self, lane: Lane, answer: Answer) -> None:
        """Send the last answer of a lane that failed, and give its id back."""
        self._free(lane.name, lane)
        if answer.is_refused:
            await self._send_error(lane.name, answer.body["errors"])
            return
        await self._send({"id": lane.name, "type": "next", "payload": answer.body})
        await self._send({"id": lane.name, "type": "complete"})

    # -------------------------------------------------------------- Writer

    def full(self) -> None:
        """Give a reader who does not keep up 10 s to read what waits for him."""
        self._stalled = asyncio.get_running_loop().call_later(
            self._desk.settings.socket_stall_s,
            self.close,
            Close.SLOW,
            "SLOW_CONSUMER",
        )

    def free(self) -> None:
        """Go on where the line was full."""
        if self._stalled is None:
            return
        self._stalled.cancel()
        self._stalled = None
        if not self._ended.done():
            for work in tuple(self._operations.values()):
                if isinstance(work, Lane):
                    work.wake()

    # -------------------------------------------------------------- sending

    async def _ping(self) -> None:
        with suppress(_Gone):
            await self._send({"type": "ping"})

    async def _send_error(self, operation_id: str, errors: object) -> None:
        await self._send({"id": operation_id, "type": "error", "payload": errors})

    async def _send(self, message: Mapping[str, object]) -> None:
        await self._write(orjson.dumps(message).decode())

    async def _write(self, text: str) -> None:
        """Write one frame; a reader who does not read for 10 s loses the socket.

        Raises:
            _Gone: the frame did not leave; the socket is on its way out.
        """
        try:
            async with asyncio.timeout(self._desk.settings.socket_stall_s):
                await self._websocket.send_text(text)
        except TimeoutError:
            self.close(Close.SLOW, "SLOW_CONSUMER")
            raise _Gone from None
        except (WebSocketDisconnect, RuntimeError):
            self._leave()  # RuntimeError: the server ended the line itself, as by 1009
            raise _Gone from None


def _message_in(message: Mapping[str, object]) -> frames.Message:
    text = message.get("text")
    if not isinstance(text, str):
        raise frames.Malformed("text frames only")
    return frames.read(text)
