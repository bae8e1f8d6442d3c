"""A phone vouches for a new one: asked, answered, refused (auth.md 3.2)."""

import asyncio
import hashlib
import json
from datetime import timedelta

import pytest

from app.auth.actor import DeviceState, FactorKind
from app.auth.applicant import Activation, IdentityMethod
from app.auth.approval import Asking
from app.auth.challenge import ChallengeState, FactorResponse
from app.auth.errors import (
    ChallengeExpired,
    ChallengeFailed,
    EnrolmentExpired,
    InvalidCredential,
)
from app.ids import ChallengeId
from app.realtime import log
from app.realtime.facts import Category, SecurityEvent
from tests.auth.authenticator_app import an_owner
from tests.auth.newcomer import (
    ANYBODY,
    newcomer,
    says_yes,
    states,
    waiting,
)
from tests.auth.passkey_holder import a_holder
from tests.auth.room import Person, Phone, Room, b64u
from tests.auth.test_device_changes import another, cooled, name_of
from tests.auth.test_totp import actions, rows_of


@pytest.fixture
async def old(room: Room, phone: Phone) -> Phone:
    """Give Asha's phone, ACTIVE and signed in."""
    await cooled(room, phone)
    return phone


async def lock_out(phone: Phone, asking: Asking) -> None:
    for wrong in range(3):
        signature, given = phone.answer(asking.challenge, bytes(31) + bytes([wrong]))
        with pytest.raises(InvalidCredential):
            await phone.room.vouching.answer(
                await phone.as_login(), asking.challenge.id, signature, given
            )


async def test_an_older_phone_lets_a_new_one_in(
    room: Room, old: Phone, asha: Person
) -> None:
    new = await newcomer(room, asha)
    code = room.last_code()
    methods = await room.enrolments.verify(ANYBODY, new.enrolment, code)
    assert methods == [IdentityMethod.ACTIVATION_CODE, IdentityMethod.OTHER_DEVICE]

    assert [await new.asks() for _ in range(5)] == [None] * 5

    (asking,) = await waiting(old)
    facts = json.loads(asking.challenge.payload)
    named = hashlib.sha256(str(new.enrolment).encode()).digest()
    assert facts == {
        "v": 1,
        "challengeId": str(asking.challenge.id),
        "enrolmentId": b64u(named),
        "deviceId": str(name_of(old)),
        "phoneModel": "Pixel 9",
        "platform": "ANDROID",
        "network": "198.51.100.9",
        "summary": 'Let a new phone into your bank: "Pixel 9", '
        "asking from 198.51.100.9",
        "expiresAt": "2026-11-22T09:35:00.000Z",
    }
    assert str(new.enrolment) not in asking.challenge.payload
    assert asking.challenge.allowed == (FactorKind.MPIN,)
    shown = asking.challenge.display()
    assert shown.lines == (
        ("phoneModel", "Pixel 9"),
        ("platform", "ANDROID"),
        ("network", "198.51.100.9"),
    )
    signature, response = old.answer(asking.challenge)
    for _ in range(2):  # the first answer was lost
        await room.vouching.answer(
            await old.as_login(), asking.challenge.id, signature, response
        )
    nonce = await new.asks()
    assert nonce is not None
    fresh = await new.asks()
    assert fresh is not None
    with pytest.raises(EnrolmentExpired):
        await new.phone.bind(nonce)
    device = await new.phone.bind(fresh)

    assert device.state is DeviceState.COOLING
    assert device.cooling_until == room.clock.now() + timedelta(hours=24)
    assert await states() == ["CONSUMED"]
    assert await waiting(old) == []
    audited = await actions(asha)
    assert audited.count("challenge.created") == 1
    assert audited.count("enrolment.approved_by_device") == 1
    await old.as_login()
    with pytest.raises(EnrolmentExpired):
        await new.asks()


async def test_the_phones_are_told_at_once_each_its_own_question(
    room: Room, old: Phone, asha: Person
) -> None:
    second = await another(room, asha)
    await cooled(room, old, second)
    before = (await log.head(asha.id)).seq

    await (await newcomer(room, asha)).asks()

    (event,) = await log.read_after(asha.id, before, 10)
    fact = event.fact
    assert isinstance(fact, SecurityEvent)
    assert fact.category is Category.LOGIN_APPROVAL
    assert fact.consumers == ("notifications",)
    assert fact.title == "A new phone asks to be let in."
    assert dict(fact.asked) == {
        str(name_of(phone)): str((await waiting(phone))[0].challenge.id)
        for phone in (old, second)
    }


@pytest.mark.attack("tricked approval of a foreign phone")
async def test_a_no_needs_no_signature_and_ends_the_enrolment_everywhere(
    room: Room, old: Phone, asha: Person
) -> None:
    second = await another(room, asha)
    await cooled(room, old, second)
    new = await newcomer(room, asha)
    await new.asks()
    (asking,) = await waiting(old)
    (other,) = await waiting(second)

    await room.vouching.refuse(await old.as_login(), asking.challenge.id)

    for _ in range(2):
        with pytest.raises(InvalidCredential):
            await new.asks()
    with pytest.raises(ChallengeExpired):
        await says_yes(second, other)
    with pytest.raises(EnrolmentExpired):
        await room.enrolments.prove(
            ANYBODY,
            new.enrolment,
            Activation(customer_number=asha.number, code=asha.code),
        )
    assert await states() == ["CANCELLED", "CANCELLED"]
    assert await rows_of("device") == 2
    assert "challenge.refused" in await actions(asha)
    assert await (await newcomer(room, asha)).asks() is None


