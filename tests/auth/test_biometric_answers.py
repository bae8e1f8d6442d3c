"""Signing in and approving by biometric key: its own counter, its evidence (6.1)."""

import hashlib
import json

import pytest

from app import database
from app.auth.actor import FactorKind, FactorState
from app.auth.challenge import Challenge, FactorResponse
from app.auth.errors import (
    ChallengeExpired,
    ChallengeFailed,
    CredentialLocked,
    InvalidCredential,
    StepUpRequired,
)
from app.auth.keys import read_jwk
from app.auth.signing import is_signed
from tests.auth.authenticator import unb64u
from tests.auth.finger import Finger, a_finger
from tests.auth.room import STAFF, Person, Phone, Room, a_customer
from tests.auth.test_challenges import payment_challenge
from tests.auth.test_login import count, failed_of, sessions_made
from tests.auth.test_passkey_answers import device_failed
from tests.auth.test_passkey_approvals import SENSITIVE
from tests.auth.test_step_up import asked, state_of


@pytest.fixture
async def finger(room: Room, asha: Person) -> Finger:
    """Give Asha's phone with a biometric key as its one factor."""
    return await a_finger(room, asha)


async def bio_failed() -> int:
    return await count("SELECT max(bio_failed) AS n FROM device")


async def wrong_login(finger: Finger) -> None:
    with pytest.raises((InvalidCredential, CredentialLocked)):
        await finger.login(message=b"something else")


async def both(room: Room, phone: Phone) -> Finger:
    """Give a phone that has an mPIN and a biometric key, signed in."""
    await phone.login()
    finger = Finger(phone)
    await finger.set_by(phone.answer)
    assert finger.room is room
    return finger


async def test_a_phone_signs_in_by_finger(room: Room, finger: Finger) -> None:
    challenge = await room.logins.start(await finger.phone.as_device())
    assert challenge.allowed == (FactorKind.BIOMETRIC,)

    signed_in = await finger.login()

    assert signed_in.actor.session is not None
    row = await database.read_one("SELECT amr FROM session")
    assert row is not None
    assert row.get("amr", str) == "biometric"
    assert (await bio_failed(), await device_failed()) == (0, 0)


async def test_a_lost_answer_gives_the_same_session_again(
    room: Room, finger: Finger
) -> None:
    actor = await finger.phone.as_device()
    challenge = await room.logins.start(actor)
    signature, response = finger.answer(challenge)

    first = await room.logins.finish(actor, challenge.id, signature, response)
    again = await room.logins.finish(actor, challenge.id, signature, response)

    assert first.actor.session == again.actor.session
    other, response = finger.answer(challenge)
    with pytest.raises(ChallengeExpired):
        await room.logins.finish(actor, challenge.id, other, response)
    assert await sessions_made() == 1


async def test_a_sensitive_call_is_approved_by_finger_and_the_evidence_verifies(
    room: Room, phone: Phone
) -> None:
    finger = await both(room, phone)
    actor = await phone.as_login()
    challenge = await asked(room, actor, SENSITIVE)
    assert challenge.allowed == (FactorKind.BIOMETRIC, FactorKind.MPIN)
    signature, response = finger.answer(challenge)

    await room.step_ups.answer(actor, challenge.id, signature, response)

    grant = await room.step_ups.require(actor, SENSITIVE)
    assert grant.challenge == challenge.id
    row = await database.read_one(
        "SELECT evidence FROM challenge WHERE id = $1", challenge.id
    )
    assert row is not None
    verify_offline(row.get("evidence", str), finger)


def verify_offline(evidence: str, finger: Finger) -> None:
    """Check an approval with nothing but what was kept, years later."""
    kept = json.loads(evidence)
    hashed = hashlib.sha256(kept["payload"].encode()).digest()
    label = f"sixpence/{kept['purpose']}/v1".encode()
    message = label + b"\0" + unb64u(kept["nonce"]) + hashed
    proof = kept["proof"]
    assert kept["factor"] == "BIOMETRIC"
    assert proof["key"] == finger.jwk
    for key, signature in (
        (proof["key"], proof["signature"]),
        (kept["deviceKey"], kept["deviceSignature"]),
    ):
        assert is_signed(read_jwk(key).public, unb64u(signature), message)


# ------------------------------------------------------------------ counting


async def test_five_wrong_signatures_pause_the_key_and_each_pause_doubles(
    room: Room, finger: Finger
) -> None:
    for left in (4, 3, 2, 1):
        with pytest.raises(InvalidCredential) as refused:
            await finger.login(message=b"something else")
        assert refused.value.attempts_left == left
    with pytest.raises(CredentialLocked) as locked:
        await finger.login(message=b"something else")
    first = locked.value.locked_until
    assert first is not None
    assert (first - room.clock.now()).total_seconds() == 900

    _, bio = (await room.devices.factors([finger.phone.device.id]))[  # type: ignore[union-attr]  # bound
        finger.phone.device.id  # type: ignore[union-attr]  # same
    ]
    assert (bio.state, bio.attempts_left) == (FactorState.LOCKED, 0)
    assert bio.locked_until == first
    room.clock.move(minutes=15)
    for _ in range(5):
        await wrong_login(finger)

    rows = await database.read("SELECT bio_failed, state FROM device")
    assert [(row.get("bio_failed", int), row.get("state", str)) for row in rows] == [
        (10, "LOCKED")
    ]


async def test_a_right_signature_ends_the_row_of_wrong_ones(
    room: Room, finger: Finger
) -> None:
    for _ in range(4):
        await wrong_login(finger)

    await finger.login()

    assert (await bio_failed(), await device_failed()) == (0, 0)
    rows = await database.read(
        "SELECT seq FROM audit_entry WHERE action = 'biometric_key.failed'"
    )
    assert len(rows) == 4


