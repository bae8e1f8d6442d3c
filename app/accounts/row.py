"""One row of an account: how far it is, what it says, its display snapshot."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from typing_extensions import override

from app.accounts.account import Account
from app.accounts.account import shot as account_shot
from app.ids import PaymentId, TransactionId
from app.integrations.core_banking import CoreTxn
from app.money import Money
from app.realtime.shots import CounterpartyShot, TransactionShot


class TransactionStatus(StrEnum):
    """How far a row is; it keeps its id and place."""

    PENDING = "PENDING"
    BOOKED = "BOOKED"
    REVERSED = "REVERSED"
    DECLINED = "DECLINED"


class Direction(StrEnum):
    """Whether money came or went."""

    IN = "IN"
    OUT = "OUT"


class TransactionKind(StrEnum):
    """What moved the money."""

    TRANSFER = "TRANSFER"
    FEE = "FEE"
    INTEREST = "INTEREST"
    TAX = "TAX"
    CASH = "CASH"
    REVERSAL = "REVERSAL"
    ADJUSTMENT = "ADJUSTMENT"
    OTHER = "OTHER"


class Rail(StrEnum):
    """Over which network money moves; INTERNAL is inside the bank."""

    INTERNAL = "INTERNAL"
    IMPS = "IMPS"


class Transaction:
    """One row of one account. `amount` is positive; `direction` gives the sign.

    It reads what the core gave when it is asked for, and no earlier: a screen shows
    six of its parts.

    Args:
        account: whose row it is.
        told: the row as the core gave it.
    """

    __slots__ = ("account", "told")

    def __init__(self, account: Account, told: CoreTxn) -> None:
        self.account = account
        self.told = told

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Transaction):
            return NotImplemented
        return self.account == other.account and self.told == other.told

    @override
    def __hash__(self) -> int:
        return hash(self.told.id)

    @property
    def id(self) -> TransactionId:
        """Ours, and kept from pending to booked."""
        return TransactionId(self.told.id)

    @property
    def status(self) -> TransactionStatus:
        """How far it is."""
        return TransactionStatus(self.told.status)

    @property
    def kind(self) -> TransactionKind:
        """What moved the money."""
        return TransactionKind(self.told.kind)

    @property
    def direction(self) -> Direction:
        """Whether money came or went."""
        return Direction(self.told.direction)

    @property
    def amount(self) -> Money:
        """How much, in the account's currency."""
        return self.told.amount

    @property
    def original(self) -> Money | None:
        """How much in the other side's currency, where that differs."""
        return self.told.original

    @property
    def running_balance(self) -> Money | None:
        """Booked balance after it; None while pending or declined."""
        return self.told.running_balance

    @property
    def created_at(self) -> datetime:
        """When it came to be; with the id its place in the list."""
        return self.told.created_at

    @property
    def booked_at(self) -> datetime | None:
        """When it was booked; None before."""
        return self.told.booked_at

    @property
    def value_on(self) -> date | None:
        """Bank day from which it counts for interest."""
        return self.told.value_on

    @property
    def counterparty_name(self) -> str | None:
        """Name of the other side; None where there is none."""
        return self.told.counterparty_name

    @property
    def counterparty_masked(self) -> str | None:
        """The other side's number, masked."""
        return self.told.counterparty_masked

    @property
    def narration(self) -> str | None:
        """The line as the bank's statement prints it."""
        return self.told.narration

    @property
    def rail(self) -> Rail:
        """Over which network it went."""
        return Rail(self.told.rail)

    @property
    def reference(self) -> str | None:
        """Text the other side sees."""
        return self.told.reference

    @property
    def payment(self) -> PaymentId | None:
        """The payment of ours behind it."""
        found = self.told.payment
        return None if found is None else PaymentId(found)

    @property
    def decline_code(self) -> str | None:
        """Why it was declined."""
        return self.told.decline_code

    @property
    def key(self) -> tuple[datetime, UUID]:
        """Where the row stands in its account's list."""
        return self.told.created_at, self.told.id


def shot(row: Transaction) -> TransactionShot:
    """Give the display snapshot that facts carry."""
    other = row.counterparty_name
    return TransactionShot(
        id=str(row.id),
        account=account_shot(row.account),
        status=row.status,
        kind=row.kind,
        direction=row.direction,
        amount=row.amount.minor,
        currency=row.amount.currency,
        running_balance=row.running_balance.minor if row.running_balance else None,
        created_at=row.created_at,
        booked_at=row.booked_at,
        value_date=row.value_on,
        counterparty=CounterpartyShot(
            name=other, masked_account=row.counterparty_masked
        )
        if other
        else None,
        narration=row.narration,
        rail=row.rail,
        reference=row.reference,
        payment_id=str(row.payment) if row.payment else None,
        decline_reason=row.decline_code,
    )
