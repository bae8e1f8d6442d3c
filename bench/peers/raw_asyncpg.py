"""The home screen without GraphQL and without sign-in: raw asyncpg, orjson, uvicorn.

What a careful team would write by hand for this one screen on PostgreSQL: two
statements on one pooled connection, rows into dicts, one dump. It does no token or
proof work and trusts the customer header. It is started as
`python -m bench.peers.raw_asyncpg DATABASE_URL PORT`.
"""

import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg  # type: ignore[import-untyped]  # ships no types
import orjson
import uvicorn

POOL = 2, 10  # least and most connections, as the bank's own pool
_ACCOUNTS = (
    "SELECT a.id, a.name, a.masked_number, a.currency, b.committed, b.pending_out, "
    "b.version FROM account a JOIN ledger_balance b "
    "ON b.account_id = CAST(a.core_ref AS uuid) "
    "WHERE a.customer_id = $1 ORDER BY a.position, a.id LIMIT 50"
)
_LINES = (
    "SELECT a.id AS account, l.id, l.amount, l.direction, l.narration, "
    "l.counterparty_name, l.booked_at FROM unnest($1::uuid[]) AS a(id) "
    "CROSS JOIN LATERAL (SELECT * FROM ledger_line WHERE account_id = a.id "
    "ORDER BY created_at DESC, id DESC LIMIT 10) AS l "
    "ORDER BY a.id, l.created_at DESC, l.id DESC"
)
Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def home(pool: Any, customer: UUID) -> bytes:  # noqa: ANN401  -- asyncpg is untyped
    """Answer the bench's home document for one customer, as GraphQL would."""
    async with pool.acquire() as connection:
        owned = await connection.fetch(_ACCOUNTS, customer)
        rows = await connection.fetch(_LINES, [row["id"] for row in owned])
    lines = defaultdict(list)
    for row in rows:
        lines[row["account"]].append(row)
    accounts = [_account(row, lines[row["id"]]) for row in owned]
    return orjson.dumps({"data": {"me": {"accounts": accounts}}})


def _account(row: Any, lines: list[Any]) -> dict[str, Any]:  # noqa: ANN401  -- a record
    currency, booked = row["currency"], row["committed"]
    return {
        "id": "acc_" + row["id"].hex,
        "name": row["name"],
        "maskedNumber": row["masked_number"],
        "currency": currency,
        "balance": {
            "available": _money(booked + row["pending_out"], currency),
            "booked": _money(booked, currency),
            "version": str(row["version"]),
        },
        "transactions": {"nodes": [_line(line, currency) for line in lines]},
    }


def _money(minor: int, currency: str) -> dict[str, str]:
    return {"minorUnits": str(minor), "currency": currency}


def _line(row: Any, currency: str) -> dict[str, Any]:  # noqa: ANN401  -- a record
    name = row["counterparty_name"]
    return {
        "id": "txn_" + row["id"].hex,
        "amount": _money(row["amount"], currency),
        "direction": row["direction"],
        "narration": row["narration"],
        "counterparty": None if name is None else {"name": name},
        "bookedAt": _instant(row["booked_at"]),
    }


def _instant(at: datetime | None) -> str | None:
    if at is None:
        return None
    found = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return found.replace("+00:00", "Z")


def create_app(url: str) -> Callable[..., Awaitable[None]]:
    """Make the ASGI app over one PostgreSQL database."""
    pools: list[Any] = []

    async def live(receive: Callable[[], Any], send: Send) -> None:
        await receive()
        least, most = POOL
        pools.append(await asyncpg.create_pool(url, min_size=least, max_size=most))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await pools.pop().close()
        await send({"type": "lifespan.shutdown.complete"})

    async def app(scope: Scope, receive: Callable[[], Any], send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        customer = dict(scope["headers"])[b"x-customer"].decode()
        body = await home(pools[0], UUID(customer))
        headers = [
            (b"content-type", b"application/graphql-response+json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def main() -> None:
    """Serve until told to stop."""
    url, port = sys.argv[1:3]
    uvicorn.run(
        create_app(url),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
    )


if __name__ == "__main__":
    main()
