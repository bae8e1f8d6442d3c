"""Two processes judge the answers of one phone: one at a time, none lost."""

import asyncio
import os
from collections.abc import Sequence

import pytest

from app import database
from app.auth.answers import Answers
from app.auth.challenge import Challenge, FactorResponse
from app.auth.errors import ChallengeExpired, CredentialLocked, InvalidCredential
from app.errors import RateLimited
from tests.auth.passkey_holder import Holder
from tests.auth.room import Phone, Room
from tests.auth.test_login import count, failed_of, sessions_made
from tests.auth.test_sessions import change
from tests.auth.wiring import open_room


@pytest.fixture
async def processes(room: Room) -> Sequence[Room]:
    """Give two rooms on one database: nothing in memory is shared."""
    return room, await open_room(room.settings, room.clock, room.vault)


async def test_identical_answers_in_two_processes_make_one_session(
    room: Room, phone: Phone, processes: Sequence[Room]
) -> None:
    challenge = await room.logins.start(await phone.as_device())
    signature, response = phone.answer(challenge)
    actor = await phone.as_device()

    signed_in = await asyncio.gather(
        *(
            one.logins.finish(actor, challenge.id, signature, response)
            for one in [*processes] * 8
        )
    )

    assert len({one.actor.session for one in signed_in}) == 1
    assert await sessions_made() == 1
    assert await failed_of(phone) == 0
    assert await count("SELECT failed AS n FROM device") == 0


async def test_right_answers_to_many_challenges_do_not_use_up_the_tries(
    room: Room, phone: Phone, processes: Sequence[Room]
) -> None:
    asked: list[tuple[Room, Challenge, tuple[str, FactorResponse]]] = []
    for one in [*processes] * 6:
        challenge = await room.logins.start(await phone.as_device())
        asked.append((one, challenge, phone.answer(challenge)))
    actor = await phone.as_device()

    signed_in = await asyncio.gather(
        *(
            one.logins.finish(actor, challenge.id, *answer)
            for one, challenge, answer in asked
        )
    )

    assert len({one.actor.session for one in signed_in}) == 12
    assert await failed_of(phone) == 0


async def test_identical_assertions_in_two_processes_move_the_counter_once(
    room: Room, holder: Holder, processes: Sequence[Room]
) -> None:
    challenge = await room.logins.start(await holder.phone.as_device())
    signature, response = holder.answer(challenge)
    actor = await holder.phone.as_device()

    signed_in = await asyncio.gather(
        *(
            one.logins.finish(actor, challenge.id, signature, response)
            for one in [*processes] * 8
        )
    )

    assert len({one.actor.session for one in signed_in}) == 1
    row = await database.read_one("SELECT state, sign_count, failed FROM passkey")
    assert row is not None
    assert (row.get("state", str), row.get("sign_count", int)) == ("ACTIVE", 11)
    assert row.get("failed", int) == 0


async def test_guesses_in_two_processes_get_five_comparisons(
    room: Room, phone: Phone, processes: Sequence[Room]
) -> None:
    asked = []
    for one in [*processes] * 10:
        challenge = await room.logins.start(await phone.as_device())
        asked.append((one, challenge.id, phone.answer(challenge, os.urandom(32))))
    actor = await phone.as_device()

    outcomes = await asyncio.gather(
        *(one.logins.finish(actor, name, *answer) for one, name, answer in asked),
        return_exceptions=True,
    )

    kinds = [type(one) for one in outcomes]
    assert kinds.count(InvalidCredential) == 4
    assert kinds.count(CredentialLocked) == 16
    assert await sessions_made() == 0


async def test_a_turn_nobody_ends_asks_the_phone_to_come_again(
    room: Room, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.auth.answers._WAIT_S", 0.0)
    challenge = await room.logins.start(await phone.as_device())
    signature, response = phone.answer(challenge)
    until = room.clock.now()
    await change("UPDATE device SET answering_until = $1", until)
    room.clock.move(seconds=-1)

    with pytest.raises(RateLimited) as refused:
        await room.logins.finish(
            await phone.as_device(), challenge.id, signature, response
        )

    assert refused.value.retry_after_s == 2
    assert await failed_of(phone) == 0
    row = await database.read_one("SELECT attempts FROM challenge")
    assert row is not None
    assert row.get("attempts", int) == 0
    room.clock.move(seconds=1)
    await phone.login()


async def test_a_challenge_cancelled_while_it_is_judged_keeps_the_tries(
    room: Room, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner may cancel between charge and refund; the person was right."""
    challenge = await room.logins.start(await holder.phone.as_device())
    signature, response = holder.answer(challenge)
    charged = Answers._charged  # noqa: SLF001  -- the moment in between

    async def cancelled(answers: Answers, *rest: object) -> object:
        found = await charged(answers, *rest)  # type: ignore[arg-type]  # as given
        await change("UPDATE challenge SET state = 'CANCELLED'")
        return found

    monkeypatch.setattr(Answers, "_charged", cancelled)
    with pytest.raises(ChallengeExpired):
        await room.logins.finish(
            await holder.phone.as_device(), challenge.id, signature, response
        )

    assert await count("SELECT failed AS n FROM passkey") == 0
    assert await count("SELECT failed AS n FROM device") == 0
    assert await count("SELECT count(*) AS n FROM challenge WHERE evidence <> ''") == 0


async def test_an_answer_whose_effect_never_came_gives_way_to_a_newer_right_one(
    room: Room, phone: Phone
) -> None:
    challenge = await room.logins.start(await phone.as_device())
    actor = await phone.as_device()
    await room.challenges.verify(actor, challenge.id, *phone.answer(challenge))
    # The process is killed here: the answer is judged, and nobody consumes it.

    signed_in = await room.logins.finish(actor, challenge.id, *phone.answer(challenge))

    assert signed_in.actor.session is not None
    assert await sessions_made() == 1
    assert await failed_of(phone) == 0
