"""A sign-in that asks for the authenticator's code besides (auth.md 3.4)."""

import asyncio
from typing import Any

import pytest

from app import database
from app.auth.actor import FactorKind
from app.auth.challenge import Challenge, FactorResponse
from app.auth.errors import ChallengeExpired, CredentialLocked, InvalidCredential
from app.auth.login import SignedIn
from app.auth.totp_step import TotpAsked
from app.clock import StoppedClock
from app.settings import Settings
from app.vault import Vault
from tests.auth.authenticator_app import Owner, an_owner
from tests.auth.room import Person, Phone, Room, a_customer
from tests.auth.test_login import sessions_made
from tests.auth.wiring import open_room


@pytest.fixture
async def room(bank_database: Settings, clock: StoppedClock, vault: Vault) -> Room:
    """Give a bank that always asks, after its customer signed in to enrol."""
    changed: dict[str, Any] = {"activation_reusable": False, "totp_at_login": "ALWAYS"}
    return await open_room(bank_database.model_copy(update=changed), clock, vault)


@pytest.fixture
async def owner(room: Room, asha: Person) -> Owner:
    found = await an_owner(room, asha)
    room.clock.move(seconds=60)
    return found


async def person_proven(phone: Phone) -> tuple[Challenge, tuple[str, FactorResponse]]:
    """Answer with the mPIN; gives the challenge that asks for more, and the answer."""
    room = phone.room
    challenge = await room.logins.start(await phone.as_device())
    answer = phone.answer(challenge)
    with pytest.raises(TotpAsked) as asked:
        await room.logins.finish(await phone.as_device(), challenge.id, *answer)
    assert asked.value.challenge.id == challenge.id
    return asked.value.challenge, answer


async def with_code(phone: Phone, challenge: Challenge, code: str) -> SignedIn:
    return await phone.room.logins.finish(
        await phone.as_device(),
        challenge.id,
        phone.sign(phone.message(challenge)),
        FactorResponse(totp=code),
    )


async def test_the_person_first_then_the_code(room: Room, owner: Owner) -> None:
    before = await sessions_made()

    challenge, _ = await person_proven(owner.phone)

    assert challenge.allowed == (FactorKind.TOTP,)
    assert challenge.attempts_left == 3
    assert await sessions_made() == before
    done = await with_code(owner.phone, challenge, owner.app.code())
    assert done.tokens.access_token
    assert await sessions_made() == before + 1
    row = await database.read_one("SELECT amr FROM session WHERE ended_at IS NULL")
    assert row is not None
    assert row.get("amr", str) == "mpin+totp"


async def test_identical_answers_give_the_same_result_at_both_steps(
    room: Room, owner: Owner
) -> None:
    challenge, answer = await person_proven(owner.phone)
    actor = await owner.phone.as_device()
    for _ in range(2):
        with pytest.raises(TotpAsked) as asked:
            await room.logins.finish(actor, challenge.id, *answer)
        assert asked.value.challenge == challenge
    signature = owner.phone.sign(owner.phone.message(challenge))
    code = FactorResponse(totp=owner.app.code())

    done = await asyncio.gather(
        *(room.logins.finish(actor, challenge.id, signature, code) for _ in range(5))
    )

    assert len({one.actor.session for one in done}) == 1
    with pytest.raises(ChallengeExpired):
        await room.logins.finish(actor, challenge.id, *answer)


async def test_ten_identical_person_answers_at_once_ask_once(
    room: Room, owner: Owner
) -> None:
    challenge = await room.logins.start(await owner.phone.as_device())
    answer = owner.phone.answer(challenge)
    actor = await owner.phone.as_device()
    before = await sessions_made()

    done = await asyncio.gather(
        *(room.logins.finish(actor, challenge.id, *answer) for _ in range(10)),
        return_exceptions=True,
    )

    assert {type(one) for one in done} == {TotpAsked}
    assert await sessions_made() == before


