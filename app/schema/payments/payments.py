"""Payments as the phone sees them, made from rows or from facts."""

from datetime import datetime
from typing import Annotated, Union

import strawberry
from strawberry import UNSET

from app import errors
from app.accounts.row import Rail
from app.auth import challenge as challenges
from app.errors import BadRequest
from app.ids import MalformedId, PaymentId
from app.payments import payment as payments
from app.payments.lifecycle import Status
from app.payments.payment import StepDetail, StepSource
from app.realtime.shots import AccountShot, CounterpartyShot, PaymentShot, StepShot
from app.schema import paging
from app.schema.accounts.accounts import Account, Transaction
from app.schema.accounts.figures import Counterparty, money_of
from app.schema.accounts.owned import account_node, paying_node
from app.schema.auth.challenges import Challenge
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel, query
from app.schema.paging import Connection, Position
from app.schema.payments import words
from app.schema.payments.batches import PAYMENT, ROW, TIMELINE
from app.schema.payments.beneficiaries import Beneficiary, beneficiary_node
from app.schema.refusals import ErrorCode
from app.schema.scalars import (
    SENSITIVE,
    IdempotencyKey,
    Money,
    Needs,
    Node,
    enum,
    field,
)

_FIRST = 25

enum(
    Status,
    "PaymentStatus",
    "Final: SETTLED, DECLINED, FAILED, REVERSED, CANCELLED, EXPIRED.",
    AWAITING_AUTHORISATION=(
        "Waits for the customer until `expiresAt`: 15 minutes, or 24 h after a review; "
        "no money is held yet."
    ),
    HELD_FOR_REVIEW=(
        "The bank decides first, for at most 24 hours; then it waits for the customer "
        "or ends. No money is held."
    ),
    SUBMITTED="Approved: money is held and handed to the rail.",
    PENDING_CONFIRMATION=(
        "The outcome is not certain yet: an answer was lost, is deemed, or a refused "
        "payment's hold is being released. The money\nstays held until the bank knows; "
        "never show this as failed, never offer to pay again."
    ),
    DECLINED="The bank refused after creation; see `reason`.",
    FAILED="The rail refused; the held money is already free again.",
    REVERSED="Settled, then given back.",
    EXPIRED="Not approved in time.",
)
enum(StepSource, "PaymentStepSource", "CLOCK: a time ran out.")


@strawberry.type
class PaymentStep:
    """One line of a payment's timeline."""

    at: datetime
    status: Status
    source: StepSource
    detail: str | None

    @classmethod
    def of(cls, shot: StepShot) -> "PaymentStep":
        """Show the step of a fact."""
        return cls(
            at=shot.at,
            status=Status(shot.status),
            source=StepSource(shot.source),
            detail=None if shot.detail is None else words.step(StepDetail(shot.detail)),
        )


PaymentDestination = Annotated[
    Union[Account, Beneficiary],  # noqa: UP007  -- the library reads the union from the annotation
    strawberry.union("PaymentDestination"),
]


def _paying(payment: "Payment") -> Account:
    """Give the paying account that a fact holds."""
    if payment.account is None:
        raise LookupError("from")
    return Account.of(payment.account)


