"""Whoever has the number and the code enrols a phone, and is thrown out again."""

from contextlib import AsyncExitStack

import pytest

from mock_mobile_client import devices
from mock_mobile_client.enums import FactorKind, PaymentStatus
from mock_mobile_client.errors import Refused
from mock_mobile_client.money import money
from mock_mobile_client.people import DEMO
from mock_mobile_client.phone import Phone
from mock_mobile_client.values import JsonObject, PaymentValue
from tests.attacks.aged import Aged
from tests.attacks.conftest import CODE, figures
from tests.attacks.test_enrolling import bind, prove, proven
from tests.attacks.ways import SHUT, Kept, keep, new_ways, old_ways, until_closed

pytestmark = pytest.mark.slow

_ASHA, BEN = DEMO
ASHAS = "50101000000101"
HIS_PIN = "864209"
LOST = money("4100.00 INR")
BOTH = frozenset({"Ben-1", "Ben-2"})
OUT = {"DEVICE_LOCKED", "CHALLENGE_EXPIRED", "UNAUTHENTICATED", "SESSION_ENDED"}


def booked(seen: JsonObject) -> int:
    """Add up the booked money of all accounts."""
    return sum(int(minor) for minor, _version in seen.values())


async def code_of(phone: Phone) -> str:
    """Sign in with the PIN; gives why not."""
    with pytest.raises(Refused) as no:
        await phone.login()
    return no.value.code


async def erasing(phone: Phone, owner: Phone) -> list[str]:
    """Try to be rid of another phone for good; says how it was refused."""
    target = owner.handset.device_id
    codes = []
    for act in (
        devices.revoke(phone.session, target),
        devices.revoke_others(phone.session),
        devices.unlock(phone.session, target),
    ):
        with pytest.raises(Refused) as no:
            await act
        codes.append(no.value.code)
    return codes


async def takes_over(thief: Phone) -> None:
    """Enrol with SIM and code in the place of both phones, with factors of his own."""
    await thief.bind_anew(gone=BOTH)
    await thief.set_mpin(HIS_PIN)
    await thief.login()
    await thief.register_passkey()


async def robs(thief: Phone) -> tuple[PaymentValue, JsonObject]:
    """Take what the purse of new phones holds, the last 900 rupees not approved yet.

    Gives the payment that waits, and its signed approval that was not sent. It is set
    aside: not a paisa more goes.
    """
    await thief.save_payee("Mule", "Asha Rao", ASHAS)
    gone = await thief.pay("Mule", LOST)
    assert gone.status is PaymentStatus.SETTLED
    order = await thief.order("Mule", money("900.00 INR"))
    payment = await thief.payments.create(order)
    with pytest.raises(Refused) as refused:
        await thief.pay("Mule", money("0.01 INR"))
    assert refused.value.code == "COOLING_PERIOD"
    assert refused.value.facts["allowedNow"] is None
    return payment, await thief.payments.approval(order, payment)


async def proven_again(aged: Aged) -> str:
    """Prove to be the customer once more; gives what would bind a further phone."""
    enrolment = await proven(aged.bank, BEN.phone)
    shown = await prove(aged.bank, enrolment, BEN.number, BEN.code)
    return str(shown["bindingNonce"])


async def comes_back(aged: Aged, owner: Phone) -> None:
    """Enrol the owner's phone with a new code of the desk's."""
    told = aged.bank.command(
        *("app", "customers", "code", BEN.number),
        *("--by", "desk", "--reason", "a stolen SIM"),
    )
    found = CODE.search(told.stdout)
    assert found is not None, told.stderr
    await owner.bind_anew({"activationCode": found[0]})
    await owner.set_mpin()
    await owner.login()


async def is_out(thief: Phone, kept: Kept) -> None:
    """Try every way he has, old and new."""
    assert await until_closed(kept.wire) in SHUT
    ways = await new_ways(thief, kept) | await old_ways(thief, kept)
    assert ways.pop("socket") == "shut"
    assert set(ways.values()) <= OUT, ways


@pytest.mark.attack("SIM and activation code stolen")
@pytest.mark.attack("locked signs in another way")
async def test_the_owner_stops_the_thief_from_a_phone_he_replaced_and_comes_back(
    aged: Aged,
) -> None:
    async with AsyncExitStack() as stack:
        names = ("ben", "ben-2", "ben-8")
        phones = [await stack.enter_async_context(aged.phone(one)) for one in names]
        ben, second, thief = phones
        await ben.start()
        await second.start()
        await aged.grow_up(ben, second)
        before = await figures(ben)

        await takes_over(thief)
        refused = await erasing(thief, ben)
        assert [await code_of(one) for one in (ben, second)] == ["DEVICE_LOCKED"] * 2
        assert refused == ["COOLING_PERIOD"] * 3
        replaced = [aged.standing(one) for one in (ben, second)]
        assert replaced == [("LOCKED", "REPLACED", True)] * 2

        payment, approval = await robs(thief)
        kept = await keep(thief, FactorKind.MPIN, FactorKind.WEBAUTHN)
        nonce = await proven_again(aged)
        stopped = await devices.panic(ben.handset)
        assert (stopped.sessions, stopped.devices, stopped.payments) == (1, 3, 1)
        await is_out(thief, kept)
        with pytest.raises(Refused) as paying:
            await thief.handset.call("challenge_respond", {"input": approval})
        assert paying.value.code in OUT
        assert await bind(aged.bank.url, nonce, thief) == "ENROLMENT_EXPIRED"
        assert [aged.standing(one)[1] for one in phones] == ["PANIC"] * 3

        await comes_back(aged, ben)
        assert [await code_of(one) for one in (second, thief)] == ["DEVICE_LOCKED"] * 2
        left = booked(before) - LOST.minor_units
        assert booked(await figures(ben)) == left
        end = await ben.payments.by_id(payment.id)
        assert end.status is PaymentStatus.CANCELLED
        await aged.grow_up(ben)
        await devices.revoke(ben.session, thief.handset.device_id)
        assert await code_of(thief) == "DEVICE_BLOCKED"
        assert booked(await figures(ben)) == left
