"""The home screen by the tutorials of Strawberry and Tortoise, on uvicorn.

Models with relations, a DataLoader for the figures, a relation with a limit for the
rows; no extension of either. The bank's own access token is presented as Bearer and
verified at every request, as tutorials do. Started as
`python -m bench.peers.strawberry_home DATABASE_URL PORT KEY_FILE ISSUER`.
"""

import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import strawberry
import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.types import Info
from tortoise import Tortoise
from typing_extensions import override

from bench.peers import tortoise_rows
from bench.peers.tortoise_rows import AccountRow, BalanceRow, LineRow

POOL = 2, 10  # least and most connections, as the bank's own pool


@dataclass(frozen=True, slots=True)
class Context:
    """Of one request."""

    customer: UUID
    balances: DataLoader[UUID, BalanceRow]


@strawberry.type
class Money:
    """An amount."""

    minor_units: str
    currency: str


@strawberry.type
class Counterparty:
    """The other side."""

    name: str


@strawberry.type
class Transaction:
    """A row of an account."""

    id: strawberry.ID
    amount: Money
    direction: str
    narration: str | None
    counterparty: Counterparty | None
    booked_at: str | None

    @classmethod
    def of(cls, row: LineRow, currency: str) -> "Transaction":
        """Show a row."""
        name = row.counterparty_name
        return cls(
            id=strawberry.ID(f"txn_{row.id.hex}"),
            amount=Money(minor_units=str(row.amount), currency=currency),
            direction=row.direction,
            narration=row.narration,
            counterparty=None if name is None else Counterparty(name=name),
            booked_at=_instant(row.booked_at),
        )


@strawberry.type
class TransactionConnection:
    """A page of rows."""

    nodes: list[Transaction]


@strawberry.type
class Balance:
    """The figures of an account."""

    available: Money
    booked: Money
    version: str


@strawberry.type
class Account:
    """An account."""

    id: strawberry.ID
    name: str
    masked_number: str
    currency: str
    row: strawberry.Private[AccountRow]

    @classmethod
    def of(cls, row: AccountRow) -> "Account":
        """Show a row."""
        return cls(
            id=strawberry.ID(f"acc_{row.id.hex}"),
            name=row.name,
            masked_number=row.masked_number,
            currency=row.currency,
            row=row,
        )

    @strawberry.field
    async def balance(self, info: Info[Context, None]) -> Balance:
        """Load it with those of the other accounts."""
        found = await info.context.balances.load(self.row.id)
        free = str(found.committed + found.pending_out)
        return Balance(
            available=Money(minor_units=free, currency=self.currency),
            booked=Money(minor_units=str(found.committed), currency=self.currency),
            version=str(found.version),
        )

    @strawberry.field
    async def transactions(self, first: int = 25) -> TransactionConnection:
        """Follow the relation."""
        rows = await self.row.lines.all().limit(first)
        nodes = [Transaction.of(row, self.currency) for row in rows]
        return TransactionConnection(nodes=nodes)


@strawberry.type
class Customer:
    """Who asks."""

    key: strawberry.Private[UUID]

    @strawberry.field
    async def accounts(self) -> list[Account]:
        """List what the customer has."""
        rows = await AccountRow.filter(customer_id=self.key).limit(50)
        return [Account.of(row) for row in rows]


@strawberry.type
class Query:
    """What can be asked."""

    @strawberry.field
    def me(self, info: Info[Context, None]) -> Customer:
        """Give the caller."""
        return Customer(key=info.context.customer)


class Home(GraphQL[Context, None]):
    """Strawberry's ASGI application with our context."""

    def __init__(self, key: ECKey, issuer: str) -> None:
        super().__init__(strawberry.Schema(query=Query))
        self._key = key
        self._claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": f"{issuer}/graphql"},
            exp={"essential": True},
            sub={"essential": True},
        )

    @override
    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> Context:
        """Verify the token; what it needs besides begins empty."""
        told = request.headers["authorization"].removeprefix("Bearer ")
        token = jwt.decode(told, self._key, algorithms=["ES256"])
        self._claims.validate(token.claims)
        customer = UUID(token.claims["sub"].removeprefix("cus_"))
        return Context(customer, DataLoader(load_fn=_balances))

    @override
    def encode_json(self, data: object) -> str:
        """Write it as Strawberry does, but nothing escaped: the same bytes as all."""
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


async def _balances(keys: list[UUID]) -> list[BalanceRow]:
    found = {
        row.account_id: row async for row in BalanceRow.filter(account_id__in=keys)
    }
    return [found[key] for key in keys]


def _instant(at: datetime | None) -> str | None:
    if at is None:
        return None
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _config(url: str) -> Mapping[str, Any]:
    parts = urlsplit(url)
    least, most = POOL
    credentials = {
        "host": parts.hostname or parse_qs(parts.query)["host"][0],
        "port": parts.port or 5432,
        "user": parts.username,
        "password": parts.password,
        "database": parts.path.removeprefix("/"),
        "minsize": least,
        "maxsize": most,
    }
    engine = {"engine": "tortoise.backends.asyncpg", "credentials": credentials}
    return {
        "connections": {"default": engine},
        "apps": {"bank": {"models": [tortoise_rows.__name__]}},
        "use_tz": True,
        "timezone": "UTC",
    }


def create_app(url: str, key: ECKey, issuer: str) -> Starlette:
    """Make the ASGI app over one PostgreSQL database."""

    @asynccontextmanager
    async def live(_app: Starlette) -> AsyncIterator[None]:
        await Tortoise.init(config=dict(_config(url)), _enable_global_fallback=True)
        yield
        await Tortoise.close_connections()

    routes = [Route("/graphql", Home(key, issuer))]
    return Starlette(routes=routes, lifespan=live)


def main() -> None:
    """Serve until told to stop."""
    url, port, key_file, issuer = sys.argv[1:5]
    key = ECKey.import_key(json.loads(Path(key_file).read_text()))
    app = create_app(url, key, issuer)
    uvicorn.run(app, port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
