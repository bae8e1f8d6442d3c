"""Factors renamed and removed; a phone keeps at least one (auth.md 1.3, 3.9, 6.3)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app import database
from app.auth.actor import Actor, FactorKind
from app.auth.errors import CoolingPeriod, StepUpRequired
from app.errors import NotAllowed, NotFound, Unauthenticated, ValidationFailed
from app.ids import PasskeyId
from tests.auth.authenticator_app import approved, cooled
from tests.auth.finger import Finger
from tests.auth.passkey_holder import Holder
from tests.auth.room import STAFF, Person, Phone, Room, a_customer
from tests.auth.test_biometric import bio_jkt
from tests.auth.test_login import count, failed_of
from tests.auth.test_passkeys import approve, passkeys, registered_by_approval
from tests.auth.test_sessions import change

Call = Callable[[Actor], Awaitable[object]]


async def full(room: Room, person: Person) -> tuple[Finger, Holder]:
    """Give a phone past its waiting time with mPIN, biometric key and passkey."""
    phone = await cooled(room, person)
    finger, holder = Finger(phone), Holder(phone)
    await finger.set_by(phone.answer)
    await registered_by_approval(holder)
    return finger, holder


async def pins() -> int:
    return await count("SELECT count(*) AS n FROM mpin_secret")


async def acts(action: str) -> int:
    rows = await database.read("SELECT seq FROM audit_entry WHERE action = $1", action)
    return len(rows)


async def challenges() -> int:
    return await count("SELECT count(*) AS n FROM challenge")


# ------------------------------------------------------------------ renaming


async def test_a_passkey_gets_another_label(room: Room, asha: Person) -> None:
    _, holder = await full(room, asha)
    (passkey,) = await room.passkeys.of_customer(await holder.phone.as_login())

    renamed = await room.factor_changes.rename_passkey(
        await holder.phone.as_login(), passkey.id, "  Work laptop "
    )

    assert renamed.label == "Work laptop"
    assert await room.passkeys.find(await holder.phone.as_login(), passkey.id) == (
        renamed
    )
    assert await acts("passkey.renamed") == 1


@pytest.mark.parametrize("label", ["", " ", "x" * 65])
async def test_a_label_has_1_to_64_characters(
    room: Room, asha: Person, label: str
) -> None:
    _, holder = await full(room, asha)
    (passkey,) = await room.passkeys.of_customer(await holder.phone.as_login())

    with pytest.raises(ValidationFailed):
        await room.factor_changes.rename_passkey(
            await holder.phone.as_login(), passkey.id, label
        )

    assert await acts("passkey.renamed") == 0


async def test_another_customers_passkey_is_not_there(room: Room, asha: Person) -> None:
    _, holder = await full(room, asha)
    (passkey,) = await room.passkeys.of_customer(await holder.phone.as_login())
    other = await a_customer(room, number="100000002", phone="+919876543211")
    stranger = await cooled(room, other)

    for name in (passkey.id, PasskeyId.new()):
        actor = await stranger.as_login()
        with pytest.raises(NotFound):
            await room.factor_changes.rename_passkey(actor, name, "Mine")
        with pytest.raises(NotFound):
            await room.factor_changes.remove_passkey(actor, name)

    assert await passkeys() == 1


async def test_an_ended_session_renames_nothing(room: Room, asha: Person) -> None:
    _, holder = await full(room, asha)
    (passkey,) = await room.passkeys.of_customer(await holder.phone.as_login())
    actor = await holder.phone.as_login()
    await change("UPDATE session SET ended_at = created_at, ended_reason = 'LOGOUT'")

    with pytest.raises(Unauthenticated):
        await room.factor_changes.rename_passkey(actor, passkey.id, "x")

    assert await acts("passkey.renamed") == 0


# ------------------------------------------------------------------ removing


async def test_each_factor_is_removed_once_with_an_approval(
    room: Room, asha: Person
) -> None:
    finger, holder = await full(room, asha)
    phone = finger.phone
    (passkey,) = await room.passkeys.of_customer(await phone.as_login())

    gone = await approved(
        phone, lambda actor: room.factor_changes.remove_passkey(actor, passkey.id)
    )
    assert gone == passkey.id
    assert await passkeys() == 0
    await approved(phone, room.factor_changes.remove_biometric)
    assert await bio_jkt(phone) is None

    for action in ("passkey.removed", "biometric_key.removed"):
        assert await acts(action) == 1
    rows = await database.read(
        "SELECT payload FROM customer_event WHERE type = 'SecurityEvent' ORDER BY seq"
    )
    assert [row.get("payload", dict)["title"] for row in rows[-2:]] == [
        "A passkey was removed: Asha's phone.",
        "Finger or face was switched off for Asha's phone.",
    ]
    assert holder.phone is phone


async def test_what_was_removed_neither_signs_in_nor_comes_back_free(
    room: Room, asha: Person
) -> None:
    finger, _ = await full(room, asha)
    phone = finger.phone
    await change("UPDATE device SET first_factor_until = cooling_until")
    begun = await room.logins.start(await phone.as_device())

    await approved(phone, room.factor_changes.remove_mpin)

    assert await pins() == 0
    refused = phone.answer(begun)
    with pytest.raises(Exception, match="That is not right"):
        await room.logins.finish(await phone.as_device(), begun.id, *refused)
    row = await database.read_one("SELECT first_factor_until FROM device")
    assert row is not None
    assert row._columns["first_factor_until"] is None  # noqa: SLF001  -- looked into
    await finger.login()


async def test_the_last_factor_of_a_phone_stays(room: Room, asha: Person) -> None:
    phone = await cooled(room, asha)
    for call in (room.factor_changes.remove_mpin, room.factor_changes.remove_biometric):
        with pytest.raises(NotAllowed):
            await call(await phone.as_login())
    finger = Finger(phone)
    await finger.set_by(phone.answer)
    await approved(phone, room.factor_changes.remove_mpin)
    await finger.login()

    with pytest.raises(NotAllowed) as refused:
        await room.factor_changes.remove_biometric(await phone.as_login())

    assert str(refused.value).startswith("This is the last way to sign in")
    assert await bio_jkt(phone) == finger.jkt


async def test_two_removals_at_once_leave_one_factor(room: Room, asha: Person) -> None:
    phone = await cooled(room, asha)
    finger = Finger(phone)
    await finger.set_by(phone.answer)
    actor = await phone.as_login()
    calls = (room.factor_changes.remove_mpin, room.factor_changes.remove_biometric)
    for call in calls:
        with pytest.raises(StepUpRequired) as required:
            await call(actor)
        await approve(phone, required.value)

    done = await asyncio.gather(
        *(call(actor) for call in calls), return_exceptions=True
    )

    assert sum(isinstance(one, NotAllowed) for one in done) == 1
    assert await pins() + (await bio_jkt(phone) is not None) == 1


async def test_a_passkey_that_is_another_phones_only_factor_stays(
    room: Room, asha: Person
) -> None:
    finger, holder = await full(room, asha)
    asha.code = await room.customers.code(STAFF, asha.number)
    second = Phone(room)
    await second.bind(await second.prove(asha))
    other = Holder(second, holder.authenticator)
    await other.login()
    (passkey,) = await room.passkeys.of_customer(await finger.phone.as_login())

    with pytest.raises(NotAllowed) as refused:
        await room.factor_changes.remove_passkey(
            await finger.phone.as_login(), passkey.id
        )

    assert refused.value.field == ["id"]
    assert await passkeys() == 1
    await room.device_changes.forget(await second.as_device())
    await approved(
        finger.phone,
        lambda actor: room.factor_changes.remove_passkey(actor, passkey.id),
    )
    assert await passkeys() == 0


async def test_a_locked_mpin_is_no_factor_and_can_be_removed(
    room: Room, asha: Person
) -> None:
    finger, _ = await full(room, asha)
    phone = finger.phone
    await change("UPDATE mpin_secret SET state = 'LOCKED', sealed = NULL")
    await change("DELETE FROM passkey")

    with pytest.raises(NotAllowed):
        await room.factor_changes.remove_biometric(await phone.as_login())
    with pytest.raises(StepUpRequired) as required:
        await room.factor_changes.remove_mpin(await phone.as_login())
    challenge = required.value.challenge
    assert challenge.allowed == (FactorKind.BIOMETRIC,)
    actor = await phone.as_login()
    await room.step_ups.answer(actor, challenge.id, *finger.answer(challenge))
    await room.factor_changes.remove_mpin(await phone.as_login())

    assert await pins() == 0


async def test_a_cooling_phone_removes_no_factor_and_renames(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    finger, holder = Finger(phone), Holder(phone)
    await finger.set_by(phone.answer)
    await registered_by_approval(holder)
    (passkey,) = await room.passkeys.of_customer(await phone.as_login())
    changes = room.factor_changes
    calls: tuple[Call, ...] = (
        changes.remove_mpin,
        changes.remove_biometric,
        lambda actor: changes.remove_passkey(actor, passkey.id),
    )
    before = await challenges()

    for call in calls:
        with pytest.raises(CoolingPeriod) as refused:
            await call(await phone.as_login())
        assert refused.value.ends_at == phone.device.cooling_until  # type: ignore[union-attr]  # bound

    await changes.rename_passkey(await phone.as_login(), passkey.id, "Mine")
    assert (await challenges(), await passkeys(), await pins()) == (before, 1, 1)
    assert await bio_jkt(phone) == finger.jkt


async def test_a_cooling_phone_changes_its_own_factors_by_approval(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    await Finger(phone).set_by(phone.answer)
    second = Finger(phone)

    await second.set_by(phone.answer)

    assert await bio_jkt(phone) == second.jkt
    assert await failed_of(phone) == 0
    assert room.settings.cooling_s > 0
