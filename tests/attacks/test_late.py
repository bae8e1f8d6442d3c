"""An approval that comes too late."""

import pytest

from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import Refused
from mock_mobile_client.money import money
from tests.attacks.aged import Aged
from tests.attacks.conftest import figures

pytestmark = pytest.mark.slow


async def test_after_300_seconds_only_a_new_challenge_approves(aged: Aged) -> None:
    async with aged.phone("asha") as asha:
        await asha.start()
        order = await asha.order("Savings", money("1.00 INR"))
        payment = await asha.payments.create(order)
        late = await asha.payments.approval(order, payment)
        before = await figures(asha)

        await aged.move(301)
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
