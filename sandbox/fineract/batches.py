"""Several calls in one: each answers for itself, none undoes another."""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from sandbox.fineract.refusals import Reason, invalid, not_json
from sandbox.fineract.wire import Answer, Ask, read

NOT_IMPLEMENTED = 501

_QUERY = r"(\?(\w+(?:\=[\w,]+|&)+)+)?"
# What the server's own source serves in a batch, of all that the double has.
_STOCK = re.compile(
    rf"GET v1/savingsaccounts/\d+{_QUERY}|GET v1/clients/\d+{_QUERY}"
    r"|POST v1/savingsaccounts/\d+/transactions(/\d+)?(\?command=\w+)?"
)

Serve = Callable[[Ask], Awaitable[Answer | None]]


async def batch(ask: Ask, serve: Serve, *, stock: bool) -> list[dict[str, object]]:
    """`POST /v1/batches?enclosingTransaction=false`: serve each, in its order.

    Raises:
        Refusal: 400, the body is no list of requests, or one transaction is wanted.
    """
    if ask.query.get("enclosingTransaction", "false") != "false":
        raise invalid(
            Reason(
                "error.msg.query.parameter.value.unsupported",
                "The double serves batches without an enclosing transaction only.",
                "enclosingTransaction",
            )
        )
    found = [await _served(one, serve, stock=stock) for one in _requests(ask.body)]
    return sorted(found, key=lambda each: int(str(each["requestId"])))


def _requests(body: bytes) -> list[dict[str, object]]:
    try:
        found = read(body)
    except ValueError:
        raise not_json() from None
    if not isinstance(found, list):
        raise not_json()
    for one in found:
        if not isinstance(one, dict) or not isinstance(one.get("requestId"), int):
            raise not_json()
    return found


async def _served(
    one: dict[str, object], serve: Serve, *, stock: bool
) -> dict[str, object]:
    method = str(one.get("method", "")).upper()
    url = str(one.get("relativeUrl", ""))
    versioned = url if url.startswith("v1/") else f"v1/{url}"
    path, _, query = versioned.partition("?")
    headers = _headers(one.get("headers"))
    asked = Ask(
        method=method,
        path=f"/{path}",
        query=dict(parse_qsl(query)),
        key=headers.get("idempotency-key"),
        body=str(one.get("body", "")).encode(),
    )
    strange = stock and not _STOCK.fullmatch(f"{method} {versioned}")
    answer = None if strange else await serve(asked)
    if answer is None:
        says = f"Resource with method {method} and relativeUrl {url} doesn't exist"
        answer = Answer(NOT_IMPLEMENTED, says.encode())
    shown = {**headers, **answer.headers}
    return {
        "requestId": one["requestId"],
        "statusCode": answer.status,
        "headers": [{"name": name, "value": value} for name, value in shown.items()],
        "body": answer.text.decode(),
    }


def _headers(found: object) -> dict[str, str]:
    given = found if isinstance(found, list) else []
    return {
        str(one.get("name", "")).lower(): str(one.get("value", ""))
        for one in given
        if isinstance(one, dict)
    }
