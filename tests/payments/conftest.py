"""Asha has two accounts and a phone, Ben has one account: most stories begin so."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from app.accounts.account import Account
from app.auth.challenge import Challenge
from app.clock import StoppedClock
from app.money import Money
from app.payments.beneficiary import Beneficiary
from app.payments.lifecycle import State
from app.payments.payment import Payment, PaymentRequest
from app.settings import Settings
from app.vault import Vault
from tests.payments.world import Bank, Phone, a_key, open_bank


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


@pytest.fixture
async def bank(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> AsyncIterator[Bank]:
    """Open a bank without customers."""
    async with open_bank(bank_database, clock, vault) as opened:
        yield opened


@pytest.fixture
async def town(bank: Bank) -> Town:
    """Give Asha and Ben."""
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


async def waiting(town: Town, minor: int = 100_00) -> tuple[Payment, Challenge]:
    """Create a payment and read its challenge."""
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(minor))
    return created.payment, await town.bank.challenge(town.asha, created.payment)


async def nothing_moved(town: Town, payment: Payment) -> None:
    """See that the payment still waits and no money went."""
    assert (await town.bank.now(payment.id)).state is State.AWAITING_AUTHORISATION
    assert await town.bank.available(town.current) == 100_000
    assert await town.bank.available(town.bens) == 0
    assert town.bank.line.sent == []
