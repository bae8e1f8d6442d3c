"""No rail may ask for a fee, because none would be booked."""

from dataclasses import replace

import pytest
from typing_extensions import override

from app.clock import StoppedClock
from app.integrations.rails import PaymentOrder, RailQuote
from app.money import Money
from app.settings import Settings
from app.vault import Vault
from tests.payments.abroad import CREATE, QUOTE, a_bank_abroad, codes
from tests.payments.instant import Instant
from tests.payments.world import a_key


class Dear(Instant):
    """A rail that wants two paise for an order."""

    @override
    async def quote(self, order: PaymentOrder) -> RailQuote:
        told = await super().quote(order)
        return replace(told, fee=Money(2, order.amount.currency))


@pytest.mark.only("sqlite")
async def test_a_rail_that_wants_a_fee_carries_nothing(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    async with a_bank_abroad(bank_database, clock, vault, Dear(clock)) as abroad:
        wish = abroad.to(await abroad.saved())
        before = await abroad.rows()

        quoted = await abroad.call(QUOTE, **wish)
        made = await abroad.call(CREATE, **wish | {"idempotencyKey": a_key()})

        assert (codes(quoted), codes(made)) == (["SERVICE_UNAVAILABLE"],) * 2
        assert await abroad.rows() == before
