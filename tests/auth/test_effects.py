"""A right answer and what it allows: one transaction, which gives the try back too."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app import database
from app.auth.challenge import Answer
from app.auth.errors import AnsweredByTwin, ChallengeExpired, CredentialLocked
from app.errors import Conflict, Outage
from tests.auth.passkey_holder import Holder
from tests.auth.room import Phone, Room
from tests.auth.test_challenges import payment_challenge
from tests.auth.test_login import count, failed_of
from tests.auth.test_sessions import change
from tests.auth.test_step_up import state_of
from tests.auth.wiring import open_room

Effect = Callable[[Answer], Awaitable[None]]


def consuming(room: Room, failure: Exception | None = None) -> Effect:
    """Give an effect that consumes its answer, and fails after that where told to."""

    async def effect(answer: Answer) -> None:
        async def work(tx: database.Tx) -> None:
            await room.challenges.consume(tx, answer)
            if failure is not None:
                raise failure

        await database.transaction(work, name="test.effect")

    return effect


async def charged() -> tuple[int, int]:
    """Count the tries that are charged now: to challenges, and to phones."""
    return (
        await count("SELECT attempts AS n FROM challenge WHERE purpose = 'payment'"),
        await count("SELECT failed AS n FROM device"),
    )


async def test_a_right_answer_and_its_effect_are_one_transaction_after_the_charge(
    room: Room, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    await phone.login()
    actor, challenge = await phone.as_login(), await payment_challenge(room, phone)
    names: list[str] = []
    real = database.transaction

    async def noted(work: Any, *, name: str, attempts: int = 5) -> Any:
        names.append(name)
        return await real(work, name=name, attempts=attempts)

    monkeypatch.setattr(database, "transaction", noted)
    answer = await room.challenges.verify(
        actor, challenge.id, *phone.answer(challenge), effect=consuming(room)
    )

    assert names == ["auth.charge", "test.effect"]
    assert await state_of(challenge) == "CONSUMED"
    assert (await charged(), await failed_of(phone)) == ((0, 0), 0)
    kept = await database.read_one(
        "SELECT evidence FROM challenge WHERE id = $1", challenge.id
    )
    assert kept is not None
    assert kept.get("evidence", str) == answer.evidence


@pytest.mark.parametrize("failure", [Conflict(), Outage("away", component="ACCOUNTS")])
async def test_an_effect_that_fails_costs_no_try_and_may_be_asked_for_again(
    room: Room, phone: Phone, failure: Exception
) -> None:
    await phone.login()
    actor, challenge = await phone.as_login(), await payment_challenge(room, phone)
    given = phone.answer(challenge)

    for _ in range(6):  # more often than there are tries
        with pytest.raises(type(failure)):
            await room.challenges.verify(
                actor, challenge.id, *given, effect=consuming(room, failure)
            )
    assert await state_of(challenge) == "PENDING"
    assert (await charged(), await failed_of(phone)) == ((0, 0), 0)

    await room.challenges.verify(actor, challenge.id, *given, effect=consuming(room))
    again = await room.challenges.verify(
        actor, challenge.id, *given, effect=consuming(room, AssertionError())
    )
    assert again.repeated
    assert await state_of(challenge) == "CONSUMED"


async def test_an_answer_whose_secret_was_erased_meanwhile_has_no_effect(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    actor, challenge = await phone.as_login(), await payment_challenge(room, phone)
    consumes = consuming(room)

    async def late(answer: Answer) -> None:
        await change("UPDATE mpin_secret SET state = 'LOCKED', sealed = NULL")
        await consumes(answer)

    with pytest.raises(CredentialLocked):
        await room.challenges.verify(
            actor, challenge.id, *phone.answer(challenge), effect=late
        )

    assert await state_of(challenge) == "PENDING"
    assert (
        await count(
            "SELECT count(evidence) AS n FROM challenge WHERE purpose = 'payment'"
        )
        == 0
    )


async def test_a_process_that_looked_before_its_twin_was_done_finds_what_it_made(
    room: Room, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    await phone.login()
    actor, challenge = await phone.as_login(), await payment_challenge(room, phone)
    given = phone.answer(challenge)
    other = await open_room(room.settings, room.clock, room.vault)
    answers = other.challenges._answers  # noqa: SLF001  -- the race of two processes
    real = answers._find  # noqa: SLF001  -- same
    looked = [await real(actor.known_device, challenge.id, None)]

    async def find(*which: Any) -> Any:
        return looked.pop() if looked else await real(*which)

    monkeypatch.setattr(answers, "_find", find)
    await room.challenges.verify(actor, challenge.id, *given, effect=consuming(room))
    twin = await other.challenges.verify(
        actor, challenge.id, *given, effect=consuming(other, AssertionError())
    )

    assert twin.repeated
    assert await charged() == (0, 0)


async def test_another_answer_than_the_one_that_was_consumed_is_too_late(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    actor, challenge = await phone.as_login(), await payment_challenge(room, phone)
    first, second = phone.answer(challenge), phone.answer(challenge)
    await room.challenges.verify(actor, challenge.id, *first, effect=consuming(room))

    with pytest.raises(ChallengeExpired):
        await room.challenges.verify(
            actor, challenge.id, *second, effect=consuming(room, AssertionError())
        )

    assert await charged() == (0, 0)


# ------------------------------------------------------- nobody waits any more


async def test_a_caller_who_left_pays_no_try(room: Room, phone: Phone) -> None:
    await phone.login()
    actor, challenge = await phone.as_login(), await payment_challenge(room, phone)
    within, may_go_on = asyncio.Event(), asyncio.Event()

    async def effect(answer: Answer) -> None:
        async def work(tx: database.Tx) -> None:
            await room.challenges.consume(tx, answer)
            within.set()
            await may_go_on.wait()
            raise Conflict

        await database.transaction(work, name="test.effect")

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(
            room.challenges.verify(
                actor, challenge.id, *phone.answer(challenge), effect=effect
            )
        )
        await within.wait()
        asking.cancel()
    may_go_on.set()

    async with asyncio.timeout(5):
        while await charged() != (0, 0):
            await asyncio.sleep(0.01)
    assert (asking.cancelled(), await failed_of(phone)) == (True, 0)
    assert await state_of(challenge) == "PENDING"


async def test_a_lost_answer_of_the_commit_takes_no_passkey_for_a_copy(
    room: Room, holder: Holder
) -> None:
    await holder.login()
    actor = await holder.phone.as_login()
    challenge = await payment_challenge(room, holder.phone)
    consumes = consuming(room)

    async def effect(answer: Answer) -> None:
        await consumes(answer)
        raise Outage("DATABASE_UNSURE", component="ACCOUNTS")

    with pytest.raises(Outage):
        await room.challenges.verify(
            actor, challenge.id, *holder.answer(challenge), effect=effect
        )

    assert await state_of(challenge) == "CONSUMED"
    assert await states_of_passkeys() == ["ACTIVE"]
    assert await charged() == (0, 0)


async def test_a_twin_in_another_process_takes_no_passkey_for_a_copy(
    room: Room, holder: Holder
) -> None:
    await holder.login()
    actor = await holder.phone.as_login()
    challenge = await payment_challenge(room, holder.phone)
    other = await open_room(room.settings, room.clock, room.vault)
    given, consumes = holder.answer(challenge), consuming(room)

    async def slow(answer: Answer) -> None:
        room.clock.move(seconds=3)  # longer than a phone's turn
        await other.challenges.verify(
            actor, challenge.id, *given, effect=consuming(other)
        )
        await consumes(answer)

    with pytest.raises(AnsweredByTwin):
        await room.challenges.verify(actor, challenge.id, *given, effect=slow)

    assert await state_of(challenge) == "CONSUMED"
    assert await states_of_passkeys() == ["ACTIVE"]


async def states_of_passkeys() -> list[str]:
    """Give the state of every passkey."""
    rows = await database.read("SELECT state FROM passkey")
    return [row.get("state", str) for row in rows]
