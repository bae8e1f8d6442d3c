"""Registering passkeys: who may, how many, once (auth.md 1.4, 3.9, 6.3)."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from app import database
from app.auth.actor import FactorKind, Level
from app.auth.errors import (
    ChallengeExpired,
    CoolingPeriod,
    DeviceLocked,
    PasskeyRejected,
    StepUpRequired,
)
from app.auth.jobs import sweep
from app.auth.registrations import RegistrationId
from app.auth.settling import settle_states
from app.errors import Forbidden, NotAllowed, ValidationFailed
from app.ids import PasskeyId
from tests.auth.authenticator import BE, BS, UP, UV, Authenticator
from tests.auth.passkey_holder import Holder
from tests.auth.room import KDF, STAFF, Person, Phone, Room, a_customer, b64u
from tests.auth.test_login import count, sessions_made
from tests.auth.test_sessions import change
from tests.auth.wiring import open_room


async def passkeys() -> int:
    return await count("SELECT count(*) AS n FROM passkey")


async def bound(room: Room, person: Person) -> Phone:
    phone = Phone(room)
    await phone.bind(await phone.prove(person))
    return phone


async def approve(phone: Phone, required: StepUpRequired) -> None:
    """Say yes to a step-up by PIN."""
    challenge = required.challenge
    signature, response = phone.answer(challenge)
    actor = await phone.as_login()
    await phone.room.step_ups.answer(actor, challenge.id, signature, response)


async def registered_by_approval(holder: Holder) -> None:
    """Register one more passkey in a session, with the PIN."""
    phone = holder.phone
    with pytest.raises(StepUpRequired) as required:
        await phone.room.passkeys.start(await phone.as_login())
    await approve(phone, required.value)
    await holder.register(await phone.as_login())


async def test_a_new_phone_registers_its_first_factor_without_a_session(
    room: Room, asha: Person
) -> None:
    holder = Holder(await bound(room, asha), Authenticator(flags=UP | UV | BE | BS))

    made = await holder.register()

    listed = await room.passkeys.of_customer(await holder.phone.as_device())
    assert listed == [made]
    assert made.backed_up
    assert made.label == "Asha's phone"
    assert made.last_used_at is None
    assert await room.passkeys.find(await holder.phone.as_device(), made.id) == made
    rows = await database.read(
        "SELECT payload FROM customer_event WHERE type = 'SecurityEvent' ORDER BY seq"
    )
    assert rows[-1].get("payload", dict)["title"] == (
        "A passkey was added: Asha's phone."
    )


async def test_the_options_name_the_person_and_exclude_what_there_is(
    room: Room, asha: Person
) -> None:
    holder = Holder(await bound(room, asha))
    first = await holder.register()
    await change("UPDATE device SET state = 'ACTIVE'")
    await change("DELETE FROM passkey_registration")
    await change("UPDATE passkey SET device_id = id")

    opened = await room.passkeys.start(await holder.phone.as_device())

    row = await database.read_one("SELECT handle FROM customer")
    assert row is not None
    user = opened.options["user"]
    assert isinstance(user, dict)
    assert user["id"] == b64u(row.get("handle", bytes))
    assert user["displayName"] == "Asha Rao"
    assert opened.options["excludeCredentials"] == [first.descriptor]


async def test_after_fifteen_minutes_a_phone_without_a_factor_enrols_again(
    room: Room, asha: Person
) -> None:
    holder = Holder(await bound(room, asha))
    room.clock.move(minutes=15)

    with pytest.raises(NotAllowed):
        await holder.register()

    assert await passkeys() == 0


async def test_a_registration_begun_in_time_is_finished_in_time(
    room: Room, asha: Person
) -> None:
    holder = Holder(await bound(room, asha))
    room.clock.move(minutes=14)
    actor = await holder.phone.as_device()
    opened = await room.passkeys.start(actor)
    made = holder.authenticator.create(opened.options)

    room.clock.move(minutes=1)
    with pytest.raises(NotAllowed):
        await room.passkeys.finish(actor, opened.id, made)

    assert await passkeys() == 0


async def test_with_a_factor_and_without_a_session_it_is_forbidden(
    room: Room, phone: Phone
) -> None:
    holder = Holder(phone)

    with pytest.raises(Forbidden) as refused:
        await holder.register()

    assert refused.value.facts == {"requiredLevel": "LOGIN"}
    assert await count("SELECT count(*) AS n FROM passkey_registration") == 0


async def test_a_factor_set_between_start_and_finish_closes_the_free_way(
    room: Room, asha: Person
) -> None:
    holder = Holder(await bound(room, asha))
    actor = await holder.phone.as_device()
    opened = await room.passkeys.start(actor)
    await room.mpins.set(actor, b64u(holder.phone.secret), KDF)

    with pytest.raises(Forbidden):
        await room.passkeys.finish(
            actor, opened.id, holder.authenticator.create(opened.options)
        )

    assert await passkeys() == 0


async def test_with_a_session_it_asks_for_the_pin_and_no_passkey_will_do(
    room: Room, phone: Phone
) -> None:
    await phone.login()

    with pytest.raises(StepUpRequired) as required:
        await room.passkeys.start(await phone.as_login())

    challenge = required.value.challenge
    assert challenge.action == "passkeyRegisterStart"
    assert challenge.allowed == (FactorKind.MPIN,)
    assert challenge.webauthn_options is None
    assert challenge.display().summary == "Add a passkey on Asha's phone"
    await approve(phone, required.value)
    await Holder(phone).register(await phone.as_login())
    assert await passkeys() == 1


async def test_asked_again_it_gives_the_same_registration_and_no_new_approval(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    with pytest.raises(StepUpRequired) as required:
        await room.passkeys.start(await phone.as_login())
    await approve(phone, required.value)

    first = await room.passkeys.start(await phone.as_login())
    again = await room.passkeys.start(await phone.as_login())

    assert first == again
    await phone.login()
    with pytest.raises(StepUpRequired):
        await room.passkeys.start(await phone.as_login())


async def test_a_registration_is_of_one_session_one_phone_and_five_minutes(
    room: Room, phone: Phone, asha: Person
) -> None:
    holder = Holder(phone)
    await phone.login()
    with pytest.raises(StepUpRequired) as required:
        await room.passkeys.start(await phone.as_login())
    await approve(phone, required.value)
    opened = await room.passkeys.start(await phone.as_login())
    made = holder.authenticator.create(opened.options)
    asha.code = await room.customers.code(STAFF, asha.number)
    other = Phone(room)
    await other.enrol(asha)
    await other.login()

    with pytest.raises(ChallengeExpired):
        await room.passkeys.finish(await other.as_login(), opened.id, made)
    with pytest.raises(ChallengeExpired):
        await room.passkeys.finish(await phone.as_login(), RegistrationId.new(), made)
    late = await phone.as_login()
    room.clock.move(seconds=300)
    with pytest.raises(ChallengeExpired):
        await room.passkeys.finish(late, opened.id, made)

    assert await passkeys() == 0


async def test_a_cooling_phone_registers_one_and_an_older_one_more(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    await registered_by_approval(Holder(phone))

    with pytest.raises(CoolingPeriod) as refused:
        await room.passkeys.start(await phone.as_login())
    assert phone.device is not None
    assert refused.value.ends_at == phone.device.cooling_until

    room.clock.move(hours=24)
    await phone.login()
    await registered_by_approval(Holder(phone))
    assert await passkeys() == 2


async def test_ten_passkeys_are_enough(room: Room, phone: Phone) -> None:
    room.clock.move(hours=24)
    await phone.login()
    for _ in range(10):
        await registered_by_approval(Holder(phone))

    with pytest.raises(PasskeyRejected) as refused:
        await room.passkeys.start(await phone.as_login())

    assert refused.value.message == "There are too many passkeys. Remove one first."
    assert await passkeys() == 10


async def test_the_identical_answer_gives_the_same_passkey_again(
    room: Room, asha: Person
) -> None:
    holder = Holder(await bound(room, asha))
    actor = await holder.phone.as_device()
    opened = await room.passkeys.start(actor)
    made = holder.authenticator.create(opened.options)

    at_once = await asyncio.gather(
        *(room.passkeys.finish(actor, opened.id, made) for _ in range(5))
    )
    later = await room.passkeys.finish(actor, opened.id, made)

    assert {one.id for one in at_once} == {later.id}
    assert await passkeys() == 1
    with pytest.raises(ChallengeExpired):
        await room.passkeys.finish(actor, opened.id, made | {"extra": 1})


async def test_a_misfit_uses_the_registration_up_and_is_written_down(
    room: Room, asha: Person
) -> None:
    holder = Holder(await bound(room, asha))
    actor = await holder.phone.as_device()
    opened = await room.passkeys.start(actor)
    wrong = holder.authenticator.create(opened.options, flags=UP)
    right = holder.authenticator.create(opened.options)

    for _ in range(2):
        with pytest.raises(PasskeyRejected):
            await room.passkeys.finish(actor, opened.id, wrong)
    with pytest.raises(ChallengeExpired):
        await room.passkeys.finish(actor, opened.id, right)

    assert await passkeys() == 0
    rows = await database.read(
        "SELECT outcome, code FROM audit_entry WHERE action = 'passkey.failed'"
    )
    assert [(row.get("outcome", str), row.get("code", str)) for row in rows] == [
        ("DENIED", "PASSKEY_REJECTED")
    ]
    again = await room.passkeys.start(actor)
    assert again.id != opened.id


async def test_a_credential_of_another_customer_is_refused(
    room: Room, asha: Person
) -> None:
    holder = Holder(await bound(room, asha))
    await holder.register()
    ben = await a_customer(room, number="100000002", phone="+919876543211", name="Ben")
    thief = Holder(await bound(room, ben))

    with pytest.raises(PasskeyRejected):
        await thief.register(
            credential_id=holder.authenticator.credential_id,
            attested_id=holder.authenticator.credential_id,
        )

    assert await passkeys() == 1
    assert await room.passkeys.of_customer(await thief.phone.as_device()) == []


async def test_another_customers_passkey_does_not_exist(
    room: Room, asha: Person
) -> None:
    made = await Holder(await bound(room, asha)).register()
    ben = await a_customer(room, number="100000002", phone="+919876543211", name="Ben")
    stranger = await bound(room, ben)

    assert await room.passkeys.find(await stranger.as_device(), made.id) is None
    assert await room.passkeys.find(await stranger.as_device(), PasskeyId.new()) is None


async def test_a_locked_phone_registers_nothing(room: Room, asha: Person) -> None:
    holder = Holder(await bound(room, asha))
    actor = await holder.phone.as_device()
    opened = await room.passkeys.start(actor)
    await change(
        "UPDATE device SET state = 'LOCKED', lock_reason = 'STAFF', "
        "lock_before = 'COOLING'"
    )

    with pytest.raises(DeviceLocked):
        await room.passkeys.start(actor)
    with pytest.raises(DeviceLocked):
        await room.passkeys.finish(
            actor, opened.id, holder.authenticator.create(opened.options)
        )

    assert await passkeys() == 0


@pytest.mark.parametrize("label", ["", "  ", "x" * 65])
async def test_a_label_has_a_length(room: Room, asha: Person, label: str) -> None:
    holder = Holder(await bound(room, asha))
    actor = await holder.phone.as_device()
    opened = await room.passkeys.start(actor)
    made = holder.authenticator.create(opened.options)

    with pytest.raises(ValidationFailed):
        await room.passkeys.finish(actor, opened.id, made, label)

    kept = await room.passkeys.finish(actor, opened.id, made, " Key ring ")
    assert kept.label == "Key ring"


async def test_a_phone_with_a_passkey_alone_is_not_swept_away(
    room: Room, asha: Person
) -> None:
    holder = Holder(await bound(room, asha))
    await holder.register()

    for passed in (timedelta(minutes=20), timedelta(hours=25)):
        room.clock.move(seconds=passed.total_seconds())
        await settle_states(room.clock, room.moves)
        await sweep(room.clock)

    assert await count("SELECT count(*) AS n FROM device WHERE state = 'ACTIVE'") == 1
    assert await count("SELECT count(*) AS n FROM passkey_registration") == 0
    assert await sessions_made() == 0


async def test_the_limit_and_the_relying_party_are_settings(
    room: Room, asha: Person
) -> None:
    narrow = room.settings.model_copy(
        update={"passkeys_max": 1, "webauthn_rp_id": "bank.example", "cooling_s": 0}
    )
    other = await open_room(narrow, room.clock, room.vault)
    phone = Phone(other)
    await phone.bind(await phone.prove(asha))
    holder = Holder(phone)
    await holder.register(rp_id="bank.example")
    holder.phone.secret = bytes(32)

    with pytest.raises(PasskeyRejected):
        await other.passkeys.start(
            replace(await phone.as_device(), level=Level.LOGIN)  # as signed in
        )

    assert timedelta(seconds=narrow.approval_s) == timedelta(minutes=5)
    assert await passkeys() == 1
