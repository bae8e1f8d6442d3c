"""The emergency stop: from any phone, over everything, until a new enrolment."""

import pytest

from app import database
from app.auth.actor import Actor
from app.auth.errors import (
    CredentialLocked,
    DeviceLocked,
    EnrolmentExpired,
    StepUpRequired,
)
from app.auth.panic import Panics
from app.auth.settling import settle_states
from app.errors import NotAllowed, Unauthenticated
from tests.auth.room import STAFF, Person, Phone, Room
from tests.auth.test_device_changes import (
    another,
    approved,
    cooled,
    lock,
    name_of,
    revoke,
    states,
)
from tests.auth.test_replacing import replacing
from tests.auth.test_sessions import change


class Money:
    """A room of money that keeps who stopped."""

    def __init__(self) -> None:
        self.halted: list[Actor] = []

    async def halt(self, actor: Actor) -> int:
        self.halted.append(actor)
        return 2


@pytest.fixture
def money() -> Money:
    return Money()


@pytest.fixture
def panics(room: Room, money: Money) -> Panics:
    return Panics(clock=room.clock, moves=room.moves, money=money)


async def status() -> str:
    row = await database.read_one("SELECT status FROM customer")
    assert row is not None
    return row.get("status", str)


async def test_everything_stops_and_the_counts_say_so(
    room: Room, phone: Phone, asha: Person, panics: Panics, money: Money
) -> None:
    other = await another(room, asha)
    await phone.login()
    await other.login()

    stopped = await panics.lock(await other.as_device())

    assert stopped.at == room.clock.now()
    assert (stopped.sessions, stopped.devices, stopped.payments) == (2, 2, 2)
    assert len(money.halted) == 1
    assert await status() == "LOCKED_BY_CUSTOMER"
    assert set((await states()).values()) == {("LOCKED", "PANIC")}
    for one in (phone, other):
        with pytest.raises(Unauthenticated) as refused:
            await one.as_login()
        assert refused.value.reason == "DEVICE_LOCKED"
        with pytest.raises(DeviceLocked):
            await one.login()


async def test_again_it_ends_nothing_more(
    room: Room, phone: Phone, panics: Panics
) -> None:
    await phone.login()
    await panics.lock(await phone.as_device())

    again = await panics.lock(await phone.as_device())

    assert (again.sessions, again.devices) == (0, 1)
    events = await database.read(
        "SELECT seq FROM customer_event WHERE type = 'SecurityEvent' "
        "AND payload LIKE '%emergency stop%'"
    )
    assert len(events) == 1


async def test_a_locked_phone_may_stop_everything(
    room: Room, phone: Phone, asha: Person, panics: Panics
) -> None:
    thief = await another(room, asha)
    await thief.login()
    await lock(room, thief, phone)

    await panics.lock(await phone.as_device())

    assert set((await states()).values()) == {("LOCKED", "PANIC")}
    with pytest.raises(Unauthenticated):
        await thief.as_login()


async def test_a_new_enrolment_brings_back_only_its_own_phone(
    room: Room, phone: Phone, asha: Person, panics: Panics
) -> None:
    await panics.lock(await phone.as_device())

    fresh = await another(room, asha)

    await fresh.login()
    assert await status() == "ACTIVE"
    assert await states() == {
        name_of(phone): ("LOCKED", "PANIC"),
        name_of(fresh): ("COOLING", None),
    }
    await cooled(room, fresh)
    with pytest.raises(NotAllowed):
        await room.device_changes.unlock(await fresh.as_login(), name_of(phone))
    await revoke(room, fresh, phone)
    assert (await states())[name_of(phone)] == ("REVOKED", None)


async def test_the_owner_wins_against_sim_and_code(
    room: Room, phone: Phone, asha: Person, panics: Panics
) -> None:
    """The thief replaces the owner's phone; she stops all and enrols again."""
    await cooled(room, phone)
    thief = await replacing(room, asha, phone)
    await thief.login()

    await panics.lock(await phone.as_device())
    back = await replacing(room, asha, phone)
    await cooled(room, back)
    await settle_states(room.clock, room.moves)
    await revoke(room, back, thief)

    assert await states() == {
        name_of(phone): ("REVOKED", None),
        name_of(thief): ("REVOKED", None),
        name_of(back): ("ACTIVE", None),
    }


async def test_who_had_proven_to_be_the_customer_must_do_so_again(
    room: Room, phone: Phone, asha: Person, panics: Panics
) -> None:
    asha.code = await room.customers.code(STAFF, asha.number)
    thief = Phone(room)
    nonce = await thief.prove(asha)

    await panics.lock(await phone.as_device())

    with pytest.raises(EnrolmentExpired):
        await thief.bind(nonce)
    assert await status() == "LOCKED_BY_CUSTOMER"


async def test_a_stronger_lock_of_the_bank_stays(
    room: Room, phone: Phone, panics: Panics
) -> None:
    actor = await phone.as_device()
    for stronger in ("BLOCKED_BY_STAFF", "HARD_LOCKED"):
        await change(f"UPDATE customer SET status = '{stronger}'")  # noqa: S608  -- our own words

        await panics.lock(actor)

        assert await status() == stronger


async def test_staff_lets_everything_work_again(
    room: Room, phone: Phone, asha: Person, panics: Panics
) -> None:
    await panics.lock(await phone.as_device())

    assert await room.customers.unlock(STAFF, asha.number) == 1

    await phone.login()
    assert await status() == "ACTIVE"


async def test_a_locked_customer_moves_nothing_even_with_a_session(
    room: Room, phone: Phone, asha: Person
) -> None:
    other = await another(room, asha)
    await cooled(room, phone, other)
    await change("UPDATE customer SET status = 'LOCKED_BY_CUSTOMER'")

    async def call() -> object:
        return await room.device_changes.lock(await phone.as_login(), name_of(other))

    with pytest.raises((Unauthenticated, CredentialLocked, StepUpRequired)) as no:
        await approved(phone, call)

    assert isinstance(no.value, Unauthenticated)
    assert (await states())[name_of(other)] == ("COOLING", None)
