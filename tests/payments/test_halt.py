"""The emergency stop ends what waits for an approval, and nothing that is over."""

from app.payments.lifecycle import State
from tests.payments.conftest import Town, waiting


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
