"""Signing in by passkey: order, counters, repeats."""

import asyncio
import hashlib
from typing import Any

import pytest

from app import database
from app.auth.actor import FactorKind
from app.auth.errors import (
    CredentialLocked,
    InvalidCredential,
)
from tests.auth.authenticator import BE, BS, UP, UV
from tests.auth.passkey_holder import Holder, a_holder
from tests.auth.room import STAFF, Person, Phone, Room, a_customer, b64u
from tests.auth.test_login import count, failed_of, sessions_made
from tests.auth.test_passkeys import bound, registered_by_approval
from tests.auth.test_sessions import change


async def kept(what: str) -> int:
    return await count(f"SELECT {what} AS n FROM passkey")  # noqa: S608  -- own names


async def device_failed() -> int:
    return await count("SELECT max(failed) AS n FROM device")


# ------------------------------------------------------------------ signing in


async def test_a_passkey_signs_in(room: Room, holder: Holder) -> None:
    signed_in = await holder.login()

    actor = await holder.phone.as_login()
    assert actor.session == signed_in.actor.session
    assert (await kept("sign_count"), await kept("failed")) == (11, 0)
    assert await device_failed() == 0
    row = await database.read_one("SELECT amr FROM session")
    assert row is not None
    assert row.get("amr", str) == "webauthn"
    (listed,) = await room.passkeys.of_customer(actor)
    assert listed.last_used_at == room.clock.now()


async def test_the_challenge_says_what_the_authenticator_is_asked(
    room: Room, holder: Holder
) -> None:
    challenge = await room.logins.start(await holder.phone.as_device())

    digest = hashlib.sha256(holder.phone.message(challenge)).digest()
    assert challenge.allowed == (FactorKind.WEBAUTHN,)
    assert challenge.webauthn_options == {
        "challenge": b64u(digest),
        "rpId": "localhost",
        "allowCredentials": [
            {
                "type": "public-key",
                "id": b64u(holder.authenticator.credential_id),
                "transports": ["hybrid", "internal"],
            }
        ],
        "userVerification": "required",
        "timeout": 300_000,
    }


async def test_a_new_phone_signs_in_with_the_passkey_the_person_has(
    room: Room, holder: Holder, asha: Person
) -> None:
    room.clock.move(hours=24)
    asha.code = await room.customers.code(STAFF, asha.number)
    second = Holder(await bound(room, asha), holder.authenticator)

    await second.login()

    assert await sessions_made() == 1
    listed = await room.passkeys.of_customer(await second.phone.as_login())
    assert len(listed) == 1


async def test_a_passkey_of_a_cooling_phone_works_only_there(
    room: Room, holder: Holder, asha: Person
) -> None:
    asha.code = await room.customers.code(STAFF, asha.number)
    second = Holder(await bound(room, asha), holder.authenticator)

    challenge = await room.logins.start(await second.phone.as_device())
    with pytest.raises(InvalidCredential):
        await second.login()

    assert challenge.allowed == (FactorKind.MPIN,)
    assert challenge.webauthn_options is None
    assert await sessions_made() == 0
    await holder.login()


async def test_a_lost_answer_gives_the_same_session_again(
    room: Room, holder: Holder
) -> None:
    challenge = await room.logins.start(await holder.phone.as_device())
    signature, response = holder.answer(challenge)
    actors = [await holder.phone.as_device() for _ in range(20)]

    signed_in = await asyncio.gather(
        *(room.logins.finish(one, challenge.id, signature, response) for one in actors)
    )

    assert len({one.actor.session for one in signed_in}) == 1
    assert await sessions_made() == 1
    assert (await kept("sign_count"), await kept("failed")) == (11, 0)


async def test_the_same_wrong_bytes_again_are_not_counted(
    room: Room, holder: Holder
) -> None:
    challenge = await room.logins.start(await holder.phone.as_device())
    signature, response = holder.answer(challenge, flags=UP)

    for _ in range(3):
        with pytest.raises(InvalidCredential) as refused:
            await room.logins.finish(
                await holder.phone.as_device(), challenge.id, signature, response
            )
        assert refused.value.attempts_left == 4

    assert (await kept("failed"), await device_failed()) == (1, 1)
    assert await sessions_made() == 0


async def test_without_the_device_key_no_try_of_a_passkey_is_counted(
    room: Room, holder: Holder
) -> None:
    challenge = await room.logins.start(await holder.phone.as_device())
    _, response = holder.answer(challenge, flags=UP)
    forged = Phone(room).sign(holder.phone.message(challenge))

    with pytest.raises(InvalidCredential) as refused:
        await room.logins.finish(
            await holder.phone.as_device(), challenge.id, forged, response
        )

    assert refused.value.attempts_left is None
    assert (await kept("failed"), await device_failed()) == (0, 0)


