"""Payments that live for days, a rail that says anything, and what limits must count.

A plain model of days and months stands against the books after every act. The seed
stands in the test's name; the same seed plays the same acts (banking.md B7).
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pytest

from app import database
from app.ids import uuid7
from app.integrations.rails import RailStatus
from app.payments.lifecycle import State
from app.payments.payment import Payment
from tests.payments.faults import REFUSES, SETTLES, Fault, Word
from tests.payments.handset import Phone
from tests.payments.purses import approved, limit_of, policy, run, tried
from tests.payments.rail_town import RailTown, counted, open_holds
from tests.payments.world import inr

DAY_MAX, MONTH_MAX = 3_000, 9_000
NEVER = (Word(10**9, RailStatus.SETTLED),)
SENT = {State.SUBMITTING, State.IN_FLIGHT, State.CAPTURING, State.RELEASING}
KEPT = {State.SETTLED, State.REVERSED}
BOTH = (
    "SELECT c.payment_id FROM payment_op c JOIN payment_op r "
    "ON r.payment_id = c.payment_id AND r.kind = 'RELEASE' AND r.outcome = 'OK' "
    "WHERE c.kind = 'CAPTURE' AND c.outcome = 'OK'"
)


@dataclass
class Life:
    """What must stand in the books: by day and month, and payments with theirs."""

    rail_town: RailTown
    chance: random.Random
    phone: Phone
    taken: Counter[date | str] = field(default_factory=Counter)
    live: dict[Payment, date] = field(default_factory=dict)
    sent: list[Payment] = field(default_factory=list)
    settled: int = 0

    def today(self) -> date:
        return self.rail_town.town.bank.clock.today()

    async def create(self) -> None:
        town, minor = self.rail_town.town, self.chance.choice((1, 400, 1_100, 2_999))
        made = await tried(town, self.phone, town.to_ben(minor))
        day = self.today()
        fits = self.taken[day] + minor <= DAY_MAX
        fits = fits and self.taken[_month(day)] + minor <= MONTH_MAX
        assert (made is not None) == fits
        if made is not None:
            self._count(day, minor)
            self.live[made] = day

    async def approve(self) -> None:
        """Let one that waits go out, into any fate."""
        waiting = [one for one in self.live if one not in self.sent]
        if not waiting:
            return
        payment, town = self.chance.choice(waiting), self.rail_town.town
        self.rail_town.track.fate = self.chance.choice((SETTLES, REFUSES, NEVER, NEVER))
        fault = self.chance.choice((*[Fault.NONE] * 4, Fault.LOST_AFTER))
        self.rail_town.faults.plan(self.chance.choice(("hold", "submit")), fault)
        if self.chance.random() < 0.2:
            await town.bank.transfers.cancel(self.phone.actor, str(payment.id))
        else:
            await town.bank.transfers.renew(self.phone.actor, str(payment.id))
            await approved(town, self.phone, payment.id)
        self.sent.append(payment)

    async def pay_plainly(self) -> None:
        """Pay one minor unit when nothing goes wrong: in a new month it must settle."""
        town, day = self.rail_town.town, self.today()
        self.rail_town.track.fate = SETTLES
        self.rail_town.faults.once.clear()
        made = await tried(town, self.phone, town.to_ben(1))
        assert made is not None
        self._count(day, 1)
        self.live[made] = day
        await approved(town, self.phone, made.id)

    async def word(self) -> None:
        """Let the rail say anything about anything, once or twice."""
        known = [
            one
            for one in self.sent
            if (await self.rail_town.now(one)).state in SENT | KEPT | {State.FAILED}
        ]
        if known:
            status = self.chance.choice(list(RailStatus))
            for _ in range(self.chance.choice((1, 2))):
                await self.rail_town.hear(self.chance.choice(known), status)

    async def pass_time(self) -> None:
        """Move on, back, over midnight, or over the end of the month; sign in anew."""
        step = self.chance.choice(
            (
                *(timedelta(minutes=minutes) for minutes in (-40, 1, 7, 240, 900)),
                timedelta(days=1),
                self._to_month_end(),
            )
        )
        await self._passed(step)

    async def month_over(self) -> None:
        """Move on into the next month."""
        await self._passed(self._to_month_end())

    def _to_month_end(self) -> timedelta:
        clock = self.rail_town.town.bank.clock
        return _month_end(clock.today()) - clock.now().replace(tzinfo=None)

    async def _passed(self, step: timedelta) -> None:
        await self.rail_town.pass_time(step.total_seconds())
        customer = self.rail_town.town.current.customer
        self.phone = await self.rail_town.town.bank.a_phone(customer)

    async def compared(self) -> None:
        """Count what ended since, in the window it was made in; then look."""
        for payment, day in list(self.live.items()):
            now = await self.rail_town.now(payment)
            if not now.is_final:
                continue
            del self.live[payment]
            if now.state in KEPT:
                self.settled += now.amount.minor
            else:
                self._count(day, -now.amount.minor)
        reserved = sum(payment.amount.minor for payment in self.live)
        assert await counted() == (reserved, self.settled)
        shown = await limit_of(self.rail_town.town, phone=self.phone)
        assert shown.used == inr(self.taken[self.today()])
        assert await database.read(BOTH) == []

    def _count(self, day: date, minor: int) -> None:
        self.taken[day] += minor
        self.taken[_month(day)] += minor


def _month(day: date) -> str:
    return f"{day.year}-{day.month}"


def _month_end(day: date) -> datetime:
    """Give an instant a little after the month has ended in India."""
    following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return datetime(following.year, following.month, 1)  # noqa: DTZ001  -- compared as UTC


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed",
    [
        7,
        *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(100, 300)),
    ],
)
async def test_any_order_of_words_and_midnights_is_counted_right_and_ends(
    rail_town: RailTown, seed: int
) -> None:
    await policy("BANK", "DAY", DAY_MAX)
    await run(
        "INSERT INTO limit_rule (id, scope, period, currency, max_minor, "
        "ceiling_minor, effective_at) SELECT $1, scope, 'MONTH', currency, $2, $2, "
        "effective_at FROM limit_rule WHERE scope = 'BANK' AND period = 'DAY' "
        "AND currency = 'INR'",
        uuid7(),
        MONTH_MAX,
    )
    chance = random.Random(seed)  # noqa: S311  -- no secret
    life = Life(rail_town, chance, rail_town.town.asha)
    acts = (life.create, life.create, life.approve, life.word, life.pass_time)

    for _ in range(70):
        await life.chance.choice(acts)()
        await life.compared()
    await rail_town.pass_time(12 * 3_600)
    for payment in life.sent:
        if (await rail_town.now(payment)).state in SENT:
            await rail_town.hear(payment, RailStatus.SETTLED)
    await life.compared()
    moved = life.settled
    await life.month_over()
    await life.pay_plainly()
    await rail_town.pass_time(60)
    await life.compared()

    assert life.settled == moved + 1  # many a plan settles nothing before
    assert (await counted())[0] == 0
    assert await open_holds() == 0
