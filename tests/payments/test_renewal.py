"""Time to sign runs out; a waiting payment gets a new challenge as often as it asks."""

import asyncio
from collections.abc import Mapping

import orjson
import pytest

from app import database
from app.auth.challenge import ChallengeState
from app.auth.errors import ChallengeExpired
from app.errors import NotAllowed, NotFound
from app.ids import ChallengeId, PaymentId
from app.payments.lifecycle import Status
from tests.payments.conftest import nothing_moved, waiting
from tests.payments.town import Town


async def test_after_300_seconds_a_new_challenge_is_minted_and_passes(
    town: Town,
) -> None:
    payment, old = await waiting(town)
    town.bank.clock.move(seconds=300)
    with pytest.raises(ChallengeExpired):
        await town.bank.transfers.approve(
            town.asha.actor, old.id, *town.asha.answer(old)
        )
    await nothing_moved(town, payment)

    renewed = await town.bank.transfers.renew(town.asha.actor, str(payment.id))
    challenge = await town.bank.challenge(town.asha, renewed)
    paid = await town.bank.transfers.approve(
        town.asha.actor, challenge.id, *town.asha.answer(challenge)
    )

    assert challenge.id != old.id
    assert _but_for_time(challenge.payload) == _but_for_time(old.payload)
    assert paid.status is Status.SETTLED


def _but_for_time(payload: str) -> Mapping[str, object]:
    facts = orjson.loads(payload)
    return {
        name: value
        for name, value in facts.items()
        if name not in {"challengeId", "expiresAt"}
    }


async def test_a_renewed_challenge_replaces_the_one_before_and_binds_the_asking_device(
    town: Town,
) -> None:
    payment, old = await waiting(town)
    second = await town.bank.a_phone(payment.customer)

    renewed = await town.bank.transfers.renew(second.actor, str(payment.id))

    with pytest.raises(ChallengeExpired):
        await town.bank.transfers.approve(
            town.asha.actor, old.id, *town.asha.answer(old)
        )
    stored = await town.bank.challenges.find(town.asha.actor, old.id)
    assert stored is not None
    assert stored.state is ChallengeState.CANCELLED
    challenge = await town.bank.challenge(second, renewed)
    paid = await town.bank.transfers.approve(
        second.actor, challenge.id, *second.answer(challenge)
    )
    assert (paid.status, paid.device) == (Status.SETTLED, second.actor.device)


async def test_two_phones_renewing_at_once_leave_exactly_one_open_challenge(
    town: Town,
) -> None:
    payment, _old = await waiting(town)
    second = await town.bank.a_phone(payment.customer)

    await asyncio.gather(
        *(
            town.bank.transfers.renew(phone.actor, str(payment.id))
            for phone in (town.asha, second) * 5
        )
    )

    now = await town.bank.now(payment.id)
    rows = await database.read(
        "SELECT id FROM challenge WHERE subject = $1 AND state = 'PENDING'",
        str(payment.id),
    )
    assert [row.get("id", ChallengeId) for row in rows] == [now.challenge]
    phone = town.asha if now.device == town.asha.actor.device else second
    challenge = await town.bank.challenge(phone, now)
    paid = await town.bank.transfers.approve(
        phone.actor, challenge.id, *phone.answer(challenge)
    )
    assert paid.status is Status.SETTLED


async def test_a_challenge_never_outlives_the_time_the_payment_waits(
    town: Town,
) -> None:
    payment, _challenge = await waiting(town)
    town.bank.clock.move(seconds=town.bank.settings.authorise_s - 60)

    renewed = await town.bank.transfers.renew(town.asha.actor, str(payment.id))

    challenge = await town.bank.challenge(town.asha, renewed)
    assert challenge.expires_at == payment.authorise_by
    town.bank.clock.move(seconds=60)
    with pytest.raises(ChallengeExpired):
        await town.bank.transfers.approve(
            town.asha.actor, challenge.id, *town.asha.answer(challenge)
        )
    with pytest.raises(NotAllowed):
        await town.bank.transfers.renew(town.asha.actor, str(payment.id))


async def test_only_the_owner_renews_and_only_what_waits(town: Town) -> None:
    paid = await town.bank.pay(town.asha, town.to_ben(100))
    payment, _challenge = await waiting(town)
    renew = town.bank.transfers.renew

    with pytest.raises(NotAllowed):
        await renew(town.asha.actor, str(paid.id))
    for wrong in (str(payment.id), str(PaymentId.new()), "pay_1"):
        with pytest.raises(NotFound):
            await renew(town.ben.actor, wrong)

    assert (await town.bank.now(payment.id)).challenge == payment.challenge


async def test_a_payment_to_a_payee_deleted_meanwhile_can_still_be_approved(
    town: Town,
) -> None:
    payment, _old = await waiting(town)
    await town.bank.payees.delete(town.asha.actor, str(town.payee.id))

    renewed = await town.bank.transfers.renew(town.asha.actor, str(payment.id))
    challenge = await town.bank.challenge(town.asha, renewed)
    paid = await town.bank.transfers.approve(
        town.asha.actor, challenge.id, *town.asha.answer(challenge)
    )

    assert paid.status is Status.SETTLED
