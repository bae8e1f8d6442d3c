"""Counting wrong tries: the pure table, and what it does to rows."""

import asyncio
import os
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import database
from app.auth import lockout
from app.auth.errors import CredentialLocked, DeviceLocked, InvalidCredential
from app.auth.lockout import Verdict, judge, pause
from app.auth.mpin_check import MpinCheck
from app.auth.proving import Asked
from app.errors import Refusal, Unauthenticated
from app.ids import DeviceId
from app.settings import load
from tests.auth.room import STAFF, Person, Phone, Room
from tests.auth.test_login import failed_of, sessions_made
from tests.auth.test_sessions import change


@pytest.mark.parametrize(
    ("failed", "verdict"),
    [
        (1, Verdict(attempts_left=4, warns=False, ends=False)),
        (3, Verdict(attempts_left=2, warns=False, ends=False)),
        (4, Verdict(attempts_left=1, warns=True, ends=False)),
        (5, Verdict(attempts_left=0, warns=False, ends=True)),
        (9, Verdict(attempts_left=0, warns=False, ends=True)),
    ],
)
def test_the_table_of_wrong_pins(failed: int, verdict: Verdict) -> None:
    assert judge(failed, 5) == verdict


@pytest.mark.parametrize(
    ("failed", "minutes"),
    [
        (1, None),
        (4, None),
        (5, 15),
        (6, None),
        (10, 30),
        (15, 60),
        (35, 960),
        (40, 1440),
        (400, 1440),
    ],
)
def test_the_table_of_pauses(failed: int, minutes: int | None) -> None:
    found = pause(failed, load(env="test"))

    assert found == (None if minutes is None else timedelta(minutes=minutes))


@given(st.integers(0, 20), st.integers(1, 5))
def test_a_verdict_ends_exactly_when_no_try_is_left(failed: int, tries: int) -> None:
    verdict = judge(failed, tries)

    assert verdict.ends == (verdict.attempts_left == 0) == (failed >= tries)
    assert not (verdict.warns and verdict.ends)


async def wrong(phone: Phone) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await phone.login(secret=os.urandom(32))
    return refused.value


async def test_a_right_pin_forgets_the_wrong_ones(phone: Phone) -> None:
    for _ in range(4):
        await wrong(phone)

    await phone.login()

    assert await failed_of(phone) == 0
    refused = await wrong(phone)
    assert isinstance(refused, InvalidCredential)
    assert refused.attempts_left == 4


async def test_the_fifth_wrong_pin_erases_the_secret(phone: Phone) -> None:
    outcomes = [await wrong(phone) for _ in range(6)]

    assert [type(one) for one in outcomes] == [InvalidCredential] * 4 + [
        CredentialLocked
    ] * 2
    rows = await database.read("SELECT sealed, state FROM mpin_secret")
    assert [(row.find("sealed", bytes), row.get("state", str)) for row in rows] == [
        (None, "LOCKED")
    ]
    with pytest.raises(CredentialLocked):
        await phone.login()
    assert await sessions_made() == 0


async def test_ten_failures_lock_the_phone_and_staff_unlocks_it(
    room: Room, phone: Phone, asha: Person
) -> None:
    await phone.login()
    await change("UPDATE device SET failed = 9")

    await wrong(phone)

    rows = await database.read("SELECT state, lock_reason, lock_before FROM device")
    assert [row.get("state", str) for row in rows] == ["LOCKED"]
    assert rows[0].get("lock_reason", str) == "FAILURES"
    assert rows[0].get("lock_before", str) == "COOLING"
    with pytest.raises(Unauthenticated) as refused:
        await phone.as_login()
    assert refused.value.reason == "DEVICE_LOCKED"
    with pytest.raises(DeviceLocked):
        await phone.login()

    assert await room.customers.unlock(STAFF, asha.number) == 1
    await phone.login()


async def test_another_phone_of_the_customer_still_signs_in(
    room: Room, phone: Phone, asha: Person
) -> None:
    asha.code = await room.customers.code(STAFF, asha.number)
    other = Phone(room)
    await other.enrol(asha)

    for _ in range(6):
        await wrong(phone)

    await other.login()
    assert await failed_of(other) == 0


async def test_a_phone_without_an_mpin_is_not_told_so(room: Room, asha: Person) -> None:
    phone = Phone(room)
    await phone.bind(await phone.prove(asha))

    assert isinstance(await wrong(phone), InvalidCredential)


async def charged(room: Room, name: DeviceId) -> bool:
    async def work(tx: database.Tx) -> bool:
        return await lockout.charge(tx, name, 10, room.clock.now())

    return await database.transaction(work, name="test.charge")


async def test_no_try_is_charged_once_the_device_has_none(
    room: Room, phone: Phone
) -> None:
    await change("UPDATE device SET failed = 10")
    assert phone.device is not None

    with pytest.raises(DeviceLocked):
        await charged(room, phone.device.id)

    assert await failed_of(phone) == 0


async def test_a_phone_has_one_answer_judged_at_a_time_in_whichever_process(
    room: Room, phone: Phone
) -> None:
    assert phone.device is not None
    assert await charged(room, phone.device.id)

    assert not await charged(room, phone.device.id)
    room.clock.move(seconds=2)
    assert await charged(room, phone.device.id)

    row = await database.read_one("SELECT failed FROM device")
    assert row is not None
    assert row.get("failed", int) == 2


async def test_an_answer_waits_for_the_one_before_it_and_is_not_lost(
    room: Room, phone: Phone
) -> None:
    assert phone.device is not None
    await charged(room, phone.device.id)

    async def end() -> None:
        await asyncio.sleep(0.1)
        await change("UPDATE device SET answering_until = NULL")

    ended, signed_in = await asyncio.gather(end(), phone.login())

    assert ended is None
    assert signed_in.tokens.access_token
    assert await failed_of(phone) == 0


async def test_a_right_answer_does_not_bring_an_erased_secret_back(
    room: Room, phone: Phone
) -> None:
    challenge = await room.logins.start(await phone.as_device())
    signature, response = phone.answer(challenge)
    check = MpinCheck(vault=room.vault, tries=5)
    actor = await phone.as_device()
    asked = Asked(
        challenge=challenge,
        customer=actor.known_customer,
        given=response,
        now=room.clock.now(),
    )
    await change("UPDATE mpin_secret SET state = 'LOCKED', sealed = NULL, failed = 5")

    async def refund(tx: database.Tx) -> Refusal | None:
        return await check.refund(tx, actor, asked, b"", True)  # noqa: FBT003  -- a right one

    with pytest.raises(CredentialLocked):
        await database.transaction(refund, name="test.refund")

    assert signature
    assert await failed_of(phone) == 5


async def test_locking_twice_tells_once(room: Room, phone: Phone) -> None:
    actor = await phone.as_device()
    await change("UPDATE device SET failed = 10")
    judged = lockout.Lockout(sessions=room.sessions, device_tries=10)

    async def work(tx: database.Tx) -> None:
        await judged.settle(tx, actor, room.clock.now())

    for _ in range(2):
        await database.transaction(work, name="test.settle")

    rows = await database.read(
        "SELECT seq FROM audit_entry WHERE action = 'device.locked'"
    )
    assert len(rows) == 1
