"""Who approved a payment may be gone before it is begun: it is begun all the same."""

import asyncio
from typing import Any

import pytest

from app import database
from app.payments.lifecycle import State
from tests.payments.conftest import waiting
from tests.payments.town import Town


async def test_a_payment_whose_caller_left_during_the_approval_is_carried_out_at_once(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment, challenge = await waiting(town)
    answer = town.asha.answer(challenge)
    within = asyncio.Event()
    real = database.transaction

    async def noted(work: Any, *, name: str, attempts: int = 5) -> Any:
        if name == "payments.approve":
            within.set()
        return await real(work, name=name, attempts=attempts)

    monkeypatch.setattr(database, "transaction", noted)
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(
            town.bank.transfers.approve(town.asha.actor, challenge.id, *answer)
        )
        await within.wait()
        asking.cancel()
    assert asking.cancelled()

    async with asyncio.timeout(5):
        while (await town.bank.now(payment.id)).state is not State.SETTLED:
            await asyncio.sleep(0.01)
    assert len(town.bank.line.sent) == 1
    again = await town.bank.transfers.approve(town.asha.actor, challenge.id, *answer)
    assert again.state is State.SETTLED
    assert await town.bank.available(town.bens) == 10_000
