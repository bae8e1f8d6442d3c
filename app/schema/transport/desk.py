"""What all sockets of a process share: who verifies, who runs operations, limits."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.auth.actor import Actor, Origin
from app.clock import Clock
from app.realtime.sockets import Sockets
from app.schema.masking import Answer, Masking
from app.schema.plan.feed import Feed
from app.settings import Settings


class Callers(Protocol):
    """Who speaks: `app.auth.caller.Callers`."""

    async def socket(
        self, origin: Origin, payload: Mapping[str, object]
    ) -> tuple[Actor, datetime | None]:
        """Verify token and proof of `connection_init`; raises RequestFault."""
        ...


class Operations(Protocol):
    """Runs GraphQL for a socket: `transport.operations`."""

    async def begin(
        self, actor: Actor, request: Mapping[str, object]
    ) -> AsyncGenerator[Answer, None] | Feed:
        """Give the answer of a query, or the answers or the feed of a subscription.

        An answer that is refused ends the operation.

        Raises:
            TooSlow: by the generator: the client reads so slowly that the socket has
                to go.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every connection of this process shares."""

    settings: Settings
    clock: Clock
    sockets: Sockets
    callers: Callers
    operations: Operations
    masking: Masking
