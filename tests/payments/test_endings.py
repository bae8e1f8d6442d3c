"""Payments that end without moving money."""

import asyncio

import pytest

from app.auth.errors import ChallengeExpired
from app.errors import NotFound
from app.ids import ChallengeId, PaymentId
from app.payments.errors import TooLate
from app.payments.lifecycle import State, Status
from app.payments.payment import Payment, StepDetail, StepSource
from app.realtime.facts import PaymentChanged
from tests.payments.town import Town
from tests.payments.world import NOTHING_MOVED, facts_of


async def a_waiting_payment(town: Town) -> Payment:
    """Create a payment to Ben that waits for its approval."""
    return (await town.bank.transfers.create(town.asha.actor, town.to_ben(5))).payment


async def last_step(town: Town, payment: Payment) -> tuple[Status, StepSource, object]:
    """Give the last line of the timeline."""
    steps = (await town.bank.transfers.timelines([payment.id]))[payment.id]
    return steps[-1].status, steps[-1].source, steps[-1].detail


async def test_a_refused_approval_cancels_without_signature_or_factor(
    town: Town,
) -> None:
    created = (
        await town.bank.transfers.create(town.asha.actor, town.to_ben(5))
    ).payment
    challenge = await town.bank.challenge(town.asha, created)

    ended = await town.bank.transfers.refuse(town.asha.actor, challenge.id)

    assert ended.status is Status.CANCELLED
    assert await last_step(town, ended) == (
        Status.CANCELLED,
        StepSource.CUSTOMER,
        StepDetail.REFUSED,
    )
    with pytest.raises(ChallengeExpired):
        await town.bank.transfers.approve(
            town.asha.actor, challenge.id, *town.asha.answer(challenge)
        )
    assert await town.bank.available(town.current) == 100_000


async def test_refusing_again_gives_the_same_end_and_tells_nobody(town: Town) -> None:
    created = (
        await town.bank.transfers.create(town.asha.actor, town.to_ben(5))
    ).payment
    challenge = await town.bank.challenge(town.asha, created)
    first = await town.bank.transfers.refuse(town.asha.actor, challenge.id)
    before = await town.bank.everything_of(*NOTHING_MOVED, "audit_entry")

    again = await town.bank.transfers.refuse(town.asha.actor, challenge.id)

    assert again == first
    assert await town.bank.everything_of(*NOTHING_MOVED, "audit_entry") == before


async def test_only_the_asked_device_refuses_and_only_while_it_is_asked(
    town: Town,
) -> None:
    paid = await town.bank.pay(town.asha, town.to_ben(5))
    created = (
        await town.bank.transfers.create(town.asha.actor, town.to_ben(5))
    ).payment
    challenge = await town.bank.challenge(town.asha, created)
    assert paid.challenge is not None

    for actor, wrong in (
        (town.ben.actor, challenge.id),
        (town.asha.actor, paid.challenge),
        (town.asha.actor, ChallengeId.new()),
    ):
        with pytest.raises(ChallengeExpired):
            await town.bank.transfers.refuse(actor, wrong)

    assert (await town.bank.now(created.id)).state is State.AWAITING_AUTHORISATION
    assert (await town.bank.now(paid.id)).state is State.SETTLED


async def test_a_waiting_payment_can_be_cancelled_and_again(town: Town) -> None:
    created = (
        await town.bank.transfers.create(town.asha.actor, town.to_ben(5))
    ).payment
    challenge = await town.bank.challenge(town.asha, created)
    assert created.cancellable_until == created.expires_at == created.authorise_by

    ended = await town.bank.transfers.cancel(town.asha.actor, str(created.id))
    again = await town.bank.transfers.cancel(town.asha.actor, str(created.id))

    assert ended == again
    assert (ended.status, ended.cancellable_until) == (Status.CANCELLED, None)
    with pytest.raises(ChallengeExpired):
        await town.bank.transfers.approve(
            town.asha.actor, challenge.id, *town.asha.answer(challenge)
        )
    told = [f for f in await facts_of(ended.customer) if isinstance(f, PaymentChanged)]
    assert [fact.payment.status for fact in told] == [
        "AWAITING_AUTHORISATION",
        "CANCELLED",
    ]


async def test_an_approved_payment_is_too_late_to_cancel(town: Town) -> None:
    paid = await town.bank.pay(town.asha, town.to_ben(5))

    with pytest.raises(TooLate):
        await town.bank.transfers.cancel(town.asha.actor, str(paid.id))

    assert (await town.bank.now(paid.id)).state is State.SETTLED


async def test_nobody_cancels_a_strangers_payment(town: Town) -> None:
    created = (
        await town.bank.transfers.create(town.asha.actor, town.to_ben(5))
    ).payment

    for wrong in (str(created.id), str(PaymentId.new()), "pay_x"):
        with pytest.raises(NotFound):
            await town.bank.transfers.cancel(town.ben.actor, wrong)

    assert (await town.bank.now(created.id)).state is State.AWAITING_AUTHORISATION


async def test_cancel_and_approve_at_once_end_in_exactly_one_way(town: Town) -> None:
    for _ in range(10):
        created = (
            await town.bank.transfers.create(town.asha.actor, town.to_ben(100))
        ).payment
        challenge = await town.bank.challenge(town.asha, created)
        before = await town.bank.available(town.current)

        await asyncio.gather(
            town.bank.transfers.cancel(town.asha.actor, str(created.id)),
            town.bank.transfers.approve(
                town.asha.actor, challenge.id, *town.asha.answer(challenge)
            ),
            return_exceptions=True,
        )

        ended = await town.bank.now(created.id)
        moved = before - await town.bank.available(town.current)
        assert (ended.status, moved) in {
            (Status.CANCELLED, 0),
            (Status.SETTLED, 100),
        }


async def test_a_payment_nobody_approves_expires_after_fifteen_minutes(
    town: Town,
) -> None:
    created = (
        await town.bank.transfers.create(town.asha.actor, town.to_ben(5))
    ).payment
    town.bank.clock.move(minutes=14, seconds=59)
    await town.bank.jobs.turn()
    assert (await town.bank.now(created.id)).state is State.AWAITING_AUTHORISATION

    town.bank.clock.move(seconds=1)
    looked_at = await town.bank.jobs.turn()
    nothing_left = await town.bank.jobs.turn()

    ended = await town.bank.now(created.id)
    assert (looked_at, nothing_left) == (1, 0)
    assert (ended.status, ended.expires_at) == (Status.EXPIRED, None)
    assert await last_step(town, ended) == (
        Status.EXPIRED,
        StepSource.CLOCK,
        StepDetail.NOT_APPROVED_IN_TIME,
    )


async def test_expiry_leaves_a_payment_alone_that_moved_on(town: Town) -> None:
    paid = await town.bank.pay(town.asha, town.to_ben(5))
    town.bank.clock.move(hours=1)

    await town.bank.transfers.expire(paid.id)

    assert await town.bank.now(paid.id) == paid
