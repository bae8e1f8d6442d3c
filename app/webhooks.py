"""`POST /callbacks/{rail}`: where partners call us. Cap, verify, keep, 202; no more.

`POST /hooks/{core}/{secret}`: where a remote core says that an account changed. Nobody
signs that, so it moves nothing: the account is looked at, and 202 says nothing else.

What is not believed is answered 401 without a word about why, and counted.
"""

from collections.abc import Awaitable, Mapping
from http import HTTPStatus
from types import MappingProxyType

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app import telemetry
from app.bank import Bank
from app.errors import NotFound, Outage
from app.integrations.webhooks import BODY_BYTES_MAX, Expired, Forged

PATH = "/callbacks/{rail}"
HOOKS = "/hooks/{core}/{secret}"


_NOES: Mapping[type[Exception], HTTPStatus] = MappingProxyType(
    {
        NotFound: HTTPStatus.NOT_FOUND,
        Forged: HTTPStatus.UNAUTHORIZED,
        Expired: HTTPStatus.UNAUTHORIZED,
        ClientDisconnect: HTTPStatus.BAD_REQUEST,
        Outage: HTTPStatus.SERVICE_UNAVAILABLE,
    }
)


async def take(request: Request) -> Response:
    """Take one call of a partner."""
    return await _answered(_taken(request))


async def hear(request: Request) -> Response:
    """Take one hint of a core."""
    return await _answered(_heard(request))


async def _answered(taking: Awaitable[HTTPStatus]) -> Response:
    try:
        status = await taking
    except tuple(_NOES) as no:
        status = next(_NOES[kind] for kind in _NOES if isinstance(no, kind))
    return JSONResponse({"status": status.phrase}, status)


async def _taken(request: Request) -> HTTPStatus:
    bank: Bank = request.app.state.bank
    body = await _body(request)
    if body is None:
        telemetry.callbacks.labels("", "too_long").inc()
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    rail = request.path_params["rail"].upper()
    await bank.callbacks.take(rail, dict(request.headers), body)
    return HTTPStatus.ACCEPTED


async def _heard(request: Request) -> HTTPStatus:
    bank: Bank = request.app.state.bank
    body = await _body(request)
    if body is None:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if bank.feed is None:
        raise NotFound
    named = request.path_params
    await bank.feed.called(named["core"], named["secret"], body)
    return HTTPStatus.ACCEPTED


async def _body(request: Request) -> bytes | None:
    """Read the body; None when it is longer than the cap."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            return None
    return body


ROUTES = [
    Route(PATH, take, methods=["POST"]),
    Route(HOOKS, hear, methods=["POST"]),
]
