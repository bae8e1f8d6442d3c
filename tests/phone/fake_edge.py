"""The fake bank on the wire: HTTP with DPoP, graphql-transport-ws, and an SMS inbox."""

import asyncio
import hashlib
import json
from functools import cache
from typing import Any

import graphql
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.phone.fake_owner import OwnerBank
from tests.phone.fake_parts import Caller, Customer, Fault, Node, b64u, unb64u, verified

NONCE = b64u(b"nonce of this window, 32 bytes..")
NO_PROOF = {"EnrolmentStart", "EnrolmentVerifyOtp", "EnrolmentProveIdentity"}
ANY_TYPE = {"UserError", "Node"}
_parsed = cache(graphql.parse)  # phones send the same few documents

Place = tuple[str | None, Customer | None, asyncio.Queue[Node]]


class FakeEdge:
    """Reads proofs, runs the bank, and cuts answers to what was selected.

    Attributes:
        wants_nonce: Refuse proofs without the server's nonce.
        replays: How many proofs to call replayed.
        faults: How many operations fail by a mistake of the bank's.
        proofs: The claims of every proof that came.
        sockets: Open sockets: token, customer, queue of what to do next.
    """

    def __init__(self, bank: OwnerBank, url: str) -> None:
        self.bank, self.url = bank, url
        self.wants_nonce = False
        self.replays = self.faults = 0
        self.seen: set[str] = set()
        self.proofs: list[Node] = []
        self.sockets: list[Place] = []
        bank.on_event = self.tell
        bank.on_end = self.close
        bank.is_live = lambda one: any(one is owner for _, owner, _ in self.sockets)
        self.app = Starlette(
            routes=[
                Route("/graphql", self.post, methods=["POST"]),
                WebSocketRoute("/graphql", self.socket),
                Route("/livez", self.livez),
                Route("/phones/{number}/inbox", self.inbox),
                Route("/_clock", self.clock, methods=["GET", "PUT"]),
            ]
        )

    async def post(self, request: Request) -> JSONResponse:
        body = await request.body()
        asked = json.loads(body)
        document = _parsed(asked["query"])
        headers = {"x-request-id": "req-1", "dpop-nonce": NONCE}
        try:
            caller = self.caller(request, body)
            data = self.run(document, caller, asked["variables"])
        except Fault as fault:
            extensions = {"code": fault.code, "requestId": "req-1", **fault.extensions}
            error = {"message": fault.code.lower(), "extensions": extensions}
            return JSONResponse({"errors": [error]}, fault.status, headers)
        return JSONResponse({"data": data}, 200, headers)

    def caller(self, request: Request, body: bytes) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        proof = request.headers.get("dpop")
        if proof is None:
            return Caller()
        if token and scheme != "DPoP":
            raise Fault("UNAUTHENTICATED", 401, reason="TOKEN_INVALID")
        jkt = self.check("POST", self.url + "/graphql", proof, token or None)
        if self.proofs[-1].get("bh") != b64u(hashlib.sha256(body).digest()):
            raise Fault("DPOP_INVALID", 401)
        return Caller(jkt, token or None)

    def check(self, method: str, url: str, proof: str, token: str | None) -> str:
        """Auth.md §2.8, as far as a test needs it."""
        head, middle, signature = proof.split(".")
        header, claims = json.loads(unb64u(head)), json.loads(unb64u(middle))
        self.proofs.append(claims)
        jwk = header["jwk"]
        ath = b64u(hashlib.sha256(token.encode()).digest()) if token else None
        right = {"htm": method, "htu": url, "ath": ath}
        if not verified(jwk, signature, f"{head}.{middle}".encode()):
            raise Fault("DPOP_INVALID", 401)
        if {name: claims.get(name) for name in right} != right:
            raise Fault("DPOP_INVALID", 401)
        if self.wants_nonce and claims.get("nonce") != NONCE:
            raise Fault("USE_DPOP_NONCE", 401)
        if self.replays > 0 or claims["jti"] in self.seen:
            self.replays -= 1
            raise Fault("DPOP_REPLAYED", 401)
        self.seen.add(claims["jti"])
        name = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'
        return b64u(hashlib.sha256(name.encode()).digest())

    def run(self, document: Any, caller: Caller, variables: Node) -> Node:
        operation = document.definitions[0]
        self.bank.calls.append(operation.name.value)
        if self.faults > 0:
            self.faults -= 1
            raise Fault("INTERNAL", 500)
        if (caller.jkt is None) is not (operation.name.value in NO_PROOF):
            known = {"ServiceStatus", "AppPolicy"}
            if operation.name.value not in known:
                raise Fault("DPOP_REQUIRED", 401)
        field = operation.selection_set.selections[0]
        given = variables.get("input", variables)
        value = getattr(self.bank, field.name.value)(caller, given)
        return {field.name.value: project(value, field.selection_set, document)}

    async def socket(self, websocket: WebSocket) -> None:
        if websocket.headers.get("origin") is not None:
            await websocket.close(4403)
            return
        await websocket.accept("graphql-transport-ws")
        try:
            await self.serve(websocket)
        except WebSocketDisconnect:
            return

    async def serve(self, websocket: WebSocket) -> None:
        init = (await websocket.receive_json())["payload"]
        token, owner = init.get("accessToken"), None
        try:
            if init:
                owner = self.holder(init)
        except Fault:
            await websocket.close(4403, "proof refused")
            return
        await websocket.send_json({"type": "connection_ack", "payload": {}})
        queue: asyncio.Queue[Node] = asyncio.Queue()
        place = (token, owner, queue)
        self.sockets.append(place)
        selections: dict[str, tuple[str, Any, Any]] = {}
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(self.read(websocket, queue))
            try:
                await self.write(websocket, owner, queue, selections)
            finally:
                reader.cancel()
                self.sockets.remove(place)

    def holder(self, init: Node) -> Customer:
        token, url = init["accessToken"], "ws" + self.url.removeprefix("http")
        jkt = self.check("GET", url + "/graphql", init["dpop"], token)
        return self.bank.signed_in(Caller(jkt, token)).owner

    async def read(self, websocket: WebSocket, queue: asyncio.Queue[Node]) -> None:
        try:
            while True:
                queue.put_nowait({"client": await websocket.receive_json()})
        except WebSocketDisconnect:
            queue.put_nowait({"close": 1000})

    async def write(
        self,
        websocket: WebSocket,
        owner: Customer | None,
        queue: asyncio.Queue[Node],
        selections: dict[str, tuple[str, Any, Any]],
    ) -> None:
        while True:
            item = await queue.get()
            if "close" in item:
                if item["close"] != 1000:
                    await websocket.close(item["close"], item.get("reason", ""))
                return
            if "raw" in item:
                await websocket.send_json(item["raw"])
                continue
            if "client" in item:
                await self.start(websocket, owner, item["client"], selections)
                continue
            event = item["event"]
            await send(websocket, selections, "events", event)
            if event["event"]["__typename"] == "BalanceChanged":
                await send(websocket, selections, "balanceChanged", event["event"])
            if event["event"]["__typename"] == "PaymentChanged":
                await progress(websocket, selections, event["event"]["payment"])

    async def start(
        self,
        websocket: WebSocket,
        owner: Customer | None,
        message: Node,
        selections: dict[str, tuple[str, Any, Any]],
    ) -> None:
        try:
            nodes = self.subscribed(owner, message, selections)
        except Fault as fault:
            await websocket.send_json(refused(message, fault))
            return
        for field, node in nodes:
            if field == "paymentProgress":
                await progress(websocket, selections, node)
            else:
                await send(websocket, selections, field, node)

    def subscribed(
        self, owner: Customer | None, message: Node, selections: dict[str, Any]
    ) -> list[tuple[str, Node]]:
        if message["type"] != "subscribe":
            return []
        document = _parsed(message["payload"]["query"])
        field = document.definitions[0].selection_set.selections[0]  # type: ignore[attr-defined]  # a subscription
        name = field.name.value
        selections[name] = (message["id"], field.selection_set, document)
        if name == "serviceStatusChanged":
            return [(name, one) for one in self.bank.serviceStatus(Caller(), {})]
        if owner is None:
            raise Fault("UNAUTHENTICATED", 401, reason="TOKEN_MISSING")
        return [(name, node) for node in self.first(owner, name, message, selections)]

    def first(
        self, owner: Customer, name: str, message: Node, selections: dict[str, Any]
    ) -> list[Node]:
        """What a subscription of a customer tells at once."""
        variables = message["payload"]["variables"]
        if name == "balanceChanged":
            accounts = owner.accounts
            return [{"account": a.node(), "balance": a.balance()} for a in accounts]
        if name == "paymentProgress":
            payment = self.bank.payments[variables["paymentId"]]
            selections[f"{name} {payment['id']}"] = selections.pop(name)
            return [payment]
        if name == "eventsAck":
            return [self.bank.eventsAck(Caller(), variables["input"])]
        return self.bank.openings(owner, variables.get("after"))

    def tell(self, customer: Customer, envelope: Node) -> None:
        for _, owner, queue in self.sockets:
            if owner is customer:
                queue.put_nowait({"event": envelope})

    def close(self, token: str, code: int, reason: str = "") -> None:
        for used, _, queue in self.sockets:
            if used == token:
                queue.put_nowait({"close": code, "reason": reason})

    async def livez(self, _: Request) -> JSONResponse:
        return JSONResponse({})

    async def clock(self, request: Request) -> JSONResponse:
        if request.method == "PUT":
            self.bank.offset_s = (await request.json())["offset_s"]
        shown = {"offset_s": self.bank.offset_s, "movable": self.bank.movable}
        return JSONResponse(shown)

    async def inbox(self, request: Request) -> JSONResponse:
        address, asked = request.path_params["number"], request.query_params
        after, left_s = int(asked["after"]), float(asked["wait"])
        while left_s > 0 and len(self.bank.inbox_of(address)) <= after:
            if await request.is_disconnected():
                break
            await asyncio.sleep(0.01)
            left_s -= 0.01
        rows = self.bank.inbox_of(address)
        fresh = [row for row in rows if row["id"] > after]
        return JSONResponse({"messages": fresh, "next": max(after, len(rows))})


