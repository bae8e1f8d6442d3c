"""The facts a live bench commits: those a settled transfer leaves, and one alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from app.ids import CustomerId
from app.realtime.facts import BalanceChanged, Fact, PaymentChanged, TransactionPosted
from app.realtime.shots import (
    AccountShot,
    BalanceShot,
    CounterpartyShot,
    PaymentShot,
    StepShot,
    TransactionShot,
)

AMOUNT = 25000


@dataclass(frozen=True, slots=True)
class Owner:
    """A customer of the bench and the one account, ids in their outside form."""

    customer: str
    account: str

    @property
    def id(self) -> CustomerId:
        """Whose stream."""
        return CustomerId.parse(self.customer)

    @property
    def pair(self) -> tuple[str, str]:
        """Give it as JSON carries it."""
        return self.customer, self.account

    @property
    def shot(self) -> AccountShot:
        """The account as a list shows it."""
        return AccountShot(
            id=self.account,
            kind="CURRENT",
            name="Everyday",
            masked_number="•••• 0001",
            currency="INR",
            status="ACTIVE",
        )


def balance(owner: Owner, number: int, now: datetime) -> BalanceChanged:
    """Change the figures of an account; `number` is the version, by which it is found.

    The figure has always as many digits, so that all frames are of one size.
    """
    figure = 4_000_000 + number % 1_000_000
    return BalanceChanged(
        customer=owner.id,
        occurred_at=now,
        account=owner.shot,
        balance=BalanceShot(
            available=figure,
            booked=figure,
            held=0,
            currency="INR",
            as_of=now,
            version=number,
        ),
    )


def transfer(payer: Owner, payee: Owner, number: int, now: datetime) -> Iterator[Fact]:
    """Tell both sides of a transfer that settled: five facts, two streams."""
    yield _paid(payer, number, now)
    yield balance(payer, number, now)
    yield posted(payer, "OUT", number, now)
    yield balance(payee, number, now)
    yield posted(payee, "IN", number, now)


def _paid(payer: Owner, number: int, now: datetime) -> PaymentChanged:
    return PaymentChanged(
        customer=payer.id,
        occurred_at=now,
        payment=PaymentShot(
            id=f"pay_{number:032x}",
            status="SETTLED",
            from_account=payer.shot,
            payee=CounterpartyShot(name="Ben Okafor", masked_account="•••• 0002"),
            amount=AMOUNT,
            fee=0,
            currency="INR",
            rail="INTERNAL",
            created_at=now,
            settled_at=now,
        ),
        step=StepShot(at=now, status="SETTLED", source="CORE"),
    )


def posted(
    owner: Owner, direction: str, number: int, now: datetime
) -> TransactionPosted:
    return TransactionPosted(
        customer=owner.id,
        occurred_at=now,
        transaction=TransactionShot(
            id=f"txn_{number:032x}",
            account=owner.shot,
            status="BOOKED",
            kind="TRANSFER",
            direction=direction,
            amount=AMOUNT,
            currency="INR",
            running_balance=4_000_000,
            created_at=now,
            booked_at=now,
            counterparty=CounterpartyShot(name="Ben Okafor"),
            payment_id=f"pay_{number:032x}",
        ),
    )