async def test_a_paused_key_is_not_offered_and_the_pin_still_works(
    room: Room, phone: Phone
) -> None:
    finger = await both(room, phone)
    begun = await room.logins.start(await phone.as_device())
    for _ in range(5):
        await wrong_login(finger)

    challenge = await room.logins.start(await phone.as_device())
    assert challenge.allowed == (FactorKind.MPIN,)
    with pytest.raises(CredentialLocked):
        await room.logins.finish(
            await phone.as_device(), begun.id, *finger.answer(begun)
        )
    await phone.login()

    # The PIN's success clears neither the pause nor the row of wrong signatures.
    assert await bio_failed() == 5
    challenge = await room.logins.start(await phone.as_device())
    assert challenge.allowed == (FactorKind.MPIN,)


async def test_the_counters_of_finger_and_pin_do_not_feed_each_other(
    room: Room, phone: Phone
) -> None:
    finger = await both(room, phone)

    await wrong_login(finger)
    with pytest.raises(InvalidCredential):
        await phone.login(bytes(32))
    assert (await bio_failed(), await failed_of(phone)) == (1, 1)
    await finger.login()

    assert (await bio_failed(), await failed_of(phone)) == (0, 1)


async def test_the_same_wrong_bytes_again_are_not_counted(
    room: Room, finger: Finger
) -> None:
    actor = await finger.phone.as_device()
    challenge = await room.logins.start(actor)
    signature, response = finger.answer(challenge, message=b"wrong")

    with pytest.raises(InvalidCredential):
        await room.logins.finish(actor, challenge.id, signature, response)
    with pytest.raises(InvalidCredential) as refused:
        await room.logins.finish(actor, challenge.id, signature, response)

    assert refused.value.attempts_left == 4
    assert refused.value.repeated
    assert await bio_failed() == 1


# ------------------------------------------------------------------ foreign keys


async def test_neither_the_device_key_nor_anothers_finger_answers(
    room: Room, finger: Finger
) -> None:
    other = await a_customer(room, number="100000002", phone="+919876543211")
    foreign = await a_finger(room, other)
    actor = await finger.phone.as_device()
    challenge = await room.logins.start(actor)
    message = finger.phone.message(challenge)

    for given in (finger.phone.sign(message), foreign.sign(message), "AA", "?"):
        right, _ = finger.answer(challenge)
        if await state_of(challenge) != "PENDING":
            challenge = await room.logins.start(actor)
            message = finger.phone.message(challenge)
            right, _ = finger.answer(challenge)
        with pytest.raises(InvalidCredential):
            await room.logins.finish(
                actor, challenge.id, right, FactorResponse(device_signature=given)
            )

    assert await sessions_made() == 0


async def test_a_finger_without_the_device_key_counts_nothing(
    room: Room, finger: Finger
) -> None:
    actor = await finger.phone.as_device()
    challenge = await room.logins.start(actor)
    message = finger.phone.message(challenge)
    response = FactorResponse(device_signature=finger.sign(message))

    with pytest.raises(InvalidCredential) as refused:
        await room.logins.finish(actor, challenge.id, finger.sign(message), response)

    assert refused.value.attempts_left is None
    assert (await bio_failed(), await device_failed()) == (0, 0)


async def test_a_signature_for_one_purpose_answers_no_other(
    room: Room, phone: Phone
) -> None:
    finger = await both(room, phone)
    actor = await phone.as_login()
    payment = await payment_challenge(room, phone)
    step_up = await asked(room, actor)
    login = await room.logins.start(await phone.as_device())
    pairs: tuple[tuple[Challenge, Challenge], ...] = (
        (login, payment),
        (login, step_up),
        (payment, step_up),
        (step_up, payment),
    )
    for mine, other in pairs:
        borrowed, response = finger.answer(mine)
        right, _ = finger.answer(other)

        with pytest.raises(ChallengeFailed):
            await room.challenges.verify(actor, other.id, borrowed, response)
        with pytest.raises(InvalidCredential):
            await room.challenges.verify(actor, other.id, right, response)

    assert [await state_of(one) for one in (payment, step_up)] == ["PENDING"] * 2


async def test_the_finger_of_the_persons_other_phone_does_not_answer(
    room: Room, asha: Person, phone: Phone
) -> None:
    finger = await both(room, phone)
    asha.code = await room.customers.code(STAFF, asha.number)
    second = await a_finger(room, asha)
    challenge = await room.logins.start(await phone.as_device())
    message = phone.message(challenge)
    right, _ = finger.answer(challenge)
    response = FactorResponse(device_signature=second.sign(message))

    with pytest.raises(InvalidCredential):
        await room.logins.finish(await phone.as_device(), challenge.id, right, response)

    with pytest.raises(ChallengeExpired):
        await room.logins.finish(
            await second.phone.as_device(), challenge.id, right, response
        )


async def test_a_key_that_was_replaced_answers_no_more(
    room: Room, phone: Phone
) -> None:
    old = await both(room, phone)
    actor = await phone.as_login()
    with pytest.raises(StepUpRequired) as required:
        await room.step_ups.require(actor, SENSITIVE)
    challenge = required.value.challenge
    new = Finger(phone)
    await new.set_by(phone.answer)

    signature, response = old.answer(challenge)
    with pytest.raises(InvalidCredential):
        await room.step_ups.answer(actor, challenge.id, signature, response)

    signature, response = new.answer(challenge)
    await room.step_ups.answer(actor, challenge.id, signature, response)
    assert await state_of(challenge) == "APPROVED"
