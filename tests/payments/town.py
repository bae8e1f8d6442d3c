"""Asha has two accounts and a phone, Ben has one account: most stories begin so."""

from dataclasses import dataclass

from app.accounts.account import Account
from app.money import Money
from app.payments.beneficiary import Beneficiary
from app.payments.payment import PaymentRequest
from tests.payments.handset import Phone
from tests.payments.world import Bank, a_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """The people of the stories. Asha's current account holds 1,000.00 rupees."""

    bank: Bank
    asha: Phone
    current: Account
    savings: Account
    ben: Phone
    bens: Account
    payee: Beneficiary

    def to_ben(self, minor: int, **changes: object) -> PaymentRequest:
        """Ask to pay Ben."""
        asked: dict[str, object] = {
            "key": a_key(),
            "from_account": str(self.current.id),
            "beneficiary": str(self.payee.id),
            "amount": Money(minor, "INR"),
        }
        return PaymentRequest(**(asked | changes))  # type: ignore[arg-type]  # by name

    def to_savings(self, minor: int, **changes: object) -> PaymentRequest:
        """Ask to move money to the own savings."""
        asked: dict[str, object] = {
            "beneficiary": None,
            "own_account": str(self.savings.id),
        }
        return self.to_ben(minor, **(asked | changes))


async def a_town(bank: Bank) -> Town:
    """Give Asha and Ben in a bank that is wired in some way."""
    asha, ben = await bank.a_customer("Asha Rao"), await bank.a_customer("Ben Okafor")
    current = await bank.an_account(asha, 100_000)
    savings = await bank.an_account(asha, name="Savings")
    bens = await bank.an_account(ben)
    phone = await bank.a_phone(asha)
    return Town(
        bank=bank,
        asha=phone,
        current=current,
        savings=savings,
        ben=await bank.a_phone(ben),
        bens=bens,
        payee=await bank.a_payee(phone, bens),
    )
