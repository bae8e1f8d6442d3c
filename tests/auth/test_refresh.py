"""Refresh: rotation, lost answers, replays, copies under foreign keys."""

import asyncio
from datetime import timedelta

import pytest

from app import database
from app.auth.actor import Actor
from app.auth.errors import (
    AppUpdateRequired,
    CredentialLocked,
    DeviceBlocked,
    DeviceLocked,
    InvalidCredential,
    SessionEnded,
    SessionLocked,
)
from app.auth.session import Session, TokenPair
from app.errors import DpopInvalid, DpopRequired, RateLimited, Refusal, Unauthenticated
from app.ids import SessionId
from app.vault import Ring, Vault
from tests.auth.moved_clock import MovedClock
from tests.auth.room import Person, Phone, Room, a_customer, origin
from tests.auth.test_login import count
from tests.auth.test_sessions import change
from tests.auth.wiring import open_room
from tests.conftest import NOON


@pytest.fixture
def clock() -> MovedClock:
    """Give a clock that can be moved both ways."""
    return MovedClock(NOON)


async def refresh(phone: Phone, token: str) -> TokenPair:
    return await phone.room.refreshes.refresh(await phone.as_device(), token)


async def refused(phone: Phone, token: str) -> type[Refusal]:
    with pytest.raises(Refusal) as no:
        await refresh(phone, token)
    return type(no.value)


async def session_of(room: Room, phone: Phone) -> Session:
    row = await database.read_one(
        "SELECT id FROM session WHERE jkt = $1 "
        "ORDER BY CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END",
        phone.jkt,
    )
    assert row is not None
    found = await room.sessions.find(row.get("id", SessionId))
    assert found is not None
    return found


async def audited(action: str) -> int:
    return await count(
        "SELECT count(*) AS n FROM audit_entry WHERE action = $1", action
    )


async def told(person: Person) -> list[str]:
    rows = await database.read(
        "SELECT payload FROM customer_event WHERE customer_id = $1 "
        "AND type = 'SecurityEvent' ORDER BY seq",
        person.id,
    )
    return [row.get("payload", dict)["title"] for row in rows]


async def be_active(room: Room) -> None:
    """Let every customer have done something just now."""
    await change("UPDATE session SET last_active_at = $1", room.clock.now())


async def tampered(phone: Phone) -> str:
    head, _, mac = (await phone.login()).tokens.refresh_token.rpartition(".")
    return f"{head}.{'B' if mac[0] == 'A' else 'A'}{mac[1:]}"


# ------------------------------------------------------------------ the good days


async def test_a_refresh_gives_new_tokens_and_leaves_the_idle_clock_alone(
    room: Room, phone: Phone
) -> None:
    first = (await phone.login()).tokens
    room.clock.move(seconds=100)

    second = await refresh(phone, first.refresh_token)

    assert second.access_token != first.access_token
    assert second.refresh_token == second.refresh_token.replace(".0.", ".1.", 1)
    assert second.refresh_token != first.refresh_token
    assert second.idle_expires_at == first.idle_expires_at
    assert second.session_expires_at == first.session_expires_at
    assert (second.expires_at - room.clock.now()).total_seconds() == 200
    phone.token = second.access_token
    assert (await phone.as_login()).session == (await session_of(room, phone)).id
    assert await audited("session.refreshed") == 1


async def test_a_new_access_token_ends_with_the_session(
    room: Room, phone: Phone
) -> None:
    token = (await phone.login()).tokens.refresh_token
    room.clock.move(hours=11, minutes=58)
    await be_active(room)

    pair = await refresh(phone, token)

    assert (pair.expires_at - room.clock.now()).total_seconds() == 120
    assert pair.expires_at == pair.session_expires_at


async def test_a_lost_answer_comes_again_after_ten_hours(
    room: Room, phone: Phone, clock: MovedClock
) -> None:
    token = (await phone.login()).tokens.refresh_token
    lost = await refresh(phone, token)

    room.clock.move(hours=10)
    await be_active(room)
    late = await refresh(phone, token)
    clock.shift(hours=-11)
    early = await refresh(phone, token)

    assert late.refresh_token == early.refresh_token == lost.refresh_token
    assert late.access_token != lost.access_token
    assert (await session_of(room, phone)).generation == 1
    assert await audited("session.refreshed") == 1
    assert (await refresh(phone, lost.refresh_token)).refresh_token


