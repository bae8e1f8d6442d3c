"""Fineract's own description as the judge of what is asked and answered.

The published document is right but for the entries of `overlay.json`, each with its
reason: `put` sets what stands at a place, `rename` renames a key where only the old
one is there; `*` stands for every key, `where` for those that look like this.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

DATA = Path(__file__).parent / "data" / "fineract"
BASE = "/fineract-provider/api"


@cache
def contract() -> OpenAPI:
    """Read the published document with its corrections."""
    text = (DATA / "fineract-1.15-subset.openapi.json").read_text()
    document: dict[str, Any] = json.loads(text)
    for entry in json.loads((DATA / "overlay.json").read_text()):
        corrected(document, entry)
    document["servers"] = [{"url": BASE}]
    return OpenAPI.from_dict(document)


def corrected(document: dict[str, Any], entry: dict[str, Any]) -> None:
    """Correct one thing, which must be there to be corrected."""
    *way, last = entry["at"].removeprefix("/").split("/")
    done = 0
    for parent in _reached(document, [_plain(part) for part in way]):
        for name in list(parent) if last == "*" else [_plain(last)]:
            if "rename" in entry:
                done += _renamed(parent[name], *entry["rename"])
            elif all(
                parent[name].get(k) == v for k, v in entry.get("where", {}).items()
            ):
                parent[name] = entry["put"]
                done += 1
    assert done, entry["at"]


def wrong_with(
    asked: httpx.Request, answered: httpx.Response | None = None
) -> list[str]:
    """Say what breaks the contract: in the request, and in its answer if given."""
    query = parse_qsl(asked.url.query.decode(), keep_blank_values=True)
    request = MockRequest(
        f"http://{asked.url.host}",
        asked.method.lower(),
        asked.url.path,
        args=dict(query),
        headers=dict(asked.headers),
        data=asked.content or None,
    )
    if answered is None:
        return _said(lambda: contract().validate_request(request))
    response = MockResponse(
        answered.content,
        status_code=answered.status_code,
        headers=dict(answered.headers),
        content_type=answered.headers.get("content-type", "").split(";")[0],
    )
    found = _said(lambda: contract().validate_response(request, response))
    return [*found, *_inside(asked, answered)]


def _inside(asked: httpx.Request, answered: httpx.Response) -> Iterator[str]:
    """Judge each answer of a batch as if it had been asked by itself."""
    if asked.url.path != f"{BASE}/v1/batches" or answered.status_code != httpx.codes.OK:
        return
    urls = {one["requestId"]: one for one in json.loads(asked.content)}
    for part in answered.json():
        mine = urls[part["requestId"]]
        if part["statusCode"] == httpx.codes.NOT_IMPLEMENTED:
            continue  # says so in plain text
        url = mine["relativeUrl"].removeprefix("v1/")
        inner = httpx.Request(
            mine["method"],
            f"http://{asked.url.host}{BASE}/v1/{url}",
            headers={**asked.headers, "content-length": "0"},
            content=mine.get("body"),
        )
        answer = httpx.Response(
            part["statusCode"],
            content=part["body"].encode(),
            headers={"content-type": "application/json"},
        )
        yield from wrong_with(inner, answer)


def _said(judge: Any) -> list[str]:
    try:
        judge()
    except OpenAPIError as error:
        return [f"{error} {error.__cause__ or ''}"]
    return []


def _reached(found: dict[str, Any], way: list[str]) -> Iterator[dict[str, Any]]:
    if not way:
        yield found
        return
    for name in list(found) if way[0] == "*" else [way[0]]:
        if isinstance(found.get(name), dict):
            yield from _reached(found[name], way[1:])


def _renamed(holder: dict[str, Any], old: str, new: str) -> int:
    if old not in holder or new in holder:
        return 0
    holder[new] = holder.pop(old)
    return 1


def _plain(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")
