"""A payment on its way survives lost answers, dead processes and rival workers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from app import database
from app.errors import ErrorCode, Outage
from app.ids import PaymentId
from app.integrations.core_banking import AccountState
from app.integrations.outcome import NotSent, Ok, PortCode, Rejected
from app.integrations.rails import ASK_PLAN, RailAnswer, RailStatus
from app.payments.lifecycle import State, Status
from app.payments.passage import LEASE_S
from app.payments.payment import Payment, StepDetail
from app.realtime.facts import PaymentChanged
from tests.payments.line import Killed
from tests.payments.town import Town
from tests.payments.world import facts_of, open_bank

T = TypeVar("T")


async def approved(town: Town, minor: int = 10_000) -> Payment:
    """Create and approve; what the rail does is the test's."""
    return await town.bank.pay(town.asha, town.to_ben(minor))


async def op_of(payment: PaymentId) -> tuple[str, int]:
    """Give outcome and tries of a payment's only operation."""
    rows = await database.read(
        "SELECT outcome, tries FROM payment_op WHERE payment_id = $1", payment
    )
    assert len(rows) == 1
    return rows[0].get("outcome", str), rows[0].get("tries", int)


# ------------------------------------------------------------------ lost answers


async def test_a_lost_answer_shows_pending_and_is_resolved_by_asking(
    town: Town,
) -> None:
    town.bank.line.lost_answers = 1

    unsure = await approved(town)

    assert unsure.status is Status.PENDING_CONFIRMATION
    assert await op_of(unsure.id) == ("UNKNOWN", 1)
    await town.bank.carried_on()
    ended = await town.bank.now(unsure.id)
    assert ended.status is Status.SETTLED
    assert ended.unsure_since is None
    assert len(town.bank.line.sent) == 1
    assert [op.id for op in town.bank.line.asked] == [town.bank.line.sent[0].id]
    assert await town.bank.available(town.current) == 90_000
    told = [f for f in await facts_of(ended.customer) if isinstance(f, PaymentChanged)]
    assert [fact.payment.status for fact in told][-2:] == [
        "PENDING_CONFIRMATION",
        "SETTLED",
    ]


async def test_doubt_is_told_once_however_often_the_core_is_asked(town: Town) -> None:
    town.bank.line.lost_answers = 4
    unsure = await approved(town)

    for _ in range(3):
        await town.bank.carried_on()

    assert await op_of(unsure.id) == ("UNKNOWN", 4)
    steps = (await town.bank.transfers.timelines([unsure.id]))[unsure.id]
    assert [step.detail for step in steps].count(StepDetail.OUTCOME_UNSURE) == 1
    await town.bank.carried_on()
    assert (await town.bank.now(unsure.id)).status is Status.SETTLED
    assert await town.bank.available(town.bens) == 10_000


async def test_an_operation_the_core_never_saw_is_sent_under_the_same_id(
    town: Town,
) -> None:
    town.bank.line.before = Outage("cut before the work", component="ACCOUNTS")
    unsure = await approved(town)
    assert unsure.status is Status.PENDING_CONFIRMATION
    assert await town.bank.available(town.current) == 100_000

    await town.bank.carried_on()

    assert (await town.bank.now(unsure.id)).status is Status.SETTLED
    assert len({op.id for op in town.bank.line.sent}) == 1
    assert len(town.bank.line.sent) == 2
    assert await town.bank.available(town.current) == 90_000


async def test_what_surely_was_not_sent_is_no_doubt(town: Town) -> None:
    town.bank.line.before = NotSent("line busy", component="ACCOUNTS")

    kept = await approved(town)

    assert kept.status is Status.SUBMITTED
    assert await op_of(kept.id) == ("PENDING", 1)
    await town.bank.carried_on()
    assert (await town.bank.now(kept.id)).status is Status.SETTLED


