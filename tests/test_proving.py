"""When what is proved: what changed each minute, everything while that is quick."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from app import database, telemetry
from app.bank import Bank, open_bank
from app.clock import StoppedClock
from app.database import Tx
from app.errors import Outage
from app.proving import Prover
from app.rows import Row
from app.settings import Settings
from tests.conftest import NOON
from tests.test_statements import a_customer


@pytest.fixture
async def bank(settings: Settings) -> AsyncIterator[Bank]:
    async with open_bank(settings, frozenset()) as opened:
        yield opened


async def tamper() -> None:
    """Change balances at rest; nothing says that they changed."""

    async def work(tx: Tx) -> None:
        await tx.rows(
            "UPDATE ledger_balance SET committed = committed + 1, changed_at = $1 "
            "WHERE floor_minor IS NOT NULL RETURNING account_id",
            NOON - timedelta(days=30),
        )

    await database.transaction(work, name="test.tamper")


async def posts(bank: Bank) -> bool:
    return (await bank.core.health()).posts


async def test_everything_is_proved_each_night_and_only_then(
    settings: Settings, clock: StoppedClock
) -> None:
    seen = []

    async with open_bank(settings, frozenset()) as bank:
        prover = Prover(replace(bank, clock=clock))
        for hours in (0, 1, 9, 2, 20):  # from three in the afternoon on
            clock.move(hours=hours)
            async with database.watched_statements() as statements:
                await prover.night()
            seen.append(len(statements) > len(bank.proofs()))

    assert seen == [True, False, False, True, False]


async def test_a_book_too_large_for_a_minute_is_proved_whole_at_night(
    bank: Bank, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_customer(bank, accounts=1, rows=2)
    prover = Prover(bank)
    read = database.read

    async def slow(sql: str, *args: object) -> list[Row]:
        if sql in {proof.full for proof in bank.proofs()}:
            raise Outage("too slow")
        return await read(sql, *args)  # type: ignore[arg-type]  # handed on

    with monkeypatch.context() as patch:
        patch.setattr(database, "read", slow)
        await prover.round()
    await tamper()
    await prover.round()
    at_day = await posts(bank)
    prover._bank = replace(bank, clock=clock)  # noqa: SLF001  -- it is night now
    await prover.night()
    await prover.round()

    assert at_day is True
    assert await posts(bank) is False
    found = telemetry.registry.get_sample_value(
        "sixpence_coherent", {"proof": "C2 balances are their postings"}
    )
    assert found == 0
