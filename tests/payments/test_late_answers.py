"""Answers that come too late, partners that hang, burnt ids, clocks put back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from typing_extensions import override

from app import database
from app.integrations.outcome import Ok, Outcome, PortCode, Rejected
from app.integrations.rails import RailAnswer, RailStatus
from app.payments import leases
from app.payments.lifecycle import State, Status
from app.payments.ops import Kind
from app.payments.passage import LEASE_S
from tests.payments.faults import Fault, Faults, Word
from tests.payments.rail_town import ALL, RailTown, ops_of

T = TypeVar("T")
LATER = (Word(20, RailStatus.SETTLED),)


class Slow(Faults):
    """Keeps the answers of one name back until it is told to give them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.done, self.give = asyncio.Event(), asyncio.Event()
        self.instead: Outcome[object] | None = None

    @override
    async def through(
        self, name: str, work: Callable[[], Awaitable[Outcome[T]]]
    ) -> Outcome[T]:
        outcome = await super().through(name, work)
        if name == self._name and not self.give.is_set():
            self.done.set()
            await self.give.wait()
            if self.instead is not None:
                return self.instead  # type: ignore[return-value]  # what a faulty core says
        return outcome


def slowed(rail_town: RailTown, name: str) -> Slow:
    """Let the answers of one call hang from here on."""
    slow = Slow(name)
    rail_town.town.bank.passage._asking._core._faults = slow  # type: ignore[attr-defined]  # noqa: SLF001  -- the faulty core is ours
    return slow


@pytest.mark.parametrize("call", ["hold", "capture"])
@pytest.mark.parametrize("contradicts", [False, True])
async def test_an_answer_after_the_lease_changes_nothing_and_another_one_is_told(
    rail_town: RailTown,
    call: str,
    contradicts: bool,  # noqa: FBT001  -- pytest parameter
) -> None:
    slow = slowed(rail_town, call)
    paying = asyncio.ensure_future(rail_town.pay())
    await slow.done.wait()
    if contradicts:
        slow.instead = Rejected(PortCode.VALIDATION)

    await rail_town.pass_time(LEASE_S + 1)
    row = await database.read_one("SELECT state FROM payment")
    slow.give.set()
    paid = await paying
    async with asyncio.timeout(5):
        while not (await rail_town.now(paid)).conflict and contradicts:
            await asyncio.sleep(0.01)

    assert row is not None
    assert row.get("state", State) is State.SETTLED
    ended = await rail_town.now(paid)
    assert (ended.status, ended.conflict) == (Status.SETTLED, contradicts)
    assert len(await ops_of(paid.id)) == 3
    assert await rail_town.free() == ALL - 10_000


async def test_one_partner_that_hangs_does_not_keep_other_payments_waiting(
    rail_town: RailTown,
) -> None:
    rail_town.track.fate = LATER
    stuck, other = await rail_town.pay(100), await rail_town.pay(200)
    real, hangs = rail_town.track.status, asyncio.Event()

    async def status(op: object, context: object) -> Outcome[RailAnswer]:
        if getattr(op, "id", None) == await rail_town.order(stuck):
            await hangs.wait()
        return await real(op, context)  # type: ignore[arg-type]  # passed on as it came

    rail_town.track.status = status  # type: ignore[method-assign]  # the rail is ours
    turn = asyncio.ensure_future(rail_town.pass_time(21))
    async with asyncio.timeout(5):
        while not (await rail_town.now(other)).is_final:
            await asyncio.sleep(0.01)

    assert (await rail_town.now(stuck)).state is State.IN_FLIGHT
    hangs.set()
    await turn
    assert (await rail_town.now(stuck)).status is Status.SETTLED


async def test_a_refused_id_is_burnt_and_a_late_yes_about_it_is_a_conflict(
    rail_town: RailTown,
) -> None:
    rail_town.faults.plan("submit", Fault.CONFLICT)
    rail_town.track.fate = LATER
    paid = await rail_town.pay()
    burnt, living = [op for _, _, op in await ops_of(paid.id, Kind.SUBMIT)]
    rail_town.track.orders[burnt] = rail_town.track.orders[living]
    event = rail_town.track.event(living)

    for status in (RailStatus.REJECTED, RailStatus.ACCEPTED):
        answer = RailAnswer(status, event.answer.at)
        await rail_town.town.bank.passage.heard(rail_town.track.event(burnt, answer))
    assert await rail_town.now(paid) == paid
    answer = RailAnswer(RailStatus.SETTLED, event.answer.at)
    await rail_town.town.bank.passage.heard(rail_town.track.event(burnt, answer))

    assert burnt != living
    doubled = await rail_town.now(paid)
    assert (doubled.state, doubled.conflict) == (State.IN_FLIGHT, True)
    await rail_town.pass_time(21)
    assert (await rail_town.now(paid)).status is Status.SETTLED


@pytest.mark.only("sqlite")
@pytest.mark.parametrize("call", ["hold", "submit", "capture"])
async def test_an_id_known_with_another_body_is_a_doubt_and_no_refusal(
    rail_town: RailTown, call: str
) -> None:
    real = rail_town.faults.through
    said: list[Outcome[object]] = [Rejected(PortCode.DUPLICATE_MISMATCH)]

    async def through(
        name: str, work: Callable[[], Awaitable[Outcome[object]]]
    ) -> Outcome[object]:
        outcome = await real(name, work)
        return said.pop() if name == call and said else outcome

    rail_town.faults.through = through  # type: ignore[assignment, method-assign]  # the faults are ours
    unsure = await rail_town.pay()

    assert unsure.status is Status.PENDING_CONFIRMATION
    await rail_town.pass_time(6)
    assert (await rail_town.now(unsure)).status is Status.SETTLED
    assert await rail_town.free() == ALL - 10_000


@pytest.mark.only("sqlite")
async def test_a_core_that_answers_another_thing_proves_nothing(
    rail_town: RailTown,
) -> None:
    real = rail_town.faults.through
    said: list[Outcome[object]] = [Ok("a hold, surely")]

    async def through(
        name: str, work: Callable[[], Awaitable[Outcome[object]]]
    ) -> Outcome[object]:
        outcome = await real(name, work)
        return said.pop() if name == "hold" and said else outcome

    rail_town.faults.through = through  # type: ignore[assignment, method-assign]  # same

    unsure = await rail_town.pay()

    assert (unsure.state, unsure.status) == (
        State.HOLDING,
        Status.PENDING_CONFIRMATION,
    )
    assert (await rail_town.carried_through(unsure)).status is Status.SETTLED


async def test_a_clock_put_back_by_a_day_holds_nothing_up(rail_town: RailTown) -> None:
    rail_town.track.fate = (Word(0, RailStatus.ACCEPTED), Word(1, RailStatus.SETTLED))
    kept = await rail_town.pay()
    await rail_town.hear(kept)
    clock = rail_town.town.bank.clock
    assert await leases.due(clock.now(), 5) == []

    clock.move(days=-1)

    assert await leases.due(clock.now(), 5) == [kept.id]
    await rail_town.hear(kept, RailStatus.SETTLED)
    assert (await rail_town.now(kept)).status is Status.SETTLED
