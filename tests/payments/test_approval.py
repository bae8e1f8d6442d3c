"""What an approval covers: change one byte of it and the payment does not move."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from app import database
from app.auth import jobs, signing
from app.auth.errors import ChallengeExpired, ChallengeFailed, InvalidCredential
from app.auth.signing import Purpose
from app.clock import StoppedClock
from app.errors import ErrorCode, NotAllowed
from app.ids import ChallengeId
from app.payments.draft import PayeeFacts
from app.payments.lifecycle import State, Status
from app.payments.payment import StepDetail
from tests.payments.conftest import nothing_moved, waiting
from tests.payments.town import Town


def _amount(facts: dict[str, Any]) -> None:
    facts["amount"]["minorUnits"] = "100000"


def _currency(facts: dict[str, Any]) -> None:
    facts["amount"]["currency"] = "EUR"


def _address(facts: dict[str, Any]) -> None:
    facts["payee"]["address"] = "50109999999999"


def _name(facts: dict[str, Any]) -> None:
    facts["payee"]["name"] = "Mallory"


def _source(facts: dict[str, Any]) -> None:
    facts["from"] = "acc_00000000000000000000000000000000"


def _device(facts: dict[str, Any]) -> None:
    facts["deviceId"] = "dev_00000000000000000000000000000000"


def _expiry(facts: dict[str, Any]) -> None:
    facts["expiresAt"] = "2026-11-21T10:35:00.000Z"


@pytest.mark.parametrize(
    "change", [_amount, _currency, _address, _name, _source, _device, _expiry]
)
async def test_a_signature_over_other_facts_is_refused(
    town: Town, change: Callable[[dict[str, Any]], None]
) -> None:
    payment, challenge = await waiting(town)
    facts = orjson.loads(challenge.payload)
    change(facts)
    other = signing.challenge_message(
        Purpose.PAYMENT, challenge.nonce, signing.jcs(facts)
    )

    with pytest.raises(ChallengeFailed):
        await town.bank.transfers.approve(
            town.asha.actor, challenge.id, *town.asha.answer_to(other)
        )

    await nothing_moved(town, payment)


@pytest.mark.parametrize("purpose", [Purpose.STEP_UP, Purpose.LOGIN])
async def test_a_signature_for_another_purpose_is_refused(
    town: Town, purpose: Purpose
) -> None:
    payment, challenge = await waiting(town)
    other = signing.challenge_message(purpose, challenge.nonce, challenge.payload)

    with pytest.raises(ChallengeFailed):
        await town.bank.transfers.approve(
            town.asha.actor, challenge.id, *town.asha.answer_to(other)
        )

    await nothing_moved(town, payment)


async def test_another_device_neither_signs_nor_answers(town: Town) -> None:
    payment, challenge = await waiting(town)
    second = await town.bank.a_phone(payment.customer)

    with pytest.raises(ChallengeFailed):
        await town.bank.transfers.approve(
            town.asha.actor, challenge.id, *second.answer(challenge)
        )
    with pytest.raises(ChallengeExpired):
        await town.bank.transfers.approve(
            second.actor, challenge.id, *second.answer(challenge)
        )
    with pytest.raises(ChallengeExpired):
        await town.bank.transfers.approve(
            town.ben.actor, challenge.id, *town.ben.answer(challenge)
        )

    await nothing_moved(town, payment)


async def test_the_answer_of_one_payment_does_not_approve_another(town: Town) -> None:
    _first, theirs = await waiting(town)
    second, challenge = await waiting(town)

    with pytest.raises(ChallengeFailed):
        await town.bank.transfers.approve(
            town.asha.actor, challenge.id, *town.asha.answer(theirs)
        )

    await nothing_moved(town, second)


async def test_an_unknown_or_foreign_kind_of_challenge_approves_no_payment(
    town: Town,
) -> None:
    payment, challenge = await waiting(town)
    answer = town.asha.answer(challenge)

    with pytest.raises(ChallengeExpired):
        await town.bank.transfers.approve(town.asha.actor, ChallengeId.new(), *answer)
    step_up = await database.read_one(
        "SELECT id FROM challenge WHERE purpose = 'step-up'"
    )
    assert step_up is not None
    with pytest.raises(ChallengeExpired):
        await town.bank.transfers.approve(
            town.asha.actor, step_up.get("id", ChallengeId), *answer
        )

    await nothing_moved(town, payment)


async def test_another_answer_to_a_used_challenge_is_refused(town: Town) -> None:
    _payment, challenge = await waiting(town)
    await town.bank.transfers.approve(
        town.asha.actor, challenge.id, *town.asha.answer(challenge)
    )

    with pytest.raises(ChallengeExpired):  # ECDSA signs with chance: other bytes
        await town.bank.transfers.approve(
            town.asha.actor, challenge.id, *town.asha.answer(challenge)
        )

    assert await town.bank.available(town.current) == 90_000
    assert len(town.bank.line.sent) == 1


async def test_a_lost_reply_to_an_approval_is_answered_as_the_payment_is_now(
    town: Town,
) -> None:
    payment, challenge = await waiting(town)
    answer = town.asha.answer(challenge)
    first = await town.bank.transfers.approve(town.asha.actor, challenge.id, *answer)

    town.bank.clock.move(hours=2)
    again = await town.bank.transfers.approve(town.asha.actor, challenge.id, *answer)

    assert again == first
    assert again.id == payment.id
    assert again.failed_answers == 0
    assert await town.bank.available(town.current) == 90_000


# ------------------------------------------------------------------ wrong answers


async def test_three_wrong_answers_end_the_payment_also_over_renewals(
    town: Town,
) -> None:
    payment, challenge = await waiting(town)
    for tries in (1, 2):
        with pytest.raises(InvalidCredential):
            await town.bank.transfers.approve(
                town.asha.actor, challenge.id, *town.asha.with_wrong_pin(challenge)
            )
        assert (await town.bank.now(payment.id)).failed_answers == tries
        await nothing_moved(town, payment)
        renewed = await town.bank.transfers.renew(town.asha.actor, str(payment.id))
        challenge = await town.bank.challenge(town.asha, renewed)

    with pytest.raises(InvalidCredential):
        await town.bank.transfers.approve(
            town.asha.actor, challenge.id, *town.asha.with_wrong_pin(challenge)
        )

    ended = await town.bank.now(payment.id)
    assert (ended.status, ended.reason) == (
        Status.DECLINED,
        ErrorCode.CHALLENGE_FAILED,
    )
    with pytest.raises(ChallengeExpired):
        await town.bank.transfers.approve(
            town.asha.actor, challenge.id, *town.asha.answer(challenge)
        )
    with pytest.raises(NotAllowed):
        await town.bank.transfers.renew(town.asha.actor, str(payment.id))
    assert await town.bank.available(town.current) == 100_000
    steps = (await town.bank.transfers.timelines([payment.id]))[payment.id]
    assert steps[-1].detail is StepDetail.TOO_MANY_ANSWERS


async def test_three_signatures_over_something_else_end_the_payment(
    town: Town,
) -> None:
    payment, challenge = await waiting(town)
    for _ in range(3):
        with pytest.raises(ChallengeFailed):
            await town.bank.transfers.approve(
                town.asha.actor, challenge.id, *town.ben.answer(challenge)
            )

    assert (await town.bank.now(payment.id)).state is State.DECLINED


async def test_the_same_wrong_answer_sent_again_counts_once(town: Town) -> None:
    payment, challenge = await waiting(town)
    wrong = town.asha.with_wrong_pin(challenge)

    for _ in range(4):
        with pytest.raises(InvalidCredential):
            await town.bank.transfers.approve(town.asha.actor, challenge.id, *wrong)

    assert (await town.bank.now(payment.id)).failed_answers == 1
    paid = await town.bank.transfers.approve(
        town.asha.actor, challenge.id, *town.asha.answer(challenge)
    )
    assert paid.status is Status.SETTLED


async def test_many_wrong_answers_at_once_never_count_past_three(town: Town) -> None:
    payment, challenge = await waiting(town)

    answers = await asyncio.gather(
        *(
            town.bank.transfers.approve(
                town.asha.actor, challenge.id, *town.ben.answer(challenge)
            )
            for _ in range(20)
        ),
        return_exceptions=True,
    )

    assert {type(answer) for answer in answers} <= {ChallengeFailed, ChallengeExpired}
    ended = await town.bank.now(payment.id)
    assert (ended.state, ended.failed_answers) == (State.DECLINED, 3)


async def test_the_evidence_of_an_approval_verifies_offline_years_later(
    town: Town, clock: StoppedClock
) -> None:
    _payment, challenge = await waiting(town)
    await town.bank.transfers.approve(
        town.asha.actor, challenge.id, *town.asha.answer(challenge)
    )
    clock.move(days=1000)
    await jobs.sweep(clock)

    row = await database.read_one(
        "SELECT evidence FROM challenge WHERE id = $1", challenge.id
    )

    assert row is not None
    kept = orjson.loads(row.get("evidence", str))
    message = signing.challenge_message(
        Purpose.PAYMENT, signing.unb64u(kept["nonce"]), kept["payload"]
    )
    signature = signing.unb64u(kept["deviceSignature"])
    assert signing.is_signed(town.asha.key.public_key(), signature, message)


def test_neither_name_nor_address_shows_in_the_repr_of_a_payee() -> None:
    facts = PayeeFacts(
        address="50100000000001", bank_code=None, name="Ben Okafor", scheme="INTERNAL"
    )

    assert not any(word in repr(facts) for word in (facts.address, facts.name))
