"""GraphQL over HTTP: each audit of graphql-http, on the real bank over real HTTP."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from app.schema.transport import sturdy_http
from tests.conformance.audits import JSON, Audit, every
from tests.conformance.raw import Raw
from tests.conformance.world import LISTED, World

AUDITS = every()
# They say that a server MAY answer GET. Ours does not, in no profile.
NOTICES = {"5A70", "D6D5", "6A70"}
# They ask for `__type`, which production does not tell.
HIDDEN = {"2EA1", "28B9"}


def at(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with at(world.real) as found:
        yield found


def test_no_audit_is_missing_or_told_twice() -> None:
    assert len({one.id for one in AUDITS}) == len(AUDITS) == 61
    assert {one.id for one in AUDITS if one.level == "MAY"} > NOTICES


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("audit", AUDITS, ids=[one.id for one in AUDITS])
async def test_audit(audit: Audit, client: httpx.AsyncClient) -> None:
    assert await audit.passes(client) is (audit.id not in NOTICES)


@pytest.mark.asyncio(loop_scope="module")
async def test_production_differs_only_in_what_it_keeps_to_itself(
    world: World,
) -> None:
    async with at(world.production) as client:
        failed = {one.id for one in AUDITS if not await one.passes(client)}

    assert failed == NOTICES | HIDDEN


# ------------------------------------------------------------------ on the wire

POST = f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n"
CHUNKS = POST + "Transfer-Encoding: chunked\r\n"
PAGE = "Host: localhost\r\nOrigin: {}\r\nAccess-Control-Request-Method: POST\r\n\r\n"
CHUNK = f"1000\r\n{' ' * 4096}\r\n"

# What is sent, the status, and whether the line ends with the answer.
ON_THE_WIRE = {
    "a body that says it is too long": (
        f"{POST}Content-Length: 65537\r\n\r\n",
        *(413, True),
    ),
    "one that waits to be told to come": (
        f"{POST}Content-Length: 65537\r\nExpect: 100-continue\r\n\r\n",
        *(413, True),
    ),
    "a body that never ends": (f"{CHUNKS}\r\n{CHUNK * 17}", 413, True),
    "chunks that are well": (f"{CHUNKS}\r\n2\r\n[]\r\n0\r\n\r\n", 400, False),
    "two lengths": (
        f"{CHUNKS}Content-Length: 4\r\n\r\n0\r\n\r\n",
        *(400, True),
    ),
    "a length below nothing": (f"{POST}Content-Length: -1\r\n\r\n", 400, True),
    "a head that never ends": (f"{POST}X: {'x' * 300_000}", 400, True),
    "heads that never end": (POST + f"X: {'x' * 100}\r\n" * 3000, 400, True),
    "trailers that never end": (f"{CHUNKS}\r\n0\r\nX: {'x' * 300_000}", 0, True),
    "no HTTP": ("\x16\x03\x01 hello\r\n\r\n", 400, True),
    "a method nobody knows": ("BREW /graphql HTTP/1.1\r\n\r\n", 400, True),
    "a page of ours asks first": (
        "OPTIONS /graphql HTTP/1.1\r\n" + PAGE.format(LISTED),
        *(204, False),
    ),
    "a foreign page asks first": (
        "OPTIONS /graphql HTTP/1.1\r\n" + PAGE.format("https://evil.example"),
        *(405, False),
    ),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.usefixtures("nothing_breaks")
@pytest.mark.parametrize(
    ("sent", "status", "ends"), ON_THE_WIRE.values(), ids=ON_THE_WIRE
)
async def test_on_the_wire(
    world: World,
    sent: str,
    status: int,
    ends: bool,  # noqa: FBT001  -- a table
) -> None:
    raw = await Raw.open(world.real)
    try:
        told = await raw.request(sent.encode("latin-1"))
        page = raw.headers.get("access-control-allow-origin")

        assert told == status
        assert page == (LISTED if status == 204 else None)
        if ends:
            assert await raw.ended()
        else:
            again = POST + "Content-Length: 2\r\n\r\n[]"
            assert await raw.body() != b"" or status == 204
            assert await raw.request(again.encode()) == 400
    finally:
        await raw.leave()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_head_that_comes_too_slowly_ends_the_line(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sturdy_http, "_HEAD_S", 0.1)
    raw = await Raw.open(world.real)
    try:
        assert await raw.request(b"GET / HTTP/1.1\r\nHost: loc") == 400
        assert await raw.ended()
    finally:
        await raw.leave()
