"""Limits on the phone: shown, set, and what is offered after a refusal."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from mock_mobile_client import limits
from mock_mobile_client.errors import BadEntry, ProofFailed, Refused
from mock_mobile_client.journeys_limits import meet_a_limit
from mock_mobile_client.money import money
from mock_mobile_client.phone import introduce
from mock_mobile_client.stage import Stage
from tests.phone.conftest import Fake
from tests.phone.fake_parts import amount
from tests.phone.test_commands import run


async def test_a_limit_is_set_by_step_up_and_a_raise_waits(fake: Fake) -> None:
    async with fake.phone("Asha-1") as asha:
        await asha.start()

        lower, _ = await limits.choose(asha.session, "day", money("500 INR"))
        higher, since = await limits.choose(asha.session, "DAY", money("600.00 INR"))
        with pytest.raises(Refused) as above:
            await limits.choose(asha.session, "DAY", money("9000000.00 INR"))
        for window, amount in (("year", "1.00 INR"), ("day", "1.00 EUR")):
            with pytest.raises(BadEntry):
                await limits.choose(asha.session, window, money(amount))

    assert (lower.max, lower.pending) == (money("500.00 INR"), None)
    assert (higher.max, higher.pending) == (money("500.00 INR"), money("600.00 INR"))
    assert since == higher.pending_from
    assert above.value.code == "LIMIT_EXCEEDED"


async def test_the_smallest_limit_is_met_to_the_paisa(fake: Fake) -> None:
    async with fake.phone("Asha-1") as asha, fake.phone("Ben-1") as ben:
        await asha.start()
        await ben.start()
        await introduce(asha, ben)
        stage = Stage(asha, ben, AsyncExitStack())

        new = await meet_a_limit(stage)
        await limits.choose(asha.session, "DAY", money("400.00 INR"))
        smaller = await meet_a_limit(stage)
        fake.bank.customers[0].payees.clear()
        await limits.choose(asha.session, "DAY", money("300.00 INR"))
        fake.bank.customers[0].accounts[0].minor = 30_000
        poor = await meet_a_limit(stage)

    assert new.endswith("one paisa more: COOLING_PERIOD")
    assert smaller.endswith("one paisa more: LIMIT_EXCEEDED")
    assert poor.endswith("more than there is")


async def test_a_bank_that_lets_more_through_than_it_says_is_noticed(
    fake: Fake,
) -> None:
    async with fake.phone("Asha-1") as asha, fake.phone("Ben-1") as ben:
        await asha.start()
        await ben.start()
        await introduce(asha, ben)
        fake.bank.customers[0].payees[0]["coolingLimit"] = amount(100)

        with pytest.raises(ProofFailed, match="above every limit"):
            await meet_a_limit(Stage(asha, ben, AsyncExitStack()))


async def test_limits_are_printed_and_set_from_the_command_line(
    fake: Fake, tmp_path: Path
) -> None:
    await run(fake, tmp_path, "enrol", "asha")
    await run(fake, tmp_path, "login")
    await run(fake, tmp_path, "beneficiary", "add", "Ben", "Ben", "50100000002001")

    shown = await run(fake, tmp_path, "limits")
    ran = await run(fake, tmp_path, "limits", "--set", "day", "700.00 INR")

    assert "Payments a day  500,000.00 INR  0.00 INR  500,000.00 INR" in shown.output
    assert "Ben is new: 5,000.00 INR for now" in shown.output
    assert "Payments a day  700.00 INR  0.00 INR  700.00 INR" in ran.output
    assert ran.output.startswith("counts from 20")