@pytest.mark.parametrize("hours", [-20, -1, 0, 1, 10])
async def test_no_clock_takes_part_in_the_rule(
    room: Room, phone: Phone, clock: MovedClock, hours: int
) -> None:
    tokens = [(await phone.login()).tokens.refresh_token]
    tokens += [(await refresh(phone, tokens[-1])).refresh_token]
    tokens += [(await refresh(phone, tokens[-1])).refresh_token]

    clock.shift(hours=hours)
    await be_active(room)

    assert (await refresh(phone, tokens[1])).refresh_token == tokens[2]
    assert await refused(phone, tokens[0]) is SessionEnded
    assert await audited("session.reuse_detected") == 1


async def test_twenty_four_refreshes_at_once_rotate_once(
    room: Room, phone: Phone
) -> None:
    token = (await phone.login()).tokens.refresh_token
    actors = [await phone.as_device() for _ in range(24)]

    pairs = await asyncio.gather(
        *(room.refreshes.refresh(actor, token) for actor in actors)
    )

    assert len({pair.refresh_token for pair in pairs}) == 1
    assert (await session_of(room, phone)).generation == 1
    assert await audited("session.refreshed") == 1
    for pair in pairs:
        phone.token = pair.access_token
        await phone.as_login()


async def test_a_rotated_pepper_signs_nobody_out(room: Room, phone: Phone) -> None:
    token = (await phone.login()).tokens.refresh_token
    before = room.vault.pepper.keys
    ring = Ring({2: bytes(32), **before})
    newer = Vault(sealing=room.vault.sealing, pepper=ring)
    phone.room = await open_room(room.settings, room.clock, newer)

    pair = await refresh(phone, token)
    again = await refresh(phone, pair.refresh_token)

    assert again.refresh_token.split(".")[2] == "2"
    assert (await session_of(room, phone)).key_id == 1
    await phone.login()
    assert (await session_of(room, phone)).key_id == 2


# ------------------------------------------------------------------ replays and copies


async def test_a_replay_after_the_successor_was_used_ends_the_session(
    room: Room, phone: Phone, asha: Person
) -> None:
    first = (await phone.login()).tokens.refresh_token
    second = (await refresh(phone, first)).refresh_token
    third = await refresh(phone, second)
    session = await session_of(room, phone)

    assert await refused(phone, first) is SessionEnded

    assert room.closed == [(session.id, 4401)]
    phone.token = third.access_token
    with pytest.raises(Unauthenticated) as no:
        await phone.as_login()
    assert no.value.reason == "SESSION_ENDED"
    for token in (first, second, third.refresh_token):
        assert await refused(phone, token) is SessionEnded
    assert (await told(asha))[-1:] == [
        "An outdated copy of your sign-in was used. You were signed out."
    ]
    assert await audited("session.reuse_detected") == 1
    assert (await session_of(room, phone)).generation == 2
    await phone.login()


async def test_a_copy_under_a_foreign_key_is_refused_and_told_once(
    room: Room, phone: Phone, asha: Person
) -> None:
    token = (await phone.login()).tokens.refresh_token
    before = await told(asha)

    for thief in (Phone(room), Phone(room), Phone(room)):
        assert await refused(thief, token) is InvalidCredential

    told_now = (await told(asha))[len(before) :]
    assert told_now == ["Somebody tried to use a copy of your sign-in. It was refused."]
    assert await audited("session.key_mismatch") == 3
    session = await session_of(room, phone)
    assert (session.generation, session.ended_at) == (0, None)
    assert room.closed == []
    assert (await refresh(phone, token)).refresh_token.split(".")[2] == "1"


async def test_the_owner_hears_of_a_thief_who_is_a_customer_too(
    room: Room, phone: Phone, asha: Person
) -> None:
    token = (await phone.login()).tokens.refresh_token
    ben = await a_customer(
        room, number="100000002", phone="+919876543211", name="Ben Okafor"
    )
    thief = Phone(room)
    await thief.enrol(ben)
    hers, his = len(await told(asha)), len(await told(ben))

    assert await refused(thief, token) is InvalidCredential

    assert len(await told(asha)) == hers + 1
    assert len(await told(ben)) == his
    row = await database.read_one(
        "SELECT chain, actor_kind, device_id, outcome, code FROM audit_entry "
        "WHERE action = 'session.key_mismatch'"
    )
    assert row is not None
    assert row.get("chain", str) == str(asha.id)
    assert row.get("actor_kind", str) == "SYSTEM"
    assert row.find("device_id", str) is None
    assert (row.get("outcome", str), row.get("code", str)) == (
        "DENIED",
        "INVALID_CREDENTIAL",
    )


