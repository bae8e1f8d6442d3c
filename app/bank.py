"""The Bank: every service once, and `open_bank`, the one place that wires them.

Partners open in order and close in reverse. A web process opens no text sender; a
worker opens no socket register's loops.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields

from app import audit, database, telemetry, upgrade
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
from app.integrations.rails import PaymentRail
from app.integrations.sms import SmsSender
from app.partners import Partners, Role, open_partners
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
from app.realtime.hub import Hub
from app.realtime.sockets import Sockets
from app.settings import Settings
from app.status.app_policy import AppPolicies
from app.status.health import Component, Health
from app.vault import Vault, open_vault

_RESTART_S = 1.0


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """What every room stands on."""

    settings: Settings
    clock: Clock
    vault: Vault


@dataclass(frozen=True, kw_only=True)
class _Identity:
    """Who is holding which phone."""

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
    throttle: Throttle


@dataclass(frozen=True, kw_only=True)
class _Books:
    """What customers have."""

    core: CoreBank
    accounts: Accounts
    balances: Balances
    transactions: Transactions


@dataclass(frozen=True, kw_only=True)
class _Money:
    """Money on its way."""

    payees: Payees
    transfers: Transfers
    payment_jobs: PaymentJobs


@dataclass(frozen=True, kw_only=True)
class _Live:
    """What goes out without being asked, and how the bank is."""

    health: Health
    app_policies: AppPolicies
    announcer: Announcer
    hub: Hub
    sockets: Sockets
    sms: SmsSender | None


@dataclass(frozen=True, kw_only=True)
class Bank(_Ground, _Identity, _Books, _Money, _Live):
    """Every service of an opened bank."""

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
        partners = await open_partners(settings, clock, vault, health, stack, roles)
        ground = _Ground(settings=settings, clock=clock, vault=vault)
        bank = await _wired(ground, health, partners)
        log.open_log(clock, bank.announcer.announce)
        await stack.enter_async_context(bank.transfers)
        await stack.enter_async_context(_kept_running(bank, roles))
        yield bank


async def _wired(ground: _Ground, health: Health, partners: Partners) -> Bank:
    """Make every service, from the lowest room up."""
    settings, clock = ground.settings, ground.clock
    ring = SigningRing(clock, ground.vault)
    await ring.open()
    live = _Live(
        health=health,
        app_policies=AppPolicies(settings),
        announcer=Announcer(partners.bus),
        hub=Hub(settings, clock, partners.bus),
        sockets=Sockets(settings, clock),
        sms=partners.sms,
    )
    identity = _identity(ground, ring, partners, live.sockets)
    books = _books(ground, health, partners)
    rail = health.watching(partners.rail, Component.TRANSFERS)
    money = _money(ground, identity, books, rail)
    return Bank(
        **{
            field.name: getattr(part, field.name)
            for part in (ground, identity, books, money, live)
            for field in fields(part)
        }
    )


def _identity(
    ground: _Ground, ring: SigningRing, partners: Partners, sockets: Sockets
) -> _Identity:
    """Wire the auth room."""
    settings, clock, vault = ground.settings, ground.clock, ground.vault
    bound = BoundDevices(clock)
    revocations = Revocations(
        clock=clock, settings=settings, closer=sockets.close, forget=bound.forget
    )
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
    callers = Callers(
        proofs=Proofs(
            clock=clock, settings=settings, vault=vault, counters=partners.counters
        ),
        tokens=tokens,
        bound=bound,
        revocations=revocations,
        throttle=throttle,
    )
    logins = Logins(
        clock=clock,
        settings=settings,
        vault=vault,
        bound=bound,
        challenges=challenges,
        sessions=sessions,
        throttle=throttle,
    )
    enrolments, devices, customers, outbox = _enrolling(ground, partners, throttle)
    return _Identity(
        ring=ring,
        callers=callers,
        enrolments=enrolments,
        devices=devices,
        mpins=Mpins(clock=clock, vault=vault, step_ups=step_ups),
        logins=logins,
        sessions=sessions,
        challenges=challenges,
        step_ups=step_ups,
        revocations=revocations,
        customers=customers,
        outbox=outbox,
        throttle=throttle,
    )


def _enrolling(
    ground: _Ground, partners: Partners, throttle: Throttle
) -> tuple[Enrolments, Devices, Customers, Outbox]:
    """Wire what a phone meets before it is bound."""
    settings, clock, vault = ground.settings, ground.clock, ground.vault
    directory = Directory(vault)
    outbox = Outbox(clock=clock, vault=vault)
    otps = Otps(clock=clock, settings=settings, vault=vault)
    enrolments = Enrolments(
        clock=clock,
        settings=settings,
        vault=vault,
        directory=directory,
        otps=otps,
        outbox=outbox,
        identity=partners.identity,
        throttle=throttle,
    )
    devices = Devices(
        clock=clock,
        settings=settings,
        directory=directory,
        otps=otps,
        outbox=outbox,
        identity=partners.identity,
    )
    customers = Customers(
        clock=clock, vault=vault, directory=directory, identity=partners.identity
    )
    return enrolments, devices, customers, outbox


def _books(ground: _Ground, health: Health, partners: Partners) -> _Books:
    """Wire the accounts room; reads of the core count for its component."""
    watched = health.watching(partners.core, Component.ACCOUNTS)
    accounts = Accounts(
        core=partners.core,
        core_name=ground.settings.core_banking,
        vault=ground.vault,
        bank_code=ground.settings.bank_code,
    )
    return _Books(
        core=partners.core,
        accounts=accounts,
        balances=Balances(core=watched),
        transactions=Transactions(core=watched, accounts=accounts, clock=ground.clock),
    )


def _money(
    ground: _Ground, identity: _Identity, books: _Books, rail: PaymentRail
) -> _Money:
    """Wire the payments room."""
    settings, clock = ground.settings, ground.clock
    book = AddressBook(ground.vault)
    payees = Payees(
        settings=settings,
        clock=clock,
        book=book,
        accounts=books.accounts,
        sessions=identity.sessions,
        step_ups=identity.step_ups,
    )
    passage = Passage(clock=clock, accounts=books.accounts, book=book, rail=rail)
    transfers = Transfers(
        settings=settings,
        clock=clock,
        intake=Intake(
            accounts=books.accounts,
            balances=books.balances,
            customers=identity.customers,
            payees=payees,
        ),
        passage=passage,
        challenges=identity.challenges,
        sessions=identity.sessions,
        throttle=identity.throttle,
    )
    jobs = PaymentJobs(clock=clock, transfers=transfers, passage=passage)
    return _Money(payees=payees, transfers=transfers, payment_jobs=jobs)


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
