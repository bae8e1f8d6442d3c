"""The room as the bank wires it: the worker's loops, sign-out, logs, one payment."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from app import database, telemetry, worker
from app.auth.actor import Actor
from app.bank import Bank, open_bank
from app.ids import CustomerId
from app.integrations.push import Unknown
from app.partners import Role
from app.settings import Settings
from tests.notifications.world import (
    PLANTED,
    World,
    address_of,
    alarm,
    bound,
    fates,
    fcm,
    money,
    record,
)

WITHIN_S = 5.0


@pytest.fixture
async def bank(settings: Settings) -> AsyncIterator[Bank]:
    """Give a whole bank of a worker, whose pushes end on the console."""
    chosen = settings.model_copy(update={"push": ("console",), "sms": "console"})
    async with open_bank(chosen, frozenset({Role.WORKER})) as opened:
        yield opened


@asynccontextmanager
async def working(bank: Bank) -> AsyncIterator[None]:
    """Do the worker's part meanwhile."""
    task = asyncio.create_task(worker.run(bank))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def reaches(actor: Actor, wanted: list[str]) -> None:
    """Wait until the pushes of a phone stand as wanted."""
    async with asyncio.timeout(WITHIN_S):
        while await fates(actor) != wanted:
            await asyncio.sleep(0.01)


async def a_phone(bank: Bank) -> Actor:
    actor = await bound(CustomerId.new(), bank.clock)
    await bank.addresses.set(actor, fcm("fid-whole"))
    return actor


async def test_a_fact_is_at_the_provider_within_two_seconds_of_its_commit(
    bank: Bank,
) -> None:
    actor = await a_phone(bank)

    async with working(bank):
        for number in range(1, 6):
            began = bank.clock.monotonic()
            await record(money(actor.known_customer, bank.clock))
            await reaches(actor, ["SENT"] * number)
            assert bank.clock.monotonic() - began < 2


async def test_signing_out_leaves_security_hints_only(bank: Bank) -> None:
    actor = await a_phone(bank)

    await bank.sessions.logout(actor)
    await record(
        money(actor.known_customer, bank.clock), alarm(actor.known_customer, bank.clock)
    )
    async with working(bank):
        await reaches(actor, ["SUPPRESSED:MUTED", "SENT"])

    row = await address_of(actor)
    assert row is not None
    assert row.get("state", str) == "MUTED"


async def test_a_bank_without_traffic_writes_nothing_for_pushes(bank: Bank) -> None:
    async with database.watched_statements() as statements:
        assert await bank.relay.turn() == 0
        assert await bank.delivery.turn() == 0

    assert [sql for sql in statements if not sql.startswith("SELECT")] == []


@pytest.fixture
def journal() -> io.StringIO:
    """Write logs into a journal, whoever wrote them elsewhere before."""
    found = io.StringIO()
    with contextlib.redirect_stderr(found):
        telemetry.configure("json", "debug")
    return found


async def test_nothing_planted_is_in_the_logs(
    world: World, asha: CustomerId, phone: Actor, journal: io.StringIO
) -> None:
    world.provider.answer = lambda _message: Unknown("RESET")
    await world.tell(money(asha, world.clock), alarm(asha, world.clock))
    await world.send()

    def broken(_message: object) -> Unknown:
        raise ValueError

    world.provider.answer = broken
    world.later(3)
    await world.send()

    said = journal.getvalue()
    assert "push_provider_failed" in said
    assert [word for word in (*PLANTED, "fid-asha") if word in said] == []
