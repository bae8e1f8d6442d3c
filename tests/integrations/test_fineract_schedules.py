"""Random walks over the port under random faults: nothing twice, nothing lost.

A failure names its seed; `FINERACT_SEED=<seed>` plays from there.
"""

import os
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
import stamina

from app.clock import Clock, StoppedClock
from app.integrations.core_banking import fineract
from tests.integrations.fineract_rig import BASE, FineractRig, core_banking
from tests.integrations.fineract_schedule import ACCOUNTS, MONEY, Walk
from tests.integrations.fineract_world import inr

SEED = int(os.environ.get("FINERACT_SEED", "0"))
BEHIND = timedelta(minutes=45)  # the walks move their clock, and days must be past
EACH = 150  # walks in one world: its book grows, and is searched from end to end


@pytest.mark.slow
@pytest.mark.parametrize(
    "walks",
    [
        50,
        pytest.param(150, marks=pytest.mark.twice),
        pytest.param(5000, marks=pytest.mark.chaos),
    ],
)
@pytest.mark.usefixtures("_one_list_of_authorities")
async def test_nothing_is_posted_twice_and_nothing_is_lost(
    walks: int, tmp_path: Path
) -> None:
    ops, unsure = 0, 0

    for first in range(SEED, SEED + walks, EACH):
        seeds = range(first, min(first + EACH, SEED + walks))
        with core_banking(tmp_path) as rig, stamina.set_testing(True, attempts=2):
            done = {seed: await walked(rig, seed) for seed in seeds}
            wrong = differing(rig, done)
        assert wrong == {}, f"FINERACT_SEED={min(wrong)} plays it first"
        ops += sum(len(walk.moves) for walk in done.values())
        unsure += sum(walk.unsure for walk in done.values())

    print(f"{walks} walks, {ops} ops, {unsure} of them unsure for a while")  # noqa: T201  -- the figures of the run
    assert unsure > walks / 4


async def walked(rig: FineractRig, seed: int) -> Walk:
    """Walk by a seed, on accounts and through an adapter of its own."""
    clock = StoppedClock(Clock().now() - BEHIND)
    url = f"{str(rig.world.base_url).rstrip('/')}{BASE}"  # without the tap
    settings = rig.settings().model_copy(update={"base_url": url})
    core = await fineract.connect(settings, clock=clock)
    accounts = rig.open_several(f"walker-{seed}", [inr(MONEY)] * ACCOUNTS)
    walk = Walk(core, rig, clock, Random(seed), accounts)  # noqa: S311  -- no secret
    try:
        await walk.walk()
    except Exception as failure:
        failure.add_note(f"FINERACT_SEED={seed} plays it first")
        raise
    finally:
        await core.close()
    return walk


def differing(rig: FineractRig, done: dict[int, Walk]) -> dict[int, list[str]]:
    """Hold what walks believe against the book; gives those that differ."""
    book = rig.world.get("/_fineract/book").raise_for_status().json()["accounts"]
    by_ref = {str(one["id"]): one for one in book}
    return {
        seed: found for seed, walk in done.items() if (found := walk.differs(by_ref))
    }
