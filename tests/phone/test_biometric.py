"""The biometric key: a finger for each use, dead when a finger is added."""

import pytest

from mock_mobile_client import biometric, fingers
from mock_mobile_client.enums import FactorKind, PaymentStatus
from mock_mobile_client.errors import BadEntry, FingerRefused, NotReady, Refused
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import biometric_message
from tests.phone.conftest import Fake

FINGER = FactorKind.BIOMETRIC


async def with_key(fake: Fake) -> Phone:
    phone = fake.phone("Asha-1")
    await phone.start()
    await phone.set_biometric()
    return phone


def test_the_new_key_signs_nonce_and_both_names() -> None:
    message = biometric_message(b"n" * 32, "d" * 43, "b" * 43)

    assert message == b"sixpence/bio/v1\x00" + b"n" * 32 + b"d" * 43 + b"b" * 43
    assert len(message) == 134


async def test_a_finger_signs_in_and_approves(fake: Fake) -> None:
    async with await with_key(fake) as phone:
        await phone.login(FINGER)
        paid = await phone.pay("Savings", money("5.00 INR"), FINGER)

    assert paid.status is PaymentStatus.SETTLED
    assert fake.bank.customers[0].accounts[0].minor == 4_824_500


async def test_setting_it_twice_is_once(fake: Fake) -> None:
    async with await with_key(fake) as phone:
        again = await phone.set_biometric()

    assert not again
    assert fake.bank.calls.count("BiometricKeySet") == 2  # asked, then approved


async def test_a_strangers_finger_opens_nothing_and_sends_nothing(fake: Fake) -> None:
    async with await with_key(fake) as phone:
        phone.session.finger = "Eve's thumb"
        sent = fake.bank.calls.count("LoginFinish")

        with pytest.raises(FingerRefused):
            await phone.login(FINGER)

    assert fake.bank.calls.count("LoginFinish") == sent


async def test_no_finger_on_the_sensor_is_said(fake: Fake) -> None:
    async with await with_key(fake) as phone:
        phone.session.finger = None

        with pytest.raises(BadEntry, match="no finger"):
            await phone.login(FINGER)


async def test_an_added_finger_destroys_the_key_until_it_is_set_again(
    fake: Fake,
) -> None:
    async with await with_key(fake) as phone:
        former = phone.handset.state.bio_pem
        destroyed = fingers.add(phone.handset, "Eve's thumb")
        phone.session.finger = "Eve's thumb"
        with pytest.raises(NotReady, match="destroys it"):
            fingers.open_key(phone.handset, "Eve's thumb")
        with pytest.raises(BadEntry, match="no BIOMETRIC"):
            await phone.login(FINGER)
        phone.session.finger = phone.owner.finger
        await phone.set_biometric()
        await phone.login(FINGER)

        assert destroyed
        assert phone.handset.state.bio_pem != former


async def test_a_finger_that_is_known_destroys_nothing(fake: Fake) -> None:
    async with await with_key(fake) as phone:
        destroyed = fingers.add(phone.handset, phone.owner.finger)

        assert not destroyed
        assert biometric.is_set(phone.session)


async def test_a_key_that_the_bank_does_not_know_is_refused(fake: Fake) -> None:
    async with await with_key(fake) as phone:
        phone.handset.keep(bio_pem=DeviceKey.generate().pem)

        with pytest.raises(Refused, match="INVALID_CREDENTIAL"):
            await phone.login(FINGER)


async def test_a_removed_key_is_gone_on_both_sides(fake: Fake) -> None:
    async with await with_key(fake) as phone:
        await biometric.remove(phone.session)

        assert not biometric.is_set(phone.session)
        assert fake.bank.devices[phone.handset.key.jkt].bio is None


async def test_a_phone_that_is_bound_anew_keeps_its_fingers_and_no_key(
    fake: Fake,
) -> None:
    async with await with_key(fake) as phone:
        await phone.bind_anew()

        assert phone.handset.state.bio_pem is None
        assert phone.handset.state.fingers == ("Asha's right thumb",)