WRONG: dict[str, dict[str, Any]] = {
    "another origin": {"client": {"origin": "https://evil.example"}},
    "another domain": {"rp_id": "evil.example"},
    "no verification": {"flags": UP},
    "a frame": {"client": {"crossOrigin": True}},
    "a top origin": {"client": {"topOrigin": "https://evil.example"}},
    "another handle": {"response": {"userHandle": b64u(bytes(32))}},
    "copied all at once": {"flags": UP | UV | BE},
    "backed up though it cannot be": {"flags": UP | UV | BS},
    "another signature": {"signed": b"anything"},
    "another challenge": {"client": {"challenge": b64u(bytes(32))}},
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_assertion_moves_nothing_but_its_counters(
    holder: Holder, name: str
) -> None:
    with pytest.raises(InvalidCredential) as refused:
        await holder.login(**WRONG[name])

    assert refused.value.attempts_left == 4
    assert await sessions_made() == 0
    assert (await kept("failed"), await device_failed()) == (1, 1)
    assert await kept("sign_count") == 10


@pytest.mark.parametrize("given", [{"credential_id": b"foreign"}, {"credential": {}}])
async def test_a_credential_the_challenge_did_not_offer_counts_for_the_phone_alone(
    room: Room, holder: Holder, given: dict[str, Any]
) -> None:
    ben = await a_customer(room, number="100000002", phone="+919876543211", name="Ben")
    thief = await a_holder(room, ben)
    thief.phone = holder.phone

    with pytest.raises(InvalidCredential) as refused:
        await thief.login(**given)

    assert refused.value.attempts_left is None
    assert (await kept("sum(failed)"), await device_failed()) == (0, 1)
    assert await sessions_made() == 0


# ------------------------------------------------------------------ counting


async def test_five_wrong_answers_pause_the_passkey_longer_each_time(
    room: Room, holder: Holder
) -> None:
    for minutes in (15, 30):
        for left in (4, 3, 2, 1):
            with pytest.raises(InvalidCredential) as refused:
                await holder.login(flags=UP)
            assert refused.value.attempts_left == left
        with pytest.raises(CredentialLocked) as paused:
            await holder.login(flags=UP)
        until = paused.value.locked_until
        assert until is not None
        assert (until - room.clock.now()).total_seconds() == minutes * 60
        await change("UPDATE device SET failed = 0")

        challenge = await room.logins.start(await holder.phone.as_device())
        assert challenge.allowed == (FactorKind.MPIN,)
        room.clock.move(minutes=minutes)

    await holder.login()
    assert await kept("failed") == 0
    rows = await database.read(
        "SELECT seq FROM audit_entry WHERE action = 'passkey.failed'"
    )
    assert len(rows) == 10


async def test_a_paused_passkey_answers_no_challenge_made_before(
    room: Room, holder: Holder
) -> None:
    challenge = await room.logins.start(await holder.phone.as_device())
    for _ in range(5):
        with pytest.raises((InvalidCredential, CredentialLocked)):
            await holder.login(flags=UP)
    signature, response = holder.answer(challenge)

    with pytest.raises(CredentialLocked) as refused:
        await room.logins.finish(
            await holder.phone.as_device(), challenge.id, signature, response
        )

    assert refused.value.locked_until is not None
    assert await sessions_made() == 0
    assert await kept("failed") == 5


async def test_the_counters_of_pin_and_passkey_do_not_touch_each_other(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    holder = Holder(phone)
    await registered_by_approval(holder)
    for _ in range(3):
        with pytest.raises(InvalidCredential):
            await phone.login(secret=bytes(32))
        with pytest.raises(InvalidCredential):
            await holder.login(flags=UP)

    assert (await failed_of(phone), await kept("failed")) == (3, 3)
    assert await device_failed() == 6
    await holder.login()

    assert (await failed_of(phone), await kept("failed")) == (3, 0)
    assert await device_failed() == 0
    await phone.login()
    assert await failed_of(phone) == 0


@pytest.mark.parametrize("count_now", [10, 9, 0])
async def test_a_counter_that_does_not_grow_locks_the_passkey(
    room: Room, holder: Holder, asha: Person, count_now: int
) -> None:
    challenge = await room.logins.start(await holder.phone.as_device())
    signature, response = holder.answer(challenge, count=count_now)

    for _ in range(2):
        with pytest.raises(CredentialLocked) as refused:
            await room.logins.finish(
                await holder.phone.as_device(), challenge.id, signature, response
            )
        assert refused.value.locked_until is None

    row = await database.read_one("SELECT state, sign_count FROM passkey")
    assert row is not None
    assert (row.get("state", str), row.get("sign_count", int)) == ("LOCKED", 10)
    assert await sessions_made() == 0
    rows = await database.read(
        "SELECT payload FROM customer_event WHERE customer_id = $1 "
        "AND type = 'SecurityEvent' ORDER BY seq",
        asha.id,
    )
    titles = [row.get("payload", dict)["title"] for row in rows]
    assert titles.count("A passkey may have been copied. It is locked.") == 1
    with pytest.raises(InvalidCredential):
        await holder.login()


async def test_only_a_verified_answer_raises_the_alarm_of_a_copy(
    holder: Holder,
) -> None:
    with pytest.raises(InvalidCredential):
        await holder.login(count=3, signed=b"not by the key")

    row = await database.read_one("SELECT state FROM passkey")
    assert row is not None
    assert row.get("state", str) == "ACTIVE"
    await holder.login()


async def test_a_synced_passkey_never_counts_and_says_where_it_is(
    room: Room, asha: Person
) -> None:
    holder = await a_holder(room, asha, flags=UP | UV | BE)

    for flags, backed_up in ((UP | UV | BE | BS, True), (UP | UV | BE, False)):
        await holder.login(flags=flags)
        (listed,) = await room.passkeys.of_customer(await holder.phone.as_login())
        assert listed.backed_up is backed_up

    assert await kept("sign_count") == 0
