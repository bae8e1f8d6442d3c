"""What one payment costs the database: its statements and transactions, counted.

A whole payment is what an app does: paymentCreate with the challenge in its answer,
then challengeRespond with signature and mPIN, until it is SETTLED. The figures are
limits, so they may fall; whoever lets them rise says here why.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app import database
from app.auth import signing
from app.auth.signing import Purpose
from app.bank import open_bank
from app.settings import Settings
from tests.conftest import broken_proofs
from tests.payments.world import a_key
from tests.test_freeze import RESPOND, Town, a_phone
from tests.test_statements import a_customer

CREATE = """
mutation Create($input: PaymentCreateInput!) { paymentCreate(input: $input) {
  payment { id challenge { id purpose nonce payload } } userErrors { code } } }
"""
STATEMENTS = {"create": 18, "approve": 37}
CREATING = ["payments.create"]
# The try is charged and committed before it is compared; the core books on its own.
APPROVING = ["auth.charge", "payments.approve", "ledger.transfer", "payments.conclude"]


@pytest.fixture
async def town(settings: Settings) -> AsyncIterator[Town]:
    """Open a bank without its worker, whose work is not the payment's."""
    async with open_bank(settings, frozenset()) as bank:
        customer = await a_customer(bank, accounts=2, rows=1)
        phone = await a_phone(bank, customer)
        everyday, savings = await bank.accounts.of_customer(customer)
        yield Town(bank=bank, phone=phone, everyday=everyday, savings=savings)


async def created(town: Town) -> dict[str, Any]:
    """Create a payment between own accounts; gives its challenge."""
    wish = {
        "idempotencyKey": a_key(),
        "fromAccountId": str(town.everyday.id),
        "to": {"ownAccountId": str(town.savings.id)},
        "amount": {"minorUnits": "1", "currency": "INR"},
    }
    answer = (await town.ask(CREATE, input=wish))["paymentCreate"]
    assert answer["userErrors"] == []
    challenge: dict[str, Any] = answer["payment"]["challenge"]
    return challenge


def signed(town: Town, challenge: dict[str, Any]) -> dict[str, object]:
    """Answer a challenge from what the phone was shown, and nothing else."""
    nonce = signing.unb64u(challenge["nonce"])
    purpose = Purpose[challenge["purpose"]]
    message = signing.challenge_message(purpose, nonce, challenge["payload"])
    signature, response = town.phone.answer_to(message)
    return {
        "challengeId": challenge["id"],
        "deviceSignature": signature,
        "response": {"mpinProof": response.mpin_proof},
    }


async def approved(town: Town, answer: dict[str, object]) -> None:
    """Approve it; it settles within the answer."""
    done = (await town.ask(RESPOND, input=answer))["challengeRespond"]
    assert done["payment"]["status"] == "SETTLED"


async def test_a_whole_payment_costs_few_statements_in_five_transactions(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await approved(town, signed(town, await created(town)))  # what is done once, is
    names: list[str] = []
    real = database.transaction

    async def noted(work: Any, *, name: str, attempts: int = 5) -> Any:
        names.append(name)
        return await real(work, name=name, attempts=attempts)

    monkeypatch.setattr(database, "transaction", noted)
    async with database.watched_statements() as creating:
        challenge = await created(town)
    assert names == CREATING
    names.clear()
    async with database.watched_statements() as approving:
        await approved(town, signed(town, challenge))

    assert names == APPROVING
    cost = {"create": len(creating), "approve": len(approving)}
    assert cost == {step: min(cost[step], most) for step, most in STATEMENTS.items()}
    assert await broken_proofs() == []
