"""Approving by passkey: evidence, purposes, young factors; and strangers' decoys."""

import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from app import database
from app.auth.actor import FactorKind
from app.auth.challenge import Challenge
from app.auth.errors import (
    ChallengeExpired,
    ChallengeFailed,
    CoolingPeriod,
    InvalidCredential,
    StepUpRequired,
)
from app.auth.step_up import StepUpWish
from app.errors import NotAllowed
from tests.auth.authenticator import unb64u
from tests.auth.passkey_holder import Holder
from tests.auth.room import KDF, STAFF, Person, Phone, Room, b64u
from tests.auth.test_challenges import payment_challenge
from tests.auth.test_passkey_answers import device_failed, kept
from tests.auth.test_passkeys import bound
from tests.auth.test_step_up import WISH, asked, state_of

SENSITIVE = StepUpWish(
    operation="deviceRevoke", input={"id": "x"}, summary="Remove x", sensitive=True
)


# ------------------------------------------------------------------ approving


async def test_a_payment_is_approved_by_passkey_and_the_evidence_verifies(
    room: Room, holder: Holder
) -> None:
    await holder.login()
    actor = await holder.phone.as_login()
    challenge = await payment_challenge(room, holder.phone)
    signature, response = holder.answer(challenge)

    answer = await room.challenges.verify(actor, challenge.id, signature, response)

    async def consume(tx: database.Tx) -> None:
        await room.challenges.consume(tx, answer)

    await database.transaction(consume, name="test.consume")
    assert await state_of(challenge) == "CONSUMED"
    verify_offline(answer.evidence, holder)
    again = await room.challenges.verify(actor, challenge.id, signature, response)
    assert again.repeated
    assert again.factor is FactorKind.WEBAUTHN


def verify_offline(evidence: str, holder: Holder) -> None:
    """Check an approval with nothing but what was kept, years later."""
    kept = json.loads(evidence)
    proof = kept["proof"]
    hashed = hashlib.sha256(kept["payload"].encode()).digest()
    label = f"sixpence/{kept['purpose']}/v1".encode()
    message = label + b"\0" + unb64u(kept["nonce"]) + hashed
    client = unb64u(proof["clientDataJSON"])
    said = json.loads(client)
    assert said["challenge"] == b64u(hashlib.sha256(message).digest())
    assert kept["factor"] == "WEBAUTHN"
    assert proof["rpId"] == "localhost"
    assert unb64u(proof["credentialId"]) == holder.authenticator.credential_id
    signed = unb64u(proof["authenticatorData"]) + hashlib.sha256(client).digest()
    public = holder.authenticator.key.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(unb64u(proof["signature"]), signed, ec.ECDSA(SHA256()))
    point = public.public_numbers()
    assert point.x.to_bytes(32, "big") in unb64u(proof["publicKey"])


async def test_an_assertion_for_one_challenge_answers_no_other(
    room: Room, holder: Holder
) -> None:
    await holder.login()
    actor = await holder.phone.as_login()
    first = await payment_challenge(room, holder.phone)
    step_up = await asked(room, actor)
    login = await room.logins.start(await holder.phone.as_device())
    for mine, others in ((first, (step_up,)), (step_up, (first,)), (login, (first,))):
        _, response = holder.answer(mine)
        for other in others:
            right, _ = holder.answer(other)

            with pytest.raises(InvalidCredential):
                await room.challenges.verify(actor, other.id, right, response)

    assert [await state_of(one) for one in (first, step_up)] == ["PENDING", "PENDING"]


async def test_a_device_signature_over_another_purpose_fails_before_the_passkey(
    room: Room, holder: Holder
) -> None:
    await holder.login()
    actor = await holder.phone.as_login()
    challenge = await payment_challenge(room, holder.phone)
    _, response = holder.answer(challenge)
    forged = holder.phone.sign(holder.phone.message(challenge, "sixpence/login/v1"))

    with pytest.raises(ChallengeFailed):
        await room.challenges.verify(actor, challenge.id, forged, response)

    assert (await kept("failed"), await device_failed()) == (0, 0)


async def test_another_phone_of_the_person_cannot_answer(
    room: Room, holder: Holder, asha: Person
) -> None:
    room.clock.move(hours=24)
    await holder.login()
    challenge = await payment_challenge(room, holder.phone)
    asha.code = await room.customers.code(STAFF, asha.number)
    second = Holder(await bound(room, asha), holder.authenticator)
    await second.login()
    _, response = holder.answer(challenge)
    signature = second.phone.sign(second.phone.message(challenge))

    with pytest.raises(ChallengeExpired):
        await room.challenges.verify(
            await second.phone.as_login(), challenge.id, signature, response
        )

    assert await state_of(challenge) == "PENDING"


