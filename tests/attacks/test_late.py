"""An approval that comes too late, on a bank whose clock is moved."""

import asyncio
from pathlib import Path

import httpx
import pytest

from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import Refused
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from tests.attacks.conftest import figures, setting
from tests.journeys.bank_process import a_bank

pytestmark = pytest.mark.slow


async def test_after_300_seconds_only_a_new_challenge_approves(tmp_path: Path) -> None:
    with a_bank(tmp_path) as bank:
        world = (bank.url, bank.sandbox, setting(tmp_path / "phones"))
        async with Phone("asha", *world) as asha:
            await asha.start()
            order = await asha.order("Savings", money("1.00 INR"))
            payment = await asha.payments.create(order)
            late = await asha.payments.approval(order, payment)
            before = await figures(asha)

            async with httpx.AsyncClient() as client:
                moved = await client.put(
                    f"{bank.sandbox}/_clock", json={"offset_s": 301}
                )
            assert moved.status_code == 200
            await asyncio.sleep(0.5)  # the bank looks at the file four times a second
            with pytest.raises(Refused) as refused:
                await asha.session.call("challenge_respond", {"input": late})

            assert refused.value.code == "CHALLENGE_EXPIRED"
            assert await figures(asha) == before
            given = {"input": {"id": payment.id}}
            renewed = await asha.session.call("payment_challenge", given)
            fresh = asha.payments.read_answer(renewed)
            answered = await asha.payments.approve(order, fresh)
            paid = await asha.payments.final(answered)
            assert paid.status is PaymentStatus.SETTLED
