"""The adapters that the settings name, opened in order and closed in reverse.

A web process opens no text sender and no push provider: only a worker sends.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum

from app import adapters
from app.accounts.accounts import Accounts
from app.accounts.far_sheet import FarSheet
from app.accounts.feed import Feed
from app.accounts.linking import Links
from app.accounts.sheet import LocalSheet, Sheet
from app.accounts.teller import Teller
from app.auth.directory import Directory
from app.auth.standing import Customers
from app.clock import Clock
from app.holders import Holders
from app.integrations.core_banking import CoreBank, LocalBook, Remote
from app.integrations.counters import Counters, SparedCounters
from app.integrations.fraud import RiskEngine
from app.integrations.identity import IdentityProof
from app.integrations.push import PushProvider
from app.integrations.rails import Names, PaymentRail, Settles
from app.integrations.sms import SmsSender
from app.realtime.bus import Bus
from app.settings import Environment, Misconfigured, Settings
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
    """The adapters that the settings name; `rails` by their names in the contract.

    Accounts and customers are made here, once for all rooms: the rail of the house asks
    them who holds an account.
    """

    core: CoreBank
    sheet: Sheet
    feed: Feed | None
    links: Links | None
    accounts: Accounts
    customers: Customers
    rails: Mapping[str, PaymentRail]
    risk: RiskEngine
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
    core, sheet, feed = await _core(settings, clock, health, stack)
    identity_file = adapters.load(_PORTS + "identity", settings.identity)
    identity: IdentityProof = await identity_file.connect(settings, vault)
    accounts = Accounts(
        core=core,
        core_name=settings.core_banking,
        vault=vault,
        bank_code=settings.bank_code,
    )
    customers = Customers(
        clock=clock, vault=vault, directory=Directory(vault), identity=identity
    )
    names = Holders(accounts=accounts, customers=customers)
    sms = None
    if Role.WORKER in roles:
        sms_file = adapters.load(_PORTS + "sms", settings.sms)
        sms = await sms_file.connect(sms_file.Settings(), clock=clock)
        stack.push_async_callback(sms.close)
        sms = health.watching(sms, Component.LOGIN)
    return Partners(
        core=core,
        sheet=sheet,
        feed=feed,
        links=_links(settings, core, vault, feed),
        accounts=accounts,
        customers=customers,
        rails=await _rails(settings, clock, core, names, stack),
        risk=await _risk(settings),
        identity=identity,
        counters=await _counters(settings, clock, stack),
        bus=await _bus(settings, stack),
        sms=sms,
        push=await _push(settings, clock, health, stack, roles),
    )


async def _core(
    settings: Settings, clock: Clock, health: Health, stack: AsyncExitStack
) -> tuple[CoreBank, Sheet, Feed | None]:
    """Open the core, what its accounts are read from, and what looks at a remote one.

    Raises:
        Misconfigured: its own settings, or it is neither in our database nor remote.
    """
    file = adapters.load(_PORTS + "core_banking", settings.core_banking)
    core: CoreBank = await file.connect(file.Settings(), clock=clock)
    close = getattr(core, "close", None)
    if close is not None:
        stack.push_async_callback(close)
    if isinstance(core, LocalBook):
        watched = health.watching(core, Component.ACCOUNTS)
        return core, LocalSheet(watched, clock), None
    if not isinstance(core, Remote):
        raise Misconfigured(f"CORE_BANKING: {settings.core_banking} shows no rows")
    feed = Feed(
        core=health.watching(core, Component.ACCOUNTS),
        core_name=settings.core_banking,
        clock=clock,
        hints=core,
    )
    return Teller(core, feed, clock), FarSheet(feed, clock), feed


def _links(
    settings: Settings, core: CoreBank, vault: Vault, feed: Feed | None
) -> Links | None:
    """Make what takes a remote core's accounts into our list."""
    if feed is None:
        return None
    return Links(
        core=core,
        core_name=settings.core_banking,
        vault=vault,
        bank_code=settings.bank_code,
        feed=feed,
    )


async def _rails(
    settings: Settings,
    clock: Clock,
    core: CoreBank,
    names: Names,
    stack: AsyncExitStack,
) -> Mapping[str, PaymentRail]:
    """Open the payment rails, in order of choice.

    Raises:
        Misconfigured: two adapters are one rail, or in production one that settles
            later would not be believed when it says that money came back.
    """
    in_production = settings.env is Environment.PRODUCTION
    opened: dict[str, PaymentRail] = {}
    for name in settings.rails:
        file = adapters.load(_PORTS + "rails", name)
        found: PaymentRail = await file.connect(
            file.Settings(), core=core, clock=clock, names=names
        )
        stack.push_async_callback(found.close)
        if found.caps.rail in opened:
            raise Misconfigured(f"RAILS: {name} and another are {found.caps.rail}")
        later = found.caps.settles is Settles.TWO_PHASE
        if in_production and later and not found.caps.calls:
            raise Misconfigured(
                f"RAILS: {name} has no secrets for its callbacks, so nobody would hear "
                "of a payment that comes back after it was settled: set "
                f"RAILS_{name.upper()}_CALLBACK_SECRETS_FILE, or leave {name} out"
            )
        opened[found.caps.rail] = found
    return opened


async def _risk(settings: Settings) -> RiskEngine:
    """Open what judges payments.

    Raises:
        Misconfigured: its rules are not whole.
    """
    file = adapters.load(_PORTS + "fraud", settings.fraud)
    opened: RiskEngine = await file.connect(
        file.Settings(), factor=settings.limit_factor
    )
    return opened


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
