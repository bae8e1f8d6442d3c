"""Factors of the person: passkeys, authenticator, recovery codes."""

from app import database
from app.auth.actor import FactorKind, FactorState
from tests.auth.authenticator import Authenticator
from tests.auth.authenticator_app import an_owner
from tests.auth.passkey_holder import Holder
from tests.auth.room import Person, Phone, Room
from tests.auth.test_factor_changes import full
from tests.auth.test_passkeys import registered_by_approval
from tests.auth.test_sessions import change


async def test_a_person_without_anything_sees_three_factors_not_set(
    room: Room, phone: Phone
) -> None:
    found = await room.customer_factors.of(await phone.as_device())

    assert [(one.kind, one.state) for one in found] == [
        (FactorKind.WEBAUTHN, FactorState.NOT_SET),
        (FactorKind.TOTP, FactorState.NOT_SET),
        (FactorKind.RECOVERY_CODE, FactorState.NOT_SET),
    ]


async def test_a_person_sees_passkeys_authenticator_and_codes(
    room: Room, asha: Person
) -> None:
    owner = await an_owner(room, asha)
    holder = Holder(owner.phone, Authenticator())
    await registered_by_approval(holder)
    now = room.clock.now()

    found = await room.customer_factors.of(await owner.phone.as_login())

    assert [(one.state, one.attempts_left, one.set_at) for one in found] == [
        (FactorState.ACTIVE, None, now),
        (FactorState.ACTIVE, 5, now),
        (FactorState.ACTIVE, 5, now),
    ]


async def test_paused_and_locked_passkeys_are_shown_as_locked(
    room: Room, asha: Person
) -> None:
    finger, _ = await full(room, asha)
    phone = finger.phone
    until = room.clock.now()
    room.clock.move(minutes=-15)
    row = await room.customer_factors.of(await phone.as_device())
    assert row[0].state is FactorState.ACTIVE

    async def pause(tx: database.Tx) -> None:
        await tx.rows("UPDATE passkey SET paused_until = $1 RETURNING id", until)

    await database.transaction(pause, name="test.pause")
    paused = (await room.customer_factors.of(await phone.as_device()))[0]
    assert (paused.state, paused.locked_until) == (FactorState.LOCKED, until)
    await change("UPDATE passkey SET state = 'LOCKED'")
    locked = (await room.customer_factors.of(await phone.as_device()))[0]
    assert (locked.state, locked.locked_until) == (FactorState.LOCKED, None)
