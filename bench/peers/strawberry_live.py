"""Live updates by Strawberry's own tutorial: async generators, its ASGI app, uvicorn.

One queue per subscriber, everything in memory. It does no sign-in work:
`connection_init` names the customer. Started as
`python -m bench.peers.strawberry_live PORT`; reads its customers and then `publish`
lines from stdin.
"""

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, NewType

import strawberry
import uvicorn
from strawberry.asgi import GraphQL
from strawberry.schema.config import StrawberryConfig
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import Info

EventCursor = NewType("EventCursor", str)
owners: list[list[str]] = []
sequences: list[int] = []
queues: dict[int, set["asyncio.Queue[EventEnvelope]"]] = defaultdict(set)


@strawberry.type
class Money:
    """An amount."""

    minor_units: str
    currency: str


@strawberry.type
class Account:
    """An account as an event shows it."""

    id: strawberry.ID
    name: str


@strawberry.type
class Balance:
    """Its figures."""

    available: Money
    version: str


@strawberry.type
class StreamReady:
    """The stream begins."""

    missed: int


@strawberry.type
class BalanceChanged:
    """New figures of an account."""

    account: Account
    balance: Balance


@strawberry.type
class EventEnvelope:
    """What every event comes in."""

    cursor: str
    sequence: str
    occurred_at: str
    category: str | None
    event: Annotated[StreamReady | BalanceChanged, strawberry.union("CustomerEvent")]


@strawberry.type
class Query:
    """GraphQL wants one."""

    ok: bool = True


@strawberry.type
class Subscription:
    """What a phone keeps open."""

    @strawberry.subscription
    async def events(
        self,
        info: Info[Any, Any],
        after: EventCursor | None = None,  # noqa: ARG002  -- nothing is resumed here
    ) -> AsyncGenerator[EventEnvelope, None]:
        """Follow one customer."""
        place = info.context["connection_params"]["customer"]
        queue: asyncio.Queue[EventEnvelope] = asyncio.Queue()
        queues[place].add(queue)
        try:
            yield _envelope(place, StreamReady(missed=0))
            while True:
                yield await queue.get()
        finally:
            queues[place].discard(queue)


def _envelope(place: int, event: StreamReady | BalanceChanged) -> EventEnvelope:
    sequence = str(sequences[place])
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return EventEnvelope(
        cursor=f"ec1.benchpee.{sequence}.20260101",
        sequence=sequence,
        occurred_at=now.replace("+00:00", "Z"),
        category=None,
        event=event,
    )


def _publish(number: int, first: int, count: int) -> None:
    for turn in range(first, first + count):
        place = turn % len(owners)
        sequences[place] += 1
        figure = Money(minor_units=str(4_000_000 + number % 1_000_000), currency="INR")
        account = Account(id=strawberry.ID(owners[place][1]), name="Everyday")
        balance = Balance(available=figure, version=str(number))
        envelope = _envelope(place, BalanceChanged(account=account, balance=balance))
        for queue in queues[place]:
            queue.put_nowait(envelope)


async def _wishes() -> None:
    reader = asyncio.StreamReader(limit=1 << 26)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    owners.extend(json.loads(await reader.readline()))
    sequences.extend([0] * len(owners))
    print("ready", flush=True)
    while line := await reader.readline():
        _publish(*map(int, line.split()[1:]))


async def main(port: int) -> None:
    """Serve until told to stop."""
    schema = strawberry.Schema(
        query=Query,
        subscription=Subscription,
        config=StrawberryConfig(
            scalar_map={EventCursor: strawberry.scalar(name="EventCursor")}
        ),
    )
    app = GraphQL[None, None](
        schema, subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL]
    )
    config = uvicorn.Config(app, port=port, log_level="warning")
    wishes = asyncio.create_task(_wishes())
    await uvicorn.Server(config).serve()
    wishes.cancel()
    with suppress(asyncio.CancelledError):
        await wishes


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
