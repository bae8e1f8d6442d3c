"""GraphQL over HTTP as a careful app does it (graphql.md §10, auth.md §2.8)."""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import httpx
import orjson

from mock_mobile_client.documents import Document
from mock_mobile_client.dpop import Covered, make_proof
from mock_mobile_client.errors import Refused, Unreachable
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.lines import line
from mock_mobile_client.values import JsonObject

TIMEOUT_S = 60.0
NONCE_FRESH_S = 110.0  # a server nonce is good for at least 120 s (auth.md §2.8)
NEW_PROOF = frozenset({"USE_DPOP_NONCE", "DPOP_REPLAYED", "DPOP_INVALID"})
INTERNAL = "INTERNAL"
AGAIN_AFTER_S = (1.0, 2.0, 4.0)  # a query that was answered INTERNAL (graphql.md §3.2)
HTTP_UNAVAILABLE = 503
BASE_HEADERS = {
    "content-type": "application/json",
    "accept": "application/graphql-response+json",
    "accept-language": "en-IN",
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """With what one request is signed: nothing, a bare key, or key and token."""

    key: DeviceKey | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer: what GraphQL said, and the request's id."""

    data: JsonObject | None
    errors: tuple[JsonObject, ...]
    request_id: str | None


def encode(text: str, variables: JsonObject, name: str | None = None) -> bytes:
    """Serialise once; these are the bytes that are hashed and sent."""
    body: JsonObject = {"query": text, "variables": variables}
    if name is not None:
        body["operationName"] = name
    return orjson.dumps(body)


def unpack(reply: Reply, field: str) -> JsonObject:
    """The root field's value, or the refusal that came instead.

    Raises:
        Refused: a top-level error, or the first of the payload's `userErrors`.
    """
    if reply.errors:
        raise _refusal(reply.errors[0], reply.request_id)
    value = (reply.data or {}).get(field)
    if value is None:
        return {}
    if isinstance(value, dict) and value.get("userErrors"):
        error = value["userErrors"][0]
        facts = {
            name: fact
            for name, fact in error.items()
            if name not in {"code", "message", "__typename"}
        }
        raise Refused(error["code"], error["message"], facts, reply.request_id)
    return value if isinstance(value, dict) else {field: value}


class Api:
    """One phone's line to the bank. Owns its HTTP connections; close it.

    While `offline` nothing leaves the phone, as in airplane mode.

    Attributes:
        endpoint: The public address, which every proof names.
        door: Where packets go; the same unless another door was named.
        by_id: Whether operations go as ids instead of texts.
        repeated: How many queries went out again after INTERNAL.
    """

    def __init__(
        self,
        url: str,
        clock: Callable[[], float] = time.time,
        door: str | None = None,
        *,
        by_id: bool = False,
    ) -> None:
        self.endpoint = url.rstrip("/") + "/graphql"
        self.door = (door or url).rstrip("/") + "/graphql"
        self.by_id = by_id
        self.offline = False
        self.repeated = 0
        self._clock = clock
        self._nonce: str | None = None
        self._nonce_at = 0.0
        self._http = line(self.door, TIMEOUT_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def call(
        self, document: Document, variables: JsonObject, credentials: Credentials
    ) -> JsonObject:
        """Send a shipped operation and unpack its root field.

        A query that is answered INTERNAL goes out again, at most three times. A
        mutation does not: only who holds its key can repeat it.

        Raises:
            Refused: the bank said no.
            Unreachable: no answer; `sent` says whether the bank may have acted.
        """
        body = self.body(document, variables)
        for most_s in AGAIN_AFTER_S if document.kind == "query" else ():
            reply = await self.send(body, credentials)
            if _code(reply) != INTERNAL:
                return unpack(reply, document.field)
            self.repeated += 1
            await asyncio.sleep(secrets.SystemRandom().uniform(most_s / 2, most_s))
        return unpack(await self.send(body, credentials), document.field)

    def body(self, document: Document, variables: JsonObject) -> bytes:
        """Serialise a shipped operation as this phone sends it: text or id."""
        return orjson.dumps(document.request(variables, by_id=self.by_id))

    async def send(self, body: bytes, credentials: Credentials) -> Reply:
        """Send these bytes, with a new proof where the bank asks for one.

        Retries once per cause: USE_DPOP_NONCE, DPOP_REPLAYED, DPOP_INVALID
        (graphql.md §3.2).
        """
        tried: set[str] = set()
        while True:
            reply = await self._post(body, self._headers(body, credentials))
            cause = _code(reply)
            if credentials.key is None or cause not in NEW_PROOF or cause in tried:
                return reply
            tried.add(cause)

    async def send_under(
        self, body: bytes, covered: bytes, credentials: Credentials
    ) -> Reply:
        """Send these bytes once, under a proof that covers others."""
        return await self._post(body, self._headers(covered, credentials))

    async def send_losing_reply(self, body: bytes, credentials: Credentials) -> None:
        """Send these bytes and close the line right after the last one.

        Raises:
            Unreachable: no line to the bank at all.
        """
        self._be_online()
        address = urlsplit(self.door)
        head = [f"POST {address.path} HTTP/1.1", f"host: {address.netloc}"]
        headers = self._headers(body, credentials) | {"content-length": str(len(body))}
        head += [f"{name}: {value}" for name, value in headers.items()]
        secure = address.scheme == "https"
        port = address.port or (443 if secure else 80)
        try:
            _, sender = await asyncio.open_connection(
                address.hostname, port, ssl=secure or None
            )
        except OSError as error:
            raise Unreachable(f"{self.endpoint} cannot be reached") from error
        sender.write("\r\n".join([*head, "", ""]).encode() + body)
        try:
            await sender.drain()
        finally:
            sender.close()

    def proof(self, covered: Covered, key: DeviceKey) -> str:
        """Sign a proof by the phone's own clock."""
        return make_proof(key, covered, self._clock())

    @property
    def nonce(self) -> str | None:
        """The newest server nonce, while it is surely still good."""
        fresh = time.monotonic() - self._nonce_at < NONCE_FRESH_S
        return self._nonce if fresh else None

    def _headers(self, body: bytes, credentials: Credentials) -> dict[str, str]:
        headers = dict(BASE_HEADERS)
        if credentials.key is not None:
            token, nonce = credentials.token, self.nonce
            covered = Covered("POST", self.endpoint, body, token, nonce)
            headers["dpop"] = self.proof(covered, credentials.key)
        if credentials.token is not None:
            headers["authorization"] = f"DPoP {credentials.token}"
        return headers

    def _be_online(self) -> None:
        if self.offline:
            raise Unreachable("the phone is in airplane mode")

    async def _post(self, body: bytes, headers: dict[str, str]) -> Reply:
        self._be_online()
        try:
            response = await self._http.post(self.door, content=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unreachable(f"{self.endpoint} cannot be reached") from error
        except httpx.HTTPError as error:
            raise Unreachable("the answer was lost on the way", sent=True) from error
        nonce = response.headers.get("dpop-nonce")
        if nonce is not None:
            self._nonce, self._nonce_at = nonce, time.monotonic()
        return _read(response)


def _read(response: httpx.Response) -> Reply:
    """Take a GraphQL answer apart, or say that it is none."""
    request_id = response.headers.get("x-request-id")
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        body = None
    known = isinstance(body, dict) and ("data" in body or "errors" in body)
    if not known or response.status_code == HTTP_UNAVAILABLE:
        text = f"the bank answered HTTP {response.status_code} without GraphQL"
        raise Unreachable(text, sent=response.is_success)
    errors = tuple(body.get("errors") or ())
    return Reply(data=body.get("data"), errors=errors, request_id=request_id)


def _code(reply: Reply) -> str | None:
    """The code of the first top-level error."""
    extensions = reply.errors[0].get("extensions") if reply.errors else None
    return (extensions or {}).get("code")


def _refusal(error: JsonObject, request_id: str | None) -> Refused:
    """A top-level error as a refusal."""
    extensions = dict(error.get("extensions") or {})
    code = str(extensions.pop("code", INTERNAL))
    told = extensions.pop("requestId", None)
    return Refused(code, str(error.get("message", "")), extensions, told or request_id)
