"""Signing in: the order of checks, decoys, repeats."""

import asyncio
import hashlib
import hmac
import os

import pytest

from app import database
from app.auth.actor import FactorKind, Level
from app.auth.errors import (
    ChallengeExpired,
    CredentialLocked,
    DeviceBlocked,
    InvalidCredential,
)
from app.auth.revocations import EndReason
from app.errors import DpopRequired, RateLimited, Unauthenticated
from app.ids import ChallengeId
from tests.auth.room import STAFF, Person, Phone, Room, b64u, origin
from tests.auth.wiring import open_room


async def count(sql: str, *args: object) -> int:
    row = await database.read_one(sql, *args)  # type: ignore[arg-type]  # scalars of the test
    assert row is not None
    return row.get("n", int)


async def failed_of(phone: Phone) -> int:
    assert phone.device is not None
    return await count(
        "SELECT failed AS n FROM mpin_secret WHERE device_id = $1", phone.device.id
    )


async def sessions_made() -> int:
    return await count("SELECT count(*) AS n FROM session")


async def test_a_phone_enrols_and_signs_in(room: Room, phone: Phone) -> None:
    signed_in = await phone.login()

    actor = await phone.as_login()
    assert actor.level is Level.LOGIN
    assert actor.session == signed_in.actor.session
    assert actor.scopes == {"payments", "cards", "security", "chat"}
    assert await sessions_made() == 1
    assert await failed_of(phone) == 0
    lasts = signed_in.tokens.expires_at - room.clock.now()
    assert lasts.total_seconds() == 300


async def test_a_second_login_ends_the_first_as_superseded(
    room: Room, phone: Phone
) -> None:
    first = await phone.login()
    old = phone.token

    await phone.login()

    phone.token = old
    with pytest.raises(Unauthenticated) as refused:
        await phone.as_login()
    assert refused.value.reason == "SESSION_ENDED"
    assert room.closed == [(first.actor.session, 4419)]


async def test_a_wrong_pin_is_refused_and_counted(phone: Phone) -> None:
    with pytest.raises(InvalidCredential) as refused:
        await phone.login(secret=os.urandom(32))

    assert refused.value.attempts_left == 4
    assert await failed_of(phone) == 1
    assert await sessions_made() == 0


async def test_the_same_wrong_bytes_again_are_not_counted(
    room: Room, phone: Phone
) -> None:
    challenge = await room.logins.start(await phone.as_device())
    signature, response = phone.answer(challenge, os.urandom(32))

    for _ in range(3):
        with pytest.raises(InvalidCredential) as refused:
            await room.logins.finish(
                await phone.as_device(), challenge.id, signature, response
            )
        assert refused.value.attempts_left == 4

    assert await failed_of(phone) == 1


async def test_a_lost_answer_gives_the_same_session_again(
    room: Room, phone: Phone
) -> None:
    challenge = await room.logins.start(await phone.as_device())
    signature, response = phone.answer(challenge)
    first = await room.logins.finish(
        await phone.as_device(), challenge.id, signature, response
    )

    again = await room.logins.finish(
        await phone.as_device(), challenge.id, signature, response
    )

    assert again.actor.session == first.actor.session
    assert again.tokens.refresh_token == first.tokens.refresh_token
    assert await sessions_made() == 1


async def test_twenty_identical_answers_at_once_make_one_session(
    room: Room, phone: Phone
) -> None:
    challenge = await room.logins.start(await phone.as_device())
    signature, response = phone.answer(challenge)
    actors = [await phone.as_device() for _ in range(20)]

    signed_in = await asyncio.gather(
        *(room.logins.finish(one, challenge.id, signature, response) for one in actors)
    )

    assert len({one.actor.session for one in signed_in}) == 1
    assert await sessions_made() == 1
    assert await failed_of(phone) == 0


async def test_other_bytes_to_a_used_challenge_are_refused(
    room: Room, phone: Phone
) -> None:
    challenge = await room.logins.start(await phone.as_device())
    signature, response = phone.answer(challenge)
    await room.logins.finish(await phone.as_device(), challenge.id, signature, response)

    other, _ = phone.answer(challenge)
    with pytest.raises(ChallengeExpired):
        await room.logins.finish(await phone.as_device(), challenge.id, other, response)

    assert await sessions_made() == 1
    assert await failed_of(phone) == 0


