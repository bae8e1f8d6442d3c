"""Phones of one customer: listed, renamed, suspended, ended, and coming back."""

import pytest

from mock_mobile_client import devices
from mock_mobile_client.enums import DeviceState
from mock_mobile_client.errors import BadEntry, NotReady, Refused
from mock_mobile_client.phone import Phone
from tests.phone.conftest import Fake

DAY_S = 86_400


async def two(fake: Fake) -> tuple[Phone, Phone]:
    """Asha-1, past its waiting time, and Asha-2, young."""
    first, second = fake.phone("Asha-1"), fake.phone("Asha-2")
    await first.start()
    fake.bank.offset_s += DAY_S
    await second.start()
    return first, second


async def test_the_list_names_each_phone_and_which_one_asks(fake: Fake) -> None:
    first, second = await two(fake)
    async with first, second:
        rows = await devices.listed(first.session)

    assert [(one.name, one.state, one.is_current) for one in rows] == [
        ("Asha-1", DeviceState.ACTIVE, True),
        ("Asha-2", DeviceState.COOLING, False),
    ]


async def test_a_renamed_phone_is_found_by_its_new_name(fake: Fake) -> None:
    first, second = await two(fake)
    async with first, second:
        await devices.rename(first.session, second.handset.device_id, "Tablet")

        found = await devices.find(first.session, "tablet")

    assert found.id == second.handset.device_id


async def test_a_phone_nobody_has_is_not_found(fake: Fake) -> None:
    first, second = await two(fake)
    async with first, second:
        with pytest.raises(BadEntry, match="there are Asha-1, Asha-2"):
            await devices.find(first.session, "Asha-9")


async def test_a_revoked_phone_is_out_and_a_living_one_is_found_first(
    fake: Fake,
) -> None:
    first, second = await two(fake)
    async with first, second:
        gone = await devices.revoke(first.session, second.handset.device_id)
        with pytest.raises(Refused, match="UNAUTHENTICATED"):
            await second.handset.call("home", {})
        await second.start()
        found = await devices.find(first.session, "Asha-2")

    assert gone.state is DeviceState.REVOKED
    assert found.id == second.handset.device_id != gone.id


async def test_a_young_phone_revokes_nobody(fake: Fake) -> None:
    first, second = await two(fake)
    async with first, second:
        with pytest.raises(Refused, match="COOLING_PERIOD"):
            await devices.revoke(second.session, first.handset.device_id)

        await first.home()


async def test_a_suspended_phone_keeps_its_key_and_works_when_unlocked(
    fake: Fake,
) -> None:
    first, second = await two(fake)
    async with first, second:
        await devices.lock(first.session, second.handset.device_id)
        with pytest.raises(Refused, match="DEVICE_LOCKED"):
            await second.login()
        key = second.handset.key.jkt
        await devices.unlock(first.session, second.handset.device_id)
        await second.login()

        assert second.handset.key.jkt == key


async def test_a_suspended_phone_that_comes_up_enrols_in_its_own_place(
    fake: Fake,
) -> None:
    first, second = await two(fake)
    async with first, second:
        former = second.handset.device_id
        await devices.lock(first.session, former)

        await second.start()

        assert second.handset.device_id != former
        await second.home()


async def test_revoking_the_others_leaves_this_one(fake: Fake) -> None:
    first, second = await two(fake)
    async with first, second:
        gone = await devices.revoke_others(first.session)

        assert [one.name for one in gone] == ["Asha-2"]
        await first.home()


async def test_a_forgotten_phone_has_no_keys_any_more(fake: Fake) -> None:
    first, second = await two(fake)
    async with first, second:
        await devices.forget(second.handset)

        assert second.handset.state.key_pem is None
        with pytest.raises(NotReady):
            await second.login()


async def test_panic_locks_every_phone_and_one_comes_back_by_enrolling(
    fake: Fake,
) -> None:
    first, second = await two(fake)
    async with first, second:
        seen = await devices.panic(second.handset)
        await first.start()
        with pytest.raises(Refused, match="DEVICE_LOCKED"):
            await second.login()

        assert (seen.devices, seen.sessions) == (2, 2)
        await first.home()


async def test_stores_that_are_thrown_away_never_fill_the_places(fake: Fake) -> None:
    for _ in range(4):
        async with fake.phone("Asha-1") as phone:
            await phone.start()

    asha = fake.bank.customers[0]
    states = [one.state for one in fake.bank.phones(asha)]
    assert states == ["LOCKED", "LOCKED", "LOCKED", "COOLING"]


async def test_a_fourth_phone_is_refused_until_it_takes_a_named_place(
    fake: Fake,
) -> None:
    for number in (1, 2, 3):
        async with fake.phone(f"Asha-{number}") as phone:
            await phone.start()

    async with fake.phone("Asha-4") as fourth:
        with pytest.raises(Refused, match="TOO_MANY_DEVICES"):
            await fourth.start()
        device = await fourth.bind_anew(gone=frozenset({"asha-2"}))

    assert device.state is DeviceState.COOLING
