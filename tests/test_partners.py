"""Which partners a process opens, by its part."""

import base64
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from app import database
from app.bank import open_bank
from app.clock import Clock
from app.database import Tx
from app.integrations.push import PushKind
from app.partners import Partners, Role, open_partners
from app.settings import Environment, Misconfigured, Settings
from app.status.health import Health
from app.vault import Ring, Vault
from tests.test_statements import a_customer

FCM = frozenset({PushKind.FCM_FID, PushKind.FCM_TOKEN})
APNS = frozenset({PushKind.APNS})


async def opened(settings: Settings, role: Role, stack: AsyncExitStack) -> Partners:
    clock = Clock()
    vault = Vault(sealing=Ring({1: b"s" * 32}), pepper=Ring({1: b"p" * 32}))
    return await open_partners(
        settings, clock, vault, Health(clock), stack, frozenset({role})
    )


async def test_only_a_worker_opens_what_sends(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        web = await opened(settings, Role.WEB, stack)
        worker = await opened(settings, Role.WORKER, stack)

    assert (web.sms, web.push) == (None, ())
    assert worker.sms is not None
    assert [provider.kinds for provider in worker.push] == [FCM, APNS]


async def test_a_bank_may_push_to_nobody(settings: Settings) -> None:
    silent = settings.model_copy(update={"push": ()})

    async with AsyncExitStack() as stack:
        worker = await opened(silent, Role.WORKER, stack)

    assert worker.push == ()


async def test_two_providers_for_the_same_addresses_stop_the_start(
    settings: Settings,
) -> None:
    both = settings.model_copy(update={"push": ("console", "fcm")})

    async with AsyncExitStack() as stack:
        with pytest.raises(Misconfigured) as refused:
            await opened(both, Role.WORKER, stack)

    assert str(refused.value) == "PUSH: fcm and another send to the same addresses"


async def test_rails_are_opened_in_order_of_choice_by_their_names(
    settings: Settings,
) -> None:
    turned = settings.model_copy(update={"rails": ("imps", "on_us")})
    twice = settings.model_copy(update={"rails": ("on_us", "on_us")})

    async with AsyncExitStack() as stack:
        usual = await opened(settings, Role.WEB, stack)
        other = await opened(turned, Role.WEB, stack)
        with pytest.raises(Misconfigured) as refused:
            await opened(twice, Role.WEB, stack)

    assert list(usual.rails) == ["INTERNAL", "IMPS"]
    assert list(other.rails) == ["IMPS", "INTERNAL"]
    assert str(refused.value) == "RAILS: on_us and another are INTERNAL"


async def test_production_opens_no_rail_that_could_not_tell_of_money_back(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = settings.model_copy(update={"env": Environment.PRODUCTION})
    ours = live.model_copy(update={"rails": ("on_us",)})
    secrets = tmp_path / "secrets"
    secrets.write_text("\n")
    monkeypatch.setenv("SIXPENCE_RAILS_IMPS_CALLBACK_SECRETS_FILE", str(secrets))

    async with AsyncExitStack() as stack:
        with pytest.raises(Misconfigured, match="RAILS_IMPS_CALLBACK_SECRETS_FILE"):
            await opened(live, Role.WEB, stack)
        without = await opened(ours, Role.WEB, stack)
        secrets.write_text(f"whsec_{base64.b64encode(bytes(32)).decode()}\n")
        believed = await opened(live, Role.WEB, stack)

    assert list(without.rails) == ["INTERNAL"]
    assert list(believed.rails) == ["INTERNAL", "IMPS"]


async def test_a_bank_whose_accounts_lie_in_another_core_does_not_start(
    settings: Settings,
) -> None:
    async with open_bank(settings, frozenset()) as bank:
        await a_customer(bank, accounts=1, rows=1)

        async def moved(tx: Tx) -> None:
            await tx.rows("UPDATE account SET core = 'former' RETURNING id")

        await database.transaction(moved, name="test.moved")

    with pytest.raises(Misconfigured, match="lie in 'former'"):
        async with open_bank(settings, frozenset()):
            pass
