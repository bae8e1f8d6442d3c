"""How much a customer may pay: shown, chosen, and the refusal that shows it."""

from datetime import datetime

import strawberry

from app.accounts.row import Rail
from app.payments import limit as limits
from app.payments.errors import LimitExceeded
from app.payments.limit import LimitWindow
from app.realtime.shots import LimitShot
from app.schema import scalars
from app.schema.accounts import figures  # noqa: F401  -- shows Rail in the contract
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel, mutation
from app.schema.refusals import UserError, answered, facts, kind
from app.schema.scalars import Money, MoneyInput, field

scalars.enum(LimitWindow, "LimitWindow")


@strawberry.type
class Limit:
    """One limit of the customer."""

    id: strawberry.ID
    name: str
    rail: Rail | None = strawberry.field(
        description="Null when it counts all rails together."
    )
    window: LimitWindow
    max: Money = strawberry.field(
        description=(
            "In force now. A new device or payee lowers it for its waiting time."
        )
    )
    used: Money
    remaining: Money
    resets_at: datetime | None
    ceiling: Money = strawberry.field(
        description="Highest `max` the customer may choose."
    )
    pending_max: Money | None = strawberry.field(
        description=(
            "A raise that was approved and waits for its time; null when none."
        )
    )
    pending_from: datetime | None

    @classmethod
    def of(cls, shot: LimitShot) -> "Limit":
        """Show the limit of a fact."""

        def money(minor: int) -> Money:
            return Money(minor_units=scalars.Int64(minor), currency=currency)

        currency = scalars.CurrencyCode(shot.currency)
        waits = shot.pending_max
        return cls(
            id=strawberry.ID(shot.id),
            name=shot.name,
            rail=None if shot.rail is None else Rail(shot.rail),
            window=LimitWindow(shot.window),
            max=money(shot.max),
            used=money(shot.used),
            remaining=money(shot.remaining),
            resets_at=shot.resets_at,
            ceiling=money(shot.ceiling),
            pending_max=None if waits is None else money(waits),
            pending_from=shot.pending_from,
        )

    @classmethod
    def from_room(cls, found: limits.Limit) -> "Limit":
        """Show a limit of the room."""
        return cls.of(found.shot())


@strawberry.type
class LimitExceededError(UserError):
    """The payment, or the choice, is more than a limit allows."""

    limit: Limit = strawberry.field(
        description=(
            "With `remaining` and `resetsAt`, so the app can offer the largest amount "
            "that works."
        )
    )


@kind(LimitExceeded)
def _limit_exceeded(no: LimitExceeded) -> UserError:
    return LimitExceededError(**facts(no), limit=Limit.from_room(no.limit))


KINDS = (LimitExceededError,)


@strawberry.type
class LimitFields:
    """What the customer's own object shows of limits."""

    @field(description="At most 50.")
    async def limits(self, info: Info) -> list[Limit]:
        """List the customer's limits as they are on this phone."""
        found = await info.context.bank.limits.of(info.context.actor)
        return [Limit.from_room(one) for one in found]


@strawberry.input
class LimitSetInput:
    """Which limit, and how much."""

    id: strawberry.ID
    max: MoneyInput


@strawberry.type
class LimitSetPayload:
    """The limit after the choice."""

    user_errors: list[UserError]
    limit: Limit | None = None
    effective_at: datetime | None = None


@strawberry.type
class Mutation:
    """Choosing limits."""

    @mutation(
        level=AuthLevel.STEP_UP,
        scope="security",
        cost=100,
        description=(
            "Lowering takes effect at once, also on a device that is COOLING; raising "
            "after 24 h. Refusals: LIMIT_EXCEEDED (above\n`ceiling`), COOLING_PERIOD "
            "(raising on a device that is COOLING)."
        ),
    )
    async def limit_set(
        self,
        info: Info,
        input: LimitSetInput,  # noqa: A002  -- the contract's name
    ) -> LimitSetPayload:
        """Set a limit."""
        return await answered(LimitSetPayload, _set(info.context, input))


async def _set(context: Context, asked: LimitSetInput) -> LimitSetPayload:
    chosen = await context.bank.limits.choose(
        context.actor, asked.id, asked.max.amount()
    )
    return LimitSetPayload(
        user_errors=[],
        limit=Limit.of(chosen.limit),
        effective_at=chosen.effective_at,
    )
