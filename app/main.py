"""The front door: one ASGI application around an opened bank.

`/graphql` is answered bare, without the routing and middleware the few other paths go
through. The lifespan opens the bank before the first request and closes it after the
last.
"""

import asyncio
import contextlib
import gc
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from app import ids, page, probes, webhooks, wellknown
from app.bank import Bank, open_bank
from app.partners import Role, require_shared_bus
from app.schema import root
from app.schema.execution import Engine
from app.schema.library import Documents
from app.schema.transport.desk import Desk
from app.schema.transport.handshake import GraphQLOverSocket
from app.schema.transport.http import GraphQLOverHttp, origin_of
from app.schema.transport.operations import SocketOperations
from app.schema.transport.sturdy_http import SturdyHttp
from app.schema.transport.wire import Wire
from app.settings import Environment, Misconfigured, Settings

Opener = Callable[[], AbstractAsyncContextManager[Bank]]

GRAPHQL_PATH = "/graphql"
_YEAR_S = 31_536_000
_SAME_WISH_S = 1.0
_GOODBYE_S = 2.0
# Longer than phones and balancers keep an idle line (60 s): whoever closes first loses
# no request, whoever closes second does.
_KEEP_ALIVE_S = 75
_LOOK_EVERY_S = 0.02
_LISTENING = "0A"  # state of a listening socket in /proc/net/tcp
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class FrontDoor(Starlette):
    """Sends `/graphql` to the edge and every other path to the routes."""

    http: ASGIApp
    sockets: ASGIApp

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or socket, or live through the lifespan.

        While the process drains, an answer ends its line: the next request finds the
        way to another process instead of a line that closes under it.
        """
        if scope["type"] == "http" and self.state.draining:
            send = _last_on_its_line(send)
        if scope["type"] == "lifespan" or scope["path"] != GRAPHQL_PATH:
            await super().__call__(scope, receive, send)
        elif scope["type"] == "websocket":
            await self.sockets(scope, receive, send)
        else:
            await self.http(scope, receive, send)


def create_app(settings: Settings, opener: Opener | None = None) -> FrontDoor:
    """Make the application.

    Args:
        settings: of this process.
        opener: opens the bank; the bank of the settings, in the role of a web process,
            if left out. `demo` gives one that also does the worker's part.

    Raises:
        Misconfigured: a list of trusted documents is broken.
    """
    opened = opener or partial(open_bank, settings, frozenset({Role.WEB}))

    documents = Documents(root.SCHEMA._schema, settings)  # noqa: SLF001  -- the library has no public way

    @asynccontextmanager
    async def lifespan(app: FrontDoor) -> AsyncIterator[None]:
        async with opened() as bank:
            _mount(app, bank, documents)
            gc.freeze()  # what lives as long as the process is not looked at again
            app.state.ready = True
            try:
                yield
            finally:
                app.state.ready = False

    headers = dict(_HEADERS)
    if settings.env is Environment.PRODUCTION:
        headers["Strict-Transport-Security"] = f"max-age={_YEAR_S}; includeSubDomains"
    app = FrontDoor(
        routes=[
            *page.ROUTES,
            *probes.ROUTES,
            *webhooks.ROUTES,
            *wellknown.ROUTES,
        ],
        middleware=[Middleware(SafeHeaders, headers=headers)],
        lifespan=lifespan,
    )
    app.state.ready = app.state.draining = False
    app.state.contract = None if settings.env is Environment.PRODUCTION else root.sdl()
    return app


def _last_on_its_line(send: Send) -> Send:
    async def last(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Connection"] = "close"
        await send(message)

    return last


class SafeHeaders:
    """Puts the headers on every answer outside GraphQL, and a request id.

    Args:
        app: what answers.
        headers: name and value.
    """

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and mark its answer."""
        request_id = ids.request_id()

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                found["X-Request-Id"] = request_id
                for name, value in self._headers.items():
                    found.setdefault(name, value)
                found.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, marked)


def _mount(app: FrontDoor, bank: Bank, documents: Documents) -> None:
    toll = bank.callers.charge
    engine = Engine(root.SCHEMA, bank.settings, bank.clock, toll, documents)
    desk = Desk(
        settings=bank.settings,
        clock=bank.clock,
        sockets=bank.sockets,
        callers=bank.callers,
        operations=SocketOperations(engine, bank),
        masking=engine.masking,
    )
    app.state.bank = bank
    app.http = GraphQLOverHttp(bank, engine)
    app.sockets = GraphQLOverSocket(desk, origin_of)


