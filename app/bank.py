"""The Bank: every service once, and `open_bank`, the one place that wires them.

Partners open in order and close in reverse. A web process opens no text sender; a
worker opens no socket register's loops.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from functools import partial

from app import audit, cashier, database, identity, telemetry, upgrade
from app.accounts import completing
from app.accounts import sealed as account_sealed
from app.accounts.changes import AccountChanges
from app.auth import sealed as auth_sealed
from app.auth.bound import BoundDevices
from app.auth.revocations import Revocations
from app.auth.signing_ring import SigningRing
from app.auth.throttle import Throttle
from app.cashier import Books, MoneyRoom
from app.clock import Clock
from app.database import Proof
from app.errors import Outage
from app.identity import Doors, Ground, Identity
from app.integrations.core_banking import CanProve
from app.integrations.sms import SmsSender
from app.notifications import coherence as notification_coherence
from app.notifications import sealed as notification_sealed
from app.notifications.acknowledgements import Acknowledgements
from app.notifications.addresses import Addresses
from app.notifications.choices import Choices
from app.notifications.delivery import Delivery
from app.notifications.fanout import Fanout
from app.notifications.fates import Fates
from app.notifications.inbox import Inbox
from app.partners import Partners, Role, open_partners
from app.payments import coherence as payment_coherence
from app.payments import sealed as payment_sealed
from app.realtime import coherence as stream_coherence
from app.realtime import log
from app.realtime.announce import Announcement, Announcer
from app.realtime.facts import NOTIFICATIONS
from app.realtime.hub import Hub
from app.realtime.relay import Relay
from app.realtime.sockets import Sockets
from app.sealed import Declared
from app.settings import Misconfigured, Settings
from app.status.app_policy import AppPolicies
from app.status.board import Board
from app.status.health import Component, Health
from app.vault import open_vault

_RESTART_S = 1.0


@dataclass(frozen=True, kw_only=True)
class _Live:
    """What goes out without being asked, and how the bank is."""

    health: Health
    board: Board
    app_policies: AppPolicies
    announcer: Announcer
    hub: Hub
    sockets: Sockets
    sms: SmsSender | None


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What phones are told when nobody asks; relay and delivery run in a worker."""

    addresses: Addresses
    acknowledgements: Acknowledgements
    inbox: Inbox
    fates: Fates
    relay: Relay
    delivery: Delivery


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """What customers set as they like it."""

    account_changes: AccountChanges
    choices: Choices


@dataclass(frozen=True, kw_only=True)
class Bank(Ground, Identity, Books, MoneyRoom, _Live, _Told, _Chosen):
    """Every service of an opened bank."""

    def proofs(self) -> list[Proof]:
        """Gather the coherence proofs of every room that keeps books."""
        found = [
            *audit.proofs(),
            *stream_coherence.proofs(),
            *payment_coherence.proofs(),
            *notification_coherence.proofs(),
        ]
        if isinstance(self.core, CanProve):
            found += self.core.proofs()
        return found

    def sealed(self) -> list[Declared]:
        """Gather every column that holds values made with ring keys."""
        return [
            *auth_sealed.SEALED,
            *account_sealed.SEALED,
            *payment_sealed.SEALED,
            *notification_sealed.SEALED,
        ]


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
        ground = Ground(settings=settings, clock=clock, vault=vault)
        bank = await _wired(ground, health, partners)
        await _require_one_core(bank)
        stack.callback(bank.board.leave)
        log.open_log(clock, _heard_by(bank), complete=completing.complete)
        if Role.WEB in roles:
            await bank.revocations.poll()  # before the first token is looked at
            await bank.board.look()
        await stack.enter_async_context(_announcing(bank))
        if bank.feed is not None:
            await stack.enter_async_context(bank.feed)
        await stack.enter_async_context(bank.transfers)
        await stack.enter_async_context(_kept_running(bank, roles))
        yield bank


async def _require_one_core(bank: Bank) -> None:
    """Refuse to ask a core for accounts that lie in another.

    Raises:
        Misconfigured: CORE_BANKING is not the core of the accounts that are here.
    """
    other = await bank.accounts.other_core()
    if other is not None:
        raise Misconfigured(
            f"CORE_BANKING: accounts of this bank lie in {other!r}, and it is started "
            f"with {bank.settings.core_banking!r}: choose the former, or begin with an "
            "empty database"
        )


