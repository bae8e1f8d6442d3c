"""What is told, and shown before sign-in, from the phone's side."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from mock_mobile_client import wishes
from mock_mobile_client.errors import BadEntry, ProofFailed, Refused
from mock_mobile_client.journeys_wishes import choose_what_is_told, show_before_sign_in
from mock_mobile_client.phone import EVERYDAY
from mock_mobile_client.stage import Stage
from tests.phone.conftest import Fake
from tests.phone.fake_parts import Caller, Node
from tests.phone.test_commands import run


async def test_choices_are_shown_and_changed_from_the_command_line(
    fake: Fake, tmp_path: Path
) -> None:
    await run(fake, tmp_path, "enrol", "asha")
    locked = await run(fake, tmp_path, "quick")
    await run(fake, tmp_path, "login")

    chosen = await run(
        fake,
        tmp_path,
        *("notify", "--by", "money_in", "in_app", "--quiet", "22:00-07:00"),
        *("--amounts", "shown"),
    )
    least = ("--from", "money_in", "5 INR", "--quiet", "none")
    again = await run(fake, tmp_path, "notify", *least)
    refused = await run(fake, tmp_path, "notify", "--by", "security", "push")
    allowed = await run(fake, tmp_path, "quick", "--allow", EVERYDAY)
    named = await run(fake, tmp_path, *("account", EVERYDAY, "--call", "Rent"))
    alert = await run(fake, tmp_path, *("account", EVERYDAY, "--low", "5.00 INR"))
    none = await run(fake, tmp_path, *("account", EVERYDAY, "--low", ""))
    nothing = await run(fake, tmp_path, "quick", "--allow", "")

    assert "no balance before sign-in" in locked.output
    assert "MONEY_IN        IN_APP" in chosen.output
    assert "LOGIN_APPROVAL  PUSH IN_APP     -  always" in chosen.output
    assert "quiet hours 22:00-07:00, amounts in pushes shown" in chosen.output
    assert "quiet hours none, amounts in pushes shown" in again.output
    assert (refused.exit_code, "NOT_ALLOWED" in refused.output) == (1, True)
    assert allowed.output == "Everyday  48,250.00 INR\n"
    assert named.output == "Everyday is called Rent\n"
    assert alert.output.startswith("Everyday: told below ")
    assert none.output == "Everyday: no alert\n"
    assert "no balance before sign-in" in nothing.output


async def test_what_a_bank_does_wrong_is_noticed(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fake.phone("Asha-1") as asha, fake.phone("Ben-1") as ben:
        await asha.start()
        await ben.start()
        stage = Stage(asha, ben, AsyncExitStack())
        show = fake.bank.quickBalance

        def shows_everybody(caller: Caller, given: Node) -> list[Node]:
            owner = fake.bank.device(caller).owner
            account = owner.accounts[0]
            row = {"accountId": account.id, "name": account.name, **account.balance()}
            return [row, *show(caller, given)]

        monkeypatch.setattr(fake.bank, "quickBalance", shows_everybody)
        with pytest.raises(ProofFailed, match="other phones show"):
            await show_before_sign_in(stage)
        monkeypatch.setattr("tests.phone.fake_wishes.MANDATORY", ())
        with pytest.raises(ProofFailed, match="switching security off"):
            await choose_what_is_told(stage)
        settings = await wishes.settings(asha.session)
        with pytest.raises(BadEntry):
            settings.of("weather")
        with pytest.raises(Refused):
            await wishes.call_account(asha.session, "acc_none", None)
