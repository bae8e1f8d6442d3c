"""How payments over a rail end: burnt ids, money back, two answers, 48 hours.

The rail and the core fail as each story says; the books are proved after every story.
"""

import asyncio

import pytest

from app import database
from app.errors import ErrorCode
from app.integrations.core_banking import OpKind
from app.integrations.outcome import PortCode
from app.integrations.rails import RailStatus
from app.payments.lifecycle import State, Status
from app.payments.ops import Kind
from tests.payments.faults import REFUSES, Fault, Word
from tests.payments.rail_town import ALL, RailTown, counted, open_holds, ops_of

LATER = (Word(20, RailStatus.SETTLED),)
NEVER = (Word(10**9, RailStatus.SETTLED),)


# ------------------------------------------------------------------ burnt ids


@pytest.mark.only("sqlite")
async def test_a_core_that_asks_for_another_try_gets_a_new_id_at_most_five_times(
    rail_town: RailTown,
) -> None:
    rail_town.faults.plan("hold", *[Fault.CONFLICT] * 4)
    paid = await rail_town.pay(100)
    rail_town.faults.plan("hold", *[Fault.CONFLICT] * 5)

    declined = await rail_town.pay(200)

    assert (paid.status, declined.status) == (Status.SETTLED, Status.DECLINED)
    assert declined.reason is ErrorCode.SERVICE_UNAVAILABLE
    assert [one[1] for one in await ops_of(paid.id, Kind.HOLD)] == [
        *["REJECTED"] * 4,
        "OK",
    ]
    assert len(await ops_of(declined.id)) == 5
    assert await counted() == (0, 100)


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("end", ["capture", "release"])
async def test_the_end_of_a_hold_is_tried_until_the_core_does_it(
    rail_town: RailTown, end: str
) -> None:
    rail_town.track.fate = REFUSES if end == "release" else LATER
    rail_town.faults.plan(end, *[Fault.CONFLICT] * 7)
    paid = await rail_town.pay()
    await rail_town.pass_time(21)
    assert await open_holds() == 1

    assert (await rail_town.carried_through(paid)).is_final
    assert await open_holds() == 0
    kind = Kind.RELEASE if end == "release" else Kind.CAPTURE
    assert [one[1] for one in await ops_of(paid.id, kind)] == [
        *["REJECTED"] * 7,
        "OK",
    ]


@pytest.mark.only("sqlite")
async def test_who_asks_for_an_end_names_what_it_ends(rail_town: RailTown) -> None:
    rail_town.faults.plan("capture", Fault.LOST_AFTER)
    paid = await rail_town.carried_through(await rail_town.pay())
    rail_town.faults.plan("reverse", Fault.LOST_AFTER)
    await rail_town.hear(paid, RailStatus.RETURNED)
    await rail_town.pass_time(61)

    ((_, _, hold),) = await ops_of(paid.id, Kind.HOLD)
    ((_, _, capture),) = await ops_of(paid.id, Kind.CAPTURE)
    told = {kind: (one.earlier, one.hold) for kind, one in rail_town.faults.asked}
    assert told == {OpKind.CAPTURE: (hold, None), OpKind.REVERSE: (capture, hold)}
    assert (await rail_town.now(paid)).status is Status.REVERSED


# ------------------------------------------------------------------ after the end


@pytest.mark.parametrize("early", [False, True])
async def test_money_that_comes_back_is_credited_and_the_limit_stays_used(
    rail_town: RailTown,
    early: bool,  # noqa: FBT001  -- pytest parameter
) -> None:
    rail_town.track.fate = NEVER if early else (Word(0, RailStatus.SETTLED),)
    paid = await rail_town.pay()
    assert paid.state is (State.IN_FLIGHT if early else State.SETTLED)

    for status in (RailStatus.RETURNED, RailStatus.SETTLED, RailStatus.RETURNED):
        await rail_town.hear(paid, status)

    ended = await rail_town.now(paid)
    assert (ended.status, ended.conflict) == (Status.REVERSED, False)
    assert (await rail_town.free(), await open_holds()) == (ALL, 0)
    assert await counted() == (0, 10_000)
    assert rail_town.faults.calls.count("reverse") == 1
    steps = await rail_town.steps(ended)
    assert steps[-1] == ("CORE", "credited_back")
    assert steps.count(("RAIL", "returned_by_rail")) == 1


