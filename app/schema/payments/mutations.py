"""Paying, stopping, renewing; saving and deleting payees."""

import strawberry
from strawberry import UNSET

from app.accounts.row import Rail
from app.payments.beneficiary import BeneficiaryRequest
from app.payments.errors import InsufficientFunds
from app.payments.payment import PaymentRequest
from app.schema.accounts.accounts import Account
from app.schema.accounts.owned import account_node
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel, mutation
from app.schema.payments.beneficiaries import Beneficiary
from app.schema.payments.payments import Payment
from app.schema.refusals import UserError, answered, facts, kind
from app.schema.scalars import SENSITIVE, IdempotencyKey, Money, MoneyInput, field

_SCOPE = "payments"


@strawberry.type
class InsufficientFundsError(UserError):
    """The account does not hold enough."""

    short_by: Money = strawberry.field(
        description="Amount and fee minus the available balance."
    )


@kind(InsufficientFunds)
def _insufficient_funds(no: InsufficientFunds) -> UserError:
    return InsufficientFundsError(**facts(no), short_by=Money.of(no.short_by))


KINDS = (InsufficientFundsError,)


# ------------------------------------------------------------------ inputs


@strawberry.input(one_of=True, description="Exactly one.")
class DestinationInput:
    """Where the money goes."""

    own_account_id: strawberry.ID | None = UNSET
    beneficiary_id: strawberry.ID | None = UNSET


@strawberry.input
class PaymentCreateInput:
    """A payment as the phone asks for it."""

    idempotency_key: IdempotencyKey
    from_account_id: strawberry.ID
    to: DestinationInput
    amount: MoneyInput
    quote_id: strawberry.ID | None = strawberry.field(
        default=UNSET,
        description=(
            "Fixes fee and rail of the quote; amount and destination must be the same."
        ),
    )
    rail: Rail | None = UNSET
    reference: str | None = strawberry.field(
        default=UNSET,
        description="At most 35 characters of the SEPA set; the payee sees it.",
    )
    note: str | None = strawberry.field(default=UNSET, directives=SENSITIVE)
    risk_acknowledged: bool = strawberry.field(
        default=False,
        description=(
            "The customer saw the name mismatch (PAYEE_NAME_MISMATCH) or the risk "
            "warning (RISK_NOT_ACKNOWLEDGED) and goes on."
        ),
    )

    def request(self) -> PaymentRequest:
        """Give the request as the room knows it; rules are judged there."""
        return PaymentRequest(
            key=self.idempotency_key,
            from_account=self.from_account_id,
            own_account=self.to.own_account_id or None,
            beneficiary=self.to.beneficiary_id or None,
            amount=self.amount.amount(),
            rail=self.rail.value if self.rail else None,
            reference=self.reference or None,
            note=self.note or None,
            risk_acknowledged=self.risk_acknowledged,
            quote=self.quote_id or None,
        )


@strawberry.input
class PaymentChallengeInput:
    """Which payment."""

    id: strawberry.ID


@strawberry.input
class PaymentCancelInput:
    """Which payment."""

    id: strawberry.ID


@strawberry.input(
    description=(
        "`bankCode` is what the rail needs: IFSC, BIC or sort code; left out for "
        "accounts of this bank."
    )
)
class BankAccountInput:
    """An account by its number."""

    account_number: str = strawberry.field(directives=SENSITIVE)
    bank_code: str | None = UNSET


@strawberry.input(one_of=True, description="Exactly one.")
class PayeeInput:
    """Who shall be paid."""

    account: BankAccountInput | None = UNSET


@strawberry.input
class BeneficiaryCreateInput:
    """A payee as the phone asks for it."""

    idempotency_key: IdempotencyKey
    nickname: str = strawberry.field(directives=SENSITIVE)
    name: str = strawberry.field(directives=SENSITIVE)
    payee: PayeeInput
    risk_acknowledged: bool = strawberry.field(
        default=False,
        description="The customer saw the name mismatch and goes on.",
    )

    def request(self) -> BeneficiaryRequest:
        """Give the request as the room knows it; rules are judged there."""
        account = self.payee.account
        assert account, "a oneOf input of one member has it"  # noqa: S101  -- the library checks
        return BeneficiaryRequest(
            key=self.idempotency_key,
            nickname=self.nickname,
            name=self.name,
            account_number=account.account_number,
            bank_code=account.bank_code or None,
            risk_acknowledged=self.risk_acknowledged,
        )


@strawberry.input
class BeneficiaryDeleteInput:
    """Which payee."""

    id: strawberry.ID


# ------------------------------------------------------------------ answers


@strawberry.type
class PaymentCreatePayload:
    """What became of the wish to pay."""

    user_errors: list[UserError]
    payment: Payment | None = strawberry.field(
        default=None,
        description=(
            "Present whenever a payment exists, also when it is held, declined or a "
            "replay."
        ),
    )
    replayed: bool = strawberry.field(
        default=False,
        description="True when the key was seen before and nothing new happened.",
    )

    @field(
        name="from",
        description=(
            "The account after the call, so the balance needs no second request."
        ),
    )
    async def from_(self, info: Info) -> Account | None:
        """Show the account that pays; read only where it is asked for."""
        if self.payment is None or self.payment.known is None:
            return None
        return await account_node(info.context, self.payment.known.from_account)


@strawberry.type
class PaymentChallengePayload:
    """The payment with its new challenge."""

    user_errors: list[UserError]
    payment: Payment | None = None


