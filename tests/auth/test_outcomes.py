"""Stored outcomes: a lost answer of a removal is given again, for a while (3.9, 6)."""

import asyncio

import pytest

from app import database
from app.auth.actor import Actor
from app.auth.errors import StepUpRequired
from app.auth.jobs import sweep
from app.errors import NotAllowed, NotFound
from app.ids import PasskeyId
from tests.auth.authenticator_app import approved
from tests.auth.finger import Finger
from tests.auth.room import Person, Room
from tests.auth.test_biometric import bio_jkt
from tests.auth.test_factor_changes import acts, full
from tests.auth.test_login import count
from tests.auth.test_passkeys import approve


async def outcomes() -> int:
    return await count(
        "SELECT count(*) AS n FROM challenge WHERE outcome_sealed IS NOT NULL"
    )


async def test_a_lost_answer_is_given_again_for_five_minutes(
    room: Room, asha: Person
) -> None:
    finger, _ = await full(room, asha)
    phone = finger.phone
    (passkey,) = await room.passkeys.of_customer(await phone.as_login())

    async def remove(actor: Actor) -> PasskeyId:
        return await room.factor_changes.remove_passkey(actor, passkey.id)

    await approved(phone, remove)
    room.clock.move(minutes=4)

    assert await remove(await phone.as_login()) == passkey.id
    assert await acts("passkey.removed") == 1
    room.clock.move(minutes=1)
    await phone.login()
    with pytest.raises(NotFound):
        await remove(await phone.as_login())


async def test_another_session_gets_no_stored_answer(room: Room, asha: Person) -> None:
    finger, _ = await full(room, asha)
    phone = finger.phone
    await approved(phone, room.factor_changes.remove_biometric)
    assert await outcomes() == 1

    await phone.login()

    with pytest.raises(NotAllowed):
        await room.factor_changes.remove_biometric(await phone.as_login())


async def test_the_next_approved_call_ends_the_stored_answer(
    room: Room, asha: Person
) -> None:
    finger, _ = await full(room, asha)
    phone = finger.phone
    await approved(phone, room.factor_changes.remove_biometric)
    assert await outcomes() == 1

    again = Finger(phone)
    await again.set_by(phone.answer)

    assert await outcomes() == 0
    with pytest.raises(StepUpRequired):  # a new call: on, off, on, off
        await room.factor_changes.remove_biometric(await phone.as_login())
    assert await bio_jkt(phone) == again.jkt


async def test_the_same_call_twice_at_once_is_done_once(
    room: Room, asha: Person
) -> None:
    finger, _ = await full(room, asha)
    phone = finger.phone
    actor = await phone.as_login()
    with pytest.raises(StepUpRequired) as required:
        await room.factor_changes.remove_mpin(actor)
    await approve(phone, required.value)

    done = await asyncio.gather(
        *(room.factor_changes.remove_mpin(actor) for _ in range(5))
    )

    assert {one.id for one in done} == {actor.known_device}
    assert await acts("mpin.removed") == 1


async def test_the_worker_erases_old_answers(room: Room, asha: Person) -> None:
    finger, _ = await full(room, asha)
    await approved(finger.phone, room.factor_changes.remove_biometric)
    (row,) = await database.read(
        "SELECT outcome_sealed FROM challenge WHERE outcome_sealed IS NOT NULL"
    )
    assert row.get("outcome_sealed", bytes)[0] == 1  # the ring key's id, then sealed

    room.clock.move(minutes=4, seconds=59)
    await sweep(room.clock)
    assert await outcomes() == 1
    room.clock.move(seconds=1)
    await sweep(room.clock)

    assert await outcomes() == 0
