"""Phones renamed, locked, unlocked, removed: by whom, and what goes with them."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from app import database
from app.auth.actor import DeviceState
from app.auth.device import Device
from app.auth.errors import (
    CoolingPeriod,
    DeviceBlocked,
    DeviceLocked,
    StepUpRequired,
)
from app.auth.settling import settle_states
from app.errors import NotAllowed, NotFound, Unauthenticated, ValidationFailed
from app.ids import DeviceId
from tests.auth.room import STAFF, Person, Phone, Room, a_customer

T = TypeVar("T")


async def approved(phone: Phone, call: Callable[[], Awaitable[T]]) -> T:
    """Call a step-up field, approve on that phone, call again."""
    with pytest.raises(StepUpRequired) as asked:
        await call()
    challenge = asked.value.challenge
    signature, response = phone.answer(challenge)
    await phone.room.step_ups.answer(
        await phone.as_login(), challenge.id, signature, response
    )
    return await call()


def name_of(phone: Phone) -> DeviceId:
    assert phone.device is not None
    return phone.device.id


async def another(room: Room, person: Person) -> Phone:
    person.code = await room.customers.code(STAFF, person.number)
    found = Phone(room)
    await found.enrol(person)
    return found


async def cooled(room: Room, *phones: Phone) -> None:
    """Let the waiting time pass and sign in again."""
    room.clock.move(hours=24)
    for phone in phones:
        await phone.login()


async def locked_as(phone: Phone, reason: str) -> None:
    async def work(tx: database.Tx) -> None:
        await tx.rows(
            "UPDATE device SET state = 'LOCKED', lock_reason = $2, "
            "lock_before = 'ACTIVE', failed = 10 WHERE id = $1 RETURNING id",
            name_of(phone),
            reason,
        )

    await database.transaction(work, name="test.locked_as")


async def states() -> dict[DeviceId, tuple[str, str | None]]:
    rows = await database.read("SELECT id, state, lock_reason FROM device")
    return {
        row.get("id", DeviceId): (row.get("state", str), row.find("lock_reason", str))
        for row in rows
    }


async def lock(room: Room, by: Phone, other: Phone) -> Device:
    async def call() -> Device:
        return await room.device_changes.lock(await by.as_login(), name_of(other))

    return await approved(by, call)


async def unlock(room: Room, by: Phone, other: Phone) -> Device:
    async def call() -> Device:
        return await room.device_changes.unlock(await by.as_login(), name_of(other))

    return await approved(by, call)


async def revoke(room: Room, by: Phone, other: Phone) -> Device:
    async def call() -> Device:
        return await room.device_changes.revoke(await by.as_login(), name_of(other))

    return await approved(by, call)


async def actions(room: Room) -> list[str]:
    rows = await database.read("SELECT action FROM audit_entry ORDER BY at, seq")
    return [row.get("action", str) for row in rows]


async def test_a_phone_gets_another_name(room: Room, phone: Phone) -> None:
    await phone.login()
    actor = await phone.as_login()

    renamed = await room.device_changes.rename(actor, name_of(phone), "  Kitchen  ")

    assert renamed.name == "Kitchen"
    assert (await actions(room))[-1] == "device.renamed"
    with pytest.raises(ValidationFailed):
        await room.device_changes.rename(actor, name_of(phone), " ")
    with pytest.raises(NotFound):
        await room.device_changes.rename(actor, DeviceId.new(), "x")


async def test_a_cooling_phone_suspends_another_which_keeps_its_keys(
    room: Room, phone: Phone, asha: Person
) -> None:
    newcomer = await another(room, asha)
    await phone.login()
    await newcomer.login()

    locked = await lock(room, newcomer, phone)

    assert locked.state is DeviceState.LOCKED
    with pytest.raises(Unauthenticated) as refused:
        await phone.as_login()
    assert refused.value.reason == "DEVICE_LOCKED"
    with pytest.raises(DeviceLocked):
        await phone.login()
    secret = await database.read_one(
        "SELECT sealed FROM mpin_secret WHERE device_id = $1", name_of(phone)
    )
    assert secret is not None
    assert secret.find("sealed", bytes) is not None
    again = await room.device_changes.lock(await newcomer.as_login(), name_of(phone))
    assert again == locked


async def test_only_another_active_phone_unlocks(
    room: Room, phone: Phone, asha: Person
) -> None:
    second = await another(room, asha)
    await cooled(room, phone, second)
    newcomer = await another(room, asha)
    await newcomer.login()
    await lock(room, newcomer, phone)

    with pytest.raises(CoolingPeriod) as no:
        await room.device_changes.unlock(await newcomer.as_login(), name_of(phone))
    assert newcomer.device is not None
    assert no.value.ends_at == newcomer.device.cooling_until
    assert (await states())[name_of(phone)] == ("LOCKED", "SUSPENDED")

    unlocked = await unlock(room, second, phone)

    assert unlocked.state is DeviceState.ACTIVE
    await phone.login()


async def test_the_customer_unlocks_neither_panic_nor_staff(
    room: Room, phone: Phone, asha: Person
) -> None:
    second = await another(room, asha)
    await cooled(room, phone, second)

    for reason in ("PANIC", "STAFF"):
        await locked_as(phone, reason)
        with pytest.raises(NotAllowed):
            await room.device_changes.unlock(await second.as_login(), name_of(phone))

    assert (await states())[name_of(phone)] == ("LOCKED", "STAFF")


async def test_a_removed_phone_is_gone_with_everything(
    room: Room, phone: Phone, asha: Person
) -> None:
    second = await another(room, asha)
    await cooled(room, phone, second)
    pending = await room.logins.start(await second.as_device())

    gone = await revoke(room, phone, second)

    assert gone.state is DeviceState.REVOKED
    assert (await states())[name_of(second)] == ("REVOKED", None)
    with pytest.raises(Unauthenticated) as refused:
        await second.as_login()
    assert refused.value.reason == "SESSION_ENDED"
    with pytest.raises(DeviceBlocked):
        await second.login()
    assert (await second.as_device()).device is None
    row = await database.read_one(
        "SELECT sealed, state FROM mpin_secret WHERE device_id = $1", name_of(second)
    )
    assert row is not None
    assert (row.find("sealed", bytes), row.get("state", str)) == (None, "LOCKED")
    challenge = await database.read_one(
        "SELECT state FROM challenge WHERE id = $1", pending.id
    )
    assert challenge is not None
    assert challenge.get("state", str) == "CANCELLED"
    assert [code for _, code in room.closed].count(4401) >= 1
    again = await room.device_changes.revoke(await phone.as_login(), name_of(second))
    assert again.state is DeviceState.REVOKED
    assert (await actions(room)).count("device.revoked") == 1


async def test_a_cooling_phone_removes_nobody(
    room: Room, phone: Phone, asha: Person
) -> None:
    newcomer = await another(room, asha)
    await newcomer.login()
    before = await states()

    actor = await newcomer.as_login()
    with pytest.raises(CoolingPeriod):
        await room.device_changes.revoke(actor, name_of(phone))
    with pytest.raises(CoolingPeriod):
        await room.device_changes.revoke_others(actor)

    assert await states() == before
    assert (
        await database.read("SELECT id FROM challenge WHERE purpose = 'step-up'") == []
    )
    tried = await database.read(
        "SELECT detail, outcome FROM audit_entry WHERE action = 'device.refused' "
        "ORDER BY seq"
    )
    assert [row.get("detail", dict)["operation"] for row in tried] == [
        "deviceRevoke",
        "devicesRevokeOthers",
    ]
    assert {row.get("outcome", str) for row in tried} == {"DENIED"}


async def test_all_others_go_at_once(room: Room, phone: Phone, asha: Person) -> None:
    others = [await another(room, asha), await another(room, asha)]
    await cooled(room, phone, *others)

    async def call() -> list[Device]:
        return await room.device_changes.revoke_others(await phone.as_login())

    gone = await approved(phone, call)

    assert {one.id for one in gone} == {name_of(one) for one in others}
    assert (await states())[name_of(phone)] == ("ACTIVE", None) or (await states())[
        name_of(phone)
    ] == ("COOLING", None)
    assert await call() == []


async def test_nobody_locks_or_removes_his_own_or_a_strangers_phone(
    room: Room, phone: Phone
) -> None:
    ben = await a_customer(room, number="100000002", phone="+919876543211")
    theirs = Phone(room)
    await theirs.enrol(ben)
    await cooled(room, phone)
    actor = await phone.as_login()
    changes = room.device_changes

    for call in (changes.lock, changes.unlock, changes.revoke):
        with pytest.raises(NotAllowed):
            await call(actor, name_of(phone))
        with pytest.raises(NotFound):
            await call(actor, name_of(theirs))

    assert {state for state, _ in (await states()).values()} == {"COOLING"}


async def test_a_phone_forgets_itself_without_a_sign_in_also_while_locked(
    room: Room, phone: Phone, asha: Person
) -> None:
    other = await another(room, asha)
    await other.login()
    await lock(room, other, phone)

    assert await room.device_changes.forget(await phone.as_device()) == name_of(phone)

    assert (await states())[name_of(phone)] == ("REVOKED", None)
    assert (await states())[name_of(other)] == ("COOLING", None)


async def test_a_newcomer_that_goes_before_it_was_active_gives_the_others_back(
    room: Room, phone: Phone, asha: Person
) -> None:
    await cooled(room, phone)
    newcomer = await another(room, asha)
    await newcomer.login()
    await lock(room, newcomer, phone)

    await room.device_changes.forget(await newcomer.as_device())

    assert (await states())[name_of(phone)][0] == "ACTIVE"
    await phone.login()


async def test_what_an_active_phone_locked_stays_locked_when_it_goes(
    room: Room, phone: Phone, asha: Person
) -> None:
    other = await another(room, asha)
    await cooled(room, phone, other)
    await lock(room, other, phone)

    await room.device_changes.forget(await other.as_device())

    assert (await states())[name_of(phone)] == ("LOCKED", "SUSPENDED")


async def test_a_failed_phone_that_is_unlocked_counts_from_nothing(
    room: Room, phone: Phone, asha: Person
) -> None:
    other = await another(room, asha)
    await cooled(room, phone, other)
    await locked_as(phone, "FAILURES")

    await unlock(room, other, phone)

    row = await database.read_one(
        "SELECT failed, state FROM device WHERE id = $1", name_of(phone)
    )
    assert row is not None
    assert (row.get("failed", int), row.get("state", str)) == (0, "ACTIVE")


async def test_time_writes_what_it_did(room: Room, phone: Phone) -> None:
    room.clock.move(hours=24)

    assert await settle_states(room.clock, room.moves) == 1
    assert await settle_states(room.clock, room.moves) == 0
    assert (await states())[name_of(phone)] == ("ACTIVE", None)
