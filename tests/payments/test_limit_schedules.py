"""Random days of a customer against a plain model of what limits must count.

The seed stands in the test's name; the same seed plays the same days.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date

import pytest

from app.integrations.outcome import PortCode, Rejected
from app.payments.lifecycle import State
from app.payments.limit import LimitWindow
from app.payments.payment import Payment
from tests.payments.purses import approved, counted, limit_of, policy, tried
from tests.payments.town import Town
from tests.payments.world import inr

DAY_MAX, STEPS = 5_000, 60


@dataclass
class Days:
    """What must stand in the books: by bank day, and payments with theirs."""

    town: Town
    taken: Counter[date] = field(default_factory=Counter)
    live: dict[Payment, date] = field(default_factory=dict)
    settled: int = 0

    def today(self) -> date:
        return self.town.bank.clock.today()

    async def create(self, minor: int) -> None:
        made = await tried(self.town, self.town.asha, self.town.to_savings(minor))
        fits = self.taken[self.today()] + minor <= DAY_MAX
        assert (made is not None) == fits
        if made is not None:
            self.taken[self.today()] += minor
            self.live[made] = self.today()

    async def end(self, payment: Payment, how: str) -> None:
        asha, name = self.town.asha, str(payment.id)
        if how == "cancel":
            await self.town.bank.transfers.cancel(asha.actor, name)
        else:
            await self.town.bank.transfers.renew(asha.actor, name)
            self.town.bank.line.lost_answers = int(how == "lose")
            if how == "decline":
                self.town.bank.line.instead = [Rejected(PortCode.ACCOUNT_BLOCKED)]
            await approved(self.town, asha, payment.id)
        await self.pass_time(1)
        assert payment not in self.live

    async def pass_time(self, minutes: int) -> None:
        """Move the clock, let the worker look, and count what ended."""
        self.town.bank.clock.move(minutes=minutes)
        await self.town.bank.jobs.turn()
        for payment, day in list(self.live.items()):
            now = await self.town.bank.now(payment.id)
            if not now.is_final:
                continue
            del self.live[payment]
            if now.state is State.SETTLED:
                self.settled += now.amount.minor
            else:
                self.taken[day] -= now.amount.minor


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 29])
async def test_any_order_of_payments_ends_and_midnights_is_counted_right(
    town: Town, seed: int
) -> None:
    await policy("BANK", "DAY", DAY_MAX)
    chance, days = random.Random(seed), Days(town)  # noqa: S311  -- no secret

    for _ in range(STEPS):
        act = chance.choice(("create", "create", "create", "end", "end", "time"))
        if act == "create":
            await days.create(chance.choice((1, 499, 500, 1_700)))
        elif act == "end" and days.live:
            how = chance.choice(("pay", "pay", "lose", "cancel", "decline"))
            await days.end(chance.choice(list(days.live)), how)
        elif act == "time":
            await days.pass_time(chance.choice((-30, 3, 14, 200, 700)))
        reserved = sum(payment.amount.minor for payment in days.live)
        assert await counted(town) == (reserved, days.settled)
        shown = await limit_of(town, LimitWindow.DAY)
        assert shown.used == inr(days.taken[days.today()])
    await days.pass_time(20)

    assert days.settled > 0
    assert await counted(town) == (0, days.settled)
