"""GraphQL over HTTP: one POST, one JSON object, one answer that is always GraphQL.

An ASGI application, mounted bare. It checks method, media types and size before it
reads a byte, proves the caller, lets the engine answer and sets the headers every
response carries. Source: graphql.md section 10; GraphQL over HTTP (draft of the GraphQL
foundation); RFC 9449 section 7.1 for the challenge.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app import ids
from app.auth.actor import Actor, Origin
from app.bank import Bank
from app.errors import (
    BadRequest,
    DpopInvalid,
    DpopReplayed,
    Outage,
    RequestFault,
    Unauthenticated,
    UseDpopNonce,
)
from app.schema.context import Context
from app.schema.execution import Call, Engine
from app.schema.masking import Answer, Operation
from app.schema.transport.packing import ENCODING, packed
from app.schema.transport.weights import weights_of

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
_KEPT_STATUS = frozenset({401, 403, 429, 503})  # told by status to old clients too
_AGENT_MAX = 200
_LANGUAGE_MAX = 35  # BCP 47: the longest tag a server must take
_READ_S = 10.0  # a body that takes longer is not a phone on a slow line

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP",
    "Access-Control-Max-Age": "600",
}

_USE_POST = "This address answers GraphQL by POST; people start at /."
_NOT_JSON = "The body is application/json in UTF-8, without Content-Encoding."
_NOT_ACCEPTED = f"Answers are {GRAPHQL} or {JSON}."
_TOO_LARGE = "The body is too large."
_TOO_SLOW = "The body came too slowly."


@dataclass(slots=True)
class _Stop(Exception):
    """The transport refuses: a status and a fixed sentence."""

    status: int
    why: str
    headers: Mapping[str, str] = field(default_factory=dict)


class GraphQLOverHttp:
    """Answers `POST /graphql`.

    Args:
        bank: opened; proves callers and does the work.
        engine: prepares and runs operations.
    """

    def __init__(self, bank: Bank, engine: Engine) -> None:
        self._bank = bank
        self._engine = engine
        self._settings = bank.settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing escapes but a cancellation."""
        headers = Headers(scope=scope)
        request_id = ids.request_id()
        media = _media(headers.getlist("accept")) or GRAPHQL
        extra = self._headers(headers, request_id)
        if scope["method"] == "OPTIONS" and "Access-Control-Allow-Origin" in extra:
            extra |= _PREFLIGHT
            await Response(status_code=204, headers=extra)(scope, receive, send)
            return
        told = Operation(request_id)
        masking = self._engine.masking
        try:
            answer = await self._answer(scope, headers, receive, request_id)
            if media == JSON:
                answer = _for_old_clients(answer)
        except _Stop as stop:
            shown = masking.refused(BadRequest(stop.why), told, public_why=True)
            answer = Answer(stop.status, shown.body)
            extra |= stop.headers
        except RequestFault as fault:
            answer = masking.refused(fault, told, public_why=True)
        except Outage as outage:
            answer = Answer(503, masking.broken(outage, told).body)
            extra["Retry-After"] = str(outage.retry_after_s or 1)
        except Exception as bug:  # noqa: BLE001  -- the outer frame of the edge: masked and logged
            answer = masking.broken(bug, told)
        extra |= _told(answer)
        body = orjson.dumps(answer.body)
        wishes = headers.getlist("accept-encoding")
        small = packed(body, packable=answer.packable, sent=wishes)
        if small is not None:
            body, extra["Content-Encoding"] = small, ENCODING
        reply = Response(body, answer.status, extra, f"{media}; charset=utf-8")
        await reply(scope, receive, send)

    async def _answer(
        self, scope: Scope, headers: Headers, receive: Receive, request_id: str
    ) -> Answer:
        _require_request(scope, headers)
        body = await self._body(headers, receive)
        origin = origin_of(scope, headers, request_id, self._settings.trusted_proxies)
        actor = await self._actor(origin, headers, body)
        context = Context(self._bank, actor, request_id)
        return await self._engine.run(context, _call(body))

    async def _actor(self, origin: Origin, headers: Headers, body: bytes) -> Actor:
        return await self._bank.callers.http(
            origin, headers.get("authorization"), headers.getlist("dpop"), body
        )

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        """Read the body, at most what is allowed, whatever Content-Length says."""
        most = self._settings.max_body_bytes
        too_large = _Stop(413, _TOO_LARGE, {"Connection": "close"})
        declared = headers.get("content-length", "0")
        if not declared.isascii() or not declared.isdigit() or int(declared) > most:
            raise too_large
        parts: list[bytes] = []
        length = 0
        try:
            async with asyncio.timeout(_READ_S):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Stop(400, _TOO_SLOW, {"Connection": "close"})
                    part = message.get("body", b"")
                    length += len(part)
                    if length > most:
                        raise too_large
                    parts.append(part)
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise _Stop(408, _TOO_SLOW, {"Connection": "close"}) from None

    def _headers(self, sent: Headers, request_id: str) -> dict[str, str]:
        headers = {
            "Cache-Control": "no-store",
            "Vary": "Accept, Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": request_id,
            "DPoP-Nonce": self._bank.callers.nonce(),
        }
        if not self._settings.allowed_origins:
            return headers
        headers["Vary"] += ", Origin"
        asking = sent.get("origin")
        if asking is not None and asking in self._settings.allowed_origins:
            headers["Access-Control-Allow-Origin"] = asking
            headers["Access-Control-Expose-Headers"] = (
                "DPoP-Nonce, Retry-After, X-Request-Id"
            )
        return headers


