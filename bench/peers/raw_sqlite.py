"""The home screen without GraphQL and without sign-in: raw sqlite3, orjson, uvicorn.

What a careful team would write by hand for this one screen: three statements, rows into
dicts, one dump. It does no token or proof work and trusts the customer header. It is
started as `python -m bench.peers.raw_sqlite DATABASE PORT`.
"""

import asyncio
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import uvicorn

_ACCOUNTS = (
    "SELECT a.id, a.name, a.masked_number, a.currency, b.committed, b.pending_out, "
    "b.version FROM account a JOIN ledger_balance b ON b.account_id = a.core_ref "
    "WHERE a.customer_id = ? ORDER BY a.position, a.id LIMIT 50"
)
_LINES = (
    "SELECT id, amount, direction, narration, counterparty_name, booked_at "
    "FROM ledger_line WHERE account_id = ? ORDER BY created_at DESC, id DESC LIMIT 10"
)
Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def home(books: sqlite3.Connection, customer: str) -> bytes:
    """Answer the bench's home document for one customer, as GraphQL would."""
    accounts = []
    for row in books.execute(_ACCOUNTS, (customer,)):
        number, name, masked, currency, committed, pending, version = row
        lines = books.execute(_LINES, (number,)).fetchall()
        accounts.append(
            {
                "id": "acc_" + UUID(number).hex,
                "name": name,
                "maskedNumber": masked,
                "currency": currency,
                "balance": {
                    "available": _money(committed + pending, currency),
                    "booked": _money(committed, currency),
                    "version": str(version),
                },
                "transactions": {
                    "nodes": [_line(line, currency) for line in lines],
                },
            }
        )
    return orjson.dumps({"data": {"me": {"accounts": accounts}}})


def _money(minor: int, currency: str) -> dict[str, str]:
    return {"minorUnits": str(minor), "currency": currency}


def _line(row: tuple[Any, ...], currency: str) -> dict[str, Any]:
    number, amount, direction, narration, name, booked = row
    return {
        "id": "txn_" + UUID(number).hex,
        "amount": _money(amount, currency),
        "direction": direction,
        "narration": narration,
        "counterparty": None if name is None else {"name": name},
        "bookedAt": _instant(booked),
    }


def _instant(text: str | None) -> str | None:
    if text is None:
        return None
    found = datetime.fromisoformat(text).astimezone(UTC)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def create_app(database: str) -> Callable[..., Awaitable[None]]:
    """Make the ASGI app over one SQLite file."""
    books = sqlite3.connect(database, check_same_thread=False)
    books.execute("PRAGMA query_only = ON")

    async def app(scope: Scope, receive: Callable[[], Any], send: Send) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        customer = dict(scope["headers"])[b"x-customer"].decode()
        # Off the loop, as the bank's driver does it: a read must not block the others.
        body = await asyncio.to_thread(home, books, customer)
        headers = [
            (b"content-type", b"application/graphql-response+json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def main() -> None:
    """Serve until told to stop."""
    database, port = sys.argv[1:3]
    uvicorn.run(
        create_app(database),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
    )


if __name__ == "__main__":
    main()
