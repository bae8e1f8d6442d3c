"""One purse for all phones in their waiting time; less for phones that prove little."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from app.auth.errors import CoolingPeriod
from app.payments.errors import LimitExceeded
from app.payments.lifecycle import Status
from app.payments.limit import LimitWindow
from app.settings import Settings
from tests.payments.handset import Phone
from tests.payments.purses import DAY, approved, counted, limit_of, policy, run, tried
from tests.payments.town import Town
from tests.payments.world import NOTHING_MOVED, inr, open_bank

ALL = (*NOTHING_MOVED, "limit_use", "limit_reservation")
PURSE = 5_000


@pytest.fixture
async def phones(town: Town) -> list[Phone]:
    """Give three phones of Asha's that cool for three days; the purse is small."""
    await policy("DEVICE_COOLING", "ROLLING_DAY", PURSE)
    owner = town.asha.actor.known_customer
    return [await town.bank.a_phone(owner, cools_for=3 * DAY) for _ in range(3)]


async def test_three_cooling_phones_at_once_share_one_purse(
    town: Town, phones: list[Phone]
) -> None:
    wishes = (tried(town, phone, town.to_savings(1_000)) for phone in phones * 5)
    made = [payment for payment in await asyncio.gather(*wishes) if payment]
    before = await town.bank.everything_of(*ALL)
    with pytest.raises(CoolingPeriod) as refused:
        await town.bank.transfers.create(phones[0].actor, town.to_savings(1))

    assert len(made) == 5
    assert refused.value.allowed_now is None
    assert refused.value.ends_at == town.bank.clock.now() + 3 * DAY
    assert await town.bank.everything_of(*ALL) == before
    old_phone = await town.bank.pay(town.asha, town.to_savings(60_000))
    assert old_phone.status is Status.SETTLED


async def test_the_purse_rolls_on_and_gives_back_what_did_not_move(
    town: Town, phones: list[Phone]
) -> None:
    clock, phone = town.bank.clock, phones[0]
    first = await town.bank.pay(phone, town.to_savings(3_000))
    clock.move(hours=20)
    await town.bank.pay(phones[1], town.to_savings(1_500))
    dropped = await tried(town, phones[2], town.to_savings(500))
    assert dropped is not None
    assert await tried(town, phone, town.to_savings(1)) is None
    await town.bank.transfers.cancel(phone.actor, str(dropped.id))

    clock.move(hours=4, seconds=-1)
    with pytest.raises(CoolingPeriod) as early:
        await town.bank.transfers.create(phone.actor, town.to_savings(501))
    clock.move(seconds=1)
    waits = await tried(town, phone, town.to_savings(3_500))
    none_left = await tried(town, phones[1], town.to_savings(1))

    assert first.status is Status.SETTLED
    assert early.value.allowed_now == inr(500)
    assert waits is not None
    assert none_left is None
    assert (await approved(town, phone, waits.id)).status is Status.SETTLED


async def test_a_phone_that_cools_shows_its_purse_and_an_old_one_the_banks_limits(
    town: Town, phones: list[Phone]
) -> None:
    await town.bank.pay(phones[0], town.to_savings(2_000))

    single = await limit_of(town, LimitWindow.PER_TRANSACTION, phones[1])
    day = await limit_of(town, phone=phones[1])
    old = await limit_of(town)
    town.bank.clock.move(days=3)
    grown = await limit_of(town, phone=phones[1])

    assert (single.max, single.remaining) == (inr(PURSE), inr(3_000))
    assert (day.max, day.used, day.remaining) == (inr(PURSE), inr(2_000), inr(3_000))
    assert (old.max, old.remaining) == (inr(200_000_000), inr(199_998_000))
    assert (grown.max, grown.id) == (inr(200_000_000), old.id)


