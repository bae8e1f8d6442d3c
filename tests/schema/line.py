"""A real server on a free port, fakes behind its socket, and a client to drive it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from socket import socket as Socket  # noqa: N812  -- `socket` is a word of ours
from typing import Any

import orjson
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.routing import WebSocketRoute
from starlette.types import Scope
from typing_extensions import override
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin as WebOrigin
from websockets.typing import Subprotocol

from app.auth.actor import Actor, Level, Origin
from app.clock import Clock
from app.errors import TooManyRequests, Unauthenticated
from app.ids import CustomerId, DeviceId, SessionId
from app.realtime.sockets import Sockets
from app.realtime.stream import TooSlow
from app.schema.masking import Answer, Masking
from app.schema.transport.desk import Desk, Operations
from app.schema.transport.handshake import PROTOCOL, GraphQLOverSocket
from app.schema.transport.wire import Wire
from app.settings import Settings
from tests.realtime.patience import until

WAIT_S = 15.0


@dataclass
class FakeCallers:
    """Knows the phones that a test named; everything else is refused."""

    phones: dict[str, Actor] = field(default_factory=dict)
    expires_at: datetime | None = None

    def phone(
        self, token: str, *, customer: CustomerId, device: DeviceId | None = None
    ) -> Actor:
        self.phones[token] = Actor(
            origin=Origin(request_id="r", address="127.0.0.1"),
            level=Level.LOGIN,
            customer=customer,
            device=device or DeviceId.new(),
            session=SessionId.new(),
        )
        return self.phones[token]

    async def socket(
        self, origin: Origin, payload: Mapping[str, object]
    ) -> tuple[Actor, datetime | None]:
        token = payload.get("accessToken")
        if token is None:
            return Actor(origin=origin), None
        if token == "slow":
            await asyncio.sleep(60)
        if token == "broken":
            raise ValueError("a secret of ours")
        if token == "hurried":
            raise TooManyRequests(3)
        if not isinstance(token, str) or token not in self.phones:
            raise Unauthenticated("TOKEN_EXPIRED")
        return self.phones[token], self.expires_at


class FakeOperations:
    """Runs what the query text says; counts what is still running."""

    def __init__(self) -> None:
        self.running = 0
        self.sent = 0

    async def begin(
        self, actor: Actor, request: Mapping[str, object]
    ) -> AsyncGenerator[Answer, None]:
        return self.run(actor, request)

    async def run(
        self, actor: Actor, request: Mapping[str, object]
    ) -> AsyncGenerator[Answer, None]:
        self.running += 1
        try:
            async for answer in self._answers(actor, str(request.get("query"))):
                self.sent += 1
                yield answer
        finally:
            self.running -= 1

    async def _answers(self, actor: Actor, query: str) -> AsyncIterator[Answer]:
        match query:
            case "one":
                yield Answer(200, {"data": {"who": str(actor.customer)}})
            case "wait":
                yield Answer(200, {"data": {"n": 0}})
                await asyncio.Event().wait()
            case "refused":
                error = {"message": "No.", "extensions": {"code": "BAD_REQUEST"}}
                yield Answer(400, {"errors": [error]})
            case "breaks":
                yield Answer(200, {"data": {"n": 0}})
                raise ValueError("a secret of ours")
            case "lags":
                raise TooSlow
            case "floods":
                while True:
                    yield Answer(200, {"data": {"text": "x" * 10_000}})
            case _:
                yield Answer(200, {"data": None})


@dataclass
class Line:
    """The running server and what stands behind it."""

    port: int
    settings: Settings
    sockets: Sockets
    callers: FakeCallers
    operations: FakeOperations
    desk: Desk

    @asynccontextmanager
    async def open(
        self,
        *,
        origin: str | None = None,
        subprotocol: str = PROTOCOL,
        **rest: Any,
    ) -> AsyncIterator[ClientConnection]:
        """Open a socket without saying anything."""
        async with connect(
            f"ws://127.0.0.1:{self.port}/graphql",
            subprotocols=[Subprotocol(subprotocol)],
            origin=None if origin is None else WebOrigin(origin),
            compression=None,
            proxy=None,
            **rest,
        ) as client:
            yield client

    @asynccontextmanager
    async def signed_in(
        self, token: str | None = None
    ) -> AsyncIterator[ClientConnection]:
        """Open a socket and pass `connection_init`."""
        async with self.open() as client:
            await init(client, token)
            assert (await heard(client))["type"] == "connection_ack"
            yield client


class PromptServer(uvicorn.Server):
    """Ends as soon as its sockets did; uvicorn's own looks ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()

    @override
    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.ended.wait()

    @override
    async def shutdown(self, sockets: list[Socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        state = self.server_state
        try:
            await until(lambda: not state.connections and not state.tasks, seconds=1)
        except TimeoutError:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            await server.wait_closed()


@asynccontextmanager
async def serving(
    settings: Settings,
    clock: Clock | None = None,
    operations: Operations | None = None,
    wire: type[Wire] = Wire,
) -> AsyncIterator[Line]:
    """Serve until the block ends; without `operations` a fake runs them."""
    clock = clock or Clock()
    sockets = Sockets(settings, clock)
    callers, fake = FakeCallers(), FakeOperations()
    desk = Desk(
        settings=settings,
        clock=clock,
        sockets=sockets,
        callers=callers,
        operations=operations or fake,
        masking=Masking(clock, most=5, tells_why=True),
    )
    door = GraphQLOverSocket(desk, plain_origin)
    app = Starlette(routes=[WebSocketRoute("/graphql", door)])
    server = PromptServer(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            ws=wire,
            ws_max_size=settings.max_body_bytes,
            ws_per_message_deflate=False,
            ws_ping_interval=None,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
    tasks = [asyncio.create_task(server.serve()), asyncio.create_task(sockets.run())]
    async with asyncio.timeout(WAIT_S):
        while not server.started:
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Line(port, settings, sockets, callers, fake, desk)
    finally:
        server.ended.set()
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def plain_origin(scope: Scope, headers: Headers, request: str, hops: int) -> Origin:
    assert headers["host"]
    assert hops == 0
    return Origin(request_id=request, address=scope["client"][0])


async def say(client: ClientConnection, message: object) -> None:
    await client.send(orjson.dumps(message).decode())


async def init(client: ClientConnection, token: str | None = None) -> None:
    payload = {} if token is None else {"accessToken": token, "dpop": "proof"}
    await say(client, {"type": "connection_init", "payload": payload})


async def ask(client: ClientConnection, operation_id: str, query: str) -> None:
    await say(
        client, {"id": operation_id, "type": "subscribe", "payload": {"query": query}}
    )


async def heard(client: ClientConnection) -> dict[str, Any]:
    """Give the next message."""
    async with asyncio.timeout(WAIT_S):
        found: dict[str, Any] = orjson.loads(await client.recv())
        return found


async def closed(client: ClientConnection) -> tuple[int, str]:
    """Wait for the end and give the close code and reason."""
    with pytest.raises(ConnectionClosed) as end:
        await _drained(client)
    close = end.value.rcvd
    assert close is not None, "the line broke without a close frame"
    return close.code, close.reason


async def _drained(client: ClientConnection) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            await client.recv()
