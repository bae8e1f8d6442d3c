"""Postings are stopped while a payment is on its way: it waits, and is told as such."""

from app.payments.lifecycle import State, Status
from tests.payments.town import Town


async def test_a_payment_that_meets_stopped_postings_waits_and_settles_once(
    town: Town,
) -> None:
    await town.bank.core.freeze("a proof found 1 broken row")

    waits = await town.bank.pay(town.asha, town.to_ben(100_00))
    await town.bank.carried_on()
    still = await town.bank.now(waits.id)
    moved = await town.bank.available(town.bens)
    await town.bank.core.unfreeze("put right")
    for _ in range(3):
        await town.bank.carried_on()
    settled = await town.bank.now(waits.id)

    assert {waits.status, still.status} <= {
        Status.SUBMITTED,
        Status.PENDING_CONFIRMATION,
    }
    assert moved == 0
    assert settled.state is State.SETTLED
    assert await town.bank.available(town.bens) == 100_00
    assert await town.bank.available(town.current) == 100_000 - 100_00
