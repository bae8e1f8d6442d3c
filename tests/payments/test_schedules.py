"""Any order of faults, calls, deaths and waits ends in what is true (banking.md B8).

A failure names its seed; `SCHEDULE_SEED` plays from there.
"""

import os
from collections import Counter
from random import Random

import pytest

from app.payments.lifecycle import Status
from tests.payments.rail_town import RailTown, counted
from tests.payments.schedules import MINOR, Schedule

SEED = int(os.environ.get("SCHEDULE_SEED", "20261122"))
EACH = 20  # payments of one schedule


@pytest.mark.slow
@pytest.mark.parametrize(
    "payments", [300, pytest.param(10_000, marks=pytest.mark.chaos)]
)
async def test_no_schedule_of_faults_books_twice_or_shows_what_is_not_true(
    rail_town: RailTown, payments: int
) -> None:
    ends: Counter[Status] = Counter()

    for seed in range(SEED, SEED + payments // EACH):
        schedule = Schedule(rail_town, Random(seed))  # noqa: S311  -- no secret
        try:
            ended = await schedule.play(EACH)
        except BaseException as failure:
            failure.add_note(f"SCHEDULE_SEED={seed} plays it first")
            raise
        ends.update(payment.status for payment in ended)

    assert {Status.SETTLED, Status.FAILED, Status.REVERSED} <= set(ends)
    assert await counted() == (
        MINOR * ends[Status.PENDING_CONFIRMATION],
        MINOR * (ends[Status.SETTLED] + ends[Status.REVERSED]),
    )
