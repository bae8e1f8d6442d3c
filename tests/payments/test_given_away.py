"""A payment of an account that the core gave to another client is never begun."""

import pytest

from app import database
from app.errors import ErrorCode, Outage
from app.integrations.rails import RailStatus
from app.payments.lifecycle import State
from app.payments.payment import Payment
from tests.payments.conftest import give_away, waiting
from tests.payments.faults import Fault, Faults, Word
from tests.payments.line import Killed
from tests.payments.rail_town import ALL, RailTown, counted, ops_of
from tests.payments.scythe import Scythe, at
from tests.payments.town import Town

SIDES = [("current", ErrorCode.ACCOUNT_BLOCKED), ("bens", ErrorCode.PAYEE_REJECTED)]


async def nothing_asked(rail_town: RailTown, payment: Payment) -> None:
    """See that core and rail were asked nothing and the limits are free again."""
    assert await ops_of(payment.id) == []
    assert rail_town.faults.calls == []
    assert await counted() == (0, 0)
    town = rail_town.town
    assert await town.bank.available(town.current) == ALL
    assert await town.bank.available(town.bens) == 0
    assert (await rail_town.steps(payment))[-1] == ("CORE", "account_withdrawn")


@pytest.mark.parametrize(("side", "reason"), SIDES)
async def test_a_payment_signed_after_an_account_was_given_away_is_declined(
    rail_town: RailTown, side: str, reason: ErrorCode
) -> None:
    town = rail_town.town
    payment, challenge = await waiting(town)
    await give_away(getattr(town, side))

    signed = await town.bank.transfers.approve(
        town.asha.actor, challenge.id, *town.asha.answer(challenge)
    )

    assert (signed.state, signed.reason) == (State.DECLINED, reason)
    await rail_town.pass_time(601)
    await nothing_asked(rail_town, payment)


@pytest.mark.parametrize(("side", "reason"), SIDES)
async def test_a_payment_that_could_still_be_stopped_is_declined_when_its_time_comes(
    rail_town: RailTown, side: str, reason: ErrorCode
) -> None:
    object.__setattr__(rail_town.track.caps, "undo_first_s", 10)
    payment = await rail_town.pay()
    await give_away(getattr(rail_town.town, side))

    await rail_town.pass_time(11)

    ended = await rail_town.now(payment)
    assert (ended.state, ended.reason) == (State.DECLINED, reason)
    await nothing_asked(rail_town, payment)


async def test_an_atomic_payment_whose_process_died_after_the_approval_is_declined(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment, challenge = await waiting(town)
    with monkeypatch.context() as dying:
        scythe = Scythe(at("after payments.approve", Faults()))
        dying.setattr(database, "transaction", scythe.transaction)
        with pytest.raises(Killed):
            await town.bank.transfers.approve(
                town.asha.actor, challenge.id, *town.asha.answer(challenge)
            )
    await give_away(town.current)

    for _ in range(4):  # it may have reached the core: only twice "never seen" is a no
        town.bank.clock.move(seconds=601)
        await town.bank.carried_on()

    assert (await town.bank.now(payment.id)).state is State.DECLINED
    assert town.bank.line.sent == []
    assert await town.bank.available(town.bens) == 0


async def test_what_the_core_was_asked_before_goes_on(rail_town: RailTown) -> None:
    rail_town.track.fate = (Word(60, RailStatus.SETTLED),)
    payment = await rail_town.pay()
    assert (await rail_town.now(payment)).state is State.IN_FLIGHT
    await give_away(rail_town.town.current)

    ended = await rail_town.carried_through(payment)

    assert ended.state is State.SETTLED
    assert await rail_town.free() == ALL - 10_000


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.NOT_SENT])
async def test_a_hold_that_never_reached_the_core_is_not_sent_again(
    rail_town: RailTown, fault: Fault
) -> None:
    rail_town.faults.plan("hold", fault)
    payment = await rail_town.pay()
    assert (await rail_town.now(payment)).state is State.HOLDING
    await give_away(rail_town.town.current)

    ended = await rail_town.carried_through(payment)

    assert ended.state is State.DECLINED
    assert rail_town.faults.calls.count("hold") == 1
    assert (await rail_town.free(), await counted()) == (ALL, (0, 0))


async def test_a_hold_that_was_made_although_its_answer_was_lost_goes_on(
    rail_town: RailTown,
) -> None:
    rail_town.faults.plan("hold", Fault.LOST_AFTER)
    payment = await rail_town.pay()
    await give_away(rail_town.town.current)

    ended = await rail_town.carried_through(payment)

    assert ended.state is State.SETTLED
    assert rail_town.faults.calls.count("hold") == 1
    assert await rail_town.free() == ALL - 10_000


async def test_a_transfer_that_never_reached_the_core_is_not_sent_again(
    town: Town,
) -> None:
    town.bank.line.before = Outage("cut")
    paid = await town.bank.pay(town.asha, town.to_ben(10_000))
    assert paid.state is State.SUBMITTING
    await give_away(town.current)

    for _ in range(4):
        town.bank.clock.move(seconds=601)
        await town.bank.jobs.turn()

    assert (await town.bank.now(paid.id)).state is State.DECLINED
    assert len(town.bank.line.sent) == 1
    assert await town.bank.available(town.bens) == 0
