"""What a phone shows before the person signs in, if the customer allowed it there."""

from datetime import datetime

import strawberry

from app.accounts import quick_balance as room
from app.schema import guards
from app.schema.context import Info
from app.schema.guards import AuthLevel
from app.schema.scalars import SENSITIVE, Money


@strawberry.type(
    description="Smallest thing the app may show before the person signs in."
)
class QuickBalance:
    """One account and what can be spent of it."""

    account_id: strawberry.ID
    name: str
    available: Money = strawberry.field(directives=SENSITIVE)
    as_of: datetime
    stale: bool = strawberry.field(
        description=(
            "True when the core did not answer and the figure is the last known one."
        )
    )

    @classmethod
    def of(cls, found: room.QuickBalance) -> "QuickBalance":
        """Show a balance of the room."""
        account, balance = found.account, found.balance
        return cls(
            account_id=strawberry.ID(str(account.id)),
            name=account.nickname or account.name,
            available=Money.of(balance.available),
            as_of=balance.as_of,
            stale=balance.stale,
        )


@strawberry.type
class Query:
    """What needs no sign-in."""

    @guards.query(
        level=AuthLevel.DEVICE,
        cost=1,
        description=(
            "Balances the customer allowed this device to show before sign-in; empty "
            "when none. At most 50."
        ),
    )
    async def quick_balance(self, info: Info) -> list[QuickBalance]:
        """Give the balances of the accounts chosen for this phone."""
        context = info.context
        found = await context.bank.quick_balances.of(context.actor)
        return [QuickBalance.of(one) for one in found]