async def test_the_first_answer_ends_the_other_questions(
    room: Room, old: Phone, asha: Person
) -> None:
    second = await another(room, asha)
    await cooled(room, old, second)
    new = await newcomer(room, asha)
    await new.asks()
    (asking,), (other,) = await waiting(old), await waiting(second)

    done = await asyncio.gather(
        says_yes(old, asking),
        room.vouching.refuse(await second.as_login(), other.challenge.id),
        return_exceptions=True,
    )

    assert sorted(type(one).__name__ for one in done) == [
        "ChallengeExpired",
        "NoneType",
    ]
    if done[0] is None:
        assert await states() == ["APPROVED", "CANCELLED"]
        assert await new.asks() is not None
    else:
        assert await states() == ["CANCELLED", "CANCELLED"]
    assert await waiting(old) == await waiting(second) == []


@pytest.mark.attack("tricked approval of a foreign phone")
async def test_only_an_older_active_phone_with_a_full_factor_is_asked(
    room: Room, asha: Person
) -> None:
    by_passkey = await a_holder(room, asha)
    room.clock.move(hours=24)
    await by_passkey.login()
    cooling = await another(room, asha)
    room.clock.move(minutes=1)
    new = await newcomer(room, asha)
    code = room.last_code()
    methods = await room.enrolments.verify(ANYBODY, new.enrolment, code)

    for _ in range(3):
        with pytest.raises(InvalidCredential):
            await new.asks()
    with pytest.raises(EnrolmentExpired):
        await new.asks()

    assert methods == [IdentityMethod.ACTIVATION_CODE]
    assert await states() == []
    assert await waiting(cooling) == []


@pytest.mark.attack("tricked approval of a foreign phone")
async def test_neither_a_passkey_nor_a_wrong_pin_nor_another_phone_says_yes(
    room: Room, old: Phone, asha: Person
) -> None:
    second = await another(room, asha)
    await cooled(room, old, second)
    new = await newcomer(room, asha)
    await new.asks()
    (asking,), _ = await waiting(old), await waiting(second)
    signature, right = old.answer(asking.challenge)
    elsewhere = old.sign(old.message(asking.challenge, "sixpence/step-up/v1"))
    answer, actor = room.vouching.answer, await old.as_login()

    passkey = FactorResponse(webauthn={"id": "AA"})
    with pytest.raises(InvalidCredential):
        await answer(actor, asking.challenge.id, signature, passkey)
    with pytest.raises(ChallengeFailed):
        await answer(actor, asking.challenge.id, elsewhere, right)
    with pytest.raises(ChallengeExpired):
        await answer(await second.as_login(), asking.challenge.id, signature, right)
    await lock_out(old, asking)

    assert sorted(await states()) == ["FAILED", "PENDING"]
    assert await new.asks() is None
    (left,) = await waiting(second)
    await room.vouching.refuse(await second.as_login(), left.challenge.id)
    with pytest.raises(InvalidCredential):
        await new.asks()


async def test_a_question_that_failed_on_the_only_phone_ends_the_enrolment(
    room: Room, old: Phone, asha: Person
) -> None:
    new = await newcomer(room, asha)
    await new.asks()
    (asking,) = await waiting(old)
    await lock_out(old, asking)

    with pytest.raises(InvalidCredential):
        await new.asks()

    assert await states() == ["FAILED"]
    with pytest.raises(InvalidCredential):
        await new.asks()


async def test_a_lost_authenticator_is_made_up_for_by_a_phone(
    room: Room, asha: Person
) -> None:
    owner = await an_owner(room, asha)
    new = await newcomer(room, asha)
    await new.asks()

    await says_yes(owner.phone, (await waiting(owner.phone))[0])
    nonce = await new.asks()

    assert nonce is not None
    assert (await new.phone.bind(nonce)).state is DeviceState.COOLING
    assert await rows_of("totp_secret") == 1


async def test_what_was_asked_of_a_phone_is_its_own(
    room: Room, old: Phone, asha: Person
) -> None:
    second = await another(room, asha)
    await cooled(room, old, second)
    await (await newcomer(room, asha)).asks()
    (asking,) = await waiting(old)

    own = await room.challenges.find(await old.as_login(), asking.challenge.id)
    other = await room.challenges.find(await second.as_login(), asking.challenge.id)

    assert own is not None
    assert own.state is ChallengeState.PENDING
    assert other is None


async def test_what_is_no_question_of_this_kind_is_not_refused(
    room: Room, old: Phone
) -> None:
    sign_in = await room.logins.start(await old.as_device())
    actor = await old.as_login()

    for name in (ChallengeId.new(), sign_in.id):
        with pytest.raises(ChallengeExpired):
            await room.vouching.refuse(actor, name)

    found = await room.challenges.find(actor, sign_in.id)
    assert found is not None
    assert found.state is ChallengeState.PENDING
