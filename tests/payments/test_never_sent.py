"""A core that keeps no ids of ours: what surely never left is sent, the rest asked."""

from dataclasses import replace

import pytest

from app.payments.lifecycle import State
from app.payments.ops import Kind
from tests.payments.faults import Fault
from tests.payments.rail_town import ALL, RailTown, open_holds, ops_of


@pytest.fixture(autouse=True)
def _no_ids(rail_town: RailTown) -> None:
    core = rail_town.town.bank.passage._asking._core  # noqa: SLF001  -- the faulty core is ours
    core.caps = replace(core.caps, native_idempotency=False)


@pytest.mark.parametrize(
    ("faults", "calls", "ids"),
    [
        # it never left: sent under its own id, without a question
        ([Fault.NOT_SENT], ["capture", "capture"], 1),
        ([Fault.NOT_SENT] * 2, ["capture"] * 3, 1),
        # five ids were refused: the sixth was stored, and left for later
        ([Fault.CONFLICT] * 5, ["capture"] * 6, 6),
        # it may have left since: asked about, never sent twice
        (
            [Fault.NOT_SENT, Fault.KILLED_AFTER],
            ["capture", "capture", "lookup"],
            1,
        ),
        ([Fault.NOT_SENT, Fault.LOST_AFTER], ["capture", "capture", "lookup"], 1),
    ],
)
async def test_a_capture_that_surely_never_left_is_sent_under_its_own_id(
    rail_town: RailTown, faults: list[Fault], calls: list[str], ids: int
) -> None:
    rail_town.faults.plan("capture", *faults)
    kept = await rail_town.pay()
    assert kept.state is State.CAPTURING
    assert await open_holds() == 1

    ended = await rail_town.carried_through(kept)

    assert ended.state is State.SETTLED
    assert rail_town.faults.calls[2:] == calls
    outcomes = [one[1] for one in await ops_of(kept.id, Kind.CAPTURE)]
    assert outcomes == [*["REJECTED"] * (ids - 1), "OK"]
    assert (await rail_town.free(), await open_holds()) == (ALL - 10_000, 0)


async def test_a_hold_that_may_have_left_is_asked_about_before_it_is_given_up(
    rail_town: RailTown,
) -> None:
    rail_town.faults.plan("hold", Fault.NOT_SENT, Fault.KILLED_BEFORE)
    kept = await rail_town.pay()

    ended = await rail_town.carried_through(kept)

    assert ended.state is State.DECLINED
    assert rail_town.faults.calls[:2] == ["hold", "hold"]
    assert set(rail_town.faults.calls[2:]) == {"lookup"}
    assert (await rail_town.free(), await open_holds()) == (ALL, 0)


async def test_a_capture_whose_sender_died_is_done_once_the_core_surely_saw_none(
    rail_town: RailTown,
) -> None:
    rail_town.faults.plan("capture", Fault.KILLED_BEFORE)
    kept = await rail_town.pay()

    ended = await rail_town.carried_through(kept)

    assert ended.state is State.SETTLED
    assert [one[1] for one in await ops_of(kept.id, Kind.CAPTURE)] == ["REJECTED", "OK"]
    assert rail_town.faults.calls.count("capture") == 2
    assert (await rail_town.free(), await open_holds()) == (ALL - 10_000, 0)
