"""A payment request after it was looked at: what it would be, whom it pays.

Nothing is written yet: `creation.py` makes a payment of it, `quotes.py` shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.accounts.account import Account
from app.auth.actor import Actor
from app.ids import PaymentId
from app.money import Money
from app.payments import lifecycle
from app.payments.errors import PayeeNameMismatch
from app.payments.lifecycle import Event
from app.payments.payee_check import PayeeCheck, PayeeMatch
from app.payments.payment import Destination, Payment, PaymentRequest

# The fields of a request that say whom it pays.
OWN_ACCOUNT = ("to", "ownAccountId")
SAVED_PAYEE = ("to", "beneficiaryId")


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeFacts:
    """The payee as the approval shows it: the full address (RTS Art. 5)."""

    address: str = field(repr=False)
    bank_code: str | None
    name: str = field(repr=False)
    scheme: str

    def signed(self) -> Mapping[str, object]:
        """Give the member `payee` of the canonical payload (auth.md section 2.4)."""
        return {
            "address": self.address,
            "bankCode": self.bank_code,
            "name": self.name,
            "scheme": self.scheme,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A request that may become a payment.

    `checked_anew`: its `check` is the quote's, and not yet kept with the payee.
    """

    account: Account
    destination: Destination
    payee: PayeeFacts
    payee_key: str
    amount: Money
    available: Money
    reference: str | None
    note: str | None
    rail: str
    fee: Money
    arrives_by: datetime | None
    check: PayeeCheck | None
    checked_anew: bool = False

    def mismatch(self) -> PayeeNameMismatch | None:
        """Give the refusal of a payee whose account is under another name."""
        if self.check is None or self.check.match is not PayeeMatch.NO_MATCH:
            return None
        own = self.destination.beneficiary is None
        return PayeeNameMismatch(self.check, field=OWN_ACCOUNT if own else SAVED_PAYEE)

    def payment(self, actor: Actor, request: PaymentRequest, at: datetime) -> Payment:
        """Give the payment it would be, before anybody judges how risky it is."""
        return Payment(
            id=PaymentId.new(),
            customer=actor.known_customer,
            device=actor.known_device,
            idempotency_key=request.key,
            state=lifecycle.moved(None, Event.CREATED),
            from_account=self.account.id,
            destination=self.destination,
            amount=self.amount,
            fee=self.fee,
            rail=self.rail,
            reference=self.reference,
            note=self.note,
            authorise_by=None,
            created_at=at,
        )
