"""The emergency stop ends what waits for an approval, and nothing that is over."""

import pytest

from app.database import Tx
from app.payments.lifecycle import State
from app.payments.payment import Payment
from app.realtime.shots import AccountShot
from tests.payments.conftest import nothing_moved, waiting
from tests.payments.town import Town


async def test_every_waiting_payment_is_cancelled_once(town: Town) -> None:
    first, _ = await waiting(town)
    transfers, actor = town.bank.transfers, town.asha.actor

    assert await transfers.halt(actor) == 1
    assert await transfers.halt(actor) == 0

    found = await transfers._now(first.id)  # noqa: SLF001  -- as it stands in the table
    assert found.state is State.CANCELLED


async def test_nobody_elses_payment_is_touched(town: Town) -> None:
    first, _ = await waiting(town)
    transfers = town.bank.transfers

    assert await transfers.halt(town.ben.actor) == 0

    found = await transfers._now(first.id)  # noqa: SLF001  -- as it stands in the table
    assert found.state is State.AWAITING_AUTHORISATION


async def test_a_payment_that_fails_keeps_no_other_and_challenges_are_taken_first(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, _), (second, _) = await waiting(town), await waiting(town)
    bank, transfers, actor = town.bank, town.bank.transfers, town.asha.actor
    found_of, cancel = bank.passage.account_of, bank.challenges.cancel
    seen: list[str] = []

    async def failing(payment: Payment) -> AccountShot:
        if payment.id == first.id:
            raise LookupError("no account")
        return await found_of(payment)

    async def spying(tx: Tx, subject: str) -> None:
        row = await tx.one("SELECT state FROM payment WHERE id = $1", second.id)
        assert row is not None
        seen.append(row.get("state", str))
        await cancel(tx, subject)

    with monkeypatch.context() as patched:
        patched.setattr(bank.passage, "account_of", failing)
        patched.setattr(bank.challenges, "cancel", spying)
        assert await transfers.halt(actor) == 1

    assert seen == ["AWAITING_AUTHORISATION"]  # nothing of the payment was moved yet
    assert (await bank.now(second.id)).state is State.CANCELLED
    await nothing_moved(town, first)
    assert await transfers.halt(actor) == 1
