"""What customers set their limits to: lower at once, higher a day later."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.auth.actor import FactorKind
from app.auth.errors import CoolingPeriod, StepUpRequired
from app.errors import NotFound, ValidationFailed
from app.ids import LimitId, MalformedId
from app.money import Money
from app.payments.errors import CurrencyMismatch, LimitExceeded
from app.payments.limit import Limit
from app.realtime.facts import LimitChanged, SecurityEvent
from tests.payments.purses import DAY, chosen, counted, limit_of, policy, run, tried
from tests.payments.town import Town
from tests.payments.world import NOTHING_MOVED, facts_of, inr

ALL = (*NOTHING_MOVED, "limit_rule", "limit_use")


@pytest.fixture
async def day(town: Town) -> Limit:
    """Give the day's limit: 400.00 rupees, and 4,000.00 at most."""
    await policy("BANK", "DAY", 40_000)
    return await limit_of(town)


async def test_a_lower_limit_counts_at_once_and_every_phone_hears_of_it(
    town: Town, day: Limit
) -> None:
    await town.bank.pay(town.asha, town.to_savings(9_000))

    set_to = await chosen(town, 10_000)
    refused = await tried(town, town.asha, town.to_savings(1_001))
    now = await limit_of(town)

    assert set_to.effective_at == town.bank.clock.now()
    assert (set_to.limit.max, set_to.limit.remaining) == (10_000, 1_000)
    assert (now.max, now.remaining, now.ceiling) == (
        inr(10_000),
        inr(1_000),
        inr(400_000),
    )
    assert refused is None
    *_, changed, alert = await facts_of(town.asha.actor.known_customer)
    assert isinstance(changed, LimitChanged)
    assert changed.limit == now.shot()
    assert isinstance(alert, SecurityEvent)
    assert (alert.entry.action, alert.entry.object) == ("limit.changed", str(day.id))
    assert alert.title == "Payments a day: the limit was set to ₹100.00."
    await chosen(town, 5_000)
    assert (await limit_of(town)).remaining == inr(0)


async def test_a_higher_limit_waits_a_day_and_an_earlier_wish_gives_way(
    town: Town, day: Limit
) -> None:
    await chosen(town, 10_000)
    asked = await chosen(town, 50_000)
    waiting = await limit_of(town)
    town.bank.clock.move(hours=23)
    later = await chosen(town, 60_000)
    town.bank.clock.move(hours=2)
    not_yet = await limit_of(town)
    town.bank.clock.move(hours=22)
    raised = await limit_of(town)
    town.bank.clock.move(hours=-1)
    put_back = await limit_of(town)
    town.bank.clock.move(hours=1)
    await chosen(town, 60_001)
    await chosen(town, 59_999)

    assert (waiting.max, waiting.pending_max) == (inr(10_000), inr(50_000))
    assert waiting.pending_from == asked.effective_at
    assert later.effective_at - asked.effective_at == timedelta(hours=23)
    assert (not_yet.max, not_yet.pending_max) == (inr(10_000), inr(60_000))
    assert (raised.max, raised.pending_max) == (inr(60_000), None)
    assert put_back.max == inr(10_000)
    assert (await limit_of(town)).pending_max is None
    assert (await limit_of(town)).max == inr(59_999)


async def test_nobody_signs_for_a_no_and_a_no_changes_nothing(
    town: Town, day: Limit
) -> None:
    before = await town.bank.everything_of(*ALL)
    others = await town.bank.limits.of(town.ben.actor)
    set_limit = town.bank.limits.choose

    with pytest.raises(LimitExceeded) as above:
        await set_limit(town.asha.actor, str(day.id), inr(400_001))
    for minor in (0, -1):
        with pytest.raises(ValidationFailed):
            await set_limit(town.asha.actor, str(day.id), inr(minor))
    with pytest.raises(CurrencyMismatch):
        await set_limit(town.asha.actor, str(day.id), Money(1, "EUR"))
    for name in (str(others[0].id), str(LimitId.new())):
        with pytest.raises(NotFound):
            await set_limit(town.asha.actor, name, inr(1))
    with pytest.raises(MalformedId):
        await set_limit(town.asha.actor, "acc_1", inr(1))

    assert above.value.limit == day
    assert await town.bank.everything_of(*ALL) == before


async def test_a_lost_answer_is_given_again_without_a_second_approval(
    town: Town, day: Limit
) -> None:
    first = await chosen(town, 10_000)
    await town.bank.pay(town.asha, town.to_savings(100))
    before = await town.bank.everything_of(*ALL)

    again = await town.bank.limits.choose(town.asha.actor, str(day.id), inr(10_000))

    assert again == first
    assert await town.bank.everything_of(*ALL) == before


async def test_a_newcomer_lowers_and_never_raises(town: Town, day: Limit) -> None:
    owner = town.asha.actor.known_customer
    new = await town.bank.a_phone(owner, cools_for=DAY)
    before = await town.bank.everything_of(*ALL)

    with pytest.raises(CoolingPeriod) as refused:
        await town.bank.limits.choose(new.actor, str(day.id), inr(40_001))
    unchanged = await town.bank.everything_of(*ALL)
    lowered = await chosen(town, 30_000, new)
    with pytest.raises(CoolingPeriod):
        await town.bank.limits.choose(new.actor, str(day.id), inr(30_001))

    assert refused.value.ends_at == town.bank.clock.now() + DAY
    assert refused.value.allowed_now is None
    assert unchanged == before
    assert lowered.limit.max == 30_000
    assert (await limit_of(town)).max == inr(30_000)
    assert await counted(town) == (0, 0)


async def test_a_raise_takes_more_than_a_passkey(town: Town, day: Limit) -> None:
    choose = town.bank.limits.choose
    await _a_passkey(town)
    with pytest.raises(StepUpRequired) as higher:
        await choose(town.asha.actor, str(day.id), inr(40_001))
    with pytest.raises(StepUpRequired) as lower:
        await choose(town.asha.actor, str(day.id), inr(39_999))

    assert FactorKind.WEBAUTHN not in higher.value.challenge.allowed
    assert FactorKind.WEBAUTHN in lower.value.challenge.allowed
    words = '"summary":"Payments a day: at most '
    assert f'{words}\u20b9399.99"' in lower.value.challenge.payload
    assert (
        f'{words}\u20b9400.01, from 24 hours after this approval"'
        in higher.value.challenge.payload
    )


async def _a_passkey(town: Town) -> None:
    await run(
        "INSERT INTO passkey (id, credential_id, customer_id, device_id, cose_key, "
        "sign_count, aaguid, be, bs, transports, label, state, created_at) VALUES "
        "($1, $2, $3, $4, $2, 0, $1, $5, $5, 'internal', 'Phone', 'ACTIVE', $6)",
        town.payee.id,
        b"key",
        town.asha.actor.known_customer,
        town.asha.actor.known_device,
        True,  # noqa: FBT003  -- a column
        town.bank.clock.now(),
    )


async def test_what_the_bank_lowers_later_bounds_every_choice(
    town: Town, day: Limit
) -> None:
    await chosen(town, 35_000)

    await policy("BANK", "DAY", 1_000)

    now = await limit_of(town)
    assert (now.max, now.ceiling) == (inr(10_000), inr(10_000))
    assert replace(now, max=day.max, remaining=day.remaining, ceiling=day.ceiling) == (
        day
    )