async def test_an_expired_challenge_is_refused(room: Room, phone: Phone) -> None:
    challenge = await room.logins.start(await phone.as_device())
    signature, response = phone.answer(challenge)

    room.clock.move(seconds=120)
    with pytest.raises(ChallengeExpired):
        await room.logins.finish(
            await phone.as_device(), challenge.id, signature, response
        )

    assert await sessions_made() == 0
    assert await failed_of(phone) == 0


async def test_two_hundred_guesses_at_once_get_five_comparisons(
    room: Room, phone: Phone, asha: Person
) -> None:
    assert phone.device is not None
    answers = []
    for _ in range(200):
        challenge = await room.logins.start(await phone.as_device())
        answers.append((challenge.id, *phone.answer(challenge, os.urandom(32))))
    actors = [await phone.as_device() for _ in answers]

    outcomes = await asyncio.gather(
        *(
            room.logins.finish(actor, *answer)
            for actor, answer in zip(actors, answers, strict=True)
        ),
        return_exceptions=True,
    )

    refused = [type(one) for one in outcomes]
    assert refused.count(InvalidCredential) <= 4
    assert refused.count(CredentialLocked) == 200 - refused.count(InvalidCredential)
    judged = await count(
        "SELECT count(*) AS n FROM audit_entry WHERE action = 'mpin.failed'"
    )
    assert judged == 5
    row = await database.read_one(
        "SELECT state, sealed FROM mpin_secret WHERE device_id = $1", phone.device.id
    )
    assert row is not None
    assert row.get("state", str) == "LOCKED"
    assert row.find("sealed", bytes) is None
    with pytest.raises(CredentialLocked):
        await phone.login()
    reopened = Phone(await open_room(room.settings, room.clock, room.vault), phone.key)
    reopened.secret = phone.secret
    with pytest.raises(CredentialLocked):
        await reopened.login()
    assert await sessions_made() == 0


async def test_the_customer_is_told_at_the_fourth_and_fifth_wrong_pin(
    phone: Phone, asha: Person
) -> None:
    for _ in range(5):
        with pytest.raises((InvalidCredential, CredentialLocked)):
            await phone.login(secret=os.urandom(32))

    rows = await database.read(
        "SELECT payload FROM customer_event WHERE customer_id = $1 "
        "AND type = 'SecurityEvent' ORDER BY seq",
        asha.id,
    )
    titles = [row.get("payload", dict)["title"] for row in rows][-2:]
    assert titles == [
        "Wrong PIN. One more try, then it is locked.",
        "Too many wrong PINs. The PIN is locked.",
    ]


async def test_without_the_device_key_no_try_is_counted(
    room: Room, phone: Phone
) -> None:
    stranger = Phone(room)
    challenge = await room.logins.start(await phone.as_device())

    for _ in range(50):
        message = phone.message(challenge)
        digest = hashlib.sha256(message).digest()
        proof = hmac.digest(os.urandom(32), digest, hashlib.sha256)
        _, response = phone.answer(challenge)
        with pytest.raises(InvalidCredential) as refused:
            await room.logins.finish(
                await phone.as_device(), challenge.id, stranger.sign(message), response
            )
        assert refused.value.attempts_left is None
        assert proof

    assert await failed_of(phone) == 0
    assert await sessions_made() == 0


async def test_a_challenge_of_another_phone_does_not_exist(
    room: Room, phone: Phone, asha: Person
) -> None:
    room.clock.move(minutes=2)
    asha.code = await room.customers.code(STAFF, asha.number)
    other = Phone(room)
    await other.enrol(asha)
    challenge = await room.logins.start(await phone.as_device())
    signature, response = phone.answer(challenge)

    with pytest.raises(ChallengeExpired):
        await room.logins.finish(
            await other.as_device(), challenge.id, signature, response
        )

    assert await sessions_made() == 0
    assert await failed_of(phone) == 0


