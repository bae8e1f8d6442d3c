"""The Bank: every service once, and `open_bank`, the one place that wires them.

Partners open in order and close in reverse. A web process opens no text sender; a
worker opens no socket register's loops.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from app import adapters, audit, database, telemetry, upgrade
from app.accounts.accounts import Accounts
from app.accounts.balances import Balances
from app.accounts.transactions import Transactions
from app.auth.bound import BoundDevices
from app.auth.caller import Callers
from app.auth.challenges import Challenges
from app.auth.devices import Devices
from app.auth.directory import Directory
from app.auth.dpop import Proofs
from app.auth.enrolment import Enrolments
from app.auth.keys import SigningRing
from app.auth.lockout import Lockout
from app.auth.login import Logins
from app.auth.mpin import Mpins
from app.auth.otp import Otps
from app.auth.outbox import Outbox
from app.auth.revocations import Revocations
from app.auth.sessions import Sessions
from app.auth.standing import Customers
from app.auth.step_up import StepUps
from app.auth.throttle import Throttle
from app.auth.tokens import AccessTokens
from app.clock import Clock
from app.database import Proof
from app.integrations.core_banking import CanProve, CoreBank
from app.integrations.counters import Counters
from app.integrations.identity import IdentityProof
from app.integrations.rails import PaymentRail
from app.integrations.sms import SmsSender
from app.payments import coherence as payment_coherence
from app.payments.address_book import AddressBook
from app.payments.intake import Intake
from app.payments.jobs import Jobs as PaymentJobs
from app.payments.passage import Passage
from app.payments.payees import Payees
from app.payments.transfers import Transfers
from app.realtime import coherence as stream_coherence
from app.realtime import log
from app.realtime.announce import Announcer
from app.realtime.bus import Bus
from app.realtime.hub import Hub
from app.realtime.sockets import Sockets
from app.settings import Misconfigured, Settings
from app.status.app_policy import AppPolicies
from app.status.health import Component, Health
from app.vault import Vault, open_vault

_RESTART_S = 1.0


class Role(StrEnum):
    """What a process does."""

    WEB = "WEB"
    WORKER = "WORKER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """Every service of an opened bank."""

    settings: Settings
    clock: Clock
    vault: Vault
    ring: SigningRing
    callers: Callers
    enrolments: Enrolments
    devices: Devices
    mpins: Mpins
    logins: Logins
    sessions: Sessions
    challenges: Challenges
    step_ups: StepUps
    revocations: Revocations
    customers: Customers
    outbox: Outbox
    core: CoreBank
    accounts: Accounts
    balances: Balances
    transactions: Transactions
    payees: Payees
    transfers: Transfers
    payment_jobs: PaymentJobs
    health: Health
    app_policies: AppPolicies
    announcer: Announcer
    hub: Hub
    sockets: Sockets
    sms: SmsSender | None

    def proofs(self) -> list[Proof]:
        """Gather the coherence proofs of every room that keeps books."""
        found = [
            *audit.proofs(),
            *stream_coherence.proofs(),
            *payment_coherence.proofs(),
        ]
        if isinstance(self.core, CanProve):
            found += self.core.proofs()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Partners:
    """The adapters that the settings name."""

    core: CoreBank
    rail: PaymentRail
    identity: IdentityProof
    counters: Counters
    bus: Bus
    sms: SmsSender | None


@asynccontextmanager
async def open_bank(
    settings: Settings, roles: frozenset[Role] = frozenset({Role.WEB})
) -> AsyncIterator[Bank]:
    """Open the bank of the settings; leaving it waits for what is under way.

    Raises:
        Misconfigured: a setting names something that does not fit.
        SchemaBehind: `python -m app migrate` has not run.
    """
    await upgrade.require_head(settings)
    clock = Clock(settings.business_tz, settings.clock_offset_file)
    vault = open_vault(settings)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(database.open_database(settings))
        health = Health(clock)
        partners = await _partners(settings, clock, vault, health, stack, roles)
        bank = await _wired(settings, clock, vault, health, partners)
        log.open_log(clock, bank.announcer.announce)
        await stack.enter_async_context(bank.transfers)
        await stack.enter_async_context(_kept_running(bank, roles))
        yield bank


async def _partners(
    settings: Settings,
    clock: Clock,
    vault: Vault,
    health: Health,
    stack: AsyncExitStack,
    roles: frozenset[Role],
) -> _Partners:
    port = "app.integrations."
    core_file = adapters.load(port + "core_banking", settings.core_banking)
    core: CoreBank = await core_file.connect(settings, clock)
    rail = adapters.load(port + "rails", settings.rails[0])
    identity = adapters.load(port + "identity", settings.identity)
    counters = adapters.load(port + "counters", settings.counters)
    sms = None
    if Role.WORKER in roles:
        sms_file = adapters.load(port + "sms", settings.sms)
        sms = await sms_file.connect(sms_file.Settings(), clock=clock)
        stack.push_async_callback(sms.close)
        sms = health.watching(sms, Component.LOGIN)
    return _Partners(
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


async def _wired(
    settings: Settings, clock: Clock, vault: Vault, health: Health, partners: _Partners
) -> Bank:
    """Make every service, from the lowest room up."""
    ring = SigningRing(clock, vault)
    await ring.open()
    sockets = Sockets(settings, clock)
    bound = BoundDevices(clock)
    revocations = Revocations(
        clock=clock, settings=settings, closer=sockets.close, forget=bound.forget
    )
    announcer = Announcer(partners.bus)
    tokens = AccessTokens(clock=clock, settings=settings, ring=ring)
    throttle = Throttle(settings=settings, counters=partners.counters)
    sessions = Sessions(
        clock=clock,
        settings=settings,
        vault=vault,
        tokens=tokens,
        revocations=revocations,
    )
    lockout = Lockout(
        sessions=sessions, tries=settings.mpin_tries, device_tries=settings.device_tries
    )
    challenges = Challenges(clock=clock, vault=vault, lockout=lockout)
    step_ups = StepUps(
        clock=clock,
        settings=settings,
        challenges=challenges,
        sessions=sessions,
        throttle=throttle,
    )
    directory = Directory(vault)
    outbox = Outbox(clock=clock, vault=vault)
    otps = Otps(clock=clock, settings=settings, vault=vault)
    customers = Customers(
        clock=clock,
        vault=vault,
        directory=directory,
        identity=partners.identity,
    )
    accounts = Accounts(
        core=partners.core,
        core_name=settings.core_banking,
        vault=vault,
        bank_code=settings.bank_code,
    )
    watched = health.watching(partners.core, Component.ACCOUNTS)
    balances = Balances(core=watched)
    book = AddressBook(vault)
    payees = Payees(
        settings=settings,
        clock=clock,
        book=book,
        accounts=accounts,
        sessions=sessions,
        step_ups=step_ups,
    )
    passage = Passage(
        clock=clock,
        accounts=accounts,
        book=book,
        rail=health.watching(partners.rail, Component.TRANSFERS),
    )
    transfers = Transfers(
        settings=settings,
        clock=clock,
        intake=Intake(
            accounts=accounts, balances=balances, customers=customers, payees=payees
        ),
        passage=passage,
        challenges=challenges,
        sessions=sessions,
        throttle=throttle,
    )
    return Bank(
        settings=settings,
        clock=clock,
        vault=vault,
        ring=ring,
        callers=Callers(
            proofs=Proofs(
                clock=clock, settings=settings, vault=vault, counters=partners.counters
            ),
            tokens=tokens,
            bound=bound,
            revocations=revocations,
            throttle=throttle,
        ),
        enrolments=Enrolments(
            clock=clock,
            settings=settings,
            vault=vault,
            directory=directory,
            otps=otps,
            outbox=outbox,
            identity=partners.identity,
            throttle=throttle,
        ),
        devices=Devices(
            clock=clock,
            settings=settings,
            directory=directory,
            otps=otps,
            outbox=outbox,
            identity=partners.identity,
        ),
        mpins=Mpins(clock=clock, vault=vault, step_ups=step_ups),
        logins=Logins(
            clock=clock,
            settings=settings,
            vault=vault,
            bound=bound,
            challenges=challenges,
            sessions=sessions,
            throttle=throttle,
        ),
        sessions=sessions,
        challenges=challenges,
        step_ups=step_ups,
        revocations=revocations,
        customers=customers,
        outbox=outbox,
        core=partners.core,
        accounts=accounts,
        balances=balances,
        transactions=Transactions(core=watched, accounts=accounts, clock=clock),
        payees=payees,
        transfers=transfers,
        payment_jobs=PaymentJobs(clock=clock, transfers=transfers, passage=passage),
        health=health,
        app_policies=AppPolicies(settings),
        announcer=announcer,
        hub=Hub(settings, clock, partners.bus),
        sockets=sockets,
        sms=partners.sms,
    )


@asynccontextmanager
async def _kept_running(bank: Bank, roles: frozenset[Role]) -> AsyncIterator[None]:
    """Run the loops that belong to an open bank; they end with it."""
    loops: dict[str, Callable[[], Awaitable[None]]] = {"announcer": bank.announcer.run}
    if Role.WEB in roles:
        loops |= {
            "hub": bank.hub.run,
            "sockets": bank.sockets.run,
            "revocations": bank.revocations.run,
        }
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_again_and_again(name, loop), name=name)
            for name, loop in loops.items()
        ]
        try:
            yield
        finally:
            await bank.announcer.flush()
            for task in tasks:
                task.cancel()


async def _again_and_again(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    """A loop that fails is logged and started again: a bank without it is deaf."""
    while True:
        try:
            await loop()
        except Exception:  # noqa: BLE001  -- the outermost frame of a worker loop
            telemetry.log.exception("loop_failed", name=name)
        await asyncio.sleep(_RESTART_S)
