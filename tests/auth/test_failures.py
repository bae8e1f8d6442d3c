"""Wrong answers over all phones: two must take part before anybody is held up."""

import os
from datetime import datetime, timedelta

import pytest

from app import database
from app.auth.errors import CredentialLocked
from app.auth.failures import Counted, blocks, locks, wait
from app.errors import Refusal
from app.settings import load
from tests.auth.room import STAFF, Person, Phone, Room
from tests.auth.test_device_changes import another
from tests.auth.test_sessions import change

SETTINGS = load(env="test")


@pytest.mark.parametrize(
    ("counted", "blocked", "locked"),
    [
        ([], False, False),
        ([Counted(15, 15)], False, False),
        ([Counted(100, 100)], False, False),
        ([Counted(10, 10), Counted(4, 4)], False, False),
        ([Counted(10, 10), Counted(5, 5)], True, False),
        ([Counted(15, 15), Counted(0, 90)], False, True),
        ([Counted(0, 10), Counted(0, 89)], False, False),
        ([Counted(5, 50), Counted(5, 50)], False, True),
    ],
)
def test_the_table_of_held_up_customers(
    counted: list[Counted],
    blocked: bool,  # noqa: FBT001  -- a column of the table
    locked: bool,  # noqa: FBT001  -- same
) -> None:
    assert blocks(counted, SETTINGS) is blocked
    assert locks(counted, SETTINGS) is locked


@pytest.mark.parametrize(
    ("step", "minutes"), [(0, 15), (1, 30), (2, 60), (6, 960), (7, 1440), (900, 1440)]
)
def test_the_waits_double_up_to_a_day(step: int, minutes: int) -> None:
    assert wait(step, SETTINGS) == timedelta(minutes=minutes)


async def wrong(phone: Phone, times: int) -> None:
    """Answer wrongly; the phone's own counters do not end the series."""
    for _ in range(times):
        await change("UPDATE mpin_secret SET failed = 0")
        with pytest.raises(Refusal):
            await phone.login(secret=os.urandom(32))


async def customer() -> tuple[str, object, int]:
    row = await database.read_one(
        "SELECT status, blocked_until, block_step FROM customer"
    )
    assert row is not None
    until = row.find("blocked_until", datetime)
    return row.get("status", str), until, row.get("block_step", int)


async def test_one_phone_holds_nobody_up_but_itself(
    room: Room, phone: Phone, asha: Person
) -> None:
    other = await another(room, asha)

    await wrong(phone, 9)
    await change("UPDATE device SET failed = 0")
    await wrong(phone, 9)

    assert await customer() == ("ACTIVE", None, 0)
    await other.login()


async def test_fifteen_on_two_phones_make_the_customer_wait_ever_longer(
    room: Room, phone: Phone, asha: Person
) -> None:
    other = await another(room, asha)
    await wrong(phone, 9)
    await wrong(other, 5)
    assert (await customer())[1:] == (None, 0)

    await wrong(other, 1)

    with pytest.raises(CredentialLocked) as no:
        await phone.login()
    assert no.value.locked_until == room.clock.now() + timedelta(minutes=15)
    await room.deliver()
    assert [to for to, text in room.sms.texts if "15 minutes" in text] == [asha.phone]
    room.clock.move(minutes=15)
    await wrong(other, 1)
    with pytest.raises(CredentialLocked) as no:
        await phone.login()
    assert no.value.locked_until == room.clock.now() + timedelta(minutes=30)
    assert (await customer())[2] == 2


async def test_a_right_answer_forgets_those_of_its_phone(
    room: Room, phone: Phone, asha: Person
) -> None:
    other = await another(room, asha)
    await wrong(phone, 9)
    await phone.login()

    await wrong(other, 9)
    await wrong(phone, 5)

    assert (await customer())[1:] == (None, 0)


async def test_after_a_day_they_count_no_more(
    room: Room, phone: Phone, asha: Person
) -> None:
    other = await another(room, asha)
    await wrong(phone, 9)
    room.clock.move(hours=25)

    await wrong(other, 9)

    assert (await customer())[1:] == (None, 0)


async def test_a_hundred_without_a_success_lock_until_an_enrolment(
    room: Room, phone: Phone, asha: Person
) -> None:
    other = await another(room, asha)
    await wrong(phone, 9)
    await change("UPDATE failure_day SET count = 98")
    room.clock.move(hours=25)

    await wrong(other, 2)

    assert (await customer())[0] == "HARD_LOCKED"
    with pytest.raises(CredentialLocked) as no:
        await phone.login()
    assert no.value.locked_until is None
    fresh = await another(room, asha)
    await fresh.login()
    assert (await customer())[0] == "ACTIVE"


async def test_staff_ends_every_wait(room: Room, phone: Phone, asha: Person) -> None:
    other = await another(room, asha)
    await wrong(phone, 9)
    await wrong(other, 6)

    await room.customers.unlock(STAFF, asha.number)

    await change("UPDATE mpin_secret SET failed = 0")
    await phone.login()
    assert await customer() == ("ACTIVE", None, 0)