# ------------------------------------------------------------------ the listening side


def listen(settings: Settings) -> socket.socket:
    """Bind the port of the settings.

    Raises:
        Misconfigured: it is taken; names who holds it, where that can be seen.
    """
    # The protocol is named, or asyncio leaves Nagle's algorithm on: 44 ms an answer.
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((settings.host, settings.port))
    except OSError as taken:
        door.close()
        holder = _holder(settings.port)
        who = f" by process {holder}" if holder else ""
        raise Misconfigured(
            f"port {settings.port} is in use{who} ({taken.strerror}); "
            "end it, or choose another with SIXPENCE_PORT"
        ) from None
    return door


class Server(uvicorn.Server):
    """uvicorn, ended by a signal without raising it again: the exit code says done.

    Args:
        door: what it serves.
        config: of uvicorn.
        ready: called once, when the first request can be answered.
    """

    def __init__(
        self,
        door: FrontDoor,
        config: uvicorn.Config,
        ready: Callable[[], None] | None,
    ) -> None:
        super().__init__(config)
        self._door = door
        self._ready = ready
        self._asked_at = 0.0

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open, and say so."""
        await super().startup(sockets)
        if self.started and self._ready is not None:
            self._ready()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Send everybody elsewhere, so that nothing is lost; then end.

        Unready first, and still answering until the balancer has seen it; then every
        phone goes with a time to come back. What follows waits for the requests and,
        as the bank closes, for the transactions (realtime.md section 10).
        """
        if self._door.state.ready:
            bank: Bank = self._door.state.bank
            self._door.state.draining = True
            await self._until(lambda: False, bank.settings.lb_delay_s)
            await bank.sockets.send_away(lambda: self.force_exit)
            await self._until(lambda: not len(bank.sockets), _GOODBYE_S)
        await super().shutdown(sockets)

    async def _until(self, met: Callable[[], bool], longest_s: float) -> None:
        """Wait so long, or until it holds, or until a second signal."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                while not (met() or self.force_exit):  # noqa: ASYNC110  -- a signal sets no event
                    await asyncio.sleep(_LOOK_EVERY_S)

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Close gently; a second signal closes at once.

        One that comes within a second is the same wish: `make` passes on a signal that
        the whole process group got already.
        """
        now = time.monotonic()
        self.force_exit = self.should_exit and now - self._asked_at > _SAME_WISH_S
        if not self.should_exit:
            self._asked_at = now
        self.should_exit = True


def config_of(app: FrontDoor, settings: Settings) -> uvicorn.Config:
    """Say how uvicorn serves: what the conformance suites hold is held here."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=SturdyHttp,
        ws=Wire,
        ws_max_size=settings.max_body_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # its timeout closes 1011, which no client retries
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.drain_s),
        timeout_keep_alive=_KEEP_ALIVE_S,
    )


async def serve(
    settings: Settings,
    *,
    door: socket.socket | None = None,
    opener: Opener | None = None,
    ready: Callable[[], None] | None = None,
) -> int:
    """Serve until told to stop.

    Args:
        settings: of this process.
        door: a bound socket; one is bound if left out.
        opener: see `create_app`.
        ready: called once, when the first request can be answered.

    Returns:
        The exit code: 0 after a signal, 1 when the bank could not be opened.

    Raises:
        Misconfigured: no bus joins this process with the worker's.
    """
    if opener is None:
        require_shared_bus(settings)
    own = door or listen(settings)
    app = create_app(settings, opener)
    server = Server(app, config_of(app, settings), ready)
    await server.serve(sockets=[own])
    return 0 if server.started else 1


def _holder(port: int) -> int | None:
    """Find the process that listens on a port, where /proc shows it."""
    try:
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        inodes = {
            f"socket:[{fields[9]}]"
            for fields in map(str.split, lines)
            if fields[1].endswith(f":{port:04X}") and fields[3] == _LISTENING
        }
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            with contextlib.suppress(OSError):
                if str(link.readlink()) in inodes:
                    return int(link.parts[2])
    except OSError:
        return None
    return None
