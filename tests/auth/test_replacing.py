"""A new phone takes the place of others, for good only when it is ACTIVE."""

import pytest

from app import database
from app.auth.device import Device
from app.auth.errors import DeviceLocked, TooManyDevices
from app.auth.settling import settle_states
from app.errors import NotAllowed, NotFound
from app.ids import DeviceId
from tests.auth.room import KDF, STAFF, Person, Phone, Room, a_customer, b64u
from tests.auth.test_device_changes import (
    another,
    cooled,
    name_of,
    states,
    unlock,
)
from tests.auth.test_sessions import change


async def replacing(room: Room, person: Person, *old: Phone) -> Phone:
    """Enrol a new phone that takes the place of others."""
    person.code = await room.customers.code(STAFF, person.number)
    found = Phone(room)
    await bound(room, found, person, *(name_of(one) for one in old))
    await room.mpins.set(await found.as_device(), b64u(found.secret), KDF)
    return found


async def bound(room: Room, phone: Phone, person: Person, *old: DeviceId) -> Device:
    nonce = await phone.prove(person)
    request = phone.bind_request(nonce, replaces=old)
    phone.device = await room.devices.bind(await phone.as_device(), request)
    return phone.device


async def test_a_replaced_phone_is_locked_at_once_and_gone_when_the_new_one_is_active(
    room: Room, phone: Phone, asha: Person
) -> None:
    await phone.login()

    fresh = await replacing(room, asha, phone)

    assert (await states())[name_of(phone)] == ("LOCKED", "REPLACED")
    with pytest.raises(DeviceLocked):
        await phone.login()
    await settle_states(room.clock, room.moves)
    assert (await states())[name_of(phone)] == ("LOCKED", "REPLACED")
    await cooled(room, fresh)
    assert await settle_states(room.clock, room.moves) == 2
    assert (await states())[name_of(phone)] == ("REVOKED", None)
    row = await database.read_one(
        "SELECT sealed FROM mpin_secret WHERE device_id = $1", name_of(phone)
    )
    assert row is not None
    assert row.find("sealed", bytes) is None


async def test_with_three_dead_phones_one_comes_back_by_replacing(
    room: Room, phone: Phone, asha: Person
) -> None:
    dead = [phone, await another(room, asha), await another(room, asha)]
    asha.code = await room.customers.code(STAFF, asha.number)
    with pytest.raises(TooManyDevices):
        await bound(room, Phone(room), asha)

    fresh = await replacing(room, asha, dead[1])

    await fresh.login()
    assert [state for state, _ in (await states()).values()].count("COOLING") == 3


async def test_a_thief_who_replaces_the_owner_erases_nothing(
    room: Room, phone: Phone, asha: Person
) -> None:
    second = await another(room, asha)
    await cooled(room, phone, second)
    thief = await replacing(room, asha, phone)
    await thief.login()

    await room.device_changes.forget(await thief.as_device())

    assert (await states())[name_of(phone)] == ("ACTIVE", None)
    await phone.login()


async def test_an_unused_newcomer_gives_back_what_it_replaced(
    room: Room, phone: Phone, asha: Person
) -> None:
    asha.code = await room.customers.code(STAFF, asha.number)
    await bound(room, Phone(room), asha, name_of(phone))
    assert (await states())[name_of(phone)] == ("LOCKED", "REPLACED")

    room.clock.move(minutes=15)
    await settle_states(room.clock, room.moves)

    assert (await states())[name_of(phone)] == ("COOLING", None)
    await phone.login()


async def test_a_replaced_phone_may_be_unlocked_while_there_is_room(
    room: Room, phone: Phone, asha: Person
) -> None:
    second = await another(room, asha)
    await cooled(room, phone, second)
    await replacing(room, asha, phone)
    await another(room, asha)

    with pytest.raises(TooManyDevices):
        await unlock(room, second, phone)

    assert (await states())[name_of(phone)] == ("LOCKED", "REPLACED")


async def test_nobody_replaces_the_phones_of_another(
    room: Room, phone: Phone, asha: Person
) -> None:
    ben = await a_customer(room, number="100000002", phone="+919876543211")

    for name in (name_of(phone), DeviceId.new()):
        with pytest.raises(NotFound) as no:
            await bound(room, Phone(room), ben, name)
        assert no.value.field == ["replaceDeviceIds"]

    assert await states() == {name_of(phone): ("COOLING", None)}


async def test_a_lock_below_the_newest_one_comes_to_light_again(
    room: Room, phone: Phone, asha: Person
) -> None:
    await change("UPDATE device SET failed = 10")
    await change(
        "UPDATE device SET state = 'LOCKED', lock_reason = 'FAILURES', "
        "lock_before = 'COOLING'"
    )
    fresh = await replacing(room, asha, phone)

    await room.device_changes.forget(await fresh.as_device())

    assert (await states())[name_of(phone)] == ("LOCKED", "FAILURES")


async def test_a_reset_code_makes_a_phone_wait_for_three_days(
    room: Room, asha: Person
) -> None:
    await change("UPDATE activation_code SET kind = 'RESET'")

    device = await bound(room, Phone(room), asha)

    assert device.cooling_until is not None
    assert (device.cooling_until - room.clock.now()).total_seconds() == 72 * 3600
    row = await database.read_one("SELECT cooling_profile FROM device")
    assert row is not None
    assert row.get("cooling_profile", str) == "RESET"


async def test_a_customer_whom_staff_blocked_binds_nothing(
    room: Room, asha: Person
) -> None:
    phone = Phone(room)
    nonce = await phone.prove(asha)
    await change("UPDATE customer SET status = 'BLOCKED_BY_STAFF'")

    with pytest.raises(NotAllowed):
        await phone.bind(nonce)

    assert await states() == {}
