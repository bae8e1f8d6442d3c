"""The first payment to a payee over a rail can be stopped for ten seconds."""

from datetime import timedelta

import pytest

from app.payments.errors import TooLate
from app.payments.lifecycle import State, Status
from tests.payments.rail_town import ALL, RailTown, counted


@pytest.fixture(autouse=True)
def _window(rail_town: RailTown) -> None:
    object.__setattr__(rail_town.track.caps, "undo_first_s", 10)


async def test_a_first_payment_waits_and_can_be_stopped_again_and_again(
    rail_town: RailTown,
) -> None:
    actor = rail_town.town.asha.actor
    kept = await rail_town.pay()
    assert (kept.state, kept.status) == (State.APPROVED, Status.SUBMITTED)
    assert kept.cancellable_until == rail_town.town.bank.clock.now() + timedelta(
        seconds=10
    )
    await rail_town.pass_time(9)
    await rail_town.town.bank.passage.advance(kept.id, by_staff=True)

    ended = [
        await rail_town.town.bank.transfers.cancel(actor, str(kept.id))
        for _ in range(2)
    ]
    await rail_town.pass_time(60)

    assert [one.status for one in ended] == [Status.CANCELLED] * 2
    assert (await rail_town.now(kept)).status is Status.CANCELLED
    assert rail_town.faults.calls == []
    assert (await rail_town.free(), await counted()) == (ALL, (0, 0))
    assert (await rail_town.steps(kept))[-1] == ("CUSTOMER", "cancelled")


async def test_after_its_ten_seconds_a_first_payment_goes_and_the_next_waits_no_more(
    rail_town: RailTown,
) -> None:
    actor = rail_town.town.asha.actor
    first = await rail_town.pay()
    rail_town.town.bank.clock.move(seconds=10)

    with pytest.raises(TooLate):
        await rail_town.town.bank.transfers.cancel(actor, str(first.id))
    await rail_town.pass_time(0)
    second = await rail_town.pay(500)

    assert (await rail_town.now(first)).status is Status.SETTLED
    assert (second.status, second.not_before) == (Status.SETTLED, None)
    assert await rail_town.free() == ALL - 10_500


async def test_who_stops_everything_stops_what_could_still_be_stopped(
    rail_town: RailTown,
) -> None:
    kept = await rail_town.pay()

    ended = await rail_town.town.bank.transfers.halt(rail_town.town.asha.actor)
    await rail_town.pass_time(60)

    assert (ended, (await rail_town.now(kept)).status) == (1, Status.CANCELLED)
    assert await rail_town.free() == ALL