async def test_a_code_signs_in_once(room: Room, owner: Owner) -> None:
    code = owner.app.code()
    first, _ = await person_proven(owner.phone)
    await with_code(owner.phone, first, code)
    before = await sessions_made()
    second, _ = await person_proven(owner.phone)

    with pytest.raises(InvalidCredential):
        await with_code(owner.phone, second, code)

    assert await sessions_made() == before


async def test_the_code_alone_and_the_pin_alone_sign_nobody_in(
    room: Room, owner: Owner
) -> None:
    before = await sessions_made()
    challenge = await room.logins.start(await owner.phone.as_device())
    assert FactorKind.TOTP not in challenge.allowed

    with pytest.raises(InvalidCredential):
        await with_code(owner.phone, challenge, owner.app.code())
    asked, _ = await person_proven(owner.phone)
    signature, response = owner.phone.answer(asked, b"x" * 32)
    with pytest.raises(InvalidCredential):
        await room.logins.finish(
            await owner.phone.as_device(), asked.id, signature, response
        )

    assert await sessions_made() == before


async def test_five_wrong_codes_pause_it_and_leave_the_pin_alone(
    room: Room, owner: Owner
) -> None:
    left: list[int | None] = []
    for _ in range(2):
        challenge, _ = await person_proven(owner.phone)
        for _ in range(3):
            with pytest.raises((InvalidCredential, CredentialLocked)) as no:
                await with_code(owner.phone, challenge, owner.app.wrong())
            left.append(no.value.attempts_left)  # type: ignore[attr-defined]  # both have it
            room.clock.move(seconds=1)

    assert left[0] == 4
    assert left[-1] == 0
    row = await database.read_one("SELECT failed FROM mpin_secret")
    assert row is not None
    assert row.get("failed", int) == 0
    challenge, _ = await person_proven(owner.phone)
    with pytest.raises(CredentialLocked):
        await with_code(owner.phone, challenge, owner.app.code())


async def test_the_same_wrong_code_again_is_refused_and_not_counted(
    room: Room, owner: Owner
) -> None:
    failed = "SELECT failed FROM totp_secret"
    counts, repeated = [], []
    last: Exception | None = None
    for _ in range(2):
        challenge, _ = await person_proven(owner.phone)
        for _ in range(3):
            wrong = FactorResponse(totp=owner.app.wrong())
            signature = owner.phone.sign(owner.phone.message(challenge))
            for _ in range(2):
                with pytest.raises((InvalidCredential, CredentialLocked)) as no:
                    await room.logins.finish(
                        await owner.phone.as_device(), challenge.id, signature, wrong
                    )
                last = no.value
                repeated.append(getattr(last, "repeated", None))
            row = await database.read_one(failed)
            assert row is not None
            counts.append(row.get("failed", int))
            room.clock.move(seconds=1)
            if counts[-1] == 5:
                break

    assert counts == [1, 2, 3, 4, 5]
    assert repeated[:8] == [False, True] * 4
    assert isinstance(last, CredentialLocked)


async def test_who_has_no_authenticator_is_not_asked(room: Room) -> None:
    ben = await a_customer(room, number="100000002", phone="+4915112345678")
    phone = Phone(room)
    await phone.enrol(ben)

    done = await phone.login()

    assert done.tokens.access_token


async def under(room: Room, owner: Owner, policy: str) -> None:
    """Open the same bank again with another policy."""
    changed = room.settings.model_copy(update={"totp_at_login": policy})
    owner.phone.room = await open_room(changed, room.clock, room.vault)


async def test_never_asks_nobody(room: Room, owner: Owner) -> None:
    await under(room, owner, "NEVER")

    assert (await owner.phone.login()).tokens.access_token


async def test_cooling_asks_on_phones_that_cool_and_on_no_other(
    room: Room, owner: Owner
) -> None:
    await under(room, owner, "COOLING")
    assert (await owner.phone.login()).tokens.access_token

    await database.transaction(_cool, name="test.cool")

    await person_proven(owner.phone)


async def _cool(tx: database.Tx) -> None:
    await tx.rows(
        "UPDATE device SET state = 'COOLING', cooling_until = '2027-01-01 00:00:00+00' "
        "RETURNING id"
    )
