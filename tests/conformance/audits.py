"""The audits of graphql-http 1.23 for servers, retold: what is sent, what must come.

The ids are those of that project, so that a report of its own suite can be laid beside
ours; `make clients` runs that suite itself. Levels are those of RFC 2119.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
ANY = "*/*"  # what a fetch says that was told nothing

NAME = "{ __typename }"
TYPE = "query Type($name: String!) { __type(name: $name) { name } }"
COERCE = "query Coerce($id: ID!) { __typename }"
NO_FIELD = "{ nobodyHasThisField }"
WRONG: dict[str, tuple[object, ...]] = {
    "query": ({"obj": "ect"}, 0, False, ["array"]),
    "operationName": ({"obj": "ect"}, 0, False, ["array"]),
    "variables": ("string", 0, False, ["array"]),
    "extensions": ("string", 0, False, ["array"]),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """One question to a server.

    Attributes:
        id: of graphql-http.
        level: MUST, SHOULD or MAY.
        accept: the header; None leaves it out.
        sent: JSON value, or bytes as they are; the URL's parameters of a GET.
        content_type: the header; None leaves it out.
        status: statuses that are right.
        media: the media type that is right.
        errors: whether `errors` must or must not be there.
        data: whether `data` must not be there.
    """

    id: str
    level: str
    method: str = "POST"
    accept: str | None = ANY
    sent: Any = None
    content_type: str | None = JSON
    status: range = range(200, 201)
    media: str | None = None
    errors: bool | None = None
    data: bool | None = None

    async def passes(self, client: httpx.AsyncClient) -> bool:
        """Ask it, and judge the answer."""
        headers = {"accept": self.accept, "content-type": self.content_type}
        is_get = self.method == "GET"
        body = self.sent if isinstance(self.sent, bytes) else orjson.dumps(self.sent)
        request = client.build_request(
            self.method,
            "/graphql",
            params=self.sent if is_get else None,
            content=None if is_get else body,
        )
        del request.headers["accept"]
        request.headers.update({k: v for k, v in headers.items() if v is not None})
        return self._is_right(await client.send(request))

    def _is_right(self, answer: httpx.Response) -> bool:
        body = orjson.loads(answer.content)
        media = answer.headers["content-type"].partition(";")[0]
        return (
            answer.status_code in self.status
            and self.media in {None, media}
            and self.errors in {None, "errors" in body}
            and self.data in {None, "data" in body}
        )


def every() -> list[Audit]:
    """Give all audits, in the order of that project."""
    return [
        *_media_types(),
        *_methods_and_bodies(),
        *_parameters(),
        *_faults(),
    ]


def _media_types() -> Iterator[Audit]:
    ping = {"query": NAME}
    yield Audit(id="22EB", level="SHOULD", accept=GRAPHQL, sent=ping, media=GRAPHQL)
    yield Audit(id="4655", level="MUST", accept=JSON, sent=ping, media=JSON)
    yield Audit(id="47DE", level="SHOULD", accept=ANY, sent=ping, media=JSON)
    yield Audit(id="80D8", level="SHOULD", accept=None, sent=ping, media=JSON)
    yield Audit(id="82A3", level="MUST", sent=ping)
    told = {"query": '{ __type(name: "Run🏃Swim🏊") { name } }'}
    utf8 = f"{JSON}; charset=utf-8"
    yield Audit(id="BF61", level="MUST", content_type=utf8, sent=told)
    yield Audit(id="78D5", level="MUST", sent=ping)


def _methods_and_bodies() -> Iterator[Audit]:
    ping, refused = {"query": NAME}, range(400, 500)
    move = {"query": "mutation { __typename }"}
    bad = range(400, 401)
    yield Audit(id="2C94", level="MUST", sent=ping)
    yield Audit(id="5A70", level="MAY", method="GET", sent=ping)
    yield Audit(
        id="9C48", level="MAY", method="GET", accept=GRAPHQL, sent=move, status=refused
    )
    yield Audit(id="9ABE", level="SHOULD", content_type=None, sent=ping, status=refused)
    yield Audit(id="03D4", level="MUST", sent=ping)
    yield Audit(id="A5BF", level="MAY", sent=b"", status=bad)
    yield Audit(
        id="423L", level="MAY", accept=GRAPHQL, sent={"notquery": NAME}, status=bad
    )


def _parameters() -> Iterator[Audit]:
    ping, typed = {"query": NAME}, {"query": TYPE, "variables": {"name": "sometype"}}
    named = {"query": "query Query { __typename }", "operationName": "Query"}
    more = {"query": NAME, "extensions": {"some": "value"}}
    yield from _wrong("LKJ", "query")
    yield from _both("34A2", "13EE", ping)
    yield from _wrong("6C0", "operationName")
    yield from _both("8161", "B8B3", named)
    for at, name in enumerate(("variables", "operationName", "extensions")):
        nothing = {"query": NAME, name: None}
        yield Audit(
            id=f"94B{at}", level="SHOULD", accept=GRAPHQL, sent=nothing, errors=False
        )
        yield Audit(
            id=f"022{at}", level="MUST", accept=JSON, sent=nothing, errors=False
        )
    yield from _wrong("476", "variables")
    yield from _both("2EA1", "28B9", typed)
    get = {"query": TYPE, "variables": '{"name":"sometype"}'}
    for number, accept in (("D6D5", GRAPHQL), ("6A70", JSON)):
        yield Audit(
            id=number, level="MAY", method="GET", accept=accept, sent=get, errors=False
        )
    yield from _wrong("58B", "extensions")
    yield from _both("428F", "1B7A", more)


def _both(modern: str, old: str, sent: object) -> Iterator[Audit]:
    """Say that a request is answered, for clients of both ages."""
    yield Audit(id=modern, level="SHOULD", accept=GRAPHQL, sent=sent)
    yield Audit(id=old, level="MUST", accept=JSON, sent=sent, errors=False)


def _wrong(prefix: str, name: str) -> Iterator[Audit]:
    """Say that a parameter of a wrong type is refused by 400."""
    for at, value in enumerate(WRONG[name]):
        sent = {"query": NAME, name: value}
        yield Audit(id=f"{prefix}{at}", level="MAY", sent=sent, status=range(400, 401))


def _faults() -> Iterator[Audit]:
    torn, bad, failed = b'{ "not a JSON', range(400, 401), range(400, 600)
    typo = {"qeury": NAME}
    yield Audit(id="B6DC", level="MAY", accept=JSON, sent=torn, status=range(200, 600))
    yield Audit(id="BCF8", level="SHOULD", accept=JSON, sent=torn, status=bad)
    yield Audit(id="B7N8", level="SHOULD", accept=GRAPHQL, sent=torn, status=bad)
    yield Audit(id="8764", level="MAY", sent=typo, status=failed)
    yield Audit(id="3E3A", level="MAY", sent=typo, status=bad)
    syntax, unknown = {"query": "{"}, {"query": NO_FIELD}
    coercion = {"query": COERCE, "variables": {"id": None}}
    for number, sent in (("572B", syntax), ("FDE2", unknown), ("7B9B", coercion)):
        yield Audit(id=number, level="SHOULD", accept=JSON, sent=sent)
    for numbers, sent in (
        (("865D", "556A", "D586"), syntax),
        (("51FE", "74FF", "5E5B"), unknown),
    ):
        for number, status in zip(numbers, (failed, bad, failed), strict=True):
            is_last = number == numbers[-1]
            yield Audit(
                id=number,
                level="SHOULD",
                accept=GRAPHQL,
                sent=sent,
                status=status,
                data=False if is_last else None,
            )
    yield Audit(id="86EE", level="SHOULD", accept=GRAPHQL, sent=coercion, status=bad)