async def test_a_credit_back_that_is_lost_is_carried_on_by_the_worker(
    rail_town: RailTown,
) -> None:
    paid = await rail_town.pay()
    rail_town.faults.plan("reverse", Fault.LOST_BEFORE, Fault.CONFLICT)
    await rail_town.hear(paid, RailStatus.RETURNED)
    assert (await rail_town.now(paid)).status is Status.SETTLED

    for _ in range(3):
        await rail_town.pass_time(61)

    assert (await rail_town.now(paid)).status is Status.REVERSED
    assert await rail_town.free() == ALL


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (RailStatus.SETTLED, RailStatus.REJECTED),
        (RailStatus.REJECTED, RailStatus.SETTLED),
        (RailStatus.REJECTED, RailStatus.RETURNED),
        (RailStatus.RETURNED, RailStatus.REJECTED),
    ],
)
async def test_of_two_final_answers_the_first_stands_and_staff_is_called(
    rail_town: RailTown, first: RailStatus, second: RailStatus
) -> None:
    rail_town.track.fate = NEVER
    paid = await rail_town.pay()
    await rail_town.hear(paid, first)
    stands = await rail_town.now(paid)

    for status in (second, first, second, RailStatus.ACCEPTED, RailStatus.DEEMED):
        await rail_town.hear(paid, status)

    ended = await rail_town.now(paid)
    assert ended.conflict
    assert (ended.state, ended.status) == (stands.state, stands.status)
    kept = first is RailStatus.SETTLED
    assert await rail_town.free() == (ALL - 10_000 if kept else ALL)
    rows = await database.read(
        "SELECT id FROM audit_entry WHERE action = 'payment.conflict'"
    )
    assert len(rows) == 1


async def test_a_word_about_no_order_of_ours_changes_nothing(
    rail_town: RailTown,
) -> None:
    paid = await rail_town.pay()
    hold = (await ops_of(paid.id, Kind.HOLD))[0][2]
    event = rail_town.track.event(await rail_town.order(paid))

    for op in (hold, paid.id.value):
        stranger = type(event)(
            op=op, event_id="1", answer=event.answer, provider_ref=None
        )
        await rail_town.town.bank.passage.heard(stranger)

    assert await rail_town.now(paid) == paid


# ------------------------------------------------------------------ at once


async def test_a_call_that_comes_before_the_answer_settles_once(
    rail_town: RailTown,
) -> None:
    town, track = rail_town.town, rail_town.track
    real, begun = track._submitted, asyncio.Event()  # noqa: SLF001  -- the rail is ours

    async def slow(*order: object) -> object:
        outcome = await real(*order)  # type: ignore[arg-type]  # passed on as it came
        begun.set()
        await asyncio.sleep(0.05)
        return outcome

    track._submitted = slow  # type: ignore[assignment, method-assign]  # noqa: SLF001  -- same
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(100))
    challenge = await town.bank.challenge(town.asha, created.payment)
    approving = asyncio.ensure_future(
        town.bank.transfers.approve(
            town.asha.actor, challenge.id, *town.asha.answer(challenge)
        )
    )
    await begun.wait()

    await rail_town.hear(created.payment)
    await approving

    ended = await rail_town.now(created.payment)
    assert (ended.status, ended.conflict) == (Status.SETTLED, False)
    assert rail_town.faults.calls.count("capture") == 1
    assert await rail_town.free() == ALL - 100


async def test_ten_workers_and_ten_calls_at_once_take_the_money_once(
    rail_town: RailTown,
) -> None:
    rail_town.track.fate = LATER
    kept = await rail_town.pay()
    rail_town.town.bank.clock.move(seconds=40)

    await asyncio.gather(
        *(rail_town.town.bank.jobs.turn() for _ in range(10)),
        *(rail_town.hear(kept) for _ in range(10)),
    )
    await rail_town.pass_time(60)

    ended = await rail_town.now(kept)
    assert (ended.status, ended.conflict) == (Status.SETTLED, False)
    assert len(await ops_of(ended.id, Kind.CAPTURE)) == 1
    assert await rail_town.free() == ALL - 10_000


# ------------------------------------------------------------------ 48 hours


async def test_after_two_days_staff_finds_out_and_the_hold_stays(
    rail_town: RailTown,
) -> None:
    rail_town.track.fate = NEVER
    kept = await rail_town.pay()

    await rail_town.pass_time(47 * 3600)
    assert (await rail_town.now(kept)).manual_since is None
    await rail_town.pass_time(3600)

    given = await rail_town.now(kept)
    assert given.manual_since == rail_town.town.bank.clock.now()
    assert given.status is Status.PENDING_CONFIRMATION
    assert (await rail_town.free(), await open_holds()) == (ALL - 10_000, 1)
    assert (await rail_town.steps(given))[-1] == ("CLOCK", "with_staff")
    calls = len(rail_town.faults.calls)
    await rail_town.pass_time(24 * 3600)
    assert len(rail_town.faults.calls) == calls
    await rail_town.hear(kept, RailStatus.SETTLED)
    ended = await rail_town.now(kept)
    assert (ended.status, ended.manual_since) == (Status.SETTLED, None)


@pytest.mark.only("sqlite")
async def test_a_code_of_the_rail_is_kept_for_staff(rail_town: RailTown) -> None:
    rail_town.track.fate = (
        Word(0, RailStatus.ACCEPTED),
        Word(5, RailStatus.REJECTED, PortCode.ACCOUNT_CLOSED),
    )
    kept = await rail_town.pay()

    await rail_town.pass_time(6)

    assert (await rail_town.now(kept)).status is Status.FAILED
    rows = await database.read(
        "SELECT code, outcome FROM payment_op WHERE kind = 'SUBMIT'"
    )
    assert [(row.get("code", str), row.get("outcome", str)) for row in rows] == [
        ("ACCOUNT_CLOSED", "OK")
    ]
