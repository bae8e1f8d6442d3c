"""A payment that fails before anybody holds it keeps no other, and no worker busy."""

import asyncio

import pytest

from app.accounts import accounts
from app.ids import PaymentId
from app.payments import jobs
from app.payments.lifecycle import State
from app.payments.payment import Payment
from app.realtime.shots import AccountShot
from tests.payments.conftest import waiting
from tests.payments.rail_town import ALL, RailTown, counted, ops_of
from tests.payments.town import Town


@pytest.fixture
def _window(rail_town: RailTown) -> None:
    object.__setattr__(rail_town.track.caps, "undo_first_s", 10)


class Failing:
    """The room of accounts, but for some payments."""

    def __init__(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken: set[PaymentId] = set()
        self._real = town.bank.passage.account_of
        monkeypatch.setattr(town.bank.passage, "account_of", self.account_of)

    async def account_of(self, payment: Payment) -> AccountShot:
        if payment.id in self.broken:
            raise LookupError("no account")
        return await self._real(payment)


@pytest.mark.usefixtures("_window")
async def test_payments_that_fail_starve_none_and_are_tried_again(
    rail_town: RailTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    failing = Failing(rail_town.town, monkeypatch)
    first, second, third = [await rail_town.pay(100) for _ in range(3)]
    failing.broken = {first.id, second.id}
    rail_town.town.bank.clock.move(seconds=11)

    turns = [await rail_town.town.bank.jobs.turn() for _ in range(3)]

    assert turns == [0, 1, 0]
    assert [(await rail_town.now(one)).state for one in (first, second, third)] == [
        *[State.APPROVED] * 2,
        State.SETTLED,
    ]
    assert await ops_of(first.id) == []
    assert (await rail_town.free(), await counted()) == (ALL - 100, (200, 100))
    failing.broken.clear()
    await rail_town.pass_time(60)
    assert await rail_town.free() == ALL - 300


async def test_those_that_cannot_expire_starve_none(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 1)
    failing = Failing(town, monkeypatch)
    first, second = (await waiting(town))[0], (await waiting(town))[0]
    failing.broken = {first.id}
    town.bank.clock.move(hours=1)

    turns = [await town.bank.jobs.turn() for _ in range(3)]

    assert turns == [0, 1, 0]
    assert (await town.bank.now(first.id)).state is State.AWAITING_AUTHORISATION
    assert (await town.bank.now(second.id)).state is State.EXPIRED
    failing.broken.clear()
    town.bank.clock.move(seconds=61)
    await town.bank.jobs.turn()
    assert (await town.bank.now(first.id)).state is State.EXPIRED


@pytest.mark.usefixtures("_window")
async def test_a_payment_waits_for_a_rail_that_is_not_open_and_fails_nothing(
    rail_town: RailTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 1)
    kept, bank = await rail_town.pay(), rail_town.town.bank
    rail = bank.rails.pop("INTERNAL")
    bank.clock.move(seconds=11)

    async with asyncio.timeout(20):
        while await bank.jobs.turn() >= 1:  # as the worker does
            pass

    assert (await rail_town.now(kept)).state is State.APPROVED
    assert (await ops_of(kept.id), await rail_town.free()) == ([], ALL)
    bank.rails["INTERNAL"] = rail
    await rail_town.pass_time(60)
    assert (await rail_town.now(kept)).state is State.SETTLED


async def test_a_payment_from_an_account_that_no_list_shows_can_end(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, actor = town.bank, town.asha.actor
    more = await bank.an_account(town.current.customer, 10_000, name="The 51st")
    monkeypatch.setattr(accounts, "LISTED_MAX", 1)
    wish = {"from_account": str(more.id)}

    async def made() -> Payment:
        return (await bank.transfers.create(actor, town.to_ben(100, **wish))).payment

    paid = await bank.pay(town.asha, town.to_ben(100, **wish))
    cancelled = await bank.transfers.cancel(actor, str((await made()).id))
    await made()
    halted = await bank.transfers.halt(actor)
    late = await made()
    bank.clock.move(hours=1)
    await bank.jobs.turn()

    assert (paid.state, cancelled.state) == (State.SETTLED, State.CANCELLED)
    assert (halted, (await bank.now(late.id)).state) == (1, State.EXPIRED)
    assert await counted() == (0, 100)
