"""An integrator's own tests run with the plugin and nothing of ours."""

import asyncio
import os
import sys
from pathlib import Path

from tests.phone.conftest import Fake

ROOT = Path(__file__).parents[2]
INTEGRATORS = """
from mock_mobile_client.money import money

async def test_ben_is_paid(phone_pair):
    asha, ben = phone_pair
    async with ben.live() as live:
        paid = await asha.pay("ben", money("2.00 INR"))
        fresh = (await ben.account("Everyday")).balance
        await live.until(
            lambda: fresh in live.picture.by_event.values(), "the credit"
        )
    assert paid.status == "SETTLED"

def test_addresses_come_from_the_command_line(bank_url, sandbox):
    assert bank_url == sandbox
"""


async def test_the_fixtures_work_in_a_project_of_its_own(
    fake: Fake, tmp_path: Path
) -> None:
    (tmp_path / "test_bank.py").write_text(INTEGRATORS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    plugin = ["-p", "pytest_asyncio.plugin", "-p", "mock_mobile_client.pytest_plugin"]
    addresses = ["--bank-url", fake.url, "--bank-sandbox", fake.url]
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", *plugin, *addresses, str(tmp_path)),
        cwd=ROOT,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )

    printed, _ = await program.communicate()

    assert program.returncode == 0, printed.decode()
    assert "2 passed" in printed.decode()
    assert fake.bank.customers[1].accounts[0].minor == 931_250
