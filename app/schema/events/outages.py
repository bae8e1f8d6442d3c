"""How the bank is, told to anybody who keeps a socket open, signed in or not."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry

from app.schema import guards
from app.schema.context import Info
from app.schema.guards import AuthLevel
from app.schema.status import ServiceHealth


@strawberry.type
class Subscription:
    """What works before sign-in, and while everything else does not."""

    @guards.subscription(
        level=AuthLevel.ANONYMOUS,
        cost=20,
        description="All components at once, then each change. Works before sign-in.",
    )
    async def service_status_changed(
        self, info: Info
    ) -> AsyncGenerator[ServiceHealth, None]:
        """Follow the bank's components; reads nothing, the process knows them."""
        async with aclosing(info.context.bank.board.follow()) as changes:
            async for seen in changes:
                yield ServiceHealth.of(seen)
