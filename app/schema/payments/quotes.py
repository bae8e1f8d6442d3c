"""What a payment would cost, and who is behind an account: asked before paying."""

from datetime import datetime

import strawberry
from strawberry import UNSET

from app.accounts.row import Rail
from app.auth.actor import FactorKind
from app.payments import name_checks, quotes
from app.payments.payment import PaymentRequest
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel, query
from app.schema.payments.checks import PayeeCheck
from app.schema.payments.limits import Limit
from app.schema.payments.mutations import DestinationInput, PayeeInput
from app.schema.refusals import UserError, answered, shown
from app.schema.scalars import Money, MoneyInput


@strawberry.input
class QuoteInput:
    """A payment that does not exist yet."""

    from_account_id: strawberry.ID
    to: DestinationInput
    amount: MoneyInput
    rail: Rail | None = UNSET

    def request(self) -> PaymentRequest:
        """Give the request as the room knows it; rules are judged there."""
        return PaymentRequest(
            key="",
            from_account=self.from_account_id,
            own_account=self.to.own_account_id or None,
            beneficiary=self.to.beneficiary_id or None,
            amount=self.amount.amount(),
            rail=self.rail.value if self.rail else None,
        )


@strawberry.type(
    description=("What would happen if the payment were created now. Reserves nothing.")
)
class PaymentQuote:
    """A payment as it would be now."""

    id: strawberry.ID
    expires_at: datetime = strawberry.field(
        description=(
            "120 s after creation. Sending `quoteId` with paymentCreate fixes fee and "
            "rail."
        )
    )
    fee: Money
    total: Money
    rail: Rail
    arrives_by: datetime | None
    payee_check: PayeeCheck | None
    limit: Limit | None = strawberry.field(
        description="The limit this payment comes closest to."
    )
    allowed: list[FactorKind] = strawberry.field(
        description=(
            "What `Challenge.allowed` would be on this device; empty when the payment "
            "would be held for review."
        )
    )
    blockers: list[UserError] = strawberry.field(
        description=(
            "Refusals that paymentCreate would give now, so that the confirm button "
            "can be off with a reason."
        )
    )

    @classmethod
    def from_room(cls, found: quotes.Quote) -> "PaymentQuote":
        """Show a quote of the room."""
        check, limit = found.check, found.limit
        return cls(
            id=strawberry.ID(found.id),
            expires_at=found.expires_at,
            fee=Money.of(found.fee),
            total=Money.of(found.total),
            rail=Rail(found.rail),
            arrives_by=found.arrives_by,
            payee_check=None if check is None else PayeeCheck.from_room(check),
            limit=None if limit is None else Limit.from_room(limit),
            allowed=list(found.allowed),
            blockers=[shown(one) for one in found.blockers],
        )


@strawberry.type
class QuotePayload:
    """The quote, or why there is none."""

    user_errors: list[UserError]
    quote: PaymentQuote | None = None


@strawberry.type(
    description="A payee that is not saved yet, as its bank knows it.",
)
class ResolvedPayee:
    """Who is behind an account."""

    name: str = strawberry.field(description="Masked by the payee's bank.")
    bank_name: str | None
    rails: list[Rail]

    @classmethod
    def from_room(cls, found: name_checks.Resolved) -> "ResolvedPayee":
        """Show what the rail told."""
        return cls(
            name=found.name,
            bank_name=found.bank_name,
            rails=[Rail(rail) for rail in found.rails],
        )


@strawberry.type
class PayeeResolvePayload:
    """Who it is, or why that is not told."""

    user_errors: list[UserError]
    payee: ResolvedPayee | None = None


@strawberry.type
class Query:
    """Questions before a payment."""

    @query(
        level=AuthLevel.LOGIN,
        cost=200,
        once=True,
        description=(
            "Fee, rail, limit and obstacles of a payment. Asks partners, so ask once "
            "per confirm screen. Refusals: NOT_FOUND,\nSERVICE_UNAVAILABLE, "
            "CURRENCY_MISMATCH, RATE_LIMITED."
        ),
    )
    async def quote(
        self,
        info: Info,
        input: QuoteInput,  # noqa: A002  -- the contract's name
    ) -> QuotePayload:
        """Quote a payment."""
        return await answered(QuotePayload, _quote(info.context, input))

    @query(
        level=AuthLevel.LOGIN,
        cost=200,
        once=True,
        description=(
            "Who is behind an account number or address. Refusals: NOT_FOUND, "
            "RATE_LIMITED (20 per hour), SERVICE_UNAVAILABLE."
        ),
    )
    async def payee_resolve(
        self,
        info: Info,
        input: PayeeInput,  # noqa: A002  -- the contract's name
    ) -> PayeeResolvePayload:
        """Resolve an account."""
        return await answered(PayeeResolvePayload, _resolve(info.context, input))


async def _quote(context: Context, asked: QuoteInput) -> QuotePayload:
    found = await context.bank.quotes.quote(context.actor, asked.request())
    return QuotePayload(user_errors=[], quote=PaymentQuote.from_room(found))


async def _resolve(context: Context, asked: PayeeInput) -> PayeeResolvePayload:
    account = asked.account
    assert account, "a oneOf input of one member has it"  # noqa: S101  -- the library checks
    found = await context.bank.name_checks.resolve(
        context.actor, account.account_number, account.bank_code or None
    )
    return PayeeResolvePayload(user_errors=[], payee=ResolvedPayee.from_room(found))