async def _wired(ground: Ground, health: Health, partners: Partners) -> Bank:
    """Make every service, from the lowest room up."""
    settings, clock = ground.settings, ground.clock
    ring = SigningRing(clock, ground.vault)
    await ring.open()
    announcer, sockets = Announcer(partners.bus), Sockets(settings, clock)
    bound = BoundDevices(clock)
    revocations = Revocations(
        clock=clock,
        settings=settings,
        closer=sockets.close,
        forget=bound.forget,
        announce=announcer.announce,
    )
    board = Board(clock, health, announcer.announce, partners.core.health)

    def gap() -> None:
        revocations.hurry()
        board.hurry()

    hub = Hub(
        settings,
        clock,
        partners.bus,
        on_revoke=revocations.heard,
        on_broadcast=board.heard,
        on_gap=gap,
    )
    live = _Live(
        health=health,
        board=board,
        app_policies=AppPolicies(settings),
        announcer=announcer,
        hub=hub,
        sockets=sockets,
        sms=partners.sms,
    )
    throttle = Throttle(settings=settings, counters=partners.counters)
    told = _told(ground, partners, throttle)
    doors = Doors(
        ring=ring,
        bound=bound,
        revocations=revocations,
        throttle=throttle,
        bell=told.addresses,
    )
    people = identity.wired(ground, partners, doors)
    books = cashier.books_of(ground, partners)
    rails = {
        name: health.watching(rail, Component.TRANSFERS)
        for name, rail in partners.rails.items()
    }
    money = cashier.money_of(ground, people, books, rails, partners.risk, health)
    chosen = _chosen(ground, people, books)
    return Bank(
        **{
            field.name: getattr(part, field.name)
            for part in (ground, people, books, money, live, told, chosen)
            for field in fields(part)
        }
    )


def _heard_by(bank: Bank) -> Callable[[Announcement], None]:
    """Give what hears of commits: the hubs of all processes, and our own relay."""

    def announce(item: Announcement) -> None:
        bank.announcer.announce(item)
        bank.relay.wake()

    return announce


def _told(ground: Ground, partners: Partners, throttle: Throttle) -> _Told:
    """Wire the notifications room."""
    settings, clock, vault = ground.settings, ground.clock, ground.vault
    delivery = Delivery(clock=clock, vault=vault, providers=partners.push)
    fanout = Fanout(clock=clock, settings=settings, wake=delivery.wake)
    return _Told(
        addresses=Addresses(clock=clock, vault=vault, throttle=throttle),
        acknowledgements=Acknowledgements(clock=clock, settings=settings),
        inbox=Inbox(clock=clock),
        fates=Fates(clock=clock),
        relay=Relay(clock=clock, consumer=NOTIFICATIONS, take=fanout.take),
        delivery=delivery,
    )


def _chosen(ground: Ground, people: Identity, books: Books) -> _Chosen:
    """Wire what asks only for a live session."""
    clock, accounts, sessions = ground.clock, books.accounts, people.sessions
    return _Chosen(
        account_changes=AccountChanges(
            clock=clock, accounts=accounts, sessions=sessions
        ),
        choices=Choices(
            clock=clock,
            settings=ground.settings,
            accounts=accounts,
            sessions=sessions,
        ),
    )


@asynccontextmanager
async def _announcing(bank: Bank) -> AsyncIterator[None]:
    """Tell the other processes, up to the last commit of this one."""
    async with asyncio.TaskGroup() as group:
        loop = _again_and_again("announcer", bank.announcer.run)
        task = group.create_task(loop, name="announcer")
        try:
            yield
        finally:
            await database.drained(bank.settings.drain_s)
            await bank.announcer.flush()
            task.cancel()


@asynccontextmanager
async def _kept_running(bank: Bank, roles: frozenset[Role]) -> AsyncIterator[None]:
    """Run the loops that belong to an open bank; they end with it."""
    loops: dict[str, Callable[[], Awaitable[None]]] = {}
    if Role.WEB in roles:
        loops = {
            "hub": bank.hub.run,
            "status": bank.board.run,
            "sockets": bank.sockets.run,
            "revocations": bank.revocations.run,
            "signing keys": bank.ring.run,
        }
        if bank.feed is not None:
            loops["feed"] = partial(bank.feed.follow, bank.hub.followed)
    elif roles:
        loops["status"] = bank.board.run
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_again_and_again(name, loop), name=name)
            for name, loop in loops.items()
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _again_and_again(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    """A loop that fails is logged and started again: a bank without it is deaf."""
    while True:
        try:
            await loop()
        except Exception as failure:  # noqa: BLE001  -- the outermost frame of a worker loop
            loop_failed(name, failure)
        await asyncio.sleep(_RESTART_S)


def loop_failed(name: str, failure: Exception) -> None:
    """Note a loop that will be started again: a bug in full, an outage in one line."""
    if isinstance(failure, Outage):
        telemetry.log.warning("loop_met_outage", name=name, cause=failure.cause)
    else:
        telemetry.log.error("loop_failed", name=name, exc_info=failure)
