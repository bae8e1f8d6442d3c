"""The types of the stream: control events and what happened, made from facts."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Union

import strawberry

from app.realtime import facts
from app.schema.accounts.accounts import Account, Transaction
from app.schema.accounts.figures import Balance
from app.schema.auth.devices import Device
from app.schema.auth.security_log import AuditEntry
from app.schema.notifications.enums import Category
from app.schema.notifications.inbox import InboxItem
from app.schema.payments.beneficiaries import Beneficiary
from app.schema.payments.limits import Limit
from app.schema.payments.payments import Payment, PaymentStep
from app.schema.scalars import EventCursor, Int64


@strawberry.enum
class StreamResetReason(Enum):
    """The verdicts of `realtime.cursor` that are not a resume."""

    EPOCH_CHANGED = strawberry.enum_value(
        "EPOCH_CHANGED",
        description="The stream was rebuilt, or the cursor is of another customer.",
    )
    EXPIRED = strawberry.enum_value(
        "EXPIRED", description="`after` is older than what is kept (14 days)."
    )
    TOO_FAR_BEHIND = strawberry.enum_value(
        "TOO_FAR_BEHIND",
        description="More than 500 events were missed; loading anew is cheaper.",
    )
    AHEAD = strawberry.enum_value(
        "AHEAD",
        description=(
            "The cursor is newer than the stream: the bank restored older data."
        ),
    )


# ------------------------------------------------------------------ control events


@strawberry.type(
    description=(
        "Always the first frame unless StreamReset comes instead: live from `cursor` "
        "on."
    )
)
class StreamReady:
    """The stream begins."""

    cursor: EventCursor
    missed: int = strawberry.field(
        description="Events that follow before CaughtUp; 0 without `after`."
    )


@strawberry.type(
    description=(
        "All missed events are delivered; what follows is live. With `categories` it "
        "also comes as a checkpoint every 100 skipped events or 60 s, so that the "
        "stored cursor stays young."
    )
)
class CaughtUp:
    """The replay is over."""

    cursor: EventCursor


@strawberry.type(
    description=(
        "Missed events cannot be replayed. Load `me` again; the stream itself goes on "
        "live from `cursor`."
    )
)
class StreamReset:
    """The replay is impossible."""

    reason: StreamResetReason
    cursor: EventCursor


@strawberry.type(
    description=(
        "An event the caller may no longer see; it only keeps the numbers without "
        "holes."
    )
)
class EventWithheld:
    """A number without its content."""

    reason: str


# ------------------------------------------------------------------ what happened


@strawberry.type(
    description=(
        "In `events` each change comes once; `balanceChanged` sends only the newest."
    )
)
class BalanceChanged:
    """New figures of an account."""

    account: Account
    balance: Balance

    @classmethod
    def of(cls, fact: facts.BalanceChanged) -> "BalanceChanged":
        """Show the fact."""
        return cls(account=Account.of(fact.account), balance=Balance.of(fact.balance))


@strawberry.type
class TransactionPosted:
    """A new row on an account."""

    transaction: Transaction

    @classmethod
    def of(cls, fact: facts.TransactionPosted) -> "TransactionPosted":
        """Show the fact."""
        return cls(transaction=Transaction.of(fact.transaction))


@strawberry.type(
    description=(
        "Pending became booked, was reversed, or the customer changed note, tags or "
        "category."
    )
)
class TransactionUpdated:
    """A row changed."""

    transaction: Transaction

    @classmethod
    def of(cls, fact: facts.TransactionUpdated) -> "TransactionUpdated":
        """Show the fact."""
        return cls(transaction=Transaction.of(fact.transaction))


@strawberry.type
class PaymentChanged:
    """A payment moved on."""

    payment: Payment
    step: PaymentStep

    @classmethod
    def of(cls, fact: facts.PaymentChanged) -> "PaymentChanged":
        """Show the fact."""
        return cls(payment=Payment.of(fact.payment), step=PaymentStep.of(fact.step))


@strawberry.type
class BeneficiaryChanged:
    """A payee was saved, changed or deleted."""

    beneficiary: Beneficiary | None = strawberry.field(description="Null when deleted.")
    beneficiary_id: strawberry.ID

    @classmethod
    def of(cls, fact: facts.BeneficiaryChanged) -> "BeneficiaryChanged":
        """Show the fact."""
        shot = fact.beneficiary
        return cls(
            beneficiary=None if shot is None else Beneficiary.of(shot),
            beneficiary_id=strawberry.ID(fact.beneficiary_id),
        )


@strawberry.type
class DeviceChanged:
    """A phone was bound or changed its state."""

    device: Device

    @classmethod
    def of(cls, fact: facts.DeviceChanged) -> "DeviceChanged":
        """Show the fact."""
        return cls(device=Device.of(fact.device))


@strawberry.type
class LimitChanged:
    """The customer chose another limit."""

    limit: Limit

    @classmethod
    def of(cls, fact: facts.LimitChanged) -> "LimitChanged":
        """Show the fact."""
        return cls(limit=Limit.of(fact.limit))


@strawberry.type(description="Show at once, whatever the screen.")
class SecurityEvent:
    """Something about the safety of the customer's access."""

    entry: AuditEntry
    title: str
    action_url: str | None

    @classmethod
    def of(cls, fact: facts.SecurityEvent) -> "SecurityEvent":
        """Show the fact."""
        return cls(
            entry=AuditEntry.of(fact.entry),
            title=fact.title,
            action_url=fact.action_url,
        )


@strawberry.type(
    description=(
        "`readAt` is set where an item was read on one of the customer's phones: the "
        "newest of those that were, and what is left. Show the count as the badge."
    )
)
class InboxAdded:
    """Something new in the inbox."""

    item: InboxItem
    unread_count: int

    @classmethod
    def of(cls, fact: facts.InboxAdded) -> "InboxAdded":
        """Show the fact."""
        return cls(item=InboxItem.of(fact.item), unread_count=fact.unread_count)


CustomerEvent = Annotated[
    Union[  # noqa: UP007  -- the library reads the union from the annotation
        StreamReady,
        CaughtUp,
        StreamReset,
        EventWithheld,
        BalanceChanged,
        TransactionPosted,
        TransactionUpdated,
        PaymentChanged,
        BeneficiaryChanged,
        DeviceChanged,
        LimitChanged,
        SecurityEvent,
        InboxAdded,
    ],
    strawberry.union(
        "CustomerEvent",
        description=(
            "Events hold the state right after they happened. StreamReady, CaughtUp "
            "and StreamReset are control events. Ignore members the app does not know, "
            "but store their cursor."
        ),
    ),
]


@strawberry.type
class EventEnvelope:
    """One event with its place in the stream."""

    cursor: EventCursor = strawberry.field(
        description="Save it after the event is applied, then pass it as `after`."
    )
    sequence: Int64 = strawberry.field(
        description=(
            "Grows by exactly one per event of this customer. Ignore a number already "
            "applied. Control events repeat the number of their cursor."
        )
    )
    occurred_at: datetime = strawberry.field(
        description="When it happened, not when it was sent."
    )
    category: Category | None = strawberry.field(description="Null for control events.")
    event: CustomerEvent
