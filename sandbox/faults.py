"""The fault plan: what goes wrong at a partner, when, and as often as asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from sandbox.intake import Endpoint, Refused, json_object
from sandbox.line import Line
from sandbox.rules import CALLBACK_KINDS, Rule, read_rule

RULES_MAX = 100
NOBODY_LISTENS = 499  # as web servers log it; nobody reads it
SLOW_PARTS = 10  # a slow body comes in this many pieces

AddressOf = Callable[[Request], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class _Door:
    """One partner route, its endpoint, and whose address a request names."""

    route: str
    endpoint: Endpoint
    address_of: AddressOf


class FaultPlan:
    """All rules in force, tried in the order in which they were set.

    A latency rule delays and lets the next rule have its say; of the others the first
    that fires decides.

    Args:
        line: breaks connections and closes the port.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._rules: list[Rule] = []
        self._routes: list[str] = []

    def around(
        self, route: str, endpoint: Endpoint, address_of: AddressOf
    ) -> Callable[[Request], Awaitable[Response]]:
        """Give an endpoint that suffers the faults set for its route."""
        if route not in self._routes:  # reads and writes of one path share their faults
            self._routes.append(route)
        door = _Door(route, endpoint, address_of)

        async def suffering(request: Request) -> Response:
            self._line.partner_called(request)
            try:
                return await self._answer(door, request)
            except ClientDisconnect:  # the bank waited long enough
                return Response(status_code=NOBODY_LISTENS)

        return suffering

    def callbacks(self, route: str, address: str | None) -> list[Rule]:
        """Give the rules that fire for what a partner will call about."""
        return [
            rule
            for rule in self._rules
            if rule.kind in CALLBACK_KINDS and rule.meets(route, address)
        ]

    async def put(self, request: Request) -> Response:
        """`PUT /_faults`: set a rule; one of the same route, address, kind goes.

        `refuse-connection` closes the port to everybody for `latency_ms`, because a
        connection is refused before it can name a route; then it opens by itself.
        """
        rule = read_rule(await json_object(request), self._routes)
        if rule.kind == "refuse-connection":
            seconds = rule.latency_ms / 1000
            pause = BackgroundTask(self._line.refuse_for, seconds, request)
            return JSONResponse(self._shown(), background=pause)
        rest = [r for r in self._rules if r.subject() != rule.subject()]
        if len(rest) >= RULES_MAX:
            raise Refused(409, "TOO_MANY", f"There are {RULES_MAX} rules already.")
        self._rules = [*rest, rule]
        return JSONResponse(self._shown())

    async def show(self, _request: Request) -> Response:
        """`GET /_faults`: the rules, how often each fired, and all routes."""
        return JSONResponse(self._shown())

    async def clear(self, _request: Request) -> Response:
        """`DELETE /_faults`: forget every rule and open the port."""
        self._rules = []
        self._line.open_again()
        return JSONResponse(self._shown())

    def _shown(self) -> dict[str, object]:
        rules = [rule.shown() for rule in self._rules]
        return {"faults": rules, "routes": self._routes}

    async def _answer(self, door: _Door, request: Request) -> Response:
        address = await door.address_of(request)
        for rule in self._rules:
            if rule.kind in CALLBACK_KINDS or not rule.meets(door.route, address):
                continue
            if rule.kind != "latency":
                return await self._suffer(rule, door.endpoint, request)
            await asyncio.sleep(rule.latency_ms / 1000)
        return await door.endpoint(request)

    async def _suffer(
        self, rule: Rule, endpoint: Endpoint, request: Request
    ) -> Response:
        match rule.kind:
            case "http-status" | "429":
                return rule.refusal()
            case "drop-before-work":
                return await self._line.cut(request)
            case "drop-after-work":
                await endpoint(request)
                return await self._line.cut(request)
            case "malformed-json":
                return _malformed(await endpoint(request))
            case _:
                return await _slow(await endpoint(request), rule.latency_ms / 1000)


def _malformed(answer: Response) -> Response:
    """Keep the status and break the JSON: half of it, and no closing brace."""
    body = bytes(answer.body)
    half = body[: max(1, len(body) // 2)] if body else b"{"
    return Response(half, answer.status_code, media_type="application/json")


async def _slow(answer: Response, seconds: float) -> Response:
    """Send the head at once and the body in pieces spread over the seconds.

    An answer without a body is kept back as a whole, for its head says everything.
    """
    body = bytes(answer.body)
    if not body:
        await asyncio.sleep(seconds)
        return answer
    size = max(1, -(-len(body) // SLOW_PARTS))
    parts = [body[at : at + size] for at in range(0, len(body), size)]

    async def drip() -> AsyncIterator[bytes]:
        for part in parts:
            await asyncio.sleep(seconds / len(parts))
            yield part

    headers = {"content-length": str(len(body))}
    return StreamingResponse(
        drip(), answer.status_code, headers, media_type=answer.media_type
    )
