"""What every partner of the outside world does with a request: read it or refuse it."""

import json
from collections.abc import Awaitable, Callable, Collection

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Endpoint = Callable[[Request], Awaitable[Response]]

BODY_BYTES_MAX = 64 * 1024  # the bank's own cap for what it takes in


class Refused(Exception):
    """A request that a partner does not accept.

    Args:
        status: HTTP status of the answer.
        code: short constant for programs.
        sentence: what is wrong and what would be right.
    """

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence


async def refused(_request: Request, refusal: Exception) -> Response:
    """Answer a `Refused` as `{"code", "message"}`; Starlette calls this."""
    if not isinstance(refusal, Refused):
        raise refusal
    body = {"code": refusal.code, "message": refusal.sentence}
    return JSONResponse(body, status_code=refusal.status)


async def json_object(request: Request) -> dict[str, object]:
    """Read the body as one JSON object of at most 64 KiB; may be asked twice.

    Raises:
        Refused: 413 for a longer body, 400 for anything but an object.
    """
    try:
        found = json.loads(await raw_body(request))
    except (ValueError, RecursionError):
        raise Refused(400, "NOT_JSON", "The body must be JSON.") from None
    if not isinstance(found, dict):
        raise Refused(400, "NOT_JSON", "The body must be one JSON object.")
    return found


def only(body: dict[str, object], known: Collection[str]) -> None:
    """Refuse names nobody knows, so that a spelling mistake is not overlooked.

    Raises:
        Refused: 422 naming the unknown names and the known ones.
    """
    strange = sorted(set(body) - set(known))
    if strange:
        raise Refused(
            422,
            "UNKNOWN_NAME",
            f"{', '.join(strange)[:200]} not known here; "
            f"known are {', '.join(sorted(known))}.",
        )


def whole(value: object, name: str, low: int, high: int) -> int:
    """Read a whole number between two bounds, both allowed.

    Raises:
        Refused: 422 naming the bounds.
    """
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise Refused(
        422, "OUT_OF_RANGE", f"{name} must be a whole number from {low} to {high}."
    )


async def raw_body(request: Request) -> bytes:
    """Give the body; the stream is read once, however often this is asked.

    Raises:
        Refused: 413 for more than 64 KiB.
    """
    kept = getattr(request.state, "body", None)
    body = kept if isinstance(kept, bytes) else b""
    if kept is None:
        async for part in request.stream():
            body += part
            if len(body) > BODY_BYTES_MAX:
                break
        request.state.body = body
    if len(body) > BODY_BYTES_MAX:
        raise Refused(413, "TOO_LONG", f"The body may have {BODY_BYTES_MAX} bytes.")
    return body
