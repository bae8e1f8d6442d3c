"""What a client may say on a socket: strict reading of graphql-transport-ws messages.

Everything that does not fit is `Malformed`, which closes 4400; nothing of the frame is
repeated in the reason. Source: the protocol of graphql-ws, graphql.md section 11.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

_ID_MAX = 128


class Malformed(Exception):
    """The frame is not a message of this protocol; the text is a fixed sentence."""


@dataclass(frozen=True, slots=True)
class Init:
    """`connection_init`: the client's token and proof, if it has any."""

    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Ping:
    """A sign of life that is answered with its own payload."""

    payload: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to our ping."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """An operation; `request` has the members of a GraphQL request, type-checked."""

    id: str
    request: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Complete:
    """The client wants no more of an operation."""

    id: str


Message = Init | Ping | Pong | Subscribe | Complete


def read(text: str) -> Message:
    """Read one text frame.

    Raises:
        Malformed: not a JSON object, an unknown type, a member of a wrong type.
    """
    try:
        frame = orjson.loads(text)
    except ValueError:
        raise Malformed("a frame is a JSON object") from None
    if not isinstance(frame, dict):
        raise Malformed("a frame is a JSON object")
    match frame.get("type"):
        case "connection_init":
            return Init(_payload(frame) or {})
        case "ping":
            return Ping(_payload(frame))
        case "pong":
            _payload(frame)
            return Pong()
        case "subscribe":
            return Subscribe(_id(frame), _request(frame))
        case "complete":
            return Complete(_id(frame))
        case _:
            raise Malformed("unknown message type")


def _payload(frame: Mapping[str, object]) -> dict[str, object] | None:
    payload = frame.get("payload")
    if payload is None or isinstance(payload, dict):
        return payload
    raise Malformed("payload is an object")


def _id(frame: Mapping[str, object]) -> str:
    found = frame.get("id")
    if isinstance(found, str) and 1 <= len(found) <= _ID_MAX:
        return found
    raise Malformed("id is a text of 1 to 128 characters")


def _request(frame: Mapping[str, object]) -> Mapping[str, object]:
    request = frame.get("payload")
    if not isinstance(request, dict):
        raise Malformed("payload is an object")
    for name in ("query", "operationName", "documentId"):
        if not isinstance(request.get(name), str | None):
            raise Malformed(f"{name} is a text")
    for name in ("variables", "extensions"):
        if not isinstance(request.get(name), dict | None):
            raise Malformed(f"{name} is an object")
    if request.get("query") is None and not _names_document(request):
        raise Malformed("query is a text")
    return request


def _names_document(request: Mapping[str, object]) -> bool:
    """Tell whether the request names a stored document instead of a text."""
    extensions = request.get("extensions")
    named = isinstance(extensions, dict) and "persistedQuery" in extensions
    return named or request.get("documentId") is not None
