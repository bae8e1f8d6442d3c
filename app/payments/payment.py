"""A payment as the other rooms and the edge see it: frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from app.auth.challenge import Challenge
from app.errors import ErrorCode
from app.ids import (
    AccountId,
    BeneficiaryId,
    ChallengeId,
    CustomerId,
    DeviceId,
    PaymentId,
)
from app.money import Money
from app.payments import lifecycle
from app.payments.lifecycle import State, Status
from app.realtime import shots

OPERATION = "paymentCreate"


class DestinationKind(StrEnum):
    """What a payment goes to."""

    OWN_ACCOUNT = "OWN_ACCOUNT"
    BENEFICIARY = "BENEFICIARY"


class StepSource(StrEnum):
    """Who said so. CLOCK: a time ran out."""

    CUSTOMER = "CUSTOMER"
    RISK = "RISK"
    CORE = "CORE"
    RAIL = "RAIL"
    STAFF = "STAFF"
    CLOCK = "CLOCK"


class StepDetail(StrEnum):
    """Closed list of keys of the timeline; the edge words them for the customer."""

    CREATED = "created"
    APPROVED = "approved"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    ACCESS_STOPPED = "access_stopped"
    ACCOUNT_WITHDRAWN = "account_withdrawn"
    TOO_MANY_ANSWERS = "too_many_answers"
    NOT_APPROVED_IN_TIME = "not_approved_in_time"
    HELD = "held"
    STOPPED = "stopped"
    RELEASED = "released"
    REFUSED_BY_BANK = "refused_by_bank"
    NOT_DECIDED_IN_TIME = "not_decided_in_time"
    HANDED_OVER = "handed_over"
    OUTCOME_UNSURE = "outcome_unsure"
    BOOKED = "booked"
    NOT_BOOKED = "not_booked"
    MONEY_HELD = "money_held"
    TAKEN_BY_RAIL = "taken_by_rail"
    PROBABLY_SETTLED = "probably_settled"
    SETTLED_BY_RAIL = "settled_by_rail"
    REFUSED_BY_RAIL = "refused_by_rail"
    MONEY_FREED = "money_freed"
    RETURNED_BY_RAIL = "returned_by_rail"
    CREDITED_BACK = "credited_back"
    WITH_STAFF = "with_staff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One side of a payment as it was when the payment was made."""

    name: str
    masked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where the money goes, frozen at creation.

    Args:
        kind: own account or saved payee.
        account: the account of this bank that is paid; None: it is of another bank.
        beneficiary: the saved payee behind it, if one.
        payee, payer: both sides as shown.
        src, dst: the core's references of both accounts; no `dst` at another bank.
        bank_name: name of the payee's bank.
    """

    kind: DestinationKind
    account: AccountId | None
    beneficiary: BeneficiaryId | None
    payee: Party
    payer: Party
    src: str
    dst: str
    bank_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentStep:
    """One line of the timeline."""

    no: int
    at: datetime
    status: Status
    source: StepSource
    detail: StepDetail | None

    def shot(self) -> shots.StepShot:
        """Give the snapshot that goes into an event."""
        return shots.StepShot(
            at=self.at,
            status=self.status,
            source=self.source,
            detail=self.detail,
            no=self.no,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One intent to move money, from creation to its final state."""

    id: PaymentId
    customer: CustomerId
    device: DeviceId | None
    idempotency_key: str | None
    state: State
    from_account: AccountId
    destination: Destination
    amount: Money
    fee: Money
    rail: str
    reference: str | None
    note: str | None
    authorise_by: datetime | None
    created_at: datetime
    challenge: ChallengeId | None = None
    failed_answers: int = 0
    unsure_since: datetime | None = None
    reason: ErrorCode | None = None
    not_before: datetime | None = None
    expected_by: datetime | None = None
    settled_at: datetime | None = None
    manual_since: datetime | None = None
    conflict: bool = False

    @property
    def status(self) -> Status:
        """What the customer sees."""
        return lifecycle.shown(self.state, unsure=self.unsure_since is not None)

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in lifecycle.FINAL

    @property
    def expires_at(self) -> datetime | None:
        """When it ends without an approval; only while it waits."""
        return self.authorise_by if self.state in lifecycle.CANCELLABLE else None

    @property
    def cancellable_until(self) -> datetime | None:
        """Until when the customer may stop it; None when it is too late."""
        return self.not_before if self.state is State.APPROVED else self.expires_at

    def waiting_for(self, challenge: ChallengeId, device: DeviceId) -> "Payment":
        """Give the same payment, to be approved by this challenge on this device."""
        return replace(self, challenge=challenge, device=device)

    def shot(self, from_account: shots.AccountShot) -> shots.PaymentShot:
        """Give the snapshot that goes into an event."""
        return shots.PaymentShot(
            id=str(self.id),
            idempotency_key=self.idempotency_key,
            status=self.status,
            reason=self.reason,
            from_account=from_account,
            payee=shots.CounterpartyShot(
                name=self.destination.payee.name,
                masked_account=self.destination.payee.masked,
                bank_name=self.destination.bank_name,
            ),
            amount=self.amount.minor,
            fee=self.fee.minor,
            currency=self.amount.currency,
            rail=self.rail,
            reference=self.reference,
            note=self.note,
            created_at=self.created_at,
            settled_at=self.settled_at,
            expected_by=self.expected_by,
            expires_at=self.expires_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """What a phone asks for. Ids are the texts it sent; the room reads them.

    Args:
        key: the phone's IdempotencyKey.
        from_account: id of the account that pays.
        own_account, beneficiary: exactly one says where the money goes.
        amount: in minor units; judged by the room.
        rail: name of a rail, or None for the fastest that reaches the payee.
        reference: at most 35 characters of the SEPA set; the payee sees it.
        note: at most 140 characters; only the customer sees it.
        risk_acknowledged: the customer saw a warning and goes on.
        quote: id of the quote whose fee and rail count.
    """

    key: str
    from_account: str
    own_account: str | None = None
    beneficiary: str | None = None
    amount: Money
    rail: str | None = None
    reference: str | None = None
    note: str | None = None
    risk_acknowledged: bool = False
    quote: str | None = None

    def body(self) -> Mapping[str, object]:
        """Give everything but the key, as the fingerprint covers it."""
        quoted = {} if self.quote is None else {"quoteId": self.quote}
        return quoted | {
            "amount": {
                "currency": self.amount.currency,
                "minorUnits": str(self.amount.minor),
            },
            "fromAccountId": self.from_account,
            "note": self.note,
            "rail": self.rail,
            "reference": self.reference,
            "riskAcknowledged": self.risk_acknowledged,
            "to": {
                "beneficiaryId": self.beneficiary,
                "ownAccountId": self.own_account,
            },
        }


@dataclass(frozen=True, slots=True)
class Created:
    """The payment, and whether the key was seen before and nothing new happened.

    `challenge` is what a new one waits for, on the phone that asked.
    """

    payment: Payment
    replayed: bool
    challenge: Challenge | None = None
