"""Phones: bound with their own key, counted, revoked when nobody used them."""

import pytest

from app import database
from app.auth.actor import DeviceState
from app.auth.errors import (
    ChallengeFailed,
    EnrolmentExpired,
    TooManyDevices,
)
from app.auth.settling import settle_states
from app.errors import (
    DpopRequired,
    NotAllowed,
    ValidationFailed,
)
from tests.auth.room import KDF, STAFF, Person, Phone, Room, b64u
from tests.auth.test_enrolment import ANYBODY, bound, tries_of


async def test_a_key_is_bound_once_and_only_with_its_own_signature(
    room: Room, asha: Person
) -> None:
    phone, other = Phone(room), Phone(room)
    nonce = await phone.prove(asha)
    stolen = other.bind_request(nonce)

    with pytest.raises(ChallengeFailed):
        await room.devices.bind(await phone.as_device(), stolen)
    with pytest.raises(ChallengeFailed):
        await room.devices.bind(
            await phone.as_device(),
            phone.bind_request(nonce, signature=b64u(bytes(64))),
        )
    with pytest.raises(ChallengeFailed):
        await room.devices.bind(
            await phone.as_device(), phone.bind_request(nonce, signature="?")
        )
    with pytest.raises(DpopRequired):
        await room.devices.bind(ANYBODY, phone.bind_request(nonce))
    assert await bound() == 0

    await phone.bind(nonce)
    with pytest.raises(EnrolmentExpired):
        await other.bind(nonce)
    asha.code = await room.customers.code(STAFF, asha.number)
    with pytest.raises(ChallengeFailed):
        await phone.bind(await phone.prove(asha))
    assert await bound() == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 65])
async def test_a_phone_needs_a_name(room: Room, asha: Person, name: str) -> None:
    phone = Phone(room)
    nonce = await phone.prove(asha)

    with pytest.raises(ValidationFailed) as refused:
        await room.devices.bind(
            await phone.as_device(), phone.bind_request(nonce, name=name)
        )

    assert refused.value.field == ["name"]
    assert await bound() == 0


async def test_a_fourth_phone_is_refused_and_its_proofs_stay_good(
    room: Room, asha: Person
) -> None:
    for _ in range(3):
        asha.code = await room.customers.code(STAFF, asha.number)
        await Phone(room).enrol(asha)
    asha.code = await room.customers.code(STAFF, asha.number)
    fourth = Phone(room)
    nonce = await fourth.prove(asha)

    with pytest.raises(TooManyDevices):
        await fourth.bind(nonce)

    assert await bound() == 3
    assert await tries_of(asha) == 0


async def test_a_phone_without_a_factor_is_revoked_after_fifteen_minutes(
    room: Room, asha: Person
) -> None:
    unused, used = Phone(room), Phone(room)
    await unused.bind(await unused.prove(asha))
    asha.code = await room.customers.code(STAFF, asha.number)
    await used.enrol(asha)

    room.clock.move(seconds=900)
    assert await settle_states(room.clock, room.moves) == 1
    room.bound.forget(unused.device.id) if unused.device else None

    states = await database.read("SELECT id, state FROM device ORDER BY id")
    assert [row.get("state", str) for row in states] == ["REVOKED", "COOLING"]
    with pytest.raises(NotAllowed):
        await late_first_factor(room, asha)
    room.clock.move(hours=24)
    assert await settle_states(room.clock, room.moves) >= 1
    actor = await used.as_device()
    found = await room.devices.find(actor, actor.known_device)
    assert found is not None
    assert found.state is DeviceState.ACTIVE
    assert found.cooling_until is None


async def late_first_factor(room: Room, asha: Person) -> None:
    asha.code = await room.customers.code(STAFF, asha.number)
    late = Phone(room)
    await late.bind(await late.prove(asha))
    room.clock.move(seconds=900)
    await room.mpins.set(await late.as_device(), b64u(late.secret), KDF)