async def test_a_frozen_ledger_keeps_the_payment_until_it_moves_again(
    town: Town,
) -> None:
    await town.bank.core.freeze("a test")
    kept = await approved(town)
    assert kept.state is State.SUBMITTING
    await town.bank.carried_on()
    assert (await town.bank.now(kept.id)).state is State.SUBMITTING
    assert await town.bank.available(town.current) == 100_000

    await town.bank.core.unfreeze("a test")
    await town.bank.carried_on()

    assert (await town.bank.now(kept.id)).status is Status.SETTLED
    assert await town.bank.available(town.current) == 90_000


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (PortCode.INSUFFICIENT_FUNDS, ErrorCode.INSUFFICIENT_FUNDS),
        (PortCode.ACCOUNT_CLOSED, ErrorCode.ACCOUNT_BLOCKED),
        (PortCode.PAYEE_INVALID, ErrorCode.PAYEE_REJECTED),
        (PortCode.LIMIT_EXCEEDED, ErrorCode.LIMIT_EXCEEDED),
        (PortCode.VALIDATION, ErrorCode.SERVICE_UNAVAILABLE),
    ],
)
async def test_a_definite_no_declines_with_its_reason_and_moves_nothing(
    town: Town, code: PortCode, reason: ErrorCode
) -> None:
    town.bank.line.instead = [Rejected(code)]

    ended = await approved(town)

    assert (ended.status, ended.reason) == (Status.DECLINED, reason)
    assert (await op_of(ended.id))[0] == "REJECTED"
    assert await town.bank.available(town.current) == 100_000
    payees, _ = await town.bank.payees.page(town.asha.actor, first=1)
    assert payees[0].last_paid_at is None


async def test_an_id_that_the_core_knows_with_another_body_is_a_doubt(
    town: Town,
) -> None:
    town.bank.line.instead = [Rejected(PortCode.DUPLICATE_MISMATCH)]

    unsure = await approved(town)

    assert unsure.status is Status.PENDING_CONFIRMATION
    assert await town.bank.available(town.current) == 100_000
    await town.bank.carried_on()
    assert (await town.bank.now(unsure.id)).status is Status.SETTLED


async def test_an_atomic_rail_that_only_accepts_proves_nothing(town: Town) -> None:
    answer = RailAnswer(RailStatus.ACCEPTED, town.bank.clock.now())
    town.bank.line.instead = [Ok(answer)]

    unsure = await approved(town)

    assert unsure.status is Status.PENDING_CONFIRMATION
    assert await town.bank.available(town.current) == 100_000
    await town.bank.carried_on()
    assert (await town.bank.now(unsure.id)).status is Status.SETTLED


async def test_a_slow_core_keeps_the_customer_two_seconds_and_the_payment_goes_on(
    town: Town,
) -> None:
    town.bank.line.open.clear()
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(100))
    challenge = await town.bank.challenge(town.asha, created.payment)
    answer = town.asha.answer(challenge)
    began = time.monotonic()

    shown, again = await asyncio.gather(
        *(
            town.bank.transfers.approve(town.asha.actor, challenge.id, *answer)
            for _ in range(2)
        )
    )

    assert 1.9 < time.monotonic() - began < 4
    assert (shown.status, again.status) == (Status.SUBMITTED, Status.SUBMITTED)
    town.bank.line.open.set()
    async with asyncio.timeout(2):
        while not (await town.bank.now(shown.id)).is_final:
            await asyncio.sleep(0.01)
    assert (await town.bank.now(shown.id)).status is Status.SETTLED
    assert await town.bank.available(town.bens) == 100


async def test_an_approval_repeated_at_another_process_waits_for_the_first(
    town: Town,
) -> None:
    town.bank.line.open.clear()
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(100))
    challenge = await town.bank.challenge(town.asha, created.payment)
    answer = town.asha.answer(challenge)
    async with open_bank(town.bank.settings, town.bank.clock, town.bank.vault) as other:
        first = asyncio.ensure_future(
            town.bank.transfers.approve(town.asha.actor, challenge.id, *answer)
        )
        async with asyncio.timeout(2):
            while not town.bank.line.sent:
                await asyncio.sleep(0.01)
        second = asyncio.ensure_future(
            other.transfers.approve(town.asha.actor, challenge.id, *answer)
        )
        await asyncio.sleep(0.1)
        town.bank.line.open.set()

        results = await asyncio.gather(first, second)

    assert [result.status for result in results] == [Status.SETTLED, Status.SETTLED]
    assert (len(town.bank.line.sent), other.line.sent) == (1, [])


# ------------------------------------------------------------------ leases


async def test_nobody_asks_before_the_timetable_says_so(town: Town) -> None:
    town.bank.line.lost_answers = 1
    unsure = await approved(town)

    town.bank.clock.move(seconds=ASK_PLAN[0] - 1)
    looked_at = await town.bank.jobs.turn()
    await town.bank.passage.advance(unsure.id)

    assert looked_at == 0
    assert town.bank.line.asked == []
    await town.bank.carried_on()


