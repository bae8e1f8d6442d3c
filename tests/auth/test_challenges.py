"""Challenges as payments use them: signed over what is shown, answered once."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest

from app import database
from app.auth.actor import FactorKind
from app.auth.challenge import Challenge, ChallengeWish, FactorResponse
from app.auth.errors import (
    AnsweredByTwin,
    ChallengeExpired,
    ChallengeFailed,
    InvalidCredential,
)
from app.auth.signing import Purpose
from app.ids import ChallengeId
from app.money import Money
from tests.auth.room import STAFF, Person, Phone, Room
from tests.auth.test_login import failed_of
from tests.auth.test_step_up import state_of

FACTORS = (FactorKind.BIOMETRIC, FactorKind.MPIN, FactorKind.WEBAUTHN)


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
