"""Limits of payments: set aside once, given back, never passed, whatever the clock."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.accounts import accounts
from app.auth.errors import CoolingPeriod, InvalidCredential
from app.errors import NotSupported
from app.integrations.outcome import PortCode, Rejected
from app.money import Money
from app.payments.errors import LimitExceeded
from app.payments.lifecycle import Status
from app.payments.limit import LimitWindow
from app.payments.payment import Payment
from tests.payments.purses import (
    DAY,
    approved,
    chosen,
    counted,
    limit_of,
    policy,
    run,
    tried,
)
from tests.payments.town import Town
from tests.payments.world import NOTHING_MOVED, inr, open_bank

ALL = (*NOTHING_MOVED, "limit_use", "limit_reservation", "limit_rule")


async def test_fifty_payments_at_once_pass_no_limit_by_one_minor_unit(
    town: Town,
) -> None:
    await policy("BANK", "DAY", 10_050)

    wishes = (tried(town, town.asha, town.to_savings(1_000)) for _ in range(50))
    made = [payment for payment in await asyncio.gather(*wishes) if payment]
    before = await town.bank.everything_of(*ALL)
    with pytest.raises(LimitExceeded) as refused:
        await town.bank.transfers.create(town.asha.actor, town.to_savings(51))

    assert len(made) == 10
    assert await counted(town) == (10_000, 0)
    assert (refused.value.limit.window, refused.value.field) == ("DAY", ["amount"])
    assert refused.value.limit.remaining == inr(50)
    assert refused.value.limit.resets_at == datetime(2026, 11, 21, 18, 30, tzinfo=UTC)
    assert await town.bank.everything_of(*ALL) == before
    ends = await asyncio.gather(
        *(approved(town, town.asha, payment.id) for payment in made)
    )
    assert {end.status for end in ends} == {Status.SETTLED}
    assert await counted(town) == (0, 10_000)
    await town.bank.pay(town.asha, town.to_savings(50))
    assert (await limit_of(town)).remaining == inr(0)
    assert await town.bank.available(town.savings) == 10_050


async def test_two_processes_share_one_limit(town: Town) -> None:
    await policy("BANK", "DAY", 2_500)
    async with open_bank(town.bank.settings, town.bank.clock, town.bank.vault) as other:
        banks = [town.bank, other] * 5
        wishes = (
            tried(replace(town, bank=bank), town.asha, town.to_savings(1_000))
            for bank in banks
        )
        made = [payment for payment in await asyncio.gather(*wishes) if payment]

    assert len(made) == 2
    assert await counted(town) == (2_000, 0)


async def test_a_payment_alone_has_its_limit_and_the_first_of_a_day_too(
    town: Town,
) -> None:
    await policy("BANK", "PER_TRANSACTION", 500)
    await policy("BANK", "DAY", 400)

    with pytest.raises(LimitExceeded) as single:
        await town.bank.transfers.create(town.asha.actor, town.to_savings(501))
    await policy("BANK", "PER_TRANSACTION", 1_000)
    with pytest.raises(LimitExceeded) as day:
        await town.bank.transfers.create(town.asha.actor, town.to_savings(401))

    assert single.value.limit.remaining == inr(400)
    assert day.value.limit.window is LimitWindow.DAY
    assert await counted(town) == (0, 0)
    assert (await town.bank.everything_of("limit_use"))["limit_use"] == 0


# ------------------------------------------------------------------ endings

End = Callable[[Town, Payment], Awaitable[object]]


async def _cancelled(town: Town, payment: Payment) -> None:
    await town.bank.transfers.cancel(town.asha.actor, str(payment.id))


async def _refused(town: Town, payment: Payment) -> None:
    challenge = await town.bank.challenge(town.asha, payment)
    await town.bank.transfers.refuse(town.asha.actor, challenge.id)


async def _halted(town: Town, _payment: Payment) -> None:
    assert await town.bank.transfers.halt(town.asha.actor) == 1


async def _expired(town: Town, _payment: Payment) -> None:
    town.bank.clock.move(minutes=16)
    await town.bank.jobs.turn()


async def _answered_wrongly(town: Town, payment: Payment) -> None:
    for _ in range(3):
        found = await town.bank.now(payment.id)
        if found.is_final:
            return
        renewed = await town.bank.transfers.renew(town.asha.actor, str(payment.id))
        challenge = await town.bank.challenge(town.asha, renewed)
        with pytest.raises(InvalidCredential):
            await town.bank.transfers.approve(
                town.asha.actor, challenge.id, *town.asha.with_wrong_pin(challenge)
            )


async def _declined_by_core(town: Town, payment: Payment) -> None:
    town.bank.line.instead = [Rejected(PortCode.ACCOUNT_BLOCKED)]
    await approved(town, town.asha, payment.id)


async def _declined_late(town: Town, payment: Payment) -> None:
    town.bank.line.lost_answers = 1
    town.bank.line.instead = [Rejected(PortCode.INSUFFICIENT_FUNDS)]
    await approved(town, town.asha, payment.id)
    await town.bank.carried_on()


ENDS: tuple[End, ...] = (
    *(_cancelled, _refused, _halted, _expired),
    *(_declined_by_core, _declined_late, _answered_wrongly),
)


async def test_what_did_not_move_is_given_back_at_every_end(town: Town) -> None:
    for end in ENDS:
        wish = town.to_ben(700)
        payment = (await town.bank.transfers.create(town.asha.actor, wish)).payment
        waiting = await counted(town)

        await end(town, payment)

        assert waiting == (1_400, 0), end  # of the day, and of a new payee's allowance
        assert (await town.bank.now(payment.id)).is_final, end
        assert await counted(town) == (0, 0), end
    assert (await limit_of(town)).used == inr(0)


async def test_an_unsure_payment_keeps_its_share_until_it_is_known(town: Town) -> None:
    town.bank.line.lost_answers = 1
    unsure = await town.bank.pay(town.asha, town.to_savings(700))
    kept = await counted(town)

    await town.bank.carried_on()

    assert unsure.status is Status.PENDING_CONFIRMATION
    assert kept == (700, 0)
    assert await counted(town) == (0, 700)


async def test_a_replay_and_fifty_twins_set_aside_once(town: Town) -> None:
    request = town.to_ben(500)

    await asyncio.gather(
        *(town.bank.transfers.create(town.asha.actor, request) for _ in range(50))
    )
    again = await town.bank.transfers.create(town.asha.actor, request)
    await town.bank.transfers.renew(town.asha.actor, str(again.payment.id))

    assert again.replayed
    assert await counted(town) == (1_000, 0)


# ------------------------------------------------------------------ the clock


async def test_a_day_ends_at_midnight_of_the_bank_and_keeps_what_was_reserved_in_it(
    town: Town,
) -> None:
    await policy("BANK", "DAY", 1_000)
    clock = town.bank.clock
    clock.move(hours=8, minutes=59, seconds=59)  # 23:59:59 in India
    late = await town.bank.transfers.create(town.asha.actor, town.to_savings(900))
    before = await limit_of(town)

    clock.move(seconds=1)
    after = await limit_of(town)
    await town.bank.pay(town.asha, town.to_savings(1_000))
    await approved(town, town.asha, late.payment.id)
    full = await limit_of(town)
    clock.move(seconds=-1)
    back = await limit_of(town)

    assert (before.used, before.remaining) == (inr(900), inr(100))
    assert before.resets_at == datetime(2026, 11, 21, 18, 30, tzinfo=UTC)
    assert (after.used, after.remaining) == (inr(0), inr(1_000))
    assert after.resets_at == datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
    assert (full.used, full.remaining) == (inr(1_000), inr(0))
    assert (back.used, back.remaining) == (inr(900), inr(100))
    assert await tried(town, town.asha, town.to_savings(101)) is None


async def test_weeks_and_months_end_on_their_day_and_a_clock_put_back_gives_nothing(
    town: Town,
) -> None:
    for period, minor in (("WEEK", 1_500), ("MONTH", 2_000)):
        await run(
            "INSERT INTO limit_rule (id, scope, period, currency, max_minor, "
            "ceiling_minor, effective_at) SELECT $1, 'BANK', $2, currency, "
            "CAST($3 AS BIGINT), CAST($3 AS BIGINT), effective_at FROM limit_rule "
            "WHERE scope = 'BANK' AND period = 'DAY' AND currency = 'INR'",
            town.payee.id if period == "WEEK" else town.current.id,
            period,
            minor,
        )
    clock = town.bank.clock
    clock.move(days=8)  # Sunday, 29 November, 15:00
    await town.bank.pay(town.asha, town.to_savings(1_500))
    week = await limit_of(town, LimitWindow.WEEK)
    month = await limit_of(town, LimitWindow.MONTH)

    clock.move(hours=9)  # Monday, 0:00
    assert await tried(town, town.asha, town.to_savings(501)) is None
    await town.bank.pay(town.asha, town.to_savings(500))
    clock.move(hours=24)  # Tuesday, 1 December, 0:00
    fresh = await limit_of(town, LimitWindow.MONTH)
    await town.bank.pay(town.asha, town.to_savings(1_000))
    clock.move(seconds=-1)

    assert week.resets_at == datetime(2026, 11, 29, 18, 30, tzinfo=UTC)
    assert month.resets_at == datetime(2026, 11, 30, 18, 30, tzinfo=UTC)
    assert (week.remaining, month.remaining) == (inr(0), inr(500))
    assert fresh.remaining == inr(2_000)
    assert fresh.resets_at == datetime(2026, 12, 31, 18, 30, tzinfo=UTC)
    assert await tried(town, town.asha, town.to_savings(1)) is None


async def test_a_currency_without_limits_is_not_paid_in(town: Town) -> None:
    customer = town.current.customer
    one = await town.bank.an_account(customer, 1_000, currency="JPY")
    other = await town.bank.an_account(customer, currency="JPY")
    wish = town.to_savings(
        10,
        from_account=str(one.id),
        own_account=str(other.id),
        amount=Money(10, "JPY"),
    )
    before = await town.bank.everything_of(*ALL)

    with pytest.raises(NotSupported):
        await town.bank.transfers.create(town.asha.actor, wish)

    assert await town.bank.everything_of(*ALL) == before


async def test_an_account_that_no_list_shows_has_its_limits_too(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits, actor = town.bank.limits, town.asha.actor
    await town.bank.an_account(town.current.customer, name="The 51st", currency="EUR")
    monkeypatch.setattr(accounts, "LISTED_MAX", 1)

    shown = await limits.of(actor)
    of_payee = (await limits.of_payees(actor, [town.payee.id]))[town.payee.id]
    day = next(one for one in shown if (one.window, one.max.currency) == ("DAY", "EUR"))
    set_to = await chosen(town, 1_000, limit=day)

    assert {one.max.currency for one in shown} == {"INR", "EUR"}
    assert of_payee.cooling is not None
    assert of_payee.cooling.currency == "INR"
    assert (set_to.limit.max, set_to.limit.currency) == (1_000, "EUR")


# ------------------------------------------------------------------ new payees


async def test_a_new_payee_gets_small_amounts_until_its_waiting_time_is_over(
    town: Town,
) -> None:
    await policy("PAYEE_COOLING", "TOTAL", 5_000)
    await town.bank.pay(town.asha, town.to_ben(4_000))
    allowed = await town.bank.limits.of_payees(town.asha.actor, [town.payee.id])

    with pytest.raises(CoolingPeriod) as refused:
        await town.bank.transfers.create(town.asha.actor, town.to_ben(1_001))
    await town.bank.pay(town.asha, town.to_ben(1_000))
    with pytest.raises(CoolingPeriod) as empty:
        await town.bank.transfers.create(town.asha.actor, town.to_ben(1))
    town.bank.clock.move(seconds=DAY.total_seconds())
    paid = await town.bank.pay(town.asha, town.to_ben(20_000))
    over = await town.bank.limits.of_payees(town.asha.actor, [town.payee.id])

    assert allowed[town.payee.id].cooling == inr(1_000)
    assert refused.value.allowed_now == inr(1_000)
    assert refused.value.ends_at == town.payee.cooling_until
    assert empty.value.allowed_now is None
    assert paid.status is Status.SETTLED
    assert over[town.payee.id].cooling is None
