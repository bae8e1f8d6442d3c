"""Long answers of queries leave compressed; what may hold a secret never does."""

import gzip

import orjson
import pytest

from app.schema.execution import Call
from app.schema.transport.packing import accepts, packed
from tests.schema.test_http import a_client
from tests.schema.tiny import a_bank, a_context, an_engine

ECHO = "query($t: String!) { ping(text: $t) }"


def asked(letters: int) -> bytes:
    return orjson.dumps({"query": ECHO, "variables": {"t": "x" * letters}})


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        (["gzip"], True),
        (["br;q=1.0, gzip;q=0.8, *;q=0.1"], True),
        (["br", "GZIP"], True),
        (["*"], True),
        ([], False),
        (["br"], False),
        (["gzip;q=0"], False),
        (["gzip;q=0, *"], False),
        (["*;q=0"], False),
        (["identity"], False),
    ],
)
def test_only_who_takes_gzip_gets_it(sent: list[str], *, taken: bool) -> None:
    assert accepts(sent) is taken


def test_short_answers_and_secret_ones_leave_as_they_are() -> None:
    body = b'{"data":{"text":"' + b"a" * 2000 + b'"}}'

    small = packed(body, packable=True, sent=["gzip"])

    assert small is not None
    assert gzip.decompress(small) == body
    assert packed(body, packable=False, sent=["gzip"]) is None
    assert packed(body[:1024], packable=True, sent=["gzip"]) is None
    assert packed(body, packable=True, sent=["br"]) is None


async def test_a_long_query_is_answered_smaller_and_the_same() -> None:
    async with a_client(a_bank()) as client:
        client.headers["content-type"] = "application/json"
        client.headers["accept-encoding"] = "gzip"
        small = await client.post("/graphql", content=asked(3000))
        brief = await client.post("/graphql", content=asked(900))
        client.headers["accept-encoding"] = "identity"
        plain = await client.post("/graphql", content=asked(3000))

    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < 200
    assert "content-encoding" not in plain.headers
    assert small.json() == plain.json()
    assert small.headers["vary"] == plain.headers["vary"]
    assert "content-encoding" not in brief.headers


async def test_the_answer_of_a_mutation_is_never_packed() -> None:
    bank = a_bank()
    engine, context = an_engine(bank), a_context(bank)

    asked = await engine.run(context, Call("{ ping }"))
    moved = await engine.run(context, Call("mutation { start }"))
    refused = await engine.run(context, Call("{ nothing }"))

    assert "errors" not in moved.body
    assert (asked.packable, moved.packable, refused.packable) == (True, False, False)
