"""kill -9 at a point of a two-phase payment; another process carries it to its end.

The child is forked, so it starts at once, and its rail writes its orders into a file:
the outside world does not die with the bank.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from app import database
from app.clock import StoppedClock
from app.ids import PaymentId
from app.payments.lifecycle import Status
from app.realtime import log
from app.settings import Settings
from app.vault import Vault
from tests.conftest import NOON, broken_proofs
from tests.payments.faults import Fault, Faults, FaultyCore, Outside, Track, Word
from tests.payments.rail_town import RailTown, counted, open_holds
from tests.payments.scythe import Scythe, at
from tests.payments.test_crash_points import MINOR, OUTCOMES, POINTS
from tests.payments.town import a_town
from tests.payments.world import Bank, open_bank

FIRST = NOON + timedelta(hours=1)  # when the second process starts
CHECKED = {
    ("after payments.lease", "OK"),
    ("after hold", "REJECTED"),
    ("after payments.conclude 1", "UNKNOWN"),
    ("after submit", "OK"),
    ("after payments.conclude 3", "REJECTED"),
    ("after {end}", "OK"),
}


def cases() -> list[object]:
    """Give every point and outcome; six of them in every check."""
    return [
        pytest.param(
            point,
            outcome,
            marks=() if (point, outcome) in CHECKED else pytest.mark.chaos,
        )
        for point in POINTS
        for outcome in OUTCOMES
    ]


@asynccontextmanager
async def a_bank(
    settings: Settings, vault: Vault, clock: StoppedClock, track: Track, faults: Faults
) -> AsyncIterator[Bank]:
    """Open the database as a process does, with a bank over it."""
    outside = Outside(
        core=lambda core: FaultyCore(core, faults), rails={track.caps.rail: track}
    )
    async with database.open_database(settings):
        log.open_log(clock, lambda _announcement: None)
        async with open_bank(settings, clock, vault, outside) as bank:
            yield bank


def killed(_name: str = "") -> None:
    """Die as by `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)


async def live_until_killed(
    settings: Settings, vault: Vault, point: str, outcome: str, orders: Path
) -> None:
    """Pay, and carry on, until the point is reached."""
    clock, faults = StoppedClock(NOON), Faults(killed)
    track = Track(clock, faults)
    track.fate = (Word(20, OUTCOMES[outcome]),)
    track.keeps = lambda op: _kept(orders, op)
    async with a_bank(settings, vault, clock, track, faults) as bank:
        town = await a_town(bank)
        if outcome == "UNKNOWN" and not point.endswith(" submit"):
            faults.plan("submit", Fault.LOST_AFTER)
        scythe = Scythe(at(point, faults), killed)
        database.transaction = scythe.transaction  # this process dies
        rail_town = RailTown(town=town, track=track, faults=faults)
        await rail_town.pay(MINOR)
        for _ in range(6):
            await rail_town.pass_time(61)


async def carry_on(
    settings: Settings, vault: Vault, outcome: str, orders: list[str]
) -> tuple[Status | None, int, int, tuple[int, int], list[str]]:
    """Start again and work; gives the end, money gone, holds, limits, broken proofs."""
    clock, faults = StoppedClock(FIRST), Faults()
    track = Track(clock, faults)
    track.fate = (Word(20, OUTCOMES[outcome]),)
    track.orders = {UUID(order): (NOON, track.fate) for order in orders}
    async with a_bank(settings, vault, clock, track, faults) as bank:
        await bank.jobs.turn()
        for _ in range(3):
            await bank.carried_on()
        paid = await database.read_one("SELECT id FROM payment")
        status = None
        if paid is not None:
            status = (await bank.now(paid.get("id", PaymentId))).status
        gone = await database.read_one(
            "SELECT CAST(coalesce(sum(p.amount), 0) AS BIGINT) AS gone "
            "FROM ledger_posting p JOIN ledger_journal j ON j.id = p.journal_id "
            "JOIN ledger_account a ON a.id = p.account_id "
            "WHERE a.owner_id IS NOT NULL AND j.kind = 'CAPTURE' "
            "AND p.phase = 'COMMITTED'"
        )
        moved = 0 if gone is None else -gone.get("gone", int)
        return status, moved, await open_holds(), await counted(), await broken_proofs()


def _kept(orders: Path, op: UUID) -> None:
    with orders.open("a") as file:
        file.write(f"{op}\n")


@pytest.mark.slow
@pytest.mark.parametrize(("point", "outcome"), cases())
def test_a_payment_of_a_killed_process_ends_rightly_in_another(
    settings: Settings, vault: Vault, tmp_path: Path, point: str, outcome: str
) -> None:
    orders, fails = tmp_path / "orders", outcome == "REJECTED"
    where = point.format(end="release" if fails else "capture")
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(live_until_killed(settings, vault, where, outcome, orders))
        finally:
            os._exit(3)  # it lived on: the point was never reached
    _, told = os.waitpid(child, 0)

    kept = orders.read_text().split() if orders.exists() else []
    end = asyncio.run(carry_on(settings, vault, outcome, kept))

    assert os.WIFSIGNALED(told)
    assert os.WTERMSIG(told) == signal.SIGKILL
    wanted: Status | None = Status.FAILED if fails else Status.SETTLED
    if where == "before payments.create":
        wanted = None
    elif where in {"after payments.create", "before payments.approve"}:
        wanted = Status.EXPIRED
    moved = MINOR if wanted is Status.SETTLED else 0
    assert end == (wanted, moved, 0, (0, moved), [])
