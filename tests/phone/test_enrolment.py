"""Binding a phone, again and after losses."""

import pytest

from mock_mobile_client.errors import BadEntry, Refused
from mock_mobile_client.store import MemoryStore
from tests.phone.conftest import Fake


async def test_a_phone_enrols_and_the_pin_stays_on_it(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        device = await phone.enrol(mpin="480257")

    assert device is not None
    (bound,) = fake.bank.devices.values()
    assert bound.id == device.id == phone.handset.state.device_id
    assert bound.jwk == phone.handset.key.jwk
    assert bound.secret is not None
    assert len(bound.secret) == 32
    assert b"480257" not in bound.secret
    assert fake.bank.calls == [
        "EnrolmentStart",
        "EnrolmentVerifyOtp",
        "EnrolmentProveIdentity",
        "DeviceBind",
        "MpinSet",
    ]


async def test_a_bound_phone_is_not_bound_again(fake: Fake) -> None:
    store = MemoryStore()
    async with fake.phone("asha", store) as phone:
        await phone.enrol()

    async with fake.phone("asha", store) as again:
        device = await again.enrol()

    assert device is None
    assert len(fake.bank.devices) == 1


async def test_a_phone_the_bank_forgot_enrols_with_a_new_key(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.enrol()
        before = phone.handset.key.jkt
        fake.bank.devices.clear()

        device = await phone.enrol()

        assert device is not None
        assert phone.handset.key.jkt != before
        assert (await phone.login()).access_token != ""


async def test_a_fourth_phone_says_what_to_do(fake: Fake) -> None:
    for number in "123":
        async with fake.phone(f"Asha-{number}") as phone:
            await phone.enrol()

    async with fake.phone("Asha-4") as phone:
        with pytest.raises(Refused, match="--replace NAME") as told:
            await phone.enrol()

    assert told.value.code == "TOO_MANY_DEVICES"
    assert len(fake.bank.devices) == 3
    assert phone.handset.state.device_id is None


async def test_a_wrong_activation_code_binds_nothing(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        with pytest.raises(Refused) as told:
            await phone.enrol(code="AAAA-AAAA-AAAA")

    assert told.value.code == "INVALID_CREDENTIAL"
    assert fake.bank.devices == {}


async def test_a_weak_pin_is_refused_before_it_is_used(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.bind()
        with pytest.raises(BadEntry):
            await phone.set_mpin("123456")

    (bound,) = fake.bank.devices.values()
    assert bound.secret is None
    assert phone.handset.state.blob_next is None


async def test_a_lost_answer_of_mpin_set_is_found_out(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.enrol()
        lost = phone.handset.state.blob
        phone.handset.keep(blob=None, blob_next=lost)

        await phone.set_mpin()

        assert phone.handset.state.blob == lost
        assert (await phone.login()).access_token != ""


async def test_a_phone_with_a_key_store_masks_by_version_two(fake: Fake) -> None:
    async with fake.phone("asha") as android, fake.phone("ben") as iphone:
        await android.enrol()
        await iphone.enrol()

    assert android.handset.state.hardware_key is not None
    assert iphone.handset.state.hardware_key is None
