"""A payment over a rail that answers later: held, sent, taken or freed, told rightly.

The rail and the core fail as each story says; the books are proved after every story.
"""

from datetime import timedelta

import pytest

from app.errors import ErrorCode
from app.integrations.rails import RailStatus
from app.payments.lifecycle import State, Status
from app.realtime.facts import PaymentChanged
from tests.payments.faults import REFUSES, Fault, Word
from tests.payments.rail_town import ALL, RailTown, counted, open_holds, ops_of
from tests.payments.world import facts_of

LATER = (Word(20, RailStatus.SETTLED),)
NEVER = (Word(10**9, RailStatus.SETTLED),)


# ------------------------------------------------------------------ the plain way


async def test_a_rail_that_settles_at_once_ends_the_payment_within_its_approval(
    rail_town: RailTown,
) -> None:
    paid = await rail_town.pay()

    assert (paid.state, paid.unsure_since, paid.expected_by) == (
        State.SETTLED,
        None,
        None,
    )
    assert rail_town.faults.calls == ["hold", "submit", "capture"]
    assert await rail_town.free() == ALL - 10_000
    assert await open_holds() == 0
    assert [(kind, outcome) for kind, outcome, _ in await ops_of(paid.id)] == [
        ("HOLD", "OK"),
        ("SUBMIT", "OK"),
        ("CAPTURE", "OK"),
    ]
    assert await rail_town.steps(paid) == [
        ("CUSTOMER", "created"),
        ("CUSTOMER", "approved"),
        ("CORE", "handed_over"),
        ("CORE", "money_held"),
        ("RAIL", "settled_by_rail"),
        ("CORE", "booked"),
    ]
    assert await counted() == (0, 10_000)


async def test_the_rail_is_given_the_full_address_of_the_payee(
    rail_town: RailTown,
) -> None:
    await rail_town.pay()

    numbers = await rail_town.town.bank.accounts.numbers(
        rail_town.town.ben.actor, [rail_town.town.bens.id]
    )
    assert rail_town.track.addresses == [numbers[rail_town.town.bens.id]]


async def test_an_accepted_order_waits_with_its_hold_and_settles_by_a_call(
    rail_town: RailTown,
) -> None:
    rail_town.track.fate = LATER
    kept = await rail_town.pay()
    assert (kept.state, kept.status) == (State.IN_FLIGHT, Status.SUBMITTED)
    assert kept.expected_by == rail_town.town.bank.clock.now() + timedelta(seconds=60)
    assert (await rail_town.free(), await open_holds()) == (ALL - 10_000, 1)
    assert await counted() == (10_000, 0)

    rail_town.town.bank.clock.move(seconds=20)
    for _ in range(3):
        await rail_town.hear(kept)

    ended = await rail_town.now(kept)
    assert (ended.state, ended.conflict) == (State.SETTLED, False)
    assert rail_town.faults.calls == ["hold", "submit", "capture"]
    assert (await rail_town.free(), await open_holds()) == (ALL - 10_000, 0)
    told = [f for f in await facts_of(ended.customer) if isinstance(f, PaymentChanged)]
    assert [fact.payment.status for fact in told] == [
        "AWAITING_AUTHORISATION",
        *["SUBMITTED"] * 5,
        "SETTLED",
    ]


async def test_a_refused_order_fails_once_the_money_is_free_again(
    rail_town: RailTown,
) -> None:
    rail_town.track.fate = REFUSES

    ended = await rail_town.pay()

    assert (ended.status, ended.reason) == (Status.FAILED, ErrorCode.PARTNER_DECLINED)
    assert (await rail_town.free(), await open_holds()) == (ALL, 0)
    assert await counted() == (0, 0)
    assert (await rail_town.steps(ended))[-2:] == [
        ("RAIL", "refused_by_rail"),
        ("CORE", "money_freed"),
    ]
    payees, _ = await rail_town.town.bank.payees.page(
        rail_town.town.asha.actor, first=1
    )
    assert payees[0].last_paid_at is None


async def test_a_hold_without_money_declines_and_sends_nothing(
    rail_town: RailTown,
) -> None:
    created = await rail_town.town.bank.transfers.create(
        rail_town.town.asha.actor, rail_town.town.to_ben(60_000)
    )
    await rail_town.pay(60_000)
    challenge = await rail_town.town.bank.challenge(
        rail_town.town.asha, created.payment
    )

    ended = await rail_town.town.bank.transfers.approve(
        rail_town.town.asha.actor,
        challenge.id,
        *rail_town.town.asha.answer(challenge),
    )

    assert (ended.status, ended.reason) == (
        Status.DECLINED,
        ErrorCode.INSUFFICIENT_FUNDS,
    )
    assert len(rail_town.track.sent) == 1
    assert await counted() == (0, 60_000)


