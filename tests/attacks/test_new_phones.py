"""Somebody with number and code enrols phone after phone, each with a small allowance.

All phones in their waiting time share one purse: three of them, all at once, move no
more than one would have moved.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from mock_mobile_client import devices, limits
from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import Refused
from mock_mobile_client.money import money
from mock_mobile_client.people import DEMO
from mock_mobile_client.phone import Phone, introduce
from tests.attacks.aged import WAITING_S, Aged

pytestmark = pytest.mark.slow

_ASHA, BEN = DEMO
EACH, LEAST = money("1000.00 INR"), money("0.01 INR")
PURSE = money("5000.00 INR")
TARGETS = (BEN.name, "Savings", BEN.name, "Savings")


@pytest.fixture
async def phones(aged: Aged) -> AsyncIterator[list[Phone]]:
    """Give three phones of Asha's that are new, and take the place of her old one."""
    async with AsyncExitStack() as stack:
        names = ("asha", "ben", "asha-6", "asha-7", "asha-8")
        all_of_them = [
            await stack.enter_async_context(aged.phone(one)) for one in names
        ]
        asha, ben, *new = all_of_them
        await asha.start()
        await ben.start()
        await introduce(asha, ben)
        await aged.grow_up(asha, ben)
        for phone, gone in zip(new, ((), (), (asha.name,)), strict=True):
            await phone.bind_anew(gone=frozenset(gone))
            await phone.set_mpin()
            await phone.login()
        yield new
        for phone in new:
            await devices.forget(phone.handset)
        await aged.move(WAITING_S + 60)


async def robbed(phone: Phone, payee: str) -> str:
    """Pay as a thief would; says how it ended."""
    try:
        return (await phone.pay(payee, EACH)).status
    except Refused as refused:
        return refused.code


@pytest.mark.attack("purse multiplied by new phones")
async def test_three_new_phones_at_once_never_pass_one_purse(
    phones: list[Phone],
) -> None:
    wishes = [robbed(phone, payee) for payee in TARGETS for phone in phones]

    went = await asyncio.gather(*wishes)
    with pytest.raises(Refused) as last:
        await phones[0].pay("Savings", LEAST)
    shown = [(await limits.listed(phone.session)).limits for phone in phones]
    with pytest.raises(Refused) as raised:
        await limits.choose(phones[0].session, "DAY", money("3000000.00 INR"))

    assert Counter(went) == {PaymentStatus.SETTLED: 5, "COOLING_PERIOD": 7}
    assert EACH.times(5) == PURSE
    assert (last.value.code, last.value.facts["allowedNow"]) == ("COOLING_PERIOD", None)
    for rows in shown:
        assert {(one.max, one.remaining.minor_units) for one in rows} == {(PURSE, 0)}
    assert raised.value.code == "COOLING_PERIOD"