def origin_of(
    scope: Scope, headers: Headers, request_id: str, trusted_proxies: int
) -> Origin:
    """Tell where a request comes from.

    Args:
        scope: of the connection.
        headers: of the request.
        request_id: made for it.
        trusted_proxies: entries of X-Forwarded-For, from the right, that are ours.
    """
    return Origin(
        request_id=request_id,
        address=_address(scope, headers, trusted_proxies),
        language=_language(headers.get("accept-language")),
        agent=(headers.get("user-agent") or "")[:_AGENT_MAX] or None,
    )


def _require_request(scope: Scope, headers: Headers) -> None:
    if scope["method"] != "POST":
        raise _Stop(405, _USE_POST, {"Allow": "POST"})
    if _media(headers.getlist("accept")) is None:
        raise _Stop(406, _NOT_ACCEPTED)
    if not _is_json(headers):
        raise _Stop(415, _NOT_JSON)


def _call(body: bytes) -> Call:
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequest("The body is not JSON.") from None
    return Call.of(sent)


def _for_old_clients(answer: Answer) -> Answer:
    """Answer 200 to whom accepts only application/json, but where DPoP needs more."""
    if answer.status in _KEPT_STATUS:
        return answer
    return replace(answer, status=200)


def _told(answer: Answer) -> dict[str, str]:
    """Give the headers that say again what the first error says."""
    errors = answer.body.get("errors")
    if not isinstance(errors, list) or not errors:
        return {}
    facts = errors[0]["extensions"]
    if "retryAfterSeconds" in facts:
        return {"Retry-After": str(facts["retryAfterSeconds"])}
    if answer.status == 401:  # noqa: PLR2004  -- HTTP's own number
        return {"WWW-Authenticate": _challenge(facts)}
    return {}


def _challenge(facts: Mapping[str, object]) -> str:
    """Write the challenge of RFC 9449 section 7.1."""
    code = facts["code"]
    error: str | None = None
    if code == UseDpopNonce.code:
        error = "use_dpop_nonce"
    elif code in {DpopInvalid.code, DpopReplayed.code}:
        error = "invalid_dpop_proof"
    elif code == Unauthenticated.code and facts.get("reason") != "TOKEN_MISSING":
        error = "invalid_token"
    told = 'DPoP algs="ES256"'
    return told if error is None else f'{told}, error="{error}"'


def _media(accept: list[str]) -> str | None:
    """Choose the media type of the answer; None when nothing of ours is accepted.

    The greater weight wins (RFC 9110 section 12.5.1). GraphQL's own type has to be
    named: who takes anything gets what every client reads (decision 0023).
    """
    weights = weights_of(accept)
    if not weights:
        return JSON
    graphql, plain = _weight(weights, GRAPHQL), _weight(weights, JSON)
    if graphql > plain or (graphql == plain > 0 and GRAPHQL in weights):
        return GRAPHQL
    return JSON if plain > 0 else None


def _weight(weights: Mapping[str, float], media: str) -> float:
    """Give the weight of the most exact range that fits."""
    fitting = (one for one in (media, "application/*", "*/*") if one in weights)
    return weights.get(next(fitting, ""), 0.0)


def _is_json(headers: Headers) -> bool:
    if "content-encoding" in headers:
        return False
    kind, _, rest = headers.get("content-type", "").partition(";")
    if kind.strip().lower() != JSON:
        return False
    parameters = [part.strip().lower() for part in rest.split(";") if part.strip()]
    return all(one in {"charset=utf-8", 'charset="utf-8"'} for one in parameters)


def _language(accepted: str | None) -> str:
    first = (accepted or "").split(",")[0].split(";")[0].strip()
    known = first.replace("-", "").isalnum() and first.isascii()
    return first if known and len(first) <= _LANGUAGE_MAX else ""


def _address(scope: Scope, headers: Headers, trusted_proxies: int) -> str:
    client = scope.get("client")
    hops = [client[0] if client else "unknown"]
    for line in reversed(headers.getlist("x-forwarded-for")):
        hops.extend(part.strip() for part in reversed(line.split(",")))
    return hops[min(trusted_proxies, len(hops) - 1)]
