"""kill -9 of the bank under payments: what was acknowledged stays, nothing doubles."""

import asyncio
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import NotSeen, Refused, Unreachable
from mock_mobile_client.handset import Setting
from mock_mobile_client.journeys import everyday
from mock_mobile_client.money import money
from mock_mobile_client.payments import Order
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.store import FileStore
from mock_mobile_client.values import PaymentValue
from tests.journeys.bank_process import BankProcess, a_bank

pytestmark = pytest.mark.slow

PAYERS = 4
LEASE_S = 31  # the clock moves on by one lease after each kill
ONE = money("1.00 INR")
# What a phone that retries as told may meet around a kill.
TRANSIENT = {"CHALLENGE_EXPIRED", "SERVICE_UNAVAILABLE", "INTERNAL", "UNAUTHENTICATED"}


@dataclass
class Ledger:
    """What the phones were told."""

    settled: dict[str, PaymentValue] = field(default_factory=dict)
    stopped: bool = False


@pytest.mark.parametrize(
    "kills", [3, pytest.param(100, marks=pytest.mark.chaos)], ids=["3", "100"]
)
async def test_a_bank_killed_under_payments_loses_and_doubles_nothing(
    tmp_path: Path, kills: int
) -> None:
    setting = Setting(store=FileStore(tmp_path / "phones"), iterations=ITERATIONS_MIN)
    with a_bank(tmp_path) as bank:
        async with Phone("asha", bank.url, bank.sandbox, setting) as asha:
            await asha.start()
            before = await everyday(asha)
            told = Ledger()

            async with asyncio.TaskGroup() as group:
                for _ in range(PAYERS):
                    group.create_task(_pay_on_and_on(asha, told))
                for kill in range(1, kills + 1):
                    await asyncio.sleep(0.3 + secrets.randbelow(600) / 1000)
                    await asyncio.to_thread(bank.kill_and_start)
                    await _move_clock(bank, kill * LEASE_S)
                told.stopped = True

            await asha.login()
            spent = before.available.minus((await everyday(asha)).available)
            assert spent == ONE.times(len(told.settled))
            assert len(told.settled) >= kills


async def _pay_on_and_on(asha: Phone, told: Ledger) -> None:
    """Pay again and again; each payment is retried with its key until it settled."""
    order: Order | None = None
    while not told.stopped or order is not None:
        try:
            order = order or await asha.order("Savings", ONE)
            paid = await asha.payments.settle(order)
        except (Unreachable, NotSeen):
            await asyncio.sleep(0.05)
        except Refused as refused:
            if refused.code not in TRANSIENT:
                raise
            await asyncio.sleep(0.05)
        else:
            assert paid.status is PaymentStatus.SETTLED
            told.settled[paid.id] = paid
            order = None


async def _move_clock(bank: BankProcess, offset_s: int) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.put(f"{bank.sandbox}/_clock", json={"offset_s": offset_s})
    assert answer.status_code == 200, answer.text
