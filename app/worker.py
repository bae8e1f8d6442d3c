"""The back door: the same bank without HTTP. Texts, payments under way, coherence."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import typer

from app import proving, sealed, seals, telemetry, upgrade
from app.accounts.due import BATCH as POLLED
from app.accounts.feed import Feed
from app.accounts.linking import Links
from app.accounts.words import prune as prune_words
from app.auth import jobs as auth_jobs
from app.auth import settling
from app.auth.standing import Staff, require_staff
from app.bank import Bank, loop_failed, open_bank
from app.clock import Clock
from app.errors import NotSupported
from app.partners import Role, require_shared_bus
from app.payments.callbacks import BATCH as CALLS
from app.payments.callbacks import prune as prune_calls
from app.payments.jobs import BATCH
from app.proving import Prover
from app.realtime import log
from app.settings import Settings

PAYMENTS_EVERY_S = 1.0
SWEEP_EVERY_S = 30.0
PROVE_EVERY_S = 60.0
NIGHT_EVERY_S = 600.0  # each looks whether the night began
PRUNE_EVERY_S = 3600.0
KEYS_EVERY_S = 3600.0
POLL_EVERY_S = 5.0  # each looks which accounts of a remote core are due
LINK_EVERY_S = 3600.0
SEAL_EVERY_S = 60.0  # each looks whether a new hour began
_RESTART_S = 1.0
_LOOK_EVERY_S = 1.0


async def run(bank: Bank) -> None:
    """Do the worker's part until cancelled; `demo` runs it beside the server."""
    prover = Prover(bank)
    loops: dict[str, Callable[[], Awaitable[None]]] = {
        "payments": lambda: payments(bank),
        "callbacks": lambda: callbacks(bank),
        "settle": lambda: settle(bank),
        "sweep": lambda: auth_jobs.sweep(bank.clock),
        "prove": prover.round,
        "prove all": prover.night,
        "prune": lambda: prune(bank),
        "keys": lambda: keys(bank),
        "seal": lambda: seal(bank),
    }
    every = {
        "payments": PAYMENTS_EVERY_S,
        "callbacks": PAYMENTS_EVERY_S,
        "settle": SWEEP_EVERY_S,
        "sweep": SWEEP_EVERY_S,
        "prove": PROVE_EVERY_S,
        "prove all": NIGHT_EVERY_S,
        "prune": PRUNE_EVERY_S,
        "keys": KEYS_EVERY_S,
        "seal": SEAL_EVERY_S,
    }
    if bank.feed is not None and bank.links is not None:
        loops |= {"polls": polls(bank.feed), "history": histories(bank.feed)}
        loops["links"] = links(bank.links)
        every |= {"polls": POLL_EVERY_S, "history": POLL_EVERY_S}
        every["links"] = LINK_EVERY_S
    async with asyncio.TaskGroup() as group:
        for name, loop in loops.items():
            turns = _every(bank.clock, every[name], name, loop)
            group.create_task(turns, name=name)
        group.create_task(_for_ever("relay", bank.relay.run), name="relay")
        group.create_task(_for_ever("push", bank.delivery.run), name="push")
        if bank.sms is not None:
            texts = partial(_texts, bank)
            group.create_task(_for_ever("sms", texts), name="sms")


async def payments(bank: Bank) -> None:
    """End payments that waited too long and carry on those left behind."""
    while await bank.payment_jobs.turn() >= BATCH:
        pass


async def callbacks(bank: Bank) -> None:
    """Bring what rails told us to its payments."""
    while await bank.callbacks.turn() >= CALLS:
        pass


async def settle(bank: Bank) -> None:
    """Write what time did to phones."""
    await settling.settle_states(bank.clock, bank.device_moves)


def polls(feed: Feed) -> Callable[[], Awaitable[None]]:
    """Look at the accounts of a remote core that are due."""

    async def turn() -> None:
        while await feed.poll() >= POLLED:
            pass

    return turn


def histories(feed: Feed) -> Callable[[], Awaitable[None]]:
    """Fetch what the mirror lacks of the accounts' history, page by page."""

    async def turn() -> None:
        while await feed.history():
            pass

    return turn


