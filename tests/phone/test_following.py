"""Screens that follow one payment, or how the bank is."""

import pytest

from mock_mobile_client.errors import NotSeen, Refused
from mock_mobile_client.following import (
    components_now,
    components_told,
    payment_states,
    settle_watched,
)
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from mock_mobile_client.values import PaymentValue
from tests.phone.conftest import Fake
from tests.phone.fake_parts import Fault

FIVE = money("5.00 INR")


async def paid(phone: Phone) -> tuple[PaymentValue, list[str]]:
    """Pay five rupees to the savings; gives the end and what the screen showed."""
    shown: list[str] = []
    order = await phone.order("Savings", FIVE)
    end = await settle_watched(
        phone.payments, phone.handset, order, lambda state: shown.append(state.status)
    )
    return end, shown


async def test_every_state_is_shown_as_it_comes(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        asked = fake.bank.calls.count("Payment")

        end, shown = await paid(phone)

    assert end.status == "SETTLED"
    assert list(dict.fromkeys(shown)) == [
        "AWAITING_AUTHORISATION",
        "SUBMITTED",
        "SETTLED",
    ]
    assert fake.bank.calls.count("Payment") == asked


async def test_without_a_line_the_phone_asks_instead(fake: Fake) -> None:
    def nobody(_: object) -> None:
        raise Fault("UNAUTHENTICATED", 401)

    async with fake.phone("asha") as phone:
        await phone.start()
        fake.edge.holder = nobody  # type: ignore[method-assign, assignment]  # no socket is let in

        end, shown = await paid(phone)

    assert end.status == "SETTLED"
    assert shown == ["AWAITING_AUTHORISATION"]
    assert fake.bank.customers[0].accounts[0].minor == 4_824_500


async def test_a_refused_operation_is_told_with_its_code(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise Fault("RATE_LIMITED", 429)

    async with fake.phone("asha") as phone:
        await phone.start()
        monkeypatch.setattr(fake.edge, "first", refused)

        with pytest.raises(Refused, match="RATE_LIMITED"):
            await anext(payment_states(phone.handset, "pay_1"))


async def test_the_banks_health_is_heard_by_a_phone_that_is_not_bound(
    fake: Fake,
) -> None:
    async with fake.phone("asha") as phone:
        asked = await components_now(phone.handset)
        told = await components_told(phone.handset, 1)

    assert told == asked
    assert told[0].state == "OPERATIONAL"


async def test_components_that_do_not_come_are_missed(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mock_mobile_client.following.COMPONENTS_S", 0.1)

    async with fake.phone("asha") as phone:
        with pytest.raises(NotSeen, match="1 of 2"):
            await components_told(phone.handset, 2)