@strawberry.type
class PaymentCancelPayload:
    """The payment that was stopped."""

    user_errors: list[UserError]
    payment: Payment | None = None


@strawberry.type
class BeneficiaryCreatePayload:
    """The payee that was saved."""

    user_errors: list[UserError]
    beneficiary: Beneficiary | None = None
    replayed: bool = False


@strawberry.type
class BeneficiaryDeletePayload:
    """The payee that is gone."""

    user_errors: list[UserError]
    deleted_beneficiary_id: strawberry.ID | None = None


# ------------------------------------------------------------------ fields


@strawberry.type
class Mutation:
    """Payments and payees."""

    @mutation(
        level=AuthLevel.LOGIN,
        scope=_SCOPE,
        cost=1200,
        description=(
            "Creates a payment on any rail. A refusal creates nothing, so the same key "
            "may be tried again; once a payment exists,\nits state tells the rest and "
            "the same key returns the same payment. Refusals: INSUFFICIENT_FUNDS, "
            "LIMIT_EXCEEDED,\nCOOLING_PERIOD, PAYEE_NAME_MISMATCH, PAYEE_REJECTED, "
            "ACCOUNT_BLOCKED, CURRENCY_MISMATCH, QUOTE_EXPIRED,\n"
            "RISK_NOT_ACKNOWLEDGED (P1), IDEMPOTENCY_KEY_REUSED, NOT_FOUND, "
            "NOT_SUPPORTED."
        ),
    )
    async def payment_create(
        self,
        info: Info,
        input: PaymentCreateInput,  # noqa: A002  -- the contract's name
    ) -> PaymentCreatePayload:
        """Create a payment."""
        return await answered(PaymentCreatePayload, _create(info.context, input))

    @mutation(
        level=AuthLevel.LOGIN,
        scope=_SCOPE,
        cost=500,
        description=(
            "A new challenge for an unchanged payment that is AWAITING_AUTHORISATION, "
            "for this device: after a review, or when the old\nchallenge ran out or is "
            "on another device. The old one is cancelled. Refusals: NOT_FOUND, "
            "NOT_ALLOWED (no longer waiting)."
        ),
    )
    async def payment_challenge(
        self,
        info: Info,
        input: PaymentChallengeInput,  # noqa: A002  -- the contract's name
    ) -> PaymentChallengePayload:
        """Mint a new challenge."""
        return await answered(PaymentChallengePayload, _renew(info.context, input.id))

    @mutation(
        level=AuthLevel.LOGIN,
        scope=_SCOPE,
        cost=100,
        description="Refusals: TOO_LATE, NOT_FOUND.",
    )
    async def payment_cancel(
        self,
        info: Info,
        input: PaymentCancelInput,  # noqa: A002  -- the contract's name
    ) -> PaymentCancelPayload:
        """Stop a payment that waits."""
        return await answered(PaymentCancelPayload, _cancel(info.context, input.id))

    @mutation(
        level=AuthLevel.STEP_UP,
        scope=_SCOPE,
        cost=500,
        description=(
            "The new payee starts with a waiting time. Refusals: PAYEE_NAME_MISMATCH, "
            "PAYEE_REJECTED, CONFLICT (exists),\nIDEMPOTENCY_KEY_REUSED."
        ),
    )
    async def beneficiary_create(
        self,
        info: Info,
        input: BeneficiaryCreateInput,  # noqa: A002  -- the contract's name
    ) -> BeneficiaryCreatePayload:
        """Save a payee."""
        return await answered(BeneficiaryCreatePayload, _save(info.context, input))

    @mutation(level=AuthLevel.LOGIN, scope=_SCOPE, cost=100, description=None)
    async def beneficiary_delete(
        self,
        info: Info,
        input: BeneficiaryDeleteInput,  # noqa: A002  -- the contract's name
    ) -> BeneficiaryDeletePayload:
        """Delete a payee."""
        return await answered(BeneficiaryDeletePayload, _delete(info.context, input.id))


async def _create(context: Context, asked: PaymentCreateInput) -> PaymentCreatePayload:
    created = await context.bank.transfers.create(context.actor, asked.request())
    return PaymentCreatePayload(
        user_errors=[],
        payment=Payment.from_row(created.payment, created.challenge),
        replayed=created.replayed,
    )


async def _renew(context: Context, payment: str) -> PaymentChallengePayload:
    renewed = await context.bank.transfers.renew(context.actor, payment)
    return PaymentChallengePayload(user_errors=[], payment=Payment.from_row(renewed))


async def _cancel(context: Context, payment: str) -> PaymentCancelPayload:
    ended = await context.bank.transfers.cancel(context.actor, payment)
    return PaymentCancelPayload(user_errors=[], payment=Payment.from_row(ended))


async def _save(
    context: Context, asked: BeneficiaryCreateInput
) -> BeneficiaryCreatePayload:
    saved = await context.bank.payees.create(context.actor, asked.request())
    return BeneficiaryCreatePayload(
        user_errors=[],
        beneficiary=Beneficiary.from_row(saved.beneficiary),
        replayed=saved.replayed,
    )


async def _delete(context: Context, beneficiary: str) -> BeneficiaryDeletePayload:
    gone = await context.bank.payees.delete(context.actor, beneficiary)
    return BeneficiaryDeletePayload(
        user_errors=[], deleted_beneficiary_id=strawberry.ID(str(gone))
    )
