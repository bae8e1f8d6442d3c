"""A process that dies at any point of a two-phase payment leaves one that ends rightly.

Twenty-four points, each with a rail that settles, refuses, or loses its answer. Here
the process ends by an exception; `test_killed_payments.py` kills a real one.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from app import database
from app.integrations.rails import RailStatus
from app.payments.lifecycle import Status
from app.payments.ops import Kind
from app.payments.payment import Payment
from tests.payments.faults import Fault, Word
from tests.payments.line import Killed
from tests.payments.rail_town import ALL, RailTown, counted, open_holds, ops_of
from tests.payments.scythe import Scythe, at

T = TypeVar("T")
POINTS = [
    f"{when} {name}"
    for name in (
        "payments.create",
        "payments.approve",
        "payments.lease",
        "hold",
        "payments.conclude 1",
        "submit",
        "payments.conclude 2",
        "status",
        "payments.conclude 3",
        "{end}",
        "ledger.{end}",
        "payments.conclude 4",
    )
    for when in ("before", "after")
]
OUTCOMES = {
    "OK": RailStatus.SETTLED,
    "REJECTED": RailStatus.REJECTED,
    "UNKNOWN": RailStatus.SETTLED,
}
MINOR = 100


async def retried(call: Callable[[], Awaitable[T]]) -> T:
    """Call as a phone does that got no answer: again, with the same bytes."""
    try:
        return await call()
    except Killed:
        return await call()


async def paid(rail_town: RailTown) -> tuple[Payment, Callable[[], Awaitable[Payment]]]:
    """Create and approve over any death; gives how the phone asks once more."""
    town = rail_town.town
    request = town.to_ben(MINOR)

    async def create() -> Payment:
        return (await town.bank.transfers.create(town.asha.actor, request)).payment

    created = await retried(create)
    challenge = await town.bank.challenge(town.asha, created)
    answer = town.asha.answer(challenge)

    async def approve() -> Payment:
        return await town.bank.transfers.approve(town.asha.actor, challenge.id, *answer)

    return await retried(approve), approve


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param("OK", marks=pytest.mark.only("sqlite")),
        pytest.param("REJECTED", marks=pytest.mark.only("sqlite")),
        "UNKNOWN",
    ],
)
async def test_a_process_that_dies_anywhere_leaves_a_payment_that_ends_rightly(
    rail_town: RailTown, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rail_town.track.fate = (Word(20, OUTCOMES[outcome]),)
    fails = outcome == "REJECTED"
    wanted = Status.FAILED if fails else Status.SETTLED
    for done, point in enumerate(POINTS, start=1):
        faults = rail_town.faults
        where = point.format(end="release" if fails else "capture")
        if outcome == "UNKNOWN" and not where.endswith(" submit"):
            faults.plan("submit", Fault.LOST_AFTER)
        rail_town.track.sent.clear()
        with monkeypatch.context() as patched:
            scythe = Scythe(at(where, faults))
            patched.setattr(database, "transaction", scythe.transaction)
            shown, again = await paid(rail_town)
            assert not shown.is_final, point
            for _ in range(3):
                await rail_town.pass_time(61)

        ended = await rail_town.carried_through(shown)
        died = scythe.blows == 1 if "." in where else not any(faults.once.values())
        assert died, point
        faults.once.clear()

        moved = 0 if fails else MINOR * done
        assert ended.status is wanted, point
        assert (await rail_town.free(), await open_holds()) == (ALL - moved, 0), point
        assert await counted() == (0, moved), point
        assert len(set(rail_town.track.sent)) == 1, point
        assert len(await ops_of(ended.id, Kind.SUBMIT)) == 1, point
        assert await again() == ended, point
