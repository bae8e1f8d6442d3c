"""Before a socket is accepted: origin, rates, room; then one `Connection` serves it.

The origin rule guards browsers only; what guards the socket is the proof in
`connection_init` (realtime.md section 8.1 of the design).
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from app import ids
from app.auth.actor import Origin
from app.errors import Forbidden, RequestFault, TooManyRequests
from app.schema.transport.codes import Close
from app.schema.transport.desk import Desk
from app.schema.transport.socket import Connection

PROTOCOL = "graphql-transport-ws"
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


OriginOf = Callable[[Scope, Headers, str, int], Origin]


class GraphQLOverSocket:
    """Answers WebSocket handshakes at `/graphql`; an ASGI application, mounted bare.

    Args:
        desk: what all sockets of this process share.
        origin_of: `transport.http.origin_of`, which reads address and language.
    """

    def __init__(self, desk: Desk, origin_of: OriginOf) -> None:
        self._desk = desk
        self._origin_of = origin_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge a handshake and serve the socket until it ends."""
        websocket = WebSocket(scope, receive, send)
        desk, settings = self._desk, self._desk.settings
        origin = self._origin_of(
            scope, websocket.headers, ids.request_id(), settings.trusted_proxies
        )
        sent = websocket.headers.get("origin")
        if not is_welcome(sent, settings.public_url, settings.allowed_origins):
            await _turn_away(websocket, Forbidden(), 403, origin)
            return
        turned = await desk.sockets.admit(origin.address)
        if turned is not None:
            fault = TooManyRequests(turned.retry_after_s)
            await _turn_away(websocket, fault, turned.status, origin)
            return
        if PROTOCOL not in scope["subprotocols"]:
            await websocket.accept()
            await websocket.close(Close.SUBPROTOCOL, "SUBPROTOCOL")
            return
        await websocket.accept(PROTOCOL)
        await Connection(websocket, desk, origin).run()


def is_welcome(sent: str | None, public_url: str, allowed: tuple[str, ...]) -> bool:
    """Judge an `Origin` header.

    None at all is welcome; so is our own host and port under http, https, ws or wss,
    because React Native and Starscream make one from the socket's URL; so are the
    listed ones, compared as written.
    """
    if sent is None or sent in allowed:
        return True
    own = _place_of(public_url)
    return own is not None and _place_of(sent) == own


def _place_of(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    bare = not (parts.path or parts.query or parts.fragment or parts.username)
    if parts.scheme not in _PORTS or not parts.hostname or not bare:
        return None
    return parts.hostname, port


async def _turn_away(
    websocket: WebSocket, fault: RequestFault, status: int, origin: Origin
) -> None:
    """Answer the handshake by HTTP instead of accepting it."""
    extensions = {"code": fault.code, "requestId": origin.request_id} | fault.facts
    error = {"message": fault.sentence, "extensions": extensions}
    headers = {"X-Request-Id": origin.request_id, "Cache-Control": "no-store"}
    if isinstance(fault, TooManyRequests):
        headers["Retry-After"] = str(fault.retry_after_s)
    await websocket.send_denial_response(
        JSONResponse({"errors": [error]}, status, headers)
    )
