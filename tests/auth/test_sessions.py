"""Sessions: the one gate, the idle clock, and every way one ends."""

import asyncio
from datetime import timedelta

import pytest

from app import database
from app.auth.actor import Level
from app.auth.errors import AppUpdateRequired, CredentialLocked, DeviceLocked
from app.auth.gate import parts_of
from app.auth.revocations import EndReason, Revocations
from app.errors import Unauthenticated
from tests.auth.room import STAFF, Person, Phone, Room
from tests.auth.test_login import count, failed_of, sessions_made
from tests.auth.wiring import open_room


async def change(sql: str, *args: object) -> None:
    async def work(tx: database.Tx) -> None:
        await tx.rows(sql, *args)  # type: ignore[arg-type]  # scalars of the test

    await database.transaction(work, name="test.change")


async def live(room: Room, phone: Phone) -> None:
    actor = await phone.as_login()

    async def work(tx: database.Tx) -> None:
        await room.sessions.require_live(tx, actor)

    await database.transaction(work, name="test.live")


async def test_logout_ends_token_and_socket_and_the_phone_stays_bound(
    room: Room, phone: Phone
) -> None:
    signed_in = await phone.login()
    actor = await phone.as_login()

    await room.sessions.logout(actor)

    with pytest.raises(Unauthenticated) as refused:
        await phone.as_login()
    assert refused.value.reason == "SESSION_ENDED"
    assert room.closed == [(signed_in.actor.session, 4401)]
    device = await phone.as_device()
    assert device.level is Level.DEVICE
    await room.sessions.logout(device)
    assert (
        await count(
            "SELECT count(*) AS n FROM audit_entry WHERE action = 'session.ended'"
        )
        == 1
    )
    await phone.login()


