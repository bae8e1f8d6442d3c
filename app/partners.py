"""The adapters that the settings name, opened in order and closed in reverse.

A web process opens no text sender and no push provider: only a worker sends.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum

from app import adapters
from app.clock import Clock
from app.integrations.core_banking import CoreBank
from app.integrations.counters import Counters, SparedCounters
from app.integrations.identity import IdentityProof
from app.integrations.push import PushProvider
from app.integrations.rails import PaymentRail
from app.integrations.sms import SmsSender
from app.realtime.bus import Bus
from app.settings import Misconfigured, Settings
from app.status.health import Component, Health
from app.status.pushes import WatchedPush
from app.vault import Vault

_PORTS = "app.integrations."
_OWN_MEMORY = "memory"
_QUICK_POLL_S = 1.0


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
    push: tuple[PushProvider, ...]


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
        counters=await _counters(settings, clock, stack),
        bus=await _bus(settings, stack),
        sms=sms,
        push=await _push(settings, clock, health, stack, roles),
    )


async def _push(
    settings: Settings,
    clock: Clock,
    health: Health,
    stack: AsyncExitStack,
    roles: frozenset[Role],
) -> tuple[PushProvider, ...]:
    """Open the push providers of a worker.

    Raises:
        Misconfigured: two of them send to one kind of address.
    """
    opened: list[PushProvider] = []
    for name in settings.push if Role.WORKER in roles else ():
        file = adapters.load(_PORTS + "push", name)
        found: PushProvider = await file.connect(file.Settings(), clock=clock)
        stack.push_async_callback(found.close)
        if any(found.kinds & other.kinds for other in opened):
            raise Misconfigured(f"PUSH: {name} and another send to the same addresses")
        opened.append(WatchedPush(health, found))
    return tuple(opened)


async def _counters(
    settings: Settings, clock: Clock, stack: AsyncExitStack
) -> Counters:
    """Open the counters; shared ones get this process's own memory as a spare."""
    folder = _PORTS + "counters"
    opened: Counters = await adapters.load(folder, settings.counters).connect(
        settings, clock
    )
    if settings.counters != _OWN_MEMORY:
        spare = await adapters.load(folder, _OWN_MEMORY).connect(settings, clock)
        opened = SparedCounters(opened, spare, clock)
    stack.push_async_callback(opened.close)
    return opened


async def _bus(settings: Settings, stack: AsyncExitStack) -> Bus:
    scheme = settings.bus_url.partition("://")[0]
    name = "redis" if scheme == "rediss" else scheme
    if name not in adapters.choices("app.realtime.bus"):
        raise Misconfigured(f"BUS_URL: there is no bus {scheme!r}")
    opened: Bus = await adapters.load("app.realtime.bus", name).connect(
        settings.bus_url
    )
    stack.push_async_callback(opened.close)
    return opened


def require_shared_bus(settings: Settings) -> None:
    """Refuse a bus within one process where a bank has several.

    Without hints only the poll tells one process what another did, so it has to be
    quick then (realtime.md section 3 of the design).

    Raises:
        Misconfigured: BUS_URL is memory:// and POLL_S above one second.
    """
    if settings.bus_url.startswith(_OWN_MEMORY) and settings.poll_s > _QUICK_POLL_S:
        raise Misconfigured(
            "`serve` and `worker` are several processes, and BUS_URL=memory:// joins "
            "none: give the URL of a Valkey, redis://HOST:6379/0, or set POLL_S=1"
        )
