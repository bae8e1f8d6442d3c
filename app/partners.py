"""The adapters that the settings name, opened in order and closed in reverse.

A web process opens no text sender: only a worker sends.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum

from app import adapters
from app.clock import Clock
from app.integrations.core_banking import CoreBank
from app.integrations.counters import Counters
from app.integrations.identity import IdentityProof
from app.integrations.rails import PaymentRail
from app.integrations.sms import SmsSender
from app.realtime.bus import Bus
from app.settings import Misconfigured, Settings
from app.status.health import Component, Health
from app.vault import Vault

_PORTS = "app.integrations."


class Role(StrEnum):
    """What a process does."""

    WEB = "WEB"
    WORKER = "WORKER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partners:
    """The adapters that the settings name."""

    core: CoreBank
    rail: PaymentRail
    identity: IdentityProof
    counters: Counters
    bus: Bus
    sms: SmsSender | None


async def open_partners(
    settings: Settings,
    clock: Clock,
    vault: Vault,
    health: Health,
    stack: AsyncExitStack,
    roles: frozenset[Role],
) -> Partners:
    """Load and connect every adapter.

    Raises:
        UnknownAdapter: a setting names none; says what can be chosen.
        Misconfigured: an adapter's own settings, or the bus, do not fit.
    """
    core_file = adapters.load(_PORTS + "core_banking", settings.core_banking)
    core: CoreBank = await core_file.connect(core_file.Settings(), clock=clock)
    rail = adapters.load(_PORTS + "rails", settings.rails[0])
    identity = adapters.load(_PORTS + "identity", settings.identity)
    counters = adapters.load(_PORTS + "counters", settings.counters)
    sms = None
    if Role.WORKER in roles:
        sms_file = adapters.load(_PORTS + "sms", settings.sms)
        sms = await sms_file.connect(sms_file.Settings(), clock=clock)
        stack.push_async_callback(sms.close)
        sms = health.watching(sms, Component.LOGIN)
    return Partners(
        core=core,
        rail=await rail.connect(core=core),
        identity=await identity.connect(settings, vault),
        counters=await counters.connect(clock),
        bus=await _bus(settings),
        sms=sms,
    )


async def _bus(settings: Settings) -> Bus:
    scheme = settings.bus_url.partition("://")[0]
    if scheme not in adapters.choices("app.realtime.bus"):
        raise Misconfigured(f"BUS_URL: there is no bus {scheme!r}")
    opened: Bus = await adapters.load("app.realtime.bus", scheme).connect(
        settings.bus_url
    )
    return opened