async def test_two_workers_at_once_ask_the_core_once(town: Town) -> None:
    town.bank.line.lost_answers = 1
    unsure = await approved(town)
    town.bank.clock.move(seconds=LEASE_S + 1)

    await asyncio.gather(*(town.bank.jobs.turn() for _ in range(10)))

    assert len(town.bank.line.asked) == 1
    assert (await town.bank.now(unsure.id)).status is Status.SETTLED


async def test_advancing_what_waits_or_ended_or_never_was_does_nothing(
    town: Town,
) -> None:
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(10))
    paid = await approved(town)
    before = await town.bank.now(paid.id)

    for payment in (created.payment.id, paid.id, PaymentId.new()):
        await town.bank.passage.advance(payment)

    assert await town.bank.now(paid.id) == before
    assert (await town.bank.now(created.payment.id)).state is (
        State.AWAITING_AUTHORISATION
    )
    assert len(town.bank.line.sent) == 1


async def test_one_payment_that_fails_does_not_keep_the_others_waiting(
    town: Town,
) -> None:
    town.bank.line.lost_answers = 2
    first, second = await approved(town, 100), await approved(town, 200)
    town.bank.clock.move(seconds=LEASE_S + 1)

    class Broken:
        """Fails for one payment only."""

        def __init__(self, work: Callable[[PaymentId], Awaitable[object]]) -> None:
            self._work = work

        async def advance(self, payment: PaymentId) -> None:
            if payment == first.id:
                raise Killed
            await self._work(payment)

    town.bank.jobs._passage = Broken(town.bank.passage.advance)  # type: ignore[assignment]  # noqa: SLF001  -- a worker with a fault
    await town.bank.jobs.turn()

    assert (await town.bank.now(first.id)).status is Status.PENDING_CONFIRMATION
    assert (await town.bank.now(second.id)).status is Status.SETTLED


# ------------------------------------------------------------------ kill points


class Scythe:
    """Ends the process once, before or after the transaction of one name."""

    def __init__(self, point: str) -> None:
        self._when, _, self._name = point.partition(" ")
        self._swung = False
        self._real = database.transaction

    async def transaction(self, work: Any, *, name: str, attempts: int = 5) -> Any:
        mine = name == self._name and not self._swung
        if mine and self._when == "before":
            self._swing()
        outcome = await self._real(work, name=name, attempts=attempts)
        if mine and self._when == "after":
            self._swing()
        return outcome

    def _swing(self) -> None:
        self._swung = True
        raise Killed(self._name)


POINTS = [
    f"{when} {name}"
    for name in (
        "payments.create",
        "payments.approve",
        "the core",
        "payments.conclude",
    )
    for when in ("before", "after")
]


async def retried(call: Callable[[], Awaitable[T]]) -> T:
    """Call as a phone does that got no answer: again, with the same bytes."""
    try:
        return await call()
    except Killed:
        return await call()


@pytest.mark.parametrize("outcome", ["OK", "REJECTED", "UNKNOWN"])
@pytest.mark.parametrize("point", POINTS)
async def test_a_process_killed_anywhere_leaves_a_payment_that_ends_rightly(
    town: Town, point: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = town.to_ben(10_000)
    monkeypatch.setattr(database, "transaction", Scythe(point).transaction)
    if point == "before the core":
        town.bank.line.before = Killed()
    if point == "after the core":
        town.bank.line.after = Killed()

    async def create() -> Payment:
        return (await town.bank.transfers.create(town.asha.actor, request)).payment

    created = await retried(create)
    if outcome == "REJECTED":
        await town.bank.block(town.bens, AccountState.BLOCKED)
    if outcome == "UNKNOWN":
        town.bank.line.lost_answers = 2
    challenge = await town.bank.challenge(town.asha, created)
    answer = town.asha.answer(challenge)

    async def approve() -> Payment:
        return await town.bank.transfers.approve(town.asha.actor, challenge.id, *answer)

    shown = await retried(approve)
    for _ in range(4):
        await town.bank.carried_on()
    ended = await town.bank.now(created.id)

    rejected = outcome == "REJECTED"
    assert shown.status is not Status.FAILED
    assert ended.status is (Status.DECLINED if rejected else Status.SETTLED)
    moved = 0 if rejected else 10_000
    assert await town.bank.available(town.current) == 100_000 - moved
    assert await town.bank.available(town.bens) == moved
    assert len({op.id for op in town.bank.line.sent}) == 1
    again = await town.bank.transfers.approve(town.asha.actor, challenge.id, *answer)
    assert again == ended
