from pathlib import Path

import pytest

from mock_mobile_client.handset import Setting
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.proofs import proof_01, proof_02
from mock_mobile_client.store import FileStore
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("books_balance")]


def kept_in(folder: Path) -> Setting:
    return Setting(store=FileStore(folder), iterations=ITERATIONS_MIN)


async def test_proof_01_a_lost_reply_is_answered_again_without_a_second_debit(
    demo_bank: BankProcess, phones: Path
) -> None:
    told: list[str] = []

    await proof_01(demo_bank.url, demo_bank.sandbox, kept_in(phones), told.append)

    assert len([line for line in told if line.endswith("one debit")]) == 2


async def test_proof_02_a_stampede_spends_each_unit_once(
    demo_bank: BankProcess, phones: Path
) -> None:
    await proof_02(demo_bank.url, demo_bank.sandbox, kept_in(phones))