async def test_a_cooling_phone_approves_no_more_than_its_purse_of_an_old_ones_wishes(
    town: Town, phones: list[Phone]
) -> None:
    """What an old phone asked for, a new one may approve: so it counts then, once."""
    large = await tried(town, town.asha, town.to_savings(5_001))
    small = await tried(town, town.asha, town.to_savings(5_000))
    assert large is not None
    assert small is not None
    before = await town.bank.everything_of(*ALL)

    with pytest.raises(CoolingPeriod) as refused:
        await town.bank.transfers.renew(phones[0].actor, str(large.id))
    after = await town.bank.everything_of(*ALL)
    await town.bank.transfers.renew(phones[0].actor, str(small.id))
    await town.bank.transfers.renew(phones[0].actor, str(small.id))
    ended = await approved(town, phones[0], small.id)

    assert refused.value.allowed_now == inr(5_000)
    assert after == before
    assert ended.status is Status.SETTLED
    assert await tried(town, phones[1], town.to_savings(1)) is None
    assert await counted(town) == (5_001, 10_000)


async def test_a_cooling_phone_saves_no_payee_where_the_profile_says_so(
    town: Town, phones: list[Phone]
) -> None:
    account = await town.bank.an_account(town.bens.customer)
    request = await town.bank.payee_request(account)
    await run("UPDATE device SET cooling_profile = 'SG'")
    before = await town.bank.everything_of(*ALL)

    with pytest.raises(CoolingPeriod) as refused:
        await town.bank.payees.create(phones[0].actor, request)

    assert refused.value.ends_at == town.bank.clock.now() + 3 * DAY
    assert await town.bank.everything_of(*ALL) == before
    await town.bank.approve_payee(town.asha, request)
    assert not (await town.bank.payees.create(town.asha.actor, request)).replayed


# ------------------------------------------------------------------ attestation


async def test_phones_that_prove_little_pay_less_only_where_the_bank_asks(
    town: Town,
) -> None:
    await policy("DEVICE_WEAK", "PER_TRANSACTION", 3_000)
    await policy("DEVICE_WEAK", "DAY", 4_000)
    await policy("DEVICE_COOLING", "ROLLING_DAY", 500)
    owner, while_good = town.asha.actor.known_customer, timedelta(days=20)
    weak = await town.bank.a_phone(owner, grade="BASIC", good_for=while_good)
    strong = await town.bank.a_phone(owner, grade="STRONG", good_for=3 * while_good)
    asks = Settings.model_validate(
        town.bank.settings.model_dump() | {"attestation": "prefer"}
    )

    assert await tried(town, weak, town.to_savings(3_001)) is not None
    async with open_bank(asks, town.bank.clock, town.bank.vault) as bank:
        there = replace(town, bank=bank)
        single = await limit_of(there, LimitWindow.PER_TRANSACTION, weak)
        with pytest.raises(LimitExceeded) as alone:
            await bank.transfers.create(weak.actor, town.to_savings(3_001))
        await bank.pay(weak, town.to_savings(2_500))
        with pytest.raises(LimitExceeded) as day:
            await bank.transfers.create(weak.actor, town.to_savings(1_501))
        await bank.pay(strong, town.to_savings(50_000))

        town.bank.clock.move(days=20)
        with pytest.raises(LimitExceeded) as old:
            await bank.transfers.create(weak.actor, town.to_savings(501))
        await bank.pay(weak, town.to_savings(500))
        still = await bank.pay(strong, town.to_savings(1_000))

    assert single.max == inr(3_000)
    assert alone.value.limit.max == inr(3_000)
    assert (day.value.limit.window, day.value.limit.remaining) == ("DAY", inr(1_500))
    assert (old.value.limit.window, old.value.limit.max) == ("DAY", inr(500))
    assert still.status is Status.SETTLED


async def test_an_empty_purse_lets_nothing_through(
    town: Town, phones: list[Phone]
) -> None:
    await run("UPDATE limit_rule SET max_minor = 0 WHERE scope = 'DEVICE_COOLING'")

    with pytest.raises(CoolingPeriod) as refused:
        await town.bank.transfers.create(phones[0].actor, town.to_savings(1))

    assert refused.value.allowed_now is None
    assert await counted(town) == (0, 0)
