"""The proofs of acceptance.md that this build has, each on the engine of the run."""

from pathlib import Path

import pytest

from mock_mobile_client.handset import Setting
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.proofs import PROOFS, proof_01, proof_02
from mock_mobile_client.proofs_approval import proof_07
from mock_mobile_client.proofs_live import proof_03
from mock_mobile_client.proofs_lost_phone import proof_06
from mock_mobile_client.proofs_resume import proof_04
from mock_mobile_client.proofs_sign_in import proof_05
from tests.attacks.second_web import a_second_web
from tests.journeys.bank_process import BankProcess
from tests.journeys.planted import Pocket

# Here 6 has no second process, and 8 no core that can be away.
HOLD_PARTLY = {6, 8}
COMMANDS = sorted(set(PROOFS) - {9})  # that one kills a bank of its own

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("all_is_well")]


# On SQLite the same proofs run as commands of the phone: once an engine is enough.
as_a_function = pytest.mark.only("postgres")


@pytest.fixture
def setting(pocket: Pocket) -> Setting:
    """Give phones that lie in the folder of the bank."""
    return Setting(store=pocket, iterations=ITERATIONS_MIN)


@as_a_function
async def test_proof_01_a_lost_reply_is_answered_again_without_a_second_debit(
    demo_bank: BankProcess, setting: Setting
) -> None:
    told: list[str] = []

    await proof_01(demo_bank.url, demo_bank.sandbox, setting, told.append)

    assert len([line for line in told if line.endswith("one debit")]) == 2


@as_a_function
async def test_proof_02_a_stampede_spends_each_unit_once(
    demo_bank: BankProcess, setting: Setting
) -> None:
    told: list[str] = []

    await proof_02(demo_bank.url, demo_bank.sandbox, setting, told.append)

    assert [line[:3] for line in told] == ["(a)", "(b)", "(c)"]


@as_a_function
async def test_proof_03_the_second_phone_and_the_payee_see_it_unasked(
    demo_bank: BankProcess, setting: Setting
) -> None:
    told: list[str] = []

    await proof_03(demo_bank.url, demo_bank.sandbox, setting, told.append)

    assert told[0].startswith("20 payments")


@as_a_function
async def test_proof_04_a_dead_zone_leaves_no_silent_hole(
    demo_bank: BankProcess, setting: Setting
) -> None:
    told: list[str] = []

    await proof_04(demo_bank.url, demo_bank.sandbox, setting, told.append)

    assert told
    assert not [line for line in told if "skipped" in line]


@as_a_function
async def test_proof_05_a_stolen_refresh_token_opens_nothing_and_ends_nothing(
    demo_bank: BankProcess, setting: Setting
) -> None:
    told: list[str] = []

    await proof_05(demo_bank.url, demo_bank.sandbox, setting, told.append)

    assert told
    assert not [line for line in told if "skipped" in line]


async def test_proof_06_a_lost_phone_is_out_on_the_other_process_too(
    demo_bank: BankProcess, setting: Setting
) -> None:
    """No hint travels between the two processes: it is the half without the bus."""
    told: list[str] = []

    with a_second_web(demo_bank, LIMIT_FACTOR="1000") as door:
        await proof_06(
            demo_bank.url, demo_bank.sandbox, setting, told.append, second=door
        )

    assert not [line for line in told if "skipped" in line]
    assert [line for line in told if line.startswith("socket on the other process")]


@as_a_function
async def test_proof_07_only_the_untouched_approval_passes(
    demo_bank: BankProcess, setting: Setting
) -> None:
    told: list[str] = []

    await proof_07(demo_bank.url, demo_bank.sandbox, setting, told.append)

    assert told
    assert not [line for line in told if "skipped" in line]


@pytest.mark.only("sqlite")
@pytest.mark.twice
@pytest.mark.parametrize("number", COMMANDS)
def test_a_proof_is_a_command_of_the_phone_too(
    demo_bank: BankProcess, phones: Path, number: int
) -> None:
    where = ["--url", demo_bank.url, "--sandbox", demo_bank.sandbox]
    where += ["--phones", str(phones)]

    ran = demo_bank.command("mock_mobile_client", *where, "proof", str(number))

    assert ran.returncode == 0, ran.stdout + ran.stderr
    partly = " partly" if number in HOLD_PARTLY else ""
    assert ran.stdout.splitlines()[-1] == f"proof {number} holds{partly}"