def links(found: Links) -> Callable[[], Awaitable[None]]:
    """Take accounts that the core opened, closed or renamed into our list."""

    async def turn() -> None:
        await found.link_all()

    return turn


async def prune(bank: Bank) -> None:
    """Delete events, handled calls and idle words that are older than the retention."""
    kept = timedelta(days=bank.settings.event_retention_days)
    await log.prune(bank.clock.today() - kept)
    await prune_calls(bank.clock.now() - kept)
    await prune_words(bank.clock.now() - kept)


async def keys(bank: Bank) -> None:
    """Let the next signing key sign when it is time; move values to current keys."""
    await bank.ring.rotate_when_due()
    done = await sealed.move(bank.vault, bank.sealed())
    if done.stuck:
        telemetry.log.error("values_do_not_open", rows=done.stuck)


async def seal(bank: Bank) -> None:
    """Seal the audit heads of the hour; copy what the anchor lacks."""
    await seals.seal(bank.clock, bank.ring)
    file = bank.settings.audit_anchor_file
    if file is None:
        return
    try:
        await seals.anchor(file)
    except OSError as failure:
        telemetry.log.error("audit_not_anchored", cause=str(failure))


async def _every(
    clock: Clock, seconds: float, name: str, loop: Callable[[], Awaitable[None]]
) -> None:
    """Do something again and again; a bank's clock that was moved on makes it due."""
    while True:
        try:
            await loop()
        except Exception as failure:  # noqa: BLE001  -- the outermost frame of a worker loop
            loop_failed(name, failure)
        due, left_s = clock.now() + timedelta(seconds=seconds), seconds
        while left_s > 0 and clock.now() < due:
            await asyncio.sleep(min(left_s, _LOOK_EVERY_S))
            left_s -= _LOOK_EVERY_S


async def _for_ever(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    """Run a loop that waits by itself; one that fails is started again."""
    while True:
        try:
            await loop()
        except Exception as failure:  # noqa: BLE001  -- the outermost frame of a worker loop
            loop_failed(name, failure)
        await asyncio.sleep(_RESTART_S)


async def _texts(bank: Bank) -> None:
    assert bank.sms is not None  # noqa: S101  -- asked by the caller
    await auth_jobs.run_sms(
        clock=bank.clock, vault=bank.vault, sms=bank.sms, outbox=bank.outbox
    )


# ------------------------------------------------------------------ commands


async def main(settings: Settings) -> int:
    """Work until INT or TERM; gives the exit code.

    Raises:
        Misconfigured: no bus joins this process with those that serve phones.
    """
    require_shared_bus(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with (
        open_bank(settings, frozenset({Role.WORKER})) as bank,
        asyncio.TaskGroup() as group,
    ):
        task = group.create_task(run(bank), name="worker")
        typer.echo("The worker works.")
        await stop.wait()
        task.cancel()
    typer.echo("The worker has stopped.")
    return 0


async def migrate(settings: Settings) -> int:
    """Bring the schema to head and prove the books; gives the exit code."""
    steps = await upgrade.migrate(settings)
    async with open_bank(settings, frozenset()) as bank:
        broken = await proving.whole(bank)
    for step in steps:
        typer.echo(f"done  {step}")
    for name in broken:
        typer.echo(f"BROKEN  {name}")
    if not broken:
        typer.echo("The schema is at head, the guards are on, the books balance.")
    return 1 if broken else 0


async def unfreeze(settings: Settings, by: str, reason: str) -> int:
    """Allow postings again, if every proof holds; gives the exit code.

    Raises:
        ValidationFailed: who or why is missing.
    """
    staff = Staff(name=by, reason=reason)
    require_staff(staff)
    async with open_bank(settings, frozenset()) as bank:
        try:
            broken = await proving.let_go(bank, staff)
        except NotSupported as no:
            typer.echo(no.message)
            return 1
    if broken:
        typer.echo("still broken: " + ", ".join(broken))
        return 1
    typer.echo("Postings are allowed again.")
    return 0
