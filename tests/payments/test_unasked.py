"""A no of an adapter that asked nobody, and answers that do not come in time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from typing_extensions import override

from app.errors import ErrorCode, Outage
from app.integrations.outcome import Outcome, PortCode, Rejected
from app.integrations.rails import RailAnswer
from app.payments import asking
from app.payments.lifecycle import State, Status
from app.payments.ops import Kind
from app.payments.passage import LEASE_S
from tests.payments.faults import REFUSES, Fault, Faults
from tests.payments.rail_town import ALL, RailTown, open_holds, ops_of
from tests.payments.town import Town

T = TypeVar("T")
NEVER = Rejected(PortCode.NEVER_SEEN)
UNASKED = Rejected(PortCode.ACCOUNT_BLOCKED, detail="blocked since", unasked=True)


class Told(Faults):
    """Answers some calls as it is told, and hangs in others; else as the core does."""

    def __init__(self) -> None:
        super().__init__()
        self.instead: dict[str, list[Outcome[Any]]] = {}
        self.hangs: set[str] = set()
        self.cut: list[str] = []

    @override
    async def through(
        self, name: str, work: Callable[[], Awaitable[Outcome[T]]]
    ) -> Outcome[T]:
        if said := self.instead.get(name):
            self.calls.append(name)
            return said.pop(0)
        outcome = await super().through(name, work)
        if name in self.hangs:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cut.append(name)
                raise
        return outcome


@pytest.fixture
def told(rail_town: RailTown) -> Told:
    """Put the core of the town under our word."""
    found = Told()
    core: Any = rail_town.town.bank.passage._asking._core  # noqa: SLF001  -- the faulty core is ours
    core._faults = found  # noqa: SLF001  -- same
    return found


@pytest.mark.parametrize(
    ("call", "kind", "state"),
    [
        ("hold", Kind.HOLD, State.HOLDING),
        ("capture", Kind.CAPTURE, State.CAPTURING),
        ("release", Kind.RELEASE, State.RELEASING),
    ],
)
async def test_a_no_that_asked_nobody_ends_nothing_that_may_have_been_sent(
    rail_town: RailTown, told: Told, call: str, kind: Kind, state: State
) -> None:
    if kind is Kind.RELEASE:
        rail_town.track.fate = REFUSES
    told.plan(call, Fault.LOST_AFTER)
    lost = await rail_town.pay()
    holds = await open_holds()
    told.instead = {"lookup": [NEVER], call: [UNASKED]}

    await rail_town.pass_time(6)

    kept = await rail_town.now(lost)
    assert (kept.state, kept.status) == (state, Status.PENDING_CONFIRMATION)
    assert told.instead == {"lookup": [], call: []}
    assert [one[1] for one in await ops_of(lost.id, kind)] == ["UNKNOWN"]
    assert await open_holds() == holds == (1 if kind is Kind.HOLD else 0)
    ended = await rail_town.carried_through(kept)
    freed = kind is Kind.RELEASE
    assert ended.status is (Status.FAILED if freed else Status.SETTLED)
    assert [one[1] for one in await ops_of(lost.id, kind)] == ["OK"]
    assert await rail_town.free() == (ALL if freed else ALL - 10_000)


async def test_a_no_that_asked_nobody_ends_what_was_never_sent(
    rail_town: RailTown, told: Told
) -> None:
    told.instead = {"hold": [UNASKED]}

    ended = await rail_town.pay()

    assert (ended.status, ended.reason) == (Status.DECLINED, ErrorCode.ACCOUNT_BLOCKED)
    assert (await rail_town.free(), await open_holds()) == (ALL, 0)


async def test_a_booking_inside_the_house_waits_for_the_word_of_the_core(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = town.bank.line
    line.after = Outage("cut after the work", component="ACCOUNTS")
    unsure = await town.bank.pay(town.asha, town.to_ben(10_000))
    line.instead = [UNASKED]

    async def forgot(*_args: object) -> Outcome[RailAnswer]:
        return NEVER

    with monkeypatch.context() as for_now:
        for_now.setattr(line, "status", forgot)
        await town.bank.carried_on()
    kept = await town.bank.now(unsure.id)

    assert line.instead == []
    assert kept.status is Status.PENDING_CONFIRMATION
    await town.bank.carried_on()
    assert (await town.bank.now(unsure.id)).status is Status.SETTLED
    assert await town.bank.available(town.current) == 90_000


@pytest.mark.parametrize(
    ("call", "state"), [("hold", State.HOLDING), ("capture", State.CAPTURING)]
)
async def test_an_answer_is_waited_for_no_longer_than_the_lease(
    rail_town: RailTown,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    state: State,
) -> None:
    told.hangs = {call}
    with monkeypatch.context() as for_now:
        for_now.setattr(asking, "ANSWER_S", 0.5)
        async with asyncio.timeout(10):
            unsure = await rail_town.pay()
            while not told.cut or not (await rail_town.now(unsure)).unsure_since:
                await asyncio.sleep(0.01)
    told.hangs = set()

    kept = await rail_town.now(unsure)
    assert asking.ANSWER_S < LEASE_S
    assert (kept.state, kept.status) == (state, Status.PENDING_CONFIRMATION)
    assert told.cut == [call]
    ended = await rail_town.carried_through(unsure)
    assert ended.status is Status.SETTLED
    assert told.calls.count(call) == 1
    assert await rail_town.free() == ALL - 10_000
