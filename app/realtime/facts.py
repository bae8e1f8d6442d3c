"""What happened: frozen facts with the display snapshot of the moment.

A fact is written in the transaction that made it true and read back for ever, so its
fields only grow. Ids are in their outside form, amounts are whole minor units. Secrets
and full account numbers never enter a fact.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from typing_extensions import override

from app.ids import CustomerId
from app.realtime.shots import (
    AccountShot,
    AuditShot,
    BalanceShot,
    BeneficiaryShot,
    DeviceShot,
    InboxShot,
    LimitShot,
    PaymentShot,
    StepShot,
    TransactionShot,
)


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
# Lines of a payment's timeline that are told: people look, or nobody did in time.
_REVIEWED = frozenset({"held", "released", "not_decided_in_time"})


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
    """New absolute figures of one account.

    `moved` is by how much `available` changed, where the source knows; `low` the alert
    that it fell below with this very change.
    """

    account: AccountShot
    balance: BalanceShot
    moved: int | None = None
    low: int | None = None

    @property
    @override
    def consumers(self) -> tuple[str, ...]:
        """Told only where it crossed the customer's alert."""
        return () if self.low is None else _TOLD

    @property
    @override
    def category(self) -> Category | None:
        """A low balance; else no preference speaks of it."""
        return None if self.low is None else Category.LOW_BALANCE

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
        """Told are a review and ends without a movement; the others post a row."""
        ended = self.payment.status in {"DECLINED", "FAILED"}
        return _TOLD if ended or self.step.detail in _REVIEWED else ()

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


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxAdded(Fact):
    """Something was told, or what had been told was read on one of the phones.

    It follows from another fact and nobody is told of it again: no consumer.
    """

    item: InboxShot
    unread_count: int

    @property
    @override
    def category(self) -> Category:
        """What the item is about."""
        return Category(self.item.category)

    @property
    @override
    def subject(self) -> str:
        """The item."""
        return self.item.id


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
        InboxAdded,
    )
}
