"""Approvals of one call, and challenges as payments use them."""

import asyncio
import os
from dataclasses import replace

import pytest

from app import database
from app.auth.actor import Actor, FactorKind
from app.auth.challenge import Challenge, ChallengeState
from app.auth.errors import (
    ChallengeExpired,
    CredentialLocked,
    InvalidCredential,
    StepUpRequired,
)
from app.auth.step_up import Grant, StepUpWish
from app.clock import StoppedClock
from app.errors import NotAllowed, RateLimited, Unauthenticated
from app.settings import Settings
from app.vault import Vault
from tests.auth.room import KDF, Phone, Room, a_customer, b64u
from tests.auth.test_login import failed_of
from tests.auth.wiring import open_room

WISH = StepUpWish(
    operation="beneficiaryCreate",
    input={"nickname": "Ravi", "payee": {"number": "123", "bankCode": "SIXP"}},
    summary="Save Ravi as a payee",
)


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


async def test_a_bank_that_allows_eight_tries_asks_for_the_mpin_after_five(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    lenient = bank_database.model_copy(update={"mpin_tries": 8})
    room = await open_room(lenient, clock, vault)
    phone = Phone(room)
    await phone.enrol(await a_customer(room))
    await phone.login()
    for _ in range(5):
        with pytest.raises(InvalidCredential):
            await phone.login(secret=os.urandom(32))

    challenge = await asked(room, await phone.as_login())

    assert challenge.allowed == (FactorKind.MPIN,)


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


async def test_twelve_wishes_at_once_leave_three_questions(
    room: Room, phone: Phone
) -> None:
    narrow = room.settings.model_copy(update={"limit_factor": 1})
    phone.room = await open_room(narrow, room.clock, room.vault)
    await phone.login()
    actor = await phone.as_login()

    told = await asyncio.gather(
        *(
            phone.room.step_ups.require(actor, replace(WISH, operation=f"w{number}"))
            for number in range(12)
        ),
        return_exceptions=True,
    )

    kinds = [type(one) for one in told]
    assert (kinds.count(StepUpRequired), kinds.count(RateLimited)) == (3, 9)
    row = await database.read_one(
        "SELECT count(*) AS n FROM challenge WHERE state = 'PENDING' "
        "AND intent_hash IS NOT NULL"
    )
    assert row is not None
    assert row.get("n", int) == 3


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
