"""Approvals of one call, and challenges as payments use them."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest

from app import database
from app.auth.actor import Actor, FactorKind
from app.auth.challenge import Challenge, ChallengeState, ChallengeWish, FactorResponse
from app.auth.errors import (
    AnsweredByTwin,
    ChallengeExpired,
    ChallengeFailed,
    CredentialLocked,
    InvalidCredential,
    StepUpRequired,
)
from app.auth.signing import Purpose
from app.auth.step_up import Grant, StepUpWish
from app.errors import NotAllowed, RateLimited, Unauthenticated
from app.ids import ChallengeId
from app.money import Money
from tests.auth.room import KDF, STAFF, Person, Phone, Room, b64u, open_room
from tests.auth.test_login import failed_of

WISH = StepUpWish(
    operation="beneficiaryCreate",
    input={"nickname": "Ravi", "payee": {"number": "123", "bankCode": "SIXP"}},
    summary="Save Ravi as a payee",
)
FACTORS = (FactorKind.BIOMETRIC, FactorKind.MPIN, FactorKind.WEBAUTHN)


async def asked(room: Room, actor: Actor, wish: StepUpWish = WISH) -> Challenge:
    with pytest.raises(StepUpRequired) as required:
        await room.step_ups.require(actor, wish)
    return required.value.challenge


async def granted(room: Room, phone: Phone, wish: StepUpWish = WISH) -> Grant:
    actor = await phone.as_login()
    challenge = await asked(room, actor, wish)
    signature, response = phone.answer(challenge)
    await room.step_ups.answer(actor, challenge.id, signature, response)
    return await room.step_ups.require(actor, wish)


async def use(room: Room, grant: Grant) -> None:
    async def work(tx: database.Tx) -> None:
        await room.step_ups.consume(tx, grant)

    await database.transaction(work, name="test.use")


def payment(phone: Phone, subject: str = "pay_1") -> ChallengeWish:
    def payload(challenge: ChallengeId, end: datetime) -> Mapping[str, object]:
        money = {"currency": "INR", "exponent": 2, "minorUnits": "250000"}
        return {
            "v": 1,
            "challengeId": str(challenge),
            "paymentId": subject,
            "amount": money,
            "fee": money | {"minorUnits": "100"},
            "payee": {"name": "Ravi", "address": "50100012345678"},
            "summary": "Pay ₹2,500.00 to Ravi",
            "expiresAt": end.isoformat(),
        }

    return ChallengeWish(
        purpose=Purpose.PAYMENT,
        subject=subject,
        allowed=FACTORS,
        life_s=300,
        payload=payload,
    )


async def payment_challenge(room: Room, phone: Phone) -> Challenge:
    actor = await phone.as_login()

    async def work(tx: database.Tx) -> Challenge:
        return await room.challenges.create(tx, actor, payment(phone))

    return await database.transaction(work, name="test.create")


async def state_of(challenge: Challenge) -> str:
    row = await database.read_one(
        "SELECT state FROM challenge WHERE id = $1", challenge.id
    )
    assert row is not None
    return row.get("state", str)


async def test_an_approved_call_is_done_once(room: Room, phone: Phone) -> None:
    await phone.login()

    grant = await granted(room, phone)
    await use(room, grant)

    with pytest.raises(ChallengeExpired):
        await use(room, grant)
    again = await asked(room, await phone.as_login())
    assert again.id != grant.challenge


async def test_the_challenge_says_what_is_approved(room: Room, phone: Phone) -> None:
    await phone.login()

    challenge = await asked(room, await phone.as_login())

    assert challenge.action == "beneficiaryCreate"
    assert challenge.allowed == (FactorKind.MPIN,)
    assert challenge.display().summary == "Save Ravi as a payee"
    assert challenge.display().lines == (
        ("nickname", "Ravi"),
        ("payee.bankCode", "SIXP"),
        ("payee.number", "123"),
    )
    assert challenge.display().total is None
    found = await room.challenges.find(await phone.as_login(), challenge.id)
    assert found == challenge


async def test_the_same_call_that_is_pending_gets_the_same_challenge(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    actor = await phone.as_login()

    first = await asked(room, actor)
    second = await asked(room, actor)
    at_once = await asyncio.gather(
        *(asked(room, actor, replace(WISH, summary="other words")) for _ in range(5))
    )

    assert {first.id, second.id, *(one.id for one in at_once)} == {first.id}


async def test_a_grant_serves_no_other_input_and_no_other_session(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    grant = await granted(room, phone)
    other = replace(WISH, input={"nickname": "Mallory"})

    challenge = await asked(room, await phone.as_login(), other)
    assert challenge.id != grant.challenge
    await phone.login()
    with pytest.raises(Unauthenticated):
        await use(room, grant)
    moved = replace(grant, actor=await phone.as_login())
    with pytest.raises(ChallengeExpired):
        await use(room, moved)

    row = await database.read_one(
        "SELECT state FROM challenge WHERE id = $1", grant.challenge
    )
    assert row is not None
    assert row.get("state", str) == "CANCELLED"


async def test_a_fourth_pending_approval_is_refused(room: Room, phone: Phone) -> None:
    narrow = room.settings.model_copy(update={"limit_factor": 1})
    phone.room = await open_room(narrow, room.clock, room.vault)
    await phone.login()
    actor = await phone.as_login()

    for name in ("a", "b", "c"):
        await asked(phone.room, actor, replace(WISH, operation=name))
    with pytest.raises(RateLimited) as refused:
        await phone.room.step_ups.require(actor, replace(WISH, operation="d"))

    assert refused.value.retry_after_s == 300
    room.clock.move(seconds=299)
    with pytest.raises(RateLimited):
        await phone.room.step_ups.require(actor, replace(WISH, operation="d"))
    room.clock.move(seconds=1)
    await asked(phone.room, actor, replace(WISH, operation="d"))


async def test_a_refused_approval_is_cancelled(room: Room, phone: Phone) -> None:
    await phone.login()
    actor = await phone.as_login()
    challenge = await asked(room, actor)

    refused = await room.step_ups.refuse(actor, challenge.id)

    assert refused.state is ChallengeState.CANCELLED
    signature, response = phone.answer(challenge)
    with pytest.raises(ChallengeExpired):
        await room.step_ups.answer(actor, challenge.id, signature, response)
    with pytest.raises(ChallengeExpired):
        await room.step_ups.refuse(actor, challenge.id)


async def test_an_approval_too_late_is_refused(room: Room, phone: Phone) -> None:
    await phone.login()
    grant = await granted(room, phone)

    room.clock.move(seconds=300)

    with pytest.raises(ChallengeExpired):
        await use(room, grant)


async def test_the_identical_approval_again_is_not_counted(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    actor = await phone.as_login()
    challenge = await asked(room, actor)
    signature, response = phone.answer(challenge)

    outcomes = await asyncio.gather(
        *(
            room.step_ups.answer(actor, challenge.id, signature, response)
            for _ in range(10)
        )
    )

    assert {one.state for one in outcomes} == {ChallengeState.APPROVED}
    assert await failed_of(phone) == 0


async def test_a_session_that_ended_approves_nothing(room: Room, phone: Phone) -> None:
    await phone.login()
    actor = await phone.as_login()
    challenge = await asked(room, actor)
    signature, response = phone.answer(challenge)
    await room.sessions.logout(actor)

    with pytest.raises(ChallengeExpired):
        await room.step_ups.answer(actor, challenge.id, signature, response)
    with pytest.raises(Unauthenticated):
        await room.step_ups.require(actor, replace(WISH, operation="other"))

    assert await state_of(challenge) == "CANCELLED"


async def test_a_change_of_the_mpin_is_approved_with_the_old_one(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    actor = await phone.as_login()
    fresh = os.urandom(32)
    with pytest.raises(StepUpRequired) as required:
        await room.mpins.set(actor, b64u(fresh), KDF)
    assert b64u(fresh) not in required.value.challenge.payload
    signature, response = phone.answer(required.value.challenge)
    await room.step_ups.answer(actor, required.value.challenge.id, signature, response)

    await room.mpins.set(actor, b64u(fresh), KDF)
    await room.mpins.set(actor, b64u(fresh), KDF)

    with pytest.raises(InvalidCredential):
        await phone.login()
    phone.secret = fresh
    await phone.login()


async def test_a_phone_whose_mpin_was_erased_can_approve_nothing(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    actor = await phone.as_login()
    challenges = [
        await asked(room, actor, replace(WISH, operation=name)) for name in ("a", "b")
    ]
    for challenge in challenges:
        for _ in range(3):
            signature, response = phone.answer(challenge, os.urandom(32))
            with pytest.raises((InvalidCredential, CredentialLocked)):
                await room.step_ups.answer(actor, challenge.id, signature, response)

    assert await state_of(challenges[0]) == "FAILED"
    with pytest.raises(NotAllowed):
        await room.step_ups.require(actor, WISH)


# ------------------------------------------------------------------ payments


async def test_a_payment_challenge_shows_amount_and_payee(
    room: Room, phone: Phone
) -> None:
    await phone.login()

    shown = (await payment_challenge(room, phone)).display()

    assert shown.amount == Money(250000, "INR")
    assert shown.total == Money(250100, "INR")
    assert (shown.payee_name, shown.payee_address) == ("Ravi", "50100012345678")


async def test_a_new_challenge_of_the_same_payment_cancels_the_old_one(
    room: Room, phone: Phone
) -> None:
    await phone.login()

    first = await payment_challenge(room, phone)
    second = await payment_challenge(room, phone)

    assert await state_of(first) == "CANCELLED"
    assert await state_of(second) == "PENDING"


async def test_a_right_answer_leaves_evidence_and_is_consumed_once(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    actor = await phone.as_login()
    challenge = await payment_challenge(room, phone)
    signature, response = phone.answer(challenge)

    answer = await room.challenges.verify(actor, challenge.id, signature, response)
    twin = await room.challenges.verify(actor, challenge.id, signature, response)

    async def consume(tx: database.Tx) -> None:
        await room.challenges.consume(tx, answer)

    await database.transaction(consume, name="test.consume")
    assert (twin.hash, twin.evidence) == (answer.hash, answer.evidence)
    with pytest.raises(AnsweredByTwin):
        await database.transaction(consume, name="test.consume")
    late = await room.challenges.verify(actor, challenge.id, signature, response)
    assert late.repeated
    assert signature in late.evidence
    assert response.mpin_proof is not None
    assert response.mpin_proof not in late.evidence
    assert repr(response) == "FactorResponse(***)"


async def test_a_signature_over_anything_else_fails_and_counts_nothing(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    actor = await phone.as_login()
    challenge = await payment_challenge(room, phone)
    _, response = phone.answer(challenge)
    changed = replace(challenge, payload=challenge.payload.replace("250000", "950000"))
    forged = {
        "another amount": phone.sign(phone.message(changed)),
        "a sign-in": phone.sign(phone.message(challenge, "sixpence/login/v1")),
        "a step-up": phone.sign(phone.message(challenge, "sixpence/step-up/v1")),
        "another key": Phone(room).sign(phone.message(challenge)),
        "nothing": "",
    }

    for signature in forged.values():
        with pytest.raises(ChallengeFailed):
            await room.challenges.verify(actor, challenge.id, signature, response)

    assert await state_of(challenge) == "PENDING"
    assert await failed_of(phone) == 0


async def test_a_challenge_of_one_purpose_does_not_exist_for_another(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    actor = await phone.as_login()
    challenge = await payment_challenge(room, phone)
    signature, response = phone.answer(challenge)

    for purpose in (Purpose.LOGIN, Purpose.STEP_UP):
        with pytest.raises(ChallengeExpired):
            await room.challenges.verify(
                actor, challenge.id, signature, response, purpose=purpose
            )
    with pytest.raises(ChallengeExpired):
        await room.step_ups.answer(actor, challenge.id, signature, response)

    assert await state_of(challenge) == "PENDING"


async def test_another_phone_of_the_customer_neither_reads_nor_answers_it(
    room: Room, phone: Phone, asha: Person
) -> None:
    await phone.login()
    challenge = await payment_challenge(room, phone)
    asha.code = await room.customers.code(STAFF, asha.number)
    other = Phone(room)
    await other.enrol(asha)
    await other.login()
    actor = await other.as_login()
    signature, response = phone.answer(challenge)

    assert await room.challenges.find(actor, challenge.id) is None
    with pytest.raises(ChallengeExpired):
        await room.challenges.verify(actor, challenge.id, signature, response)

    assert await state_of(challenge) == "PENDING"


@pytest.mark.parametrize(
    "response",
    [
        FactorResponse(),
        FactorResponse(totp="123456"),
        FactorResponse(webauthn={"id": "x"}),
        FactorResponse(device_signature="x"),
        FactorResponse(mpin_proof="x", totp="123456"),
    ],
)
async def test_a_factor_that_may_not_answer_is_refused_uncounted(
    room: Room, phone: Phone, response: FactorResponse
) -> None:
    await phone.login()
    actor = await phone.as_login()
    challenge = await payment_challenge(room, phone)
    signature, _ = phone.answer(challenge)

    with pytest.raises(InvalidCredential):
        await room.challenges.verify(actor, challenge.id, signature, response)

    assert await failed_of(phone) == 0


async def test_a_proof_that_is_no_base64url_is_a_wrong_pin(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    actor = await phone.as_login()
    challenge = await payment_challenge(room, phone)
    signature, _ = phone.answer(challenge)

    with pytest.raises(InvalidCredential) as refused:
        await room.challenges.verify(
            actor, challenge.id, signature, FactorResponse(mpin_proof="?")
        )

    assert refused.value.attempts_left == 4
    assert await failed_of(phone) == 1