async def test_an_unknown_key_gets_a_decoy_and_writes_no_row(
    room: Room, phone: Phone
) -> None:
    stranger = Phone(room)
    real = await room.logins.start(await phone.as_device())
    before = await count("SELECT count(*) AS n FROM challenge")
    decoy = await room.logins.start(await stranger.as_device())

    for _ in range(100):
        decoy = await room.logins.start(await stranger.as_device())
        signature, response = stranger.answer(decoy)
        with pytest.raises(InvalidCredential) as refused:
            await room.logins.finish(
                await stranger.as_device(), decoy.id, signature, response
            )
        assert refused.value.attempts_left is None

    assert await count("SELECT count(*) AS n FROM challenge") == before
    assert decoy.id.value.version == real.id.value.version == 7
    assert len(decoy.payload) == len(real.payload)
    assert len(decoy.nonce) == len(real.nonce) == 32
    assert decoy.allowed[: len(real.allowed)] == real.allowed
    assert (decoy.webauthn is None) == (FactorKind.WEBAUTHN not in decoy.allowed)
    assert decoy.attempts_left == real.attempts_left == 3
    assert decoy.expires_at == real.expires_at
    assert decoy.id.value.int >> 80 == real.id.value.int >> 80


async def test_a_decoy_expires_as_a_real_challenge_does(room: Room) -> None:
    stranger = Phone(room)
    decoy = await room.logins.start(await stranger.as_device())
    signature, response = stranger.answer(decoy)

    room.clock.move(seconds=120)
    with pytest.raises(ChallengeExpired):
        await room.logins.finish(
            await stranger.as_device(), decoy.id, signature, response
        )
    with pytest.raises(ChallengeExpired):
        await room.logins.finish(
            await stranger.as_device(), ChallengeId.new(), signature, response
        )


async def test_a_device_id_that_does_not_fit_the_key_gets_a_decoy(
    room: Room, phone: Phone
) -> None:
    stranger = Phone(room)
    assert phone.device is not None

    decoy = await room.logins.start(await stranger.as_device(), phone.device.id)

    assert str(phone.device.id) in decoy.payload
    assert await count("SELECT count(*) AS n FROM challenge") == 0


async def test_signing_in_needs_a_proof(room: Room, phone: Phone) -> None:
    anonymous = await room.callers.http(origin(), None, [], b"{}")
    challenge = await room.logins.start(await phone.as_device())
    signature, response = phone.answer(challenge)

    with pytest.raises(DpopRequired):
        await room.logins.start(anonymous)
    with pytest.raises(DpopRequired):
        await room.logins.finish(anonymous, challenge.id, signature, response)

    assert await sessions_made() == 0


async def test_a_revoked_phone_is_told_only_after_its_signature(
    room: Room, phone: Phone
) -> None:
    assert phone.device is not None
    await revoke(phone)
    challenge = await room.logins.start(await phone.as_device())
    signature, response = phone.answer(challenge)

    with pytest.raises(InvalidCredential):
        await room.logins.finish(
            await phone.as_device(), challenge.id, b64u(bytes(64)), response
        )
    with pytest.raises(DeviceBlocked):
        await room.logins.finish(
            await phone.as_device(), challenge.id, signature, response
        )

    assert await sessions_made() == 0


async def revoke(phone: Phone) -> None:
    assert phone.device is not None
    name = phone.device.id

    async def work(tx: database.Tx) -> None:
        await tx.rows(
            "UPDATE device SET state = 'REVOKED' WHERE id = $1 RETURNING id", name
        )
        await phone.room.sessions.end_of_device(tx, name, EndReason.REVOKED)

    await database.transaction(work, name="test.revoke")


async def test_ten_sign_ins_a_minute_and_no_more(room: Room, phone: Phone) -> None:
    narrow = room.settings.model_copy(update={"limit_factor": 1})
    tight = await open_room(narrow, room.clock, room.vault)
    phone.room = tight

    for _ in range(10):
        await tight.logins.start(await phone.as_device())
    with pytest.raises(RateLimited) as refused:
        await tight.logins.start(await phone.as_device())

    assert refused.value.retry_after_s == 6
    assert await count("SELECT count(*) AS n FROM challenge") == 10
