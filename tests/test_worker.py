"""A broken proof stops all postings until the books are right."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app import database, proving, worker
from app.accounts import words
from app.accounts.words import Words
from app.bank import Bank, open_bank
from app.database import Tx
from app.errors import Outage
from app.ids import uuid7
from app.integrations.core_banking import CanSeed, CoreBank, Narrative
from app.integrations.outcome import OpRef
from app.money import Money
from app.partners import Role
from app.proving import Prover
from app.settings import Settings
from tests.test_statements import a_customer


@pytest.fixture
async def bank(settings: Settings) -> AsyncIterator[Bank]:
    async with open_bank(settings, frozenset()) as opened:
        yield opened


async def shift_balances(by: int) -> None:
    async def work(tx: Tx) -> None:
        await tx.rows(
            "UPDATE ledger_balance SET committed = committed + $1 "
            "WHERE floor_minor IS NOT NULL RETURNING account_id",
            by,
        )

    await database.transaction(work, name="test.shift")


async def deposit(bank: Bank, ref: str) -> None:
    assert isinstance(bank.core, CanSeed)
    await bank.core.deposit(OpRef(uuid7(), b"d"), ref, Money(100, "INR"), "Deposit")


async def test_sound_books_are_proved_and_nothing_stops(bank: Bank) -> None:
    customer = await a_customer(bank, accounts=1, rows=2)

    await Prover(bank).round()

    assert await proving.whole(bank) == []
    [account] = await bank.accounts.of_customer(customer)
    await deposit(bank, account.ref)


async def test_a_wrong_balance_stops_all_postings_until_it_is_right_again(
    bank: Bank,
) -> None:
    customer = await a_customer(bank, accounts=1, rows=2)
    [account] = await bank.accounts.of_customer(customer)
    await shift_balances(1)
    before = await database.read("SELECT count(*) AS n FROM ledger_posting")

    await Prover(bank).round()

    with pytest.raises(Outage):
        await deposit(bank, account.ref)
    after = await database.read("SELECT count(*) AS n FROM ledger_posting")
    assert after[0].get("n", int) == before[0].get("n", int)
    told = await database.read(
        "SELECT action FROM audit_entry WHERE action = 'ledger.frozen'"
    )
    assert told
    assert await proving.whole(bank) != []
    await shift_balances(-1)
    assert await proving.whole(bank) == []


async def test_unfreezing_is_refused_while_the_books_are_wrong(
    settings: Settings,
) -> None:
    async with open_bank(settings, frozenset()) as bank:
        customer = await a_customer(bank, accounts=1, rows=1)
        await shift_balances(1)
        await Prover(bank).round()
    refused = await worker.unfreeze(settings, "Meera", "it looks fine")
    async with open_bank(settings, frozenset()) as bank:
        await shift_balances(-1)
    done = await worker.unfreeze(settings, "Meera", "the sum is right")

    assert (refused, done) == (1, 0)
    async with open_bank(settings, frozenset()) as bank:
        [account] = await bank.accounts.of_customer(customer)
        await deposit(bank, account.ref)
        assert await proving.whole(bank) == []


async def test_unfreezing_is_refused_where_the_core_keeps_its_own_book(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    remote: CoreBank = object()  # type: ignore[assignment]  # nothing is asked of it

    @asynccontextmanager
    async def open_remote(
        chosen: Settings, roles: frozenset[Role]
    ) -> AsyncIterator[Bank]:
        async with open_bank(chosen, roles) as bank:
            yield replace(bank, core=remote)

    monkeypatch.setattr(worker, "open_bank", open_remote)

    refused = await worker.unfreeze(settings, "Meera", "the sum is right")

    assert refused == 1
    assert capsys.readouterr().out == (
        "The core keeps its own book: nothing here stops or allows its postings.\n"
    )
    async with open_bank(settings, frozenset()):
        told = await database.read("SELECT action FROM audit_entry")
    assert told == []


async def kept_events() -> int:
    [row] = await database.read("SELECT count(*) AS n FROM customer_event")
    return row.get("n", int)


async def test_a_clock_that_is_moved_on_makes_the_hourly_work_due(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "clock"
    movable = settings.model_copy(update={"clock_offset_file": file})
    async with open_bank(movable, frozenset()) as bank, asyncio.TaskGroup() as group:
        await a_customer(bank, accounts=1, rows=2)
        before = await kept_events()
        working = group.create_task(worker.run(bank))
        await asyncio.sleep(0.5)
        assert await kept_events() >= before > 0

        file.write_text(str(15 * 86_400))

        async with asyncio.timeout(10):
            while await kept_events():
                await asyncio.sleep(0.1)
        working.cancel()


async def test_the_hourly_turn_forgets_words_that_became_nothing(bank: Bank) -> None:
    kept = timedelta(days=bank.settings.event_retention_days)
    old, young = (
        Words(op=uuid7(), root=uuid7(), src="1", dst=None, text=Narrative("Rent"))
        for _ in range(2)
    )
    await words.keep(old, bank.clock.now() - kept - timedelta(minutes=1))
    await words.keep(young, bank.clock.now() - kept + timedelta(minutes=1))

    await worker.prune(bank)

    assert await words.of(old.op) is None
    assert await words.of(young.op) == young