async def send(
    websocket: WebSocket, selections: dict[str, Any], field: str, node: Node
) -> None:
    if field in selections:
        operation, selection, document = selections[field]
        payload = {"data": {field: project(node, selection, document)}}
        await websocket.send_json({"id": operation, "type": "next", "payload": payload})


async def progress(
    websocket: WebSocket, selections: dict[str, Any], payment: Node
) -> None:
    """Tell one payment's own stream, and end it with the payment."""
    key = f"paymentProgress {payment['id']}"
    if key in selections:
        operation, selection, document = selections[key]
        data = {"paymentProgress": project(payment, selection, document)}
        next_ = {"id": operation, "type": "next", "payload": {"data": data}}
        await websocket.send_json(next_)
        if payment["status"] in {"SETTLED", "DECLINED"}:
            del selections[key]
            await websocket.send_json({"id": operation, "type": "complete"})


def project(value: Any, selection: Any, document: Any) -> Any:
    """Cut a value to a selection: what was not selected is not there."""
    if isinstance(value, list):
        return [project(member, selection, document) for member in value]
    if value is None or selection is None:
        return value
    out: Node = {}
    for part in selection.selections:
        if part.kind == "field":
            name = part.name.value
            empty: Any = [] if name == "userErrors" else None
            member = value.get(name, empty)
            out[name] = project(member, part.selection_set, document)
        elif part.kind == "fragment_spread":
            found = fragment(document, part.name.value)
            out |= project(value, found.selection_set, document)
        elif fits(part.type_condition.name.value, value):
            out |= project(value, part.selection_set, document)
    return out


def refused(message: Node, fault: Fault) -> Node:
    """The frame that ends one operation; the socket stays."""
    extensions = {"code": fault.code, "requestId": "req-1", **fault.extensions}
    error = {"message": fault.code.lower(), "extensions": extensions}
    return {"id": message["id"], "type": "error", "payload": [error]}


def fragment(document: Any, name: str) -> Any:
    return next(d for d in document.definitions[1:] if d.name.value == name)


def fits(condition: str, value: Node) -> bool:
    return condition in ANY_TYPE or value.get("__typename") == condition
