"""Asha has two accounts and a phone, Ben has one account: most stories begin so."""

from collections.abc import AsyncIterator

import pytest

from app import database
from app.accounts.account import MOVED, Account
from app.auth.challenge import Challenge
from app.clock import StoppedClock
from app.database import Tx
from app.payments.lifecycle import State
from app.payments.payment import Payment
from app.settings import Settings
from app.vault import Vault
from tests.payments.faults import Faults, FaultyCore, Outside, Track
from tests.payments.rail_town import RailTown
from tests.payments.town import Town, a_town
from tests.payments.world import Bank, open_bank


@pytest.fixture
async def bank(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> AsyncIterator[Bank]:
    """Open a bank without customers."""
    async with open_bank(bank_database, clock, vault) as opened:
        yield opened


@pytest.fixture
async def rail_town(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> AsyncIterator[RailTown]:
    """Give Asha and Ben over a two-phase rail, with faults on demand."""
    faults = Faults()
    track = Track(clock, faults)
    outside = Outside(
        core=lambda core: FaultyCore(core, faults), rails={track.caps.rail: track}
    )
    async with open_bank(bank_database, clock, vault, outside) as opened:
        yield RailTown(town=await a_town(opened), track=track, faults=faults)


@pytest.fixture
async def town(bank: Bank) -> Town:
    """Give Asha and Ben."""
    return await a_town(bank)


async def waiting(town: Town, minor: int = 100_00) -> tuple[Payment, Challenge]:
    """Create a payment and read its challenge."""
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(minor))
    return created.payment, await town.bank.challenge(town.asha, created.payment)


async def nothing_moved(town: Town, payment: Payment) -> None:
    """See that the payment still waits and no money went."""
    assert (await town.bank.now(payment.id)).state is State.AWAITING_AUTHORISATION
    assert await town.bank.available(town.current) == 100_000
    assert await town.bank.available(town.bens) == 0
    assert town.bank.line.sent == []


async def give_away(account: Account) -> None:
    """Withdraw an account as linking does once the core lists it for another."""

    async def work(tx: Tx) -> None:
        await tx.rows(
            "UPDATE account SET core = $2 WHERE id = $1 RETURNING id",
            account.id,
            MOVED,
        )

    await database.transaction(work, name="tests.give_away")