@strawberry.type(
    description=(
        "One intent to move money, from creation to its final state, for every rail."
    )
)
class Payment(Node):
    """One payment; what a fact does not hold is read when asked."""

    idempotency_key: IdempotencyKey | None = strawberry.field(
        description="The key it was created with; null when a schedule made it."
    )
    status: Status
    reason: ErrorCode | None = strawberry.field(
        description="Set with DECLINED, FAILED, REVERSED."
    )
    payee: Counterparty = strawberry.field(description="The payee as approved; frozen.")
    amount: Money = strawberry.field(directives=SENSITIVE)
    fee: Money
    rail: Rail
    reference: str | None
    note: str | None = strawberry.field(directives=SENSITIVE)
    created_at: datetime
    settled_at: datetime | None
    expected_by: datetime | None = strawberry.field(
        description="When the rail promises an outcome; null when final."
    )
    expires_at: datetime | None = strawberry.field(
        description=(
            "When it becomes EXPIRED without an approval; null unless "
            "AWAITING_AUTHORISATION or HELD_FOR_REVIEW."
        )
    )
    known: strawberry.Private[payments.Payment | None] = None
    account: strawberry.Private[AccountShot | None] = None
    asked: strawberry.Private[challenges.Challenge | None] = None

    @classmethod
    def of(cls, shot: PaymentShot, known: payments.Payment | None = None) -> "Payment":
        """Show the payment of a fact; `known` spares a read."""
        return cls(
            id=strawberry.ID(shot.id),
            idempotency_key=None
            if shot.idempotency_key is None
            else IdempotencyKey(shot.idempotency_key),
            status=Status(shot.status),
            reason=None if shot.reason is None else ErrorCode[shot.reason],
            payee=Counterparty.of(shot.payee),
            amount=money_of(shot.amount, shot.currency),
            fee=money_of(shot.fee, shot.currency),
            rail=Rail(shot.rail),
            reference=shot.reference,
            note=shot.note,
            created_at=shot.created_at,
            settled_at=shot.settled_at,
            expected_by=shot.expected_by,
            expires_at=shot.expires_at,
            known=known,
            account=shot.from_account,
        )

    @classmethod
    def from_row(
        cls, found: payments.Payment, asked: challenges.Challenge | None = None
    ) -> "Payment":
        """Show a payment of the room; its account is read when asked.

        `asked` is the challenge that the caller's phone may answer, if it is at hand.
        """
        payee = found.destination.payee
        return cls(
            id=strawberry.ID(str(found.id)),
            idempotency_key=None
            if found.idempotency_key is None
            else IdempotencyKey(found.idempotency_key),
            status=found.status,
            reason=None if found.reason is None else ErrorCode[found.reason.name],
            payee=Counterparty.of(
                CounterpartyShot(
                    name=payee.name,
                    masked_account=payee.masked,
                    bank_name=found.destination.bank_name,
                )
            ),
            amount=Money.of(found.amount),
            fee=Money.of(found.fee),
            rail=Rail(found.rail),
            reference=found.reference,
            note=found.note,
            created_at=found.created_at,
            settled_at=found.settled_at,
            expected_by=found.expected_by,
            expires_at=found.expires_at,
            known=found,
            asked=asked,
        )

    async def _room(self, info: Info) -> payments.Payment:
        if self.known is None:
            self.known = await PAYMENT.load(info.context, PaymentId.parse(self.id))
        return self.known

    @field(
        description="One sentence for the customer in the session's language.",
        needs=Needs.NOTHING,
    )
    def status_message(self) -> str | None:
        """Word the status and its reason."""
        reason = None if self.reason is None else errors.ErrorCode[self.reason.name]
        return words.status(self.status, reason)

    @field(name="from", at_hand=_paying)
    async def from_(self, info: Info) -> Account:
        """Show the account that pays."""
        if self.account is not None:
            return _paying(self)
        return await paying_node(info.context, (await self._room(info)).from_account)

    @field(
        description=(
            "The live object behind the payee; null when it was deleted since, or is "
            "not an object of this customer."
        )
    )
    async def destination(self, info: Info) -> PaymentDestination | None:
        """Show what the payment goes to, as it is now."""
        destination = (await self._room(info)).destination
        if destination.beneficiary is not None:
            return await beneficiary_node(info.context, destination.beneficiary)
        if destination.account is None:
            return None
        return await account_node(info.context, destination.account)

    @field(
        description=(
            "Set only while AWAITING_AUTHORISATION and only on the device that may "
            "answer it. Null there too after a review, on another\ndevice, or when it "
            "ran out: paymentChallenge makes a new one."
        )
    )
    async def challenge(self, info: Info) -> Challenge | None:
        """Show what this phone may sign."""
        if self.status is not Status.AWAITING_AUTHORISATION:
            return None
        if self.asked is not None:
            return Challenge.of(self.asked)
        context = info.context
        found = await context.bank.transfers.challenge_of(
            context.actor, await self._room(info)
        )
        return None if found is None else Challenge.of(found)

    @field(
        description=(
            "Until then paymentCancel works: always before approval, and in the undo "
            "window after it. Null when too late."
        )
    )
    async def cancellable_until(self, info: Info) -> datetime | None:
        """Tell until when the customer may stop it."""
        return (await self._room(info)).cancellable_until

    @field(
        description=("Append-only: what happened, when, and who said so. At most 50.")
    )
    async def timeline(self, info: Info) -> list[PaymentStep]:
        """Read the timeline, together with those of the other payments."""
        room = await self._room(info)
        found = await TIMELINE.load(info.context, room.id)
        return [PaymentStep.of(step.shot()) for step in found]

    @field(description="The row on `from`; null before money is held.")
    async def transaction(self, info: Info) -> Transaction | None:
        """Read the row, together with those of the other payments."""
        room = await self._room(info)
        found = await ROW.find(info.context, (room.id, room.from_account))
        return None if found is None else Transaction.from_row(found)


@strawberry.type
class Query:
    """Looking a payment up."""

    @query(
        level=AuthLevel.LOGIN,
        cost=1,
        description=(
            "By id, or by the key it was created with: the way to find out what "
            "happened after a lost answer. Exactly one argument."
        ),
    )
    async def payment(
        self,
        info: Info,
        id: strawberry.ID | None = UNSET,  # noqa: A002  -- the contract's name
        idempotency_key: IdempotencyKey | None = UNSET,
    ) -> Payment | None:
        """Give one payment of the caller, or null."""
        if bool(id) == bool(idempotency_key):
            raise BadRequest("Give `id` or `idempotencyKey`.")
        try:
            found = await info.context.bank.transfers.find(
                info.context.actor, id or None, key=idempotency_key or None
            )
        except MalformedId:
            return None
        return None if found is None else Payment.from_row(found)


@strawberry.type
class PaymentFields:
    """What the customer's own object shows of payments."""

    @field()
    async def payments(
        self,
        info: Info,
        first: int | None = _FIRST,
        after: str | None = UNSET,
        status: list[Status] | None = UNSET,
    ) -> Connection[Payment]:
        """Read one page, newest first."""
        wanted = sorted(set(status or ()))
        name = ",".join(wanted)
        start = paging.decode(after or None, name)
        found, more = await info.context.bank.transfers.page(
            info.context.actor,
            first=paging.size(first, _FIRST),
            after=None if start is None else (start.at, start.id),
            statuses=wanted,
        )
        return paging.page(
            found,
            shape=Payment.from_row,
            at=lambda one: Position(one.created_at, one.id.value),
            has_next=more,
            after=after or None,
            filtered_by=name,
        )


async def payment_node(context: Context, payment: PaymentId) -> Payment | None:
    """Give a payment of the caller; null for anybody else's."""
    found = await PAYMENT.find(context, payment)
    return None if found is None else Payment.from_row(found)
