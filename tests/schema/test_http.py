"""GraphQL over HTTP: methods, media types, sizes, statuses, headers."""

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import orjson
import pytest
from starlette.types import Message

from app.schema.transport.http import GraphQLOverHttp
from tests.schema.tiny import SECRET, FakeBank, a_bank, an_engine

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
PING = {"query": "{ ping }"}


def a_client(bank: FakeBank) -> httpx.AsyncClient:
    edge = GraphQLOverHttp(cast("Any", bank), an_engine(bank))
    transport = httpx.ASGITransport(app=edge)
    return httpx.AsyncClient(transport=transport, base_url="http://bank.test")


async def sent(
    bank: FakeBank | None = None,
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    body: object = PING,
) -> httpx.Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    told = {"content-type": "application/json", "accept": GRAPHQL} | (headers or {})
    async with a_client(bank or a_bank()) as client:
        return await client.request(method, "/graphql", content=content, headers=told)


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["errors"][0]["extensions"]["code"])


async def test_a_query_is_answered_in_the_media_type_of_graphql() -> None:
    answer = await sent()

    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"
    assert answer.json()["data"] == {"ping": "pong"}


async def test_every_answer_carries_the_headers_of_the_edge() -> None:
    for answer in (await sent(), await sent(method="GET"), await sent(body=b"{")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["vary"] == "Accept, Accept-Encoding"
        assert answer.headers["dpop-nonce"] == "nonce-of-now"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert len(answer.headers["x-request-id"]) == 16


async def test_the_request_id_of_the_header_stands_in_the_error() -> None:
    answer = await sent(body={"query": "{ boom }"})

    shown = answer.json()["errors"][0]["extensions"]["requestId"]
    assert shown == answer.headers["x-request-id"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_only_post_is_answered(method: str) -> None:
    answer = await sent(method=method)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


async def test_a_browser_at_the_address_is_told_where_people_start() -> None:
    answer = await sent(method="GET", headers={"accept": "text/html,*/*"})

    why = answer.json()["errors"][0]["extensions"]["why"]
    assert why == "This address answers GraphQL by POST; people start at /."


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, application/json;q=0.9", GRAPHQL),
        (f"application/json, {GRAPHQL}; charset=utf-8", GRAPHQL),
        (f"{GRAPHQL};q=0.5, */*;q=0.5", GRAPHQL),
        ("application/json;q=0.5, */*", GRAPHQL),
        ("application/json;q=0, */*", GRAPHQL),
        ("*/*", JSON),
        ("", JSON),
        (" , ", JSON),
        ("application/*", JSON),
        ("application/json, text/plain, */*", JSON),
        (f"application/json, {GRAPHQL};q=0.5", JSON),
        (f"application/json, {GRAPHQL};q=0", JSON),
        (f"application/json;q=7, {GRAPHQL};q=0.999", JSON),
        ("APPLICATION/JSON", JSON),
        ("application/json;q=0.9, text/html", JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
    ],
)
async def test_the_media_type_follows_accept(accept: str, media: str) -> None:
    answer = await sent(headers={"accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{media}; charset=utf-8"


async def test_several_accept_lines_are_one() -> None:
    lines = [("accept", "text/html"), ("accept", GRAPHQL)]
    async with a_client(a_bank()) as client:
        del client.headers["accept"]
        answer = await client.post("/graphql", json=PING, headers=lines)

    assert answer.headers["content-type"] == f"{GRAPHQL}; charset=utf-8"


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json;q=0", "*/*;q=0", "application/jsonp"]
)
async def test_what_is_not_accepted_here_is_406(accept: str) -> None:
    answer = await sent(headers={"accept": accept})

    assert (answer.status_code, code_of(answer)) == (406, "BAD_REQUEST")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": ""},
        {"content-encoding": "gzip"},
        {"content-encoding": "identity"},
    ],
)
async def test_other_bodies_than_plain_json_are_415(headers: dict[str, str]) -> None:
    bank = a_bank()

    answer = await sent(bank, headers=headers)

    assert (answer.status_code, code_of(answer)) == (415, "BAD_REQUEST")
    assert bank.callers.bodies == []


async def test_a_charset_of_utf_8_is_fine() -> None:
    told = {"content-type": 'Application/JSON; charset="UTF-8"'}

    assert (await sent(headers=told)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"null",
        b"7",
        b'"text"',
        b'[{"query": "{ ping }"}]',
        b"[]",
        b"{}",
        b'{"query": 1}',
        b'{"query": "{ ping }", "variables": [1]}',
        b'{"query": "{ ping }", "operationName": {}}',
        b'{"query": "{ ping }", "variables": ' + b'{"a":' * 2000 + b"1" + b"}" * 2001,
    ],
)
@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_a_body_that_is_no_request_is_400_for_every_client(
    body: bytes, accept: str
) -> None:
    answer = await sent(body=body, headers={"accept": accept})

    assert (answer.status_code, code_of(answer)) == (400, "BAD_REQUEST")
    assert "data" not in answer.json()


async def test_a_body_over_the_limit_is_413_and_closes() -> None:
    bank = a_bank()

    answer = await sent(bank, body={"query": "{ ping }" + " " * 65_536})

    assert (answer.status_code, code_of(answer)) == (413, "BAD_REQUEST")
    assert answer.headers["connection"] == "close"
    assert bank.callers.bodies == []


async def test_a_body_without_a_length_is_counted_while_it_comes() -> None:
    bank = a_bank(max_body_bytes=1000)
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield b" " * 100

    told = {"content-type": "application/json"}
    async with a_client(bank) as client:
        answer = await client.post("/graphql", content=endless(), headers=told)

    assert answer.status_code == 413
    assert read < 1000
    assert bank.callers.bodies == []


async def test_a_length_that_lies_is_not_believed() -> None:
    bank = a_bank(max_body_bytes=100)
    edge = GraphQLOverHttp(cast("Any", bank), an_engine(bank))
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b" " * 101, "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    headers = [(b"content-type", b"application/json"), (b"content-length", b"5")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers}
    await edge(scope, receive, send)

    assert said[0]["status"] == 413


@pytest.mark.parametrize(
    ("query", "graphql_status", "json_status"),
    [
        ("{ ping", 400, 200),
        ("{ pong }", 400, 200),
        ("{ boom }", 500, 200),
        ("{ mine }", 401, 401),
        ("{ bare }", 403, 403),
        ("{ crack ping }", 200, 200),
    ],
)
async def test_old_clients_get_200_but_where_dpop_needs_the_status(
    query: str, graphql_status: int, json_status: int
) -> None:
    modern = await sent(body={"query": query})
    old = await sent(body={"query": query}, headers={"accept": "application/json"})

    assert (modern.status_code, old.status_code) == (graphql_status, json_status)


@pytest.mark.parametrize(
    ("name", "code", "challenge"),
    [
        ("expired", "UNAUTHENTICATED", 'DPoP algs="ES256", error="invalid_token"'),
        ("replayed", "DPOP_REPLAYED", 'DPoP algs="ES256", error="invalid_dpop_proof"'),
        ("invalid", "DPOP_INVALID", 'DPoP algs="ES256", error="invalid_dpop_proof"'),
        ("nonce", "USE_DPOP_NONCE", 'DPoP algs="ES256", error="use_dpop_nonce"'),
    ],
)
async def test_a_refused_proof_is_401_with_the_challenge_of_rfc_9449(
    name: str, code: str, challenge: str
) -> None:
    answer = await sent(headers={"authorization": f"DPoP {name}"})

    assert (answer.status_code, code_of(answer)) == (401, code)
    assert answer.headers["www-authenticate"] == challenge
    assert "data" not in answer.json()


async def test_a_missing_token_is_challenged_without_an_error() -> None:
    answer = await sent(body={"query": "{ mine }"})

    assert answer.headers["www-authenticate"] == 'DPoP algs="ES256"'


async def test_too_many_requests_say_how_long_to_wait() -> None:
    answer = await sent(headers={"authorization": "DPoP crowded"})

    assert (answer.status_code, code_of(answer)) == (429, "RATE_LIMITED")
    assert answer.headers["retry-after"] == "11"
    assert answer.json()["errors"][0]["extensions"]["retryAfterSeconds"] == 11


async def test_a_lost_database_is_503_and_tells_nothing() -> None:
    answer = await sent(headers={"authorization": "DPoP down"})

    assert (answer.status_code, code_of(answer)) == (503, "INTERNAL")
    assert answer.headers["retry-after"] == "3"
    assert SECRET not in answer.text


async def test_a_bug_before_the_operation_is_500_and_tells_nothing() -> None:
    answer = await sent(headers={"authorization": "DPoP bug"})

    assert (answer.status_code, code_of(answer)) == (500, "INTERNAL")
    assert SECRET not in answer.text


async def test_the_proof_is_checked_over_the_bytes_as_sent() -> None:
    bank = a_bank()
    body = b'{ "query":"{ ping }" , "x":1 }'

    await sent(bank, body=body)

    assert bank.callers.bodies == [body]


async def test_the_origin_is_read_from_the_headers() -> None:
    bank = a_bank(trusted_proxies=1)
    told = {
        "x-forwarded-for": "203.0.113.9, 198.51.100.7",
        "accept-language": "hi-IN,hi;q=0.8",
        "user-agent": "Sixpence/1.0 " + "x" * 300,
    }

    await sent(bank, headers=told)

    seen = bank.callers.origins[0]
    assert (seen.address, seen.language) == ("198.51.100.7", "hi-IN")
    assert len(seen.agent or "") == 200


async def test_a_forwarded_address_counts_only_behind_our_proxies() -> None:
    bank = a_bank()

    await sent(bank, headers={"x-forwarded-for": "203.0.113.9"})

    assert bank.callers.origins[0].address == "127.0.0.1"


async def test_a_listed_origin_may_read_and_others_may_not() -> None:
    bank = a_bank(allowed_origins=("https://app.example",))
    listed = {"origin": "https://app.example"}

    welcome = await sent(bank, headers=listed)
    preflight = await sent(bank, method="OPTIONS", headers=listed)
    foreign = await sent(bank, headers={"origin": "https://evil.example"})

    assert welcome.headers["access-control-allow-origin"] == "https://app.example"
    assert welcome.headers["access-control-expose-headers"] == (
        "DPoP-Nonce, Retry-After, X-Request-Id"
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-methods"] == "POST"
    assert "access-control-allow-origin" not in foreign.headers
    assert (
        foreign.headers["vary"]
        == welcome.headers["vary"]
        == ("Accept, Accept-Encoding, Origin")
    )
    assert "access-control-allow-credentials" not in welcome.headers
