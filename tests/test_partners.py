"""Which partners a process opens, by its part."""

from contextlib import AsyncExitStack

import pytest

from app.clock import Clock
from app.integrations.push import PushKind
from app.partners import Partners, Role, open_partners
from app.settings import Misconfigured, Settings
from app.status.health import Health
from app.vault import Ring, Vault

FCM = frozenset({PushKind.FCM_FID, PushKind.FCM_TOKEN})


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
    assert [provider.kinds for provider in worker.push] == [FCM]


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
