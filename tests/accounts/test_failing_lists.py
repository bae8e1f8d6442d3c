"""A list of accounts that the core cannot give, of one customer or of all."""

from collections.abc import Awaitable, Callable, Mapping

import pytest

from app.clock import StoppedClock
from app.errors import Outage
from app.ids import CustomerId
from app.integrations.core_banking import CoreAccount, CoreCustomer
from app.integrations.outcome import BreakerOpen, ContractBroken
from app.vault import Vault
from tests.accounts.far_world import FarRoom
from tests.accounts.test_linking import NUMBER, count, on_the_roll

Listing = Callable[[CoreCustomer], Awaitable[list[CoreAccount]]]


def lists_that_fail(room: FarRoom, fails: Mapping[CustomerId, Outage]) -> Listing:
    """Give a core's listing that fails for some customers."""
    real = room.far.accounts

    async def listed(customer: CoreCustomer) -> list[CoreAccount]:
        if customer.id in fails:
            raise fails[customer.id]
        return await real(customer)

    return listed


@pytest.mark.parametrize("readable", [True, False])
async def test_an_account_whose_old_owners_list_is_unreadable_is_withdrawn(
    far_room: FarRoom,
    clock: StoppedClock,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
    readable: bool,  # noqa: FBT001  -- pytest parameter
) -> None:
    account, ben = await far_room.an_account(5, number=NUMBER), CustomerId.new()
    await on_the_roll(vault, clock, account.customer)
    await on_the_roll(vault, clock, ben)
    far_room.far.kept[account.ref].owner = ben.value.hex
    broken = ContractBroken("an account without a number", component="ACCOUNTS")
    fails = {} if readable else {account.customer: broken}
    listed = lists_that_fail(far_room, fails)
    monkeypatch.setattr(far_room.far, "accounts", listed)

    await far_room.links.link_all()

    assert await far_room.accounts.of_customer(account.customer) == []
    assert await far_room.links.moved() == ["••••5678 Everyday"]


async def test_an_old_owners_list_that_fails_today_proves_nothing_and_stops_no_other(
    far_room: FarRoom,
    clock: StoppedClock,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = await far_room.an_account(5), await far_room.an_account(5)
    ben = CustomerId.new()
    for account in (first, second):
        await on_the_roll(vault, clock, account.customer)
        far_room.far.kept[account.ref].owner = ben.value.hex
    away = Outage("status 500", component="ACCOUNTS")
    with monkeypatch.context() as today:
        listed = lists_that_fail(far_room, {first.customer: away})
        today.setattr(far_room.far, "accounts", listed)
        await far_room.link(ben)
    kept = await far_room.accounts.of_customer(first.customer)
    gone = await far_room.accounts.of_customer(second.customer)

    await far_room.link(ben)

    assert (kept, gone) == ([first], [])
    assert await far_room.accounts.of_customer(first.customer) == []


async def test_customers_for_whom_the_core_fails_stop_nobody_elses_linking(
    far_room: FarRoom,
    clock: StoppedClock,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    customers = sorted(CustomerId.new() for _ in range(5))
    for customer in customers:
        await on_the_roll(vault, clock, customer)
        far_room.far.open(customer.value.hex, 5)
    away = Outage("status 500", component="ACCOUNTS")
    bad = {customers[0]: away, customers[1]: away, customers[3]: away}
    monkeypatch.setattr(far_room.far, "accounts", lists_that_fail(far_room, bad))

    new = await far_room.links.link_all()

    assert new == 2
    linked = [len(await far_room.accounts.of_customer(one)) for one in customers]
    assert linked == [0, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("outage", "asked"),
    [
        (BreakerOpen("open", component="ACCOUNTS"), 1),
        (Outage("status 500", component="ACCOUNTS"), 10),
    ],
)
async def test_a_core_that_is_away_is_not_asked_for_every_customer(
    far_room: FarRoom,
    clock: StoppedClock,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
    outage: Outage,
    asked: int,
) -> None:
    for _ in range(12):
        await on_the_roll(vault, clock, CustomerId.new())
    calls = []

    async def away(customer: CoreCustomer) -> list[CoreAccount]:
        calls.append(customer)
        raise outage

    monkeypatch.setattr(far_room.far, "accounts", away)

    with pytest.raises(type(outage)):
        await far_room.links.link_all()

    assert len(calls) == asked
    assert await count() == 0
