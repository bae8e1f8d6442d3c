"""A phone vouches for a new one: too late, taken back, not to be had (auth.md 3.2)."""

import asyncio
from datetime import timedelta

import pytest

from app.auth.applicant import Activation
from app.auth.errors import (
    ChallengeExpired,
    EnrolmentExpired,
    InvalidCredential,
)
from app.errors import RateLimited
from tests.auth.newcomer import (
    ANYBODY,
    newcomer,
    says_yes,
    states,
    tries,
    waiting,
)
from tests.auth.room import STAFF, Person, Phone, Room, a_customer
from tests.auth.test_device_changes import another, cooled, lock, revoke
from tests.auth.test_sessions import change
from tests.auth.test_totp import rows_of


@pytest.fixture
async def old(room: Room, phone: Phone) -> Phone:
    """Give Asha's phone, ACTIVE and signed in."""
    await cooled(room, phone)
    return phone


@pytest.mark.attack("tricked approval of a foreign phone")
async def test_a_second_new_phone_is_not_asked_for_while_one_waits(
    room: Room, old: Phone, asha: Person
) -> None:
    first, second = await newcomer(room, asha), await newcomer(room, asha)
    await first.asks()
    (asking,) = await waiting(old)
    room.clock.move(seconds=100)

    for _ in range(4):
        with pytest.raises(RateLimited) as no:
            await second.asks()
        assert no.value.retry_after_s == 200

    assert [one.challenge.id for one in await waiting(old)] == [asking.challenge.id]
    assert await tries(second) == 0
    room.clock.move(seconds=200)
    assert await second.asks() is None
    (later,) = await waiting(old)
    assert later.challenge.id != asking.challenge.id


async def test_what_nobody_answered_may_be_asked_again_as_a_further_try(
    room: Room, old: Phone, asha: Person
) -> None:
    new = await newcomer(room, asha)
    await new.asks()
    (late,) = await waiting(old)
    room.clock.move(seconds=300)
    await old.login()
    assert await waiting(old) == []

    with pytest.raises(ChallengeExpired):
        await says_yes(old, late)
    assert await new.asks() is None

    assert await tries(new) == 2
    (asking,) = await waiting(old)
    assert asking.challenge.expires_at - room.clock.now() == timedelta(seconds=300)
    await says_yes(old, asking)
    assert await new.asks() is not None


async def test_a_question_ends_with_the_enrolment(
    room: Room, old: Phone, asha: Person
) -> None:
    new = await newcomer(room, asha)
    room.clock.move(seconds=400)

    await new.asks()

    (asking,) = await waiting(old)
    assert asking.challenge.expires_at - room.clock.now() == timedelta(seconds=200)


async def test_a_word_of_a_phone_that_is_removed_meanwhile_binds_nothing(
    room: Room, old: Phone, asha: Person
) -> None:
    third = await another(room, asha)
    await cooled(room, old, third)
    new = await newcomer(room, asha)
    await new.asks()
    await says_yes(old, (await waiting(old))[0])
    nonce = await new.asks()
    assert nonce is not None

    await revoke(room, third, old)

    with pytest.raises(EnrolmentExpired):
        await new.phone.bind(nonce)
    with pytest.raises(InvalidCredential):
        await new.asks()
    assert await rows_of("device") == 2


async def test_a_suspended_phone_is_asked_no_more(
    room: Room, old: Phone, asha: Person
) -> None:
    third = await another(room, asha)
    await cooled(room, old, third)
    new = await newcomer(room, asha)
    await new.asks()

    await lock(room, third, old)

    assert await waiting(old) == []
    assert len(await waiting(third)) == 1
    await says_yes(third, (await waiting(third))[0])
    await (new.phone).bind(await new.asks() or b"")


async def test_another_proof_takes_the_question_back(
    room: Room, old: Phone, asha: Person
) -> None:
    code = await room.customers.code(STAFF, asha.number)
    new = await newcomer(room, asha)
    await new.asks()
    (asking,) = await waiting(old)

    printed = Activation(customer_number=asha.number, code=code)
    proven = await room.enrolments.prove(ANYBODY, new.enrolment, printed)

    assert await waiting(old) == []
    with pytest.raises(ChallengeExpired):
        await says_yes(old, asking)
    await new.phone.bind(proven.binding_nonce)
    assert await states() == ["CANCELLED"]


async def test_a_question_after_another_proof_takes_its_nonce_back(
    room: Room, old: Phone, asha: Person
) -> None:
    code = await room.customers.code(STAFF, asha.number)
    new = await newcomer(room, asha)
    printed = Activation(customer_number=asha.number, code=code)
    proven = await room.enrolments.prove(ANYBODY, new.enrolment, printed)

    assert await new.asks() is None

    with pytest.raises(EnrolmentExpired):
        await new.phone.bind(proven.binding_nonce)
    assert len(await waiting(old)) == 1


async def test_wrong_numbers_ask_nobody_and_are_counted(
    room: Room, old: Phone, asha: Person
) -> None:
    await a_customer(room, number="100000002", phone="+919876500000", name="Ben")
    new = await newcomer(room, asha)

    for number in ("999999999", "100000002"):
        with pytest.raises(InvalidCredential):
            await new.asks(number)
    assert await new.asks() is None

    assert len(await waiting(old)) == 1
    assert await tries(new) == 3
    with pytest.raises(EnrolmentExpired):
        await new.asks("999999999")


@pytest.mark.parametrize(
    "status", ["LOCKED_BY_CUSTOMER", "HARD_LOCKED", "BLOCKED_BY_STAFF"]
)
async def test_a_phone_ends_no_lock_of_its_customer(
    room: Room, old: Phone, asha: Person, status: str
) -> None:
    await change("UPDATE customer SET status = $1 RETURNING id", status)
    new = await newcomer(room, asha)

    with pytest.raises(InvalidCredential):
        await new.asks()

    assert await waiting(old) == []


async def test_twelve_questions_at_once_are_one(
    room: Room, old: Phone, asha: Person
) -> None:
    new = await newcomer(room, asha)

    ends = await asyncio.gather(
        *(new.asks() for _ in range(12)), return_exceptions=True
    )

    assert len(await waiting(old)) == 1
    assert ends.count(None) >= 1
    assert {type(one) for one in ends} <= {type(None), EnrolmentExpired}
    assert await new.asks() is None
