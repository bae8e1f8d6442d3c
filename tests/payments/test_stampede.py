"""One intent is one payment, however often and however many at once."""

import asyncio
from dataclasses import replace

import pytest

from app.errors import IdempotencyKeyReused
from app.ids import PaymentId
from app.money import Money
from app.payments import transfers
from app.payments.errors import InsufficientFunds
from app.payments.lifecycle import Status
from app.payments.payment import Created, Payment
from app.payments.transfers import Transfers
from tests.payments.town import Town
from tests.payments.world import NOTHING_MOVED, inr, open_bank


async def test_a_lost_reply_is_answered_again_without_a_second_payment(
    town: Town,
) -> None:
    request = town.to_ben(500)
    first = await town.bank.transfers.create(town.asha.actor, request)
    before = await town.bank.everything_of(*NOTHING_MOVED)

    again = await town.bank.transfers.create(town.asha.actor, request)

    assert again == Created(first.payment, replayed=True)
    assert await town.bank.everything_of(*NOTHING_MOVED) == before


async def test_a_replay_after_the_end_gives_the_payment_as_it_is_now(
    town: Town,
) -> None:
    request = town.to_ben(500)
    paid = await town.bank.pay(town.asha, request)

    again = await town.bank.transfers.create(town.asha.actor, request)

    assert again == Created(paid, replayed=True)
    assert again.payment.status is Status.SETTLED


async def test_a_key_with_another_body_is_refused_and_nothing_moves(
    town: Town,
) -> None:
    request = town.to_ben(500)
    await town.bank.transfers.create(town.asha.actor, request)
    before = await town.bank.everything_of(*NOTHING_MOVED)

    for other in (
        replace(request, amount=inr(501)),
        replace(request, amount=Money(500, "EUR")),
        replace(request, reference="Other"),
        replace(request, beneficiary=None, own_account=str(town.savings.id)),
        replace(request, from_account=str(town.savings.id)),
    ):
        with pytest.raises(IdempotencyKeyReused):
            await town.bank.transfers.create(town.asha.actor, other)

    assert await town.bank.everything_of(*NOTHING_MOVED) == before


async def test_the_same_key_of_another_customer_is_another_intent(town: Town) -> None:
    request = town.to_ben(500)
    mine = await town.bank.transfers.create(town.asha.actor, request)
    bens_other = await town.bank.an_account(town.bens.customer, 10_000)

    his = await town.bank.transfers.create(
        town.ben.actor,
        replace(
            request,
            beneficiary=None,
            from_account=str(bens_other.id),
            own_account=str(town.bens.id),
        ),
    )

    assert not his.replayed
    assert his.payment.id != mine.payment.id


async def test_a_key_that_was_refused_is_judged_afresh(town: Town) -> None:
    request = town.to_ben(100_001)
    with pytest.raises(InsufficientFunds):
        await town.bank.transfers.create(town.asha.actor, request)
    extra = await town.bank.an_account(town.current.customer, 10)
    await town.bank.pay(
        town.asha,
        town.to_savings(
            10, from_account=str(extra.id), own_account=str(town.current.id)
        ),
    )

    created = await town.bank.transfers.create(town.asha.actor, request)

    assert not created.replayed


async def test_fifty_creates_with_one_key_make_one_payment(town: Town) -> None:
    request = town.to_ben(500)

    answers = await asyncio.gather(
        *(town.bank.transfers.create(town.asha.actor, request) for _ in range(50))
    )

    assert len({answer.payment.id for answer in answers}) == 1
    assert sum(answer.replayed for answer in answers) == 49
    assert (await town.bank.everything_of("payment"))["payment"] == 1


async def test_fifty_identical_approvals_make_one_debit_and_fifty_equal_results(
    town: Town,
) -> None:
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(500))
    challenge = await town.bank.challenge(town.asha, created.payment)
    answer = town.asha.answer(challenge)

    results = await asyncio.gather(
        *(
            town.bank.transfers.approve(town.asha.actor, challenge.id, *answer)
            for _ in range(50)
        )
    )

    assert [result.status for result in results] == [Status.SETTLED] * 50
    assert len({result.id for result in results}) == 1
    assert len(town.bank.line.sent) == 1
    assert await town.bank.available(town.current) == 99_500
    assert results[0].failed_answers == 0


async def test_forty_twins_at_another_process_look_no_oftener_than_one(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, arrived, all_wait = 0, 0, asyncio.Event()
    seen_through, shared = (
        vars(Transfers)[name] for name in ("_seen_through", "_shared")
    )

    async def looking(self: Transfers, payment: PaymentId) -> None:
        nonlocal looks
        looks += 1
        await seen_through(self, payment)

    async def sharing(self: Transfers, *asked: object) -> None:
        nonlocal arrived
        arrived += self is not town.bank.transfers
        if arrived == 40:
            all_wait.set()
        await shared(self, *asked)

    monkeypatch.setattr(Transfers, "_seen_through", looking)
    monkeypatch.setattr(Transfers, "_shared", sharing)
    monkeypatch.setattr(transfers, "_WAIT_S", 60.0)
    town.bank.line.open.clear()
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(100))
    challenge = await town.bank.challenge(town.asha, created.payment)
    answer = town.asha.answer(challenge)
    async with open_bank(town.bank.settings, town.bank.clock, town.bank.vault) as other:
        first = asyncio.ensure_future(
            town.bank.transfers.approve(town.asha.actor, challenge.id, *answer)
        )
        async with asyncio.timeout(30):
            while not town.bank.line.sent:
                await asyncio.sleep(0.01)
        twins = [
            asyncio.ensure_future(
                other.transfers.approve(town.asha.actor, challenge.id, *answer)
            )
            for _ in range(40)
        ]
        async with asyncio.timeout(30):
            await all_wait.wait()
        town.bank.line.open.set()
        results = await asyncio.gather(first, *twins)

    assert looks == 1
    assert {result.status for result in results} == {Status.SETTLED}
    assert (len(town.bank.line.sent), other.line.sent) == (1, [])


async def test_money_for_ten_with_fifty_payments_settles_exactly_ten(
    town: Town,
) -> None:
    created = await asyncio.gather(
        *(
            town.bank.transfers.create(town.asha.actor, town.to_ben(10_000))
            for _ in range(50)
        )
    )
    challenges = [await town.bank.challenge(town.asha, one.payment) for one in created]

    results = await asyncio.gather(
        *(
            town.bank.transfers.approve(
                town.asha.actor, challenge.id, *town.asha.answer(challenge)
            )
            for challenge in challenges
        )
    )
    ends = [await _end(town, result) for result in results]

    settled = [end for end in ends if end.status is Status.SETTLED]
    declined = [end for end in ends if end.status is Status.DECLINED]
    assert (len(settled), len(declined)) == (10, 40)
    assert {end.reason and end.reason.value for end in declined} == {
        "INSUFFICIENT_FUNDS"
    }
    assert await town.bank.available(town.current) == 0
    assert await town.bank.available(town.bens) == 100_000


async def _end(town: Town, payment: Payment) -> Payment:
    async with asyncio.timeout(5):
        while not payment.is_final:
            await asyncio.sleep(0.02)
            payment = await town.bank.now(payment.id)
    return payment
