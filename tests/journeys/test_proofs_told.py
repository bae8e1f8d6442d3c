"""Proofs 9 and 10, told and killed: in one process here, and as production has it.

One process is SQLite and the bus in memory; production is PostgreSQL, Valkey, two webs
and a worker of its own. In one process proof 10 holds as a command, see test_proofs.py.
The figures of payments under kills are those of test_kill.py.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mock_mobile_client.proofs_kill import Size, proof_09
from mock_mobile_client.proofs_two_people import proof_10
from tests.journeys.bank_process import ROOT
from tests.journeys.books import Books, books_of
from tests.journeys.mortal import Victims
from tests.journeys.parts import bank_in_parts
from tests.journeys.two_webs import ONE, OTHER, WORKER, TwoWebs, two_webs

if TYPE_CHECKING:
    from tests.postgres import Server

pytestmark = pytest.mark.slow
in_one_process = pytest.mark.only("sqlite")
as_in_production = pytest.mark.only("postgres")
WHOLE = Size(kills=30, flying=7)  # 210 payments in flight
Note = Callable[[str, object], None]


def killed(few: Size) -> pytest.MarkDecorator:
    """Kill a few times, and in chaos as often as the design says."""
    whole = pytest.param(WHOLE, marks=pytest.mark.chaos)
    return pytest.mark.parametrize("size", [few, whole], ids=["few", "whole"])


@pytest.fixture(scope="module")
def bank(
    tmp_path_factory: pytest.TempPathFactory, postgres: "Server | None"
) -> Iterator[TwoWebs]:
    """Run the bank in parts that the stories of this file share."""
    folder = tmp_path_factory.mktemp("told")
    with books_of(folder, postgres) as books, two_webs(folder, books) as found:
        yield found


@pytest.mark.twice
@in_one_process
@killed(Size(kills=1, flying=0))  # under payments test_kill.py kills three times
async def test_proof_09_what_was_committed_is_told_once_whoever_dies(
    tmp_path: Path, durable_books: Books, size: Size, record_property: Note
) -> None:
    told: list[str] = []

    with bank_in_parts(tmp_path, durable_books) as parts:
        await proof_09(Victims(parts, "bank", "bank"), None, told.append, size)

    record_property("figures", f"one process: {'; '.join(told)}")
    assert not [line for line in told if "skipped" in line]
    assert told[-1].endswith("each seen once")


@as_in_production
async def test_proof_10_who_takes_a_phone_over_hears_nothing_in_production(
    bank: TwoWebs,
) -> None:
    told: list[str] = []

    await proof_10(bank.url, bank.sandbox, None, told.append)

    assert len(told) == 4
    assert "Traceback" not in bank.log()


@as_in_production
@killed(Size(kills=1))
async def test_proof_09_what_was_committed_is_told_once_in_production(
    bank: TwoWebs, size: Size, record_property: Note
) -> None:
    told: list[str] = []
    doors = bank.door(ONE), bank.door(OTHER)

    await proof_09(Victims(bank, ONE, WORKER), None, told.append, size, doors)

    record_property("figures", f"two webs and a worker: {'; '.join(told)}")
    assert not [line for line in told if "skipped" in line]
    assert told[-1].endswith("each seen once")


@pytest.mark.chaos
@in_one_process
def test_proof_09_is_a_command_that_kills_nobodys_bank_but_its_own(
    tmp_path: Path,
) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "mock_mobile_client", "proof", "9"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1] == "proof 9 holds partly"
