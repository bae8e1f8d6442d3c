"""A payment the bank looks at first: held, told, released at the desk, approved."""

import asyncio
from pathlib import Path

import pytest

from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.handset import Setting
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.store import FileStore
from mock_mobile_client.stream import Event
from tests.attacks.second_web import a_second_web
from tests.journeys.bank_process import BankProcess

WHO = ("--by", "Meera", "--reason", "called the customer")
# Every payment is held; what the bank's own rules find is tried elsewhere.
HOLDS = """
actions = { step_up = 100, hold = 200 }
units = { INR = 100 }
[[rules]]
name = "any"
feature = "failed_logins"
edges = [1]
weights = [200, 200]
reason = "any_payment"
"""


def tells(payment_id: str, status: PaymentStatus, event: Event) -> bool:
    """Tell whether an event says this of a payment."""
    told = event.body.get("payment") or {}
    return (told.get("id"), told.get("status")) == (payment_id, status)


@pytest.mark.slow
@pytest.mark.usefixtures("all_is_well")
async def test_a_held_payment_is_released_at_the_desk_and_then_approved(
    demo_bank: BankProcess, phones: Path, tmp_path: Path
) -> None:
    rules = tmp_path / "holds.toml"
    rules.write_text(HOLDS)
    more = {"FRAUD_RULES_FILE": str(rules), "LIMIT_FACTOR": "1000"}
    with a_second_web(demo_bank, **more) as door:
        setting = Setting(FileStore(phones), ITERATIONS_MIN, door=door)
        async with Phone("asha", demo_bank.url, demo_bank.sandbox, setting) as asha:
            await asha.start()
            async with asha.live() as live:
                savings = await live.balance("Savings")
                order = await asha.order("Savings", money("3.00 INR"))
                held = await asha.payments.settle(order)
                stopped = await asha.payments.create(
                    await asha.order("Savings", money("4.00 INR"))
                )
                stopped = await asha.payments.cancel(stopped.id)

                at_desk = demo_bank.command
                listed = await asyncio.to_thread(at_desk, "app", "review", "list", *WHO)
                released = await asyncio.to_thread(
                    at_desk, "app", "review", "release", held.id, *WHO
                )
                waits = PaymentStatus.AWAITING_AUTHORISATION
                await live.until_event(
                    lambda event: tells(held.id, waits, event), "the release"
                )
                again = await asha.payments.settle(order)
                after = (await asha.account("Savings")).balance

    assert (held.status, held.challenge) == (PaymentStatus.HELD_FOR_REVIEW, None)
    assert stopped.status is PaymentStatus.CANCELLED
    assert held.id in listed.stdout
    assert stopped.id not in listed.stdout
    assert "any_payment" in listed.stdout
    assert released.returncode == 0, released.stderr
    assert (again.id, again.status) == (held.id, PaymentStatus.SETTLED)
    assert after is not None
    assert after.available.minor_units == savings.available.minor_units + 300
