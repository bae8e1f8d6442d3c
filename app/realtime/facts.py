"""What happened: frozen facts with the display snapshot of the moment.

A fact is written in the transaction that made it true and read back for ever, so its
fields only grow. Ids are in their outside form, amounts are whole minor units. Secrets
and full account numbers never enter a fact.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from typing_extensions import override

from app.ids import CustomerId


class Category(StrEnum):
    """What an event is about."""

    MONEY_IN = "MONEY_IN"
    MONEY_OUT = "MONEY_OUT"
    LOW_BALANCE = "LOW_BALANCE"
    SECURITY = "SECURITY"
    SERVICE = "SERVICE"
    MESSAGE = "MESSAGE"
    LOGIN_APPROVAL = "LOGIN_APPROVAL"


NOTIFICATIONS = "notifications"  # the consumer that tells the phones
_TOLD = (NOTIFICATIONS,)


# ------------------------------------------------------------------ snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountShot:
    """An account as a list shows it."""

    id: str
    kind: str
    name: str
    nickname: str | None = None
    masked_number: str
    currency: str
    status: str
    can_debit: bool = True
    can_credit: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceShot:
    """Absolute figures in minor units; `version` grows with every change."""

    available: int
    booked: int
    held: int
    currency: str
    as_of: datetime
    version: int
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterpartyShot:
    """The other side as it was when it happened."""

    name: str
    masked_account: str | None = None
    bank_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionShot:
    """One row of an account; `amount` is positive, `direction` gives the sign."""

    id: str
    account: AccountShot
    status: str
    kind: str
    direction: str
    amount: int
    currency: str
    running_balance: int | None = None
    created_at: datetime
    booked_at: datetime | None = None
    value_date: date | None = None
    counterparty: CounterpartyShot | None = None
    narration: str | None = None
    rail: str = "INTERNAL"
    reference: str | None = None
    payment_id: str | None = None
    decline_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentShot:
    """One payment in its public status."""

    id: str
    idempotency_key: str | None = None
    status: str
    reason: str | None = None
    status_message: str | None = None
    from_account: AccountShot
    payee: CounterpartyShot
    amount: int
    fee: int
    currency: str
    rail: str
    reference: str | None = None
    note: str | None = None
    created_at: datetime
    settled_at: datetime | None = None
    expected_by: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShot:
    """One line of a payment's timeline; `no` counts them from 1."""

    at: datetime
    status: str
    source: str
    detail: str | None = None
    no: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceShot:
    """One bound phone."""

    id: str
    name: str
    platform: str
    model: str | None = None
    app_version: str | None = None
    state: str
    attestation: str
    bound_at: datetime
    last_seen_at: datetime | None = None
    cooling_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeneficiaryShot:
    """One saved payee, its address masked."""

    id: str
    nickname: str
    name: str
    masked_account: str | None = None
    bank_code: str | None = None
    bank_name: str | None = None
    cooling_until: datetime | None = None
    favourite: bool = False
    last_paid_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitShot:
    """One limit of the customer, as it is without a phone's waiting time."""

    id: str
    name: str
    rail: str | None = None
    window: str
    max: int
    used: int
    remaining: int
    currency: str
    resets_at: datetime | None = None
    ceiling: int
    pending_max: int | None = None
    pending_from: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditShot:
    """One entry of the security log as the customer sees it."""

    id: str
    at: datetime
    actor: str
    action: str
    object: str | None = None
    outcome: str
    device: str | None = None
    address: str | None = None


# ------------------------------------------------------------------ facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened to one customer.

    `dedupe_key` makes sources that deliver twice exactly-once.
    """

    customer: CustomerId
    occurred_at: datetime
    dedupe_key: str | None = None

    @property
    def consumers(self) -> tuple[str, ...]:
        """Who is owed a row of work for it, in the same transaction."""
        return ()

    @property
    def category(self) -> Category | None:
        """What it is about; None for what no preference speaks of."""
        return None

    @property
    def subject(self) -> str | None:
        """Outside id of the object, for look-ups."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceChanged(Fact):
    """New absolute figures of one account."""

    account: AccountShot
    balance: BalanceShot

    @property
    @override
    def subject(self) -> str:
        """The account."""
        return self.account.id


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionPosted(Fact):
    """A new row on one account."""

    transaction: TransactionShot

    @property
    @override
    def consumers(self) -> tuple[str, ...]:
        """Each movement is told, once: when it is posted."""
        return _TOLD

    @property
    @override
    def category(self) -> Category:
        """Money in or out."""
        came_in = self.transaction.direction == "IN"
        return Category.MONEY_IN if came_in else Category.MONEY_OUT

    @property
    @override
    def subject(self) -> str:
        """The row."""
        return self.transaction.id


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionUpdated(Fact):
    """A row turned booked, declined or reversed."""

    transaction: TransactionShot

    @property
    @override
    def subject(self) -> str:
        """The row."""
        return self.transaction.id


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentChanged(Fact):
    """A payment moved to another status."""

    payment: PaymentShot
    step: StepShot

    @property
    @override
    def consumers(self) -> tuple[str, ...]:
        """Only the end without a movement is told; the others post a transaction."""
        return _TOLD if self.payment.status in {"DECLINED", "FAILED"} else ()

    @property
    @override
    def category(self) -> Category:
        """Money out."""
        return Category.MONEY_OUT

    @property
    @override
    def subject(self) -> str:
        """The payment."""
        return self.payment.id


@dataclass(frozen=True, slots=True, kw_only=True)
class BeneficiaryChanged(Fact):
    """A payee was saved, changed, or deleted (then `beneficiary` is None)."""

    beneficiary: BeneficiaryShot | None
    beneficiary_id: str

    @property
    @override
    def subject(self) -> str:
        """The payee."""
        return self.beneficiary_id


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChanged(Fact):
    """A phone was bound or changed its state."""

    device: DeviceShot

    @property
    @override
    def consumers(self) -> tuple[str, ...]:
        """Only the end of a binding is told; other changes have a SecurityEvent."""
        return _TOLD if self.device.state == "REVOKED" else ()

    @property
    @override
    def category(self) -> Category:
        """Security."""
        return Category.SECURITY

    @property
    @override
    def subject(self) -> str:
        """The phone."""
        return self.device.id


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChanged(Fact):
    """The customer chose another limit; a raise waits for its time."""

    limit: LimitShot

    @property
    @override
    def subject(self) -> str:
        """The limit."""
        return self.limit.id


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEvent(Fact):
    """Something the customer must see at once; cannot be muted.

    `asked` names the challenge that waits for each phone which may vouch for a new one,
    by device; nearly always it is empty.
    """

    entry: AuditShot
    title: str
    action_url: str | None = None
    asked: Mapping[str, str] = field(default_factory=dict)

    @property
    @override
    def consumers(self) -> tuple[str, ...]:
        """Always told."""
        return _TOLD

    @property
    @override
    def category(self) -> Category:
        """Security, or a new phone that asks to be let in."""
        return Category.LOGIN_APPROVAL if self.asked else Category.SECURITY

    @property
    @override
    def subject(self) -> str:
        """The audit entry."""
        return self.entry.id


FACTS: dict[str, type[Fact]] = {
    kind.__name__: kind
    for kind in (
        BalanceChanged,
        TransactionPosted,
        TransactionUpdated,
        PaymentChanged,
        BeneficiaryChanged,
        DeviceChanged,
        LimitChanged,
        SecurityEvent,
    )
}