async def test_an_ordinary_step_up_takes_a_passkey_and_a_sensitive_one_does_not(
    room: Room, holder: Holder
) -> None:
    await holder.login()
    actor = await holder.phone.as_login()

    ordinary = await asked(room, actor)
    assert ordinary.allowed == (FactorKind.WEBAUTHN,)
    signature, response = holder.answer(ordinary)
    await room.step_ups.answer(actor, ordinary.id, signature, response)
    assert (await room.step_ups.require(actor, WISH)).challenge == ordinary.id

    with pytest.raises(NotAllowed) as refused:
        await room.step_ups.require(actor, SENSITIVE)
    assert refused.value.message == "Set an mPIN on this phone first."


# ------------------------------------------------------------------ young factors


async def pin_by_passkey(holder: Holder) -> None:
    """Set an mPIN in a session, approved by the passkey."""
    phone = holder.phone
    actor = await phone.as_login()
    with pytest.raises(StepUpRequired) as required:
        await phone.room.mpins.set(actor, b64u(phone.secret), KDF)
    challenge: Challenge = required.value.challenge
    signature, response = holder.answer(challenge)
    await phone.room.step_ups.answer(actor, challenge.id, signature, response)
    await phone.room.mpins.set(actor, b64u(phone.secret), KDF)


async def test_an_mpin_set_by_passkey_signs_in_but_is_young(
    room: Room, holder: Holder
) -> None:
    await holder.login()
    await pin_by_passkey(holder)
    full_from = room.clock.now()

    await holder.phone.login()
    actor = await holder.phone.as_login()
    with pytest.raises(CoolingPeriod) as refused:
        await room.step_ups.require(actor, SENSITIVE)
    assert (refused.value.ends_at - full_from).total_seconds() == 86_400
    ordinary = await asked(room, actor)
    assert ordinary.allowed == (FactorKind.MPIN, FactorKind.WEBAUTHN)

    room.clock.move(hours=24)
    await holder.phone.login()
    ripe = await asked(room, await holder.phone.as_login(), SENSITIVE)
    assert ripe.allowed == (FactorKind.MPIN,)


async def test_a_young_mpin_makes_no_full_one(room: Room, holder: Holder) -> None:
    await holder.login()
    await pin_by_passkey(holder)
    phone = holder.phone
    await phone.login()
    old, phone.secret = phone.secret, bytes(range(32))
    actor = await phone.as_login()
    with pytest.raises(StepUpRequired) as required:
        await room.mpins.set(actor, b64u(phone.secret), KDF)
    signature, response = phone.answer(required.value.challenge, old)
    await room.step_ups.answer(actor, required.value.challenge.id, signature, response)
    await room.mpins.set(actor, b64u(phone.secret), KDF)

    await phone.login()
    with pytest.raises(CoolingPeriod):
        await room.step_ups.require(await phone.as_login(), SENSITIVE)


# ------------------------------------------------------------------ strangers


async def test_strangers_seem_to_have_passkeys_as_often_as_not(room: Room) -> None:
    seen = set()
    for _ in range(40):
        stranger = Phone(room)
        first = await room.logins.start(await stranger.as_device())
        again = await room.logins.start(await stranger.as_device())
        assert first.allowed == again.allowed
        assert first.webauthn == again.webauthn
        seen.add((first.allowed, first.webauthn is None))

    assert seen == {
        ((FactorKind.MPIN,), True),
        ((FactorKind.MPIN, FactorKind.WEBAUTHN), False),
    }


async def test_a_decoy_of_a_passkey_looks_and_refuses_like_a_real_one(
    room: Room, holder: Holder
) -> None:
    real = await room.logins.start(await holder.phone.as_device())
    decoy, stranger = real, Phone(room)
    while decoy.webauthn is None or decoy is real:
        stranger = Phone(room)
        decoy = await room.logins.start(await stranger.as_device())
    there, other = real.webauthn_options, decoy.webauthn_options
    assert there is not None
    assert other is not None
    assert there.keys() == other.keys()
    assert [one.keys() for one in there["allowCredentials"]] == [
        one.keys() for one in other["allowCredentials"]
    ]

    signature, response = Holder(stranger).answer(decoy)
    with pytest.raises(InvalidCredential) as refused:
        await room.logins.finish(
            await stranger.as_device(), decoy.id, signature, response
        )

    assert refused.value.attempts_left is None
    assert await device_failed() == 0
