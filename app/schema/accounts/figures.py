"""What accounts are made of in the contract: enums, figures, the other side."""

from datetime import datetime
from operator import attrgetter
from typing import cast

import strawberry
from strawberry import UNSET

from app.accounts import balances
from app.accounts.account import AccountStatus
from app.accounts.row import Direction, Rail, TransactionKind, TransactionStatus
from app.accounts.transactions import Filter
from app.integrations.core_banking import AccountKind
from app.realtime.shots import BalanceShot, CounterpartyShot
from app.schema.plan.shapes import Part, Shape
from app.schema.scalars import (
    SENSITIVE,
    CurrencyCode,
    Int64,
    Money,
    MoneyInput,
    enum,
)

enum(AccountKind, "AccountKind")
enum(
    AccountStatus,
    "AccountStatus",
    DORMANT="No movement for a long time; the bank must wake it.",
    BLOCKED=(
        "Stopped by the bank or a court, wholly or in one direction: see `canDebit` "
        "and `canCredit`."
    ),
)
enum(
    TransactionStatus,
    "TransactionStatus",
    PENDING="Visible, money held, not final.",
    REVERSED="Undone by a later transaction with the same `payment`.",
    DECLINED="Never touched the balance; kept so that the customer sees why.",
)
enum(Direction, "Direction")
enum(
    TransactionKind,
    "TransactionKind",
    TRANSFER="Between two accounts, on any rail.",
    REVERSAL="Gives back an earlier row.",
    ADJUSTMENT="Correction by the bank.",
    OTHER="Anything the core does not tell apart.",
)
enum(
    Rail,
    "Rail",
    "INTERNAL is any transfer inside the bank. Left out of an input, the server takes "
    "the fastest rail that reaches the payee.",
)


def money_of(minor: int, currency: str) -> Money:
    """Show minor units of a currency."""
    return Money(
        minor_units=cast("Int64", minor), currency=cast("CurrencyCode", currency)
    )


@strawberry.type(
    description=(
        "Absolute figures, never differences: the newest version simply replaces the "
        "older one."
    )
)
class Balance:
    """The figures of one account."""

    available: Money = strawberry.field(
        description=(
            "What can be spent now: booked minus held, plus an arranged overdraft."
        ),
        directives=SENSITIVE,
    )
    booked: Money = strawberry.field(
        description="Sum of booked transactions.", directives=SENSITIVE
    )
    held: Money = strawberry.field(
        description="Reserved for payments on their way and card authorisations.",
        directives=SENSITIVE,
    )
    as_of: datetime = strawberry.field(
        description="When the core last confirmed these figures."
    )
    stale: bool = strawberry.field(
        description=(
            "True when they come from the last known state because the core did not "
            "answer."
        )
    )
    version: Int64 = strawberry.field(
        description=(
            "Grows with every change of this account; drop an update whose version is "
            "not higher."
        )
    )

    @classmethod
    def of(cls, shot: BalanceShot) -> "Balance":
        """Show the figures of a fact, or of `balances.shot`."""
        return cls(
            available=money_of(shot.available, shot.currency),
            booked=money_of(shot.booked, shot.currency),
            held=money_of(shot.held, shot.currency),
            as_of=shot.as_of,
            stale=shot.stale,
            version=Int64(shot.version),
        )


MONEY_ROW = Shape(Money, Money.of, {"minor_units": Part(attrgetter("minor"))})
BALANCE_ROW = Shape(
    Balance,
    lambda found: Balance.of(balances.shot(found)),
    {
        name: Part(attrgetter(name), MONEY_ROW)
        for name in ("available", "booked", "held")
    },
)


@strawberry.type(
    description=(
        "The other side as it was when the transaction was made; later changes to a "
        "beneficiary do not rewrite history."
    )
)
class Counterparty:
    """Who was on the other side."""

    name: str = strawberry.field(directives=SENSITIVE)
    masked_account: str | None
    bank_name: str | None

    @classmethod
    def of(cls, shot: CounterpartyShot) -> "Counterparty":
        """Show the other side of a fact."""
        return cls(
            name=shot.name,
            masked_account=shot.masked_account,
            bank_name=shot.bank_name,
        )


@strawberry.input(
    description=(
        "All given parts must hold. `text` looks in counterparty, narration, reference "
        "and note."
    )
)
class TransactionFilter:
    """What rows must be like."""

    from_: datetime | None = strawberry.field(name="from", default=UNSET)
    to: datetime | None = UNSET
    direction: Direction | None = UNSET
    status: list[TransactionStatus] | None = UNSET
    min: MoneyInput | None = UNSET
    max: MoneyInput | None = UNSET
    text: str | None = UNSET

    def read(self) -> Filter:
        """Give the filter as the room knows it."""
        return Filter(
            since=self.from_ or None,
            until=self.to or None,
            direction=self.direction or None,
            statuses=tuple(sorted(set(self.status or ()))),
            least=self.min.amount() if self.min else None,
            most=self.max.amount() if self.max else None,
            text=None if self.text is UNSET else self.text,
        )