async def test_an_idle_phone_is_locked_and_a_busy_one_goes_on(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    actor = await phone.as_login()

    room.clock.move(seconds=14)
    await room.sessions.touch(actor)
    room.clock.move(seconds=10)
    await room.sessions.touch(actor)

    assert actor.session is not None
    session = await room.sessions.find(actor.session)
    assert session is not None
    assert session.last_active_at == room.clock.now() - timedelta(seconds=10)
    room.clock.move(seconds=276)
    with pytest.raises(Unauthenticated) as refused:
        await phone.as_login()
    assert refused.value.reason == "TOKEN_EXPIRED"


async def test_a_token_never_outlives_idle_time_or_the_hard_end(
    room: Room, phone: Phone
) -> None:
    signed_in = await phone.login()
    assert signed_in.actor.session is not None
    session = await room.sessions.find(signed_in.actor.session)
    assert session is not None

    room.clock.move(seconds=100)
    idle = room.sessions.token_pair(session)
    assert (idle.expires_at - room.clock.now()).total_seconds() == 200
    room.clock.move(hours=11, minutes=58)
    busy = room.sessions.token_pair(
        type(session)(
            **{name: getattr(session, name) for name in session.__slots__}
            | {"last_active_at": room.clock.now()}
        )
    )

    assert busy.expires_at == session.absolute_end
    assert busy.session_expires_at == session.absolute_end
    assert busy.refresh_token == idle.refresh_token
    assert busy.refresh_token.startswith(f"rt1.{session.id}.0.")
    assert busy.refresh_token not in repr(busy)
    assert busy.access_token not in repr(busy)


async def test_a_session_is_read_again_where_money_moves(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    await live(room, phone)

    await change("UPDATE device SET state = 'LOCKED', lock_reason = 'STAFF'")
    with pytest.raises(Unauthenticated) as locked:
        await live(room, phone)
    await change("UPDATE device SET state = 'ACTIVE', lock_reason = NULL")
    await change(
        "UPDATE session SET ended_at = $1, ended_reason = 'REVOKED'", room.clock.now()
    )
    with pytest.raises(Unauthenticated) as ended:
        await live(room, phone)

    assert (locked.value.reason, ended.value.reason) == (
        "DEVICE_LOCKED",
        "SESSION_ENDED",
    )


async def test_an_end_in_another_process_is_seen_within_a_second(
    room: Room, phone: Phone
) -> None:
    elsewhere = await open_room(room.settings, room.clock, room.vault)
    await elsewhere.revocations.poll()
    signed_in = await phone.login()
    await room.sessions.logout(await phone.as_login())
    phone.room = elsewhere
    assert (await phone.as_login()).session == signed_in.actor.session

    room.clock.move(seconds=1)
    await elsewhere.revocations.poll()

    with pytest.raises(Unauthenticated):
        await phone.as_login()
    assert elsewhere.closed == [(signed_in.actor.session, 4401)]
    await elsewhere.revocations.poll()
    assert len(elsewhere.closed) == 1


async def test_a_process_that_starts_knows_the_ends_of_the_last_minutes(
    room: Room, phone: Phone
) -> None:
    signed_in = await phone.login()
    assert signed_in.actor.session is not None
    await room.sessions.logout(await phone.as_login())
    room.clock.move(seconds=200)
    late = Revocations(clock=room.clock, settings=room.settings)

    await late.poll()
    assert late.reason(signed_in.actor.session) is EndReason.LOGOUT

    room.clock.move(seconds=400)
    await late.poll()
    assert late.reason(signed_in.actor.session) is None


async def test_the_poll_runs_until_it_is_cancelled(room: Room) -> None:
    quick = room.settings.model_copy(update={"revocation_poll_s": 0.001})
    polled = Revocations(clock=room.clock, settings=quick)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(polled.run())
        await asyncio.sleep(0.05)
        task.cancel()

    assert task.cancelled()


async def test_a_locked_phone_is_told_so(room: Room, phone: Phone) -> None:
    await phone.login()
    assert phone.device is not None
    name = phone.device.id
    await change(
        "UPDATE device SET state = 'LOCKED', lock_reason = 'STAFF' WHERE id = $1", name
    )

    async def end(tx: database.Tx) -> None:
        await room.sessions.end_of_device(tx, name, EndReason.LOCKED)

    await database.transaction(end, name="test.end")

    with pytest.raises(Unauthenticated) as refused:
        await phone.as_login()
    assert refused.value.reason == "DEVICE_LOCKED"
    with pytest.raises(DeviceLocked):
        await phone.login()
    assert await sessions_made() == 1


@pytest.mark.parametrize(
    "blocked",
    [
        "status = 'HARD_LOCKED'",
        "status = 'LOCKED_BY_CUSTOMER'",
        "status = 'BLOCKED_BY_STAFF'",
        "blocked_until = '2026-11-21 10:30:00.000000+00:00'",
    ],
)
async def test_a_blocked_customer_does_not_sign_in(
    room: Room, phone: Phone, asha: Person, blocked: str
) -> None:
    await change(f"UPDATE customer SET {blocked}")  # noqa: S608  -- own words

    with pytest.raises(CredentialLocked) as refused:
        await phone.login()

    assert await sessions_made() == 0
    assert await failed_of(phone) == 0
    if "until" in blocked:
        assert refused.value.locked_until is not None
        room.clock.move(hours=1)
    else:
        assert refused.value.locked_until is None
        assert await room.customers.unlock(STAFF, asha.number) == 0
    await phone.login()


async def test_an_old_app_does_not_sign_in(room: Room, phone: Phone) -> None:
    newer = room.settings.model_copy(update={"min_app_version": "1.0.1"})
    phone.room = await open_room(newer, room.clock, room.vault)

    with pytest.raises(AppUpdateRequired):
        await phone.login()

    assert await sessions_made() == 0


def test_versions_are_compared_as_numbers() -> None:
    assert parts_of("1.12.0") > parts_of("1.9.9")
    assert parts_of("2") == (2, 0, 0)
    assert parts_of("1.2.3-beta") == (1, 2, 3)
    assert parts_of("x.1") == (0, 1, 0)
    assert parts_of(None) == (0, 0, 0)


async def test_the_customer_sees_her_phones_and_sessions(
    room: Room, phone: Phone, asha: Person
) -> None:
    await phone.login()
    actor = await phone.as_login()

    sessions = await room.sessions.of_customer(actor)
    devices = await room.devices.of_customer(actor)
    factors = await room.devices.factors([one.id for one in devices])

    assert [one.id for one in sessions] == [actor.session]
    assert [one.id for one in devices] == [actor.device]
    mpin = factors[devices[0].id][0]
    assert (mpin.kind, mpin.state, mpin.attempts_left) == ("MPIN", "ACTIVE", 5)
    assert await room.devices.factors([]) == {}
    room.clock.move(hours=12)
    assert await room.sessions.of_customer(actor) == []