# ------------------------------------------------------------------ nobody knows


async def test_an_unknown_order_keeps_the_hold_and_is_asked_never_sent_again(
    rail_town: RailTown,
) -> None:
    rail_town.track.fate = LATER
    rail_town.faults.plan("submit", Fault.LOST_AFTER)

    unsure = await rail_town.pay()

    assert (unsure.state, unsure.status) == (
        State.SUBMITTING,
        Status.PENDING_CONFIRMATION,
    )
    assert (await rail_town.free(), await open_holds()) == (ALL - 10_000, 1)
    await rail_town.pass_time(4)
    assert "status" not in rail_town.faults.calls
    await rail_town.pass_time(2)
    taken = await rail_town.now(unsure)
    assert (taken.state, taken.status) == (State.IN_FLIGHT, Status.SUBMITTED)
    await rail_town.pass_time(30)
    ended = await rail_town.now(unsure)
    assert (ended.status, len(rail_town.track.sent)) == (Status.SETTLED, 1)
    assert (await rail_town.steps(ended))[4] == ("RAIL", "outcome_unsure")


@pytest.mark.only("sqlite")
async def test_the_timetable_is_kept_whatever_the_rail_answers(
    rail_town: RailTown,
) -> None:
    rail_town.track.fate = NEVER
    kept = await rail_town.pay()
    clock, began = rail_town.town.bank.clock, rail_town.town.bank.clock.now()
    asked: list[float] = []

    while (clock.now() - began).total_seconds() < 1_500:
        calls = len(rail_town.faults.calls)
        await rail_town.pass_time(5)
        if len(rail_town.faults.calls) > calls:
            asked.append((clock.now() - began).total_seconds())

    assert asked == [5, 15, 30, 60, 180, 780, 1_380]
    assert (await rail_town.now(kept)).state is State.IN_FLIGHT


async def test_deemed_is_a_doubt_and_only_the_last_word_takes_the_money(
    rail_town: RailTown,
) -> None:
    rail_town.track.fate = (
        Word(0, RailStatus.DEEMED),
        Word(100, RailStatus.SETTLED),
    )

    unsure = await rail_town.pay()

    assert (unsure.state, unsure.status) == (
        State.IN_FLIGHT,
        Status.PENDING_CONFIRMATION,
    )
    await rail_town.hear(unsure)
    await rail_town.pass_time(50)
    assert (await rail_town.now(unsure)).status is Status.PENDING_CONFIRMATION
    assert await open_holds() == 1
    await rail_town.pass_time(200)
    assert (await rail_town.now(unsure)).status is Status.SETTLED
    assert (await rail_town.steps(unsure)).count(("RAIL", "probably_settled")) == 1


async def test_an_order_the_rail_never_saw_goes_out_again_under_its_own_id(
    rail_town: RailTown,
) -> None:
    rail_town.faults.plan("submit", Fault.LOST_BEFORE)
    unsure = await rail_town.pay()

    await rail_town.pass_time(6)

    assert (await rail_town.now(unsure)).status is Status.SETTLED
    assert len(rail_town.track.sent) == 2
    assert len(set(rail_town.track.sent)) == 1


@pytest.mark.only("sqlite")
async def test_a_rail_without_op_ids_is_believed_after_a_quarter_of_an_hour(
    rail_town: RailTown,
) -> None:
    object.__setattr__(rail_town.track.caps, "native_idempotency", False)
    rail_town.faults.plan("submit", Fault.LOST_BEFORE)
    unsure = await rail_town.pay()
    for _ in range(5):
        await rail_town.pass_time(60)
    assert (await rail_town.now(unsure)).status is Status.PENDING_CONFIRMATION

    await rail_town.pass_time(601)

    ended = await rail_town.now(unsure)
    assert (ended.status, len(rail_town.track.sent)) == (Status.FAILED, 1)
    assert (await rail_town.free(), await open_holds()) == (ALL, 0)


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("call", ["hold", "capture", "release"])
async def test_a_core_that_is_silent_at_any_step_is_asked_until_it_is_done(
    rail_town: RailTown, call: str
) -> None:
    freed = call == "release"
    rail_town.track.fate = REFUSES if freed else LATER
    faults = (Fault.LOST_BEFORE, Fault.LOST_AFTER, Fault.NOT_SENT)
    for done, fault in enumerate(faults, start=1):
        rail_town.faults.plan(call, fault)
        unsure = await rail_town.pay()
        rail_town.faults.plan("lookup", Fault.LOST_AFTER)

        ended = await rail_town.carried_through(unsure)

        assert ended.status is (Status.FAILED if freed else Status.SETTLED)
        assert await rail_town.free() == (ALL if freed else ALL - 10_000 * done)
        assert await open_holds() == 0
        assert len(await ops_of(ended.id)) == 3
