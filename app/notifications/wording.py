"""What a fact is called for people: template, sentence keys, texts, and urgency.

A text that may reach a provider or a locked screen is generic: no amount, no name, no
number. What the inbox needs to say more stays in `args`, in our database (realtime.md
sections 11.3 and 11.5 of the design).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from app.ids import DeviceId, NotificationId
from app.notifications import catalogue
from app.notifications.catalogue import Args, Words
from app.notifications.channels import MANDATORY
from app.realtime.facts import (
    BalanceChanged,
    Category,
    DeviceChanged,
    Fact,
    PaymentChanged,
    SecurityEvent,
    TransactionPosted,
)
from app.realtime.shots import PaymentShot, TransactionShot


class Template(StrEnum):
    """What is said; the words follow from it in every language."""

    MONEY_IN = "money_in"
    MONEY_OUT = "money_out"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_HELD = "payment_held"
    PAYMENT_RELEASED = "payment_released"
    LOW_BALANCE = "low_balance"
    DEVICE_REMOVED = "device_removed"
    SECURITY = "security"
    LOGIN_APPROVAL = "login_approval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a fact becomes in the inbox.

    `thread` is None where each notification stands for itself; `threads` names it by
    device where each phone is asked for itself. Amounts in `args` are whole minor
    units.
    """

    category: Category
    template: Template
    args: Args = field(repr=False)
    deep_link: str | None = None
    thread: str | None = None
    threads: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_security(self) -> bool:
        """Whether it goes now, to every phone, and knows no mute."""
        return self.category in MANDATORY

    def thread_of(self, item: NotificationId, device: DeviceId) -> str:
        """Name what a later notification of the same matter replaces on a phone."""
        return self.threads.get(str(device)) or self.thread or str(item)


@dataclass(frozen=True, slots=True)
class Urgency:
    """How a category travels: life, priority, and what collapses at the provider."""

    life: timedelta
    high: bool = True
    collapse_key: str | None = None


_DAY = Urgency(timedelta(hours=24))
_URGENCY = {
    Category.MONEY_IN: _DAY,
    Category.MONEY_OUT: _DAY,
    Category.SECURITY: Urgency(timedelta(days=7)),
    Category.LOGIN_APPROVAL: Urgency(timedelta(seconds=300), collapse_key="approve"),
    Category.LOW_BALANCE: Urgency(timedelta(hours=12)),
    Category.SERVICE: Urgency(timedelta(hours=1), high=False, collapse_key="service"),
    Category.MESSAGE: Urgency(timedelta(hours=24), high=False, collapse_key="news"),
}


def urgency(category: Category) -> Urgency:
    """Tell how a category travels."""
    return _URGENCY[category]


def words(template: Template) -> Words:
    """Give the generic English words of a template."""
    return catalogue.told(template, {}, "en")


def title_key(template: Template) -> str:
    """Name the title a phone looks up in its own language."""
    return f"push.{template}.title"


def body_key(template: Template) -> str:
    """Name the sentence a phone looks up in its own language."""
    return f"push.{template}.body"


def note_of(fact: Fact) -> Note | None:
    """Say what a fact becomes for its customer; None where it is told elsewhere."""
    note: Note | None
    match fact:
        case TransactionPosted(transaction=row):
            note = _movement(row)
        case BalanceChanged(low=int(low)):
            note = _low(fact, low)
        case PaymentChanged(payment=payment):
            note = _payment(payment)
        case DeviceChanged(device=device):
            note = Note(
                category=Category.SECURITY,
                template=Template.DEVICE_REMOVED,
                args={"device": device.name},
                deep_link="sixpence://security",
            )
        case SecurityEvent():
            note = _safety(fact)
        case _:
            note = None
    return note


_REVIEWED = {
    "HELD_FOR_REVIEW": Template.PAYMENT_HELD,
    "AWAITING_AUTHORISATION": Template.PAYMENT_RELEASED,
}


def _payment(payment: PaymentShot) -> Note:
    return Note(
        category=Category.MONEY_OUT,
        template=_REVIEWED.get(payment.status, Template.PAYMENT_FAILED),
        args={
            "amount": payment.amount,
            "currency": payment.currency,
            "counterparty": payment.payee.name,
            "reason": payment.reason,
        },
        deep_link=f"sixpence://payment/{payment.id}",
        thread=payment.id,
    )


def _safety(fact: SecurityEvent) -> Note:
    asks = bool(fact.asked)
    return Note(
        category=fact.category,
        template=Template.LOGIN_APPROVAL if asks else Template.SECURITY,
        args={"title": fact.title},
        deep_link=fact.action_url if asks else "sixpence://security",
        threads=fact.asked,
    )


def _low(fact: BalanceChanged, limit: int) -> Note:
    return Note(
        category=Category.LOW_BALANCE,
        template=Template.LOW_BALANCE,
        args={
            "amount": fact.balance.available,
            "currency": fact.balance.currency,
            "account": fact.account.masked_number,
            "limit": limit,
        },
        deep_link=f"sixpence://account/{fact.account.id}",
        thread=fact.account.id,
    )


def _movement(row: TransactionShot) -> Note | None:
    if row.status == "DECLINED":
        return None
    came_in = row.direction == "IN"
    other = row.counterparty
    paid = None if came_in else row.payment_id  # what came in is another's payment
    return Note(
        category=Category.MONEY_IN if came_in else Category.MONEY_OUT,
        template=Template.MONEY_IN if came_in else Template.MONEY_OUT,
        args={
            "amount": row.amount,
            "currency": row.currency,
            "account": row.account.masked_number,
            "counterparty": other.name if other else None,
        },
        deep_link=f"sixpence://payment/{paid}"
        if paid
        else f"sixpence://transaction/{row.id}",
        thread=paid or row.id,
    )