async def test_a_replay_under_a_foreign_key_ends_nothing(
    room: Room, phone: Phone
) -> None:
    first = (await phone.login()).tokens.refresh_token
    second = (await refresh(phone, first)).refresh_token
    third = (await refresh(phone, second)).refresh_token

    assert await refused(Phone(room), first) is InvalidCredential

    assert (await session_of(room, phone)).ended_at is None
    assert (await refresh(phone, third)).refresh_token.split(".")[2] == "3"


# ------------------------------------------------------------------ the other refusals


async def test_a_wrong_token_changes_nothing(room: Room, phone: Phone) -> None:
    wrong = await tampered(phone)
    before = await count("SELECT count(*) AS n FROM audit_entry")

    for text in (wrong, "", "rt1", wrong.replace("rt1.ses_", "rt1.ses_f", 1)):
        assert await refused(phone, text) is InvalidCredential

    assert (await session_of(room, phone)).generation == 0
    assert await count("SELECT count(*) AS n FROM audit_entry") == before


async def test_a_token_of_nobody_is_refused_like_a_wrong_one(
    room: Room, phone: Phone
) -> None:
    token = (await phone.login()).tokens.refresh_token
    await room.sessions.logout(await phone.as_login())
    await change("DELETE FROM session")

    assert await refused(phone, token) is InvalidCredential


async def test_an_idle_session_is_locked_and_an_old_one_over(
    room: Room, phone: Phone
) -> None:
    token = (await phone.login()).tokens.refresh_token

    room.clock.move(seconds=299)
    await refresh(phone, token)
    room.clock.move(seconds=1)
    assert await refused(phone, token) is SessionLocked
    assert await refused(Phone(room), token) is SessionLocked
    room.clock.move(hours=11, minutes=55)
    await be_active(room)
    assert await refused(phone, token) is SessionEnded

    session = await session_of(room, phone)
    assert (session.generation, session.ended_at) == (1, None)
    assert await audited("session.key_mismatch") == 0


async def test_a_session_that_ended_gives_no_tokens(room: Room, phone: Phone) -> None:
    token = (await phone.login()).tokens.refresh_token
    await room.sessions.logout(await phone.as_login())

    assert await refused(phone, token) is SessionEnded
    assert await refused(Phone(room), token) is SessionEnded

    assert (await session_of(room, phone)).generation == 0


@pytest.mark.parametrize(
    ("sql", "no"),
    [
        ("UPDATE device SET state = 'LOCKED', lock_reason = 'STAFF'", DeviceLocked),
        ("UPDATE device SET state = 'REVOKED'", DeviceBlocked),
        ("UPDATE customer SET status = 'HARD_LOCKED'", CredentialLocked),
        ("UPDATE device SET app_version = '0.9.9'", AppUpdateRequired),
    ],
)
async def test_what_ends_signing_in_ends_refreshing(
    room: Room, phone: Phone, sql: str, no: type[Refusal]
) -> None:
    least = room.settings.model_copy(update={"min_app_version": "1.0.0"})
    phone.room = await open_room(least, room.clock, room.vault)
    token = (await phone.login()).tokens.refresh_token
    successor = (await refresh(phone, token)).refresh_token
    await change(sql)

    assert await refused(phone, successor) is no
    assert await refused(phone, token) is no

    session = await session_of(room, phone)
    assert (session.generation, session.ended_at) == (1, None)
    assert await audited("session.refreshed") == 1


async def test_a_refresh_needs_a_proof_that_covers_its_body(
    room: Room, phone: Phone
) -> None:
    token = (await phone.login()).tokens.refresh_token
    bare = await room.callers.http(origin(), None, [phone.proof(body=None)], b"")

    with pytest.raises(DpopRequired):
        await room.refreshes.refresh(Actor(origin=origin()), token)
    with pytest.raises(DpopInvalid):
        await room.refreshes.refresh(bare, token)
    taken_off = phone.proof(token=phone.token)
    with pytest.raises(DpopInvalid):
        await room.callers.http(origin(), None, [taken_off], b"")

    assert (await session_of(room, phone)).generation == 0


async def test_thirty_refreshes_a_minute_and_no_more(room: Room, phone: Phone) -> None:
    narrow = room.settings.model_copy(update={"limit_factor": 1})
    phone.room = await open_room(narrow, room.clock, room.vault)
    token = (await phone.login()).tokens.refresh_token

    for _ in range(30):
        await refresh(phone, token)
    with pytest.raises(RateLimited) as no:
        await refresh(phone, token)

    assert no.value.retry_after_s == 2
    other = Phone(phone.room)
    assert await refused(other, token) is InvalidCredential
    room.clock.move(seconds=2)
    pair = await refresh(phone, token)
    assert pair.idle_expires_at - room.clock.now() == timedelta(seconds=298)
