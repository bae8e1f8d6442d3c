"""What a fact holds of the objects it is about, as they were at that moment.

A snapshot is read back for ever, so its fields only grow. Ids are in their outside
form, amounts are whole minor units. Secrets and full account numbers never enter one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime


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
class PayeeCheckShot:
    """How well a payee's name fitted when it was checked."""

    match: str
    suggested_name: str | None = None
    checked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BeneficiaryShot:
    """One saved payee, its address masked."""

    id: str
    nickname: str
    name: str
    masked_account: str | None = None
    bank_code: str | None = None
    bank_name: str | None = None
    payee_check: PayeeCheckShot | None = None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxShot:
    """One item of the inbox; the words follow from template and `args`.

    Amounts in `args` are whole minor units.
    """

    id: str
    category: str
    template: str
    args: Mapping[str, str | int | None] = field(repr=False)
    deep_link: str | None = None
    created_at: datetime
    read_at: datetime | None = None
