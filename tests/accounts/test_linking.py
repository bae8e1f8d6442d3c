"""Accounts that a remote core opens come into our list, and follow it."""

from dataclasses import replace

import pytest

from app import database
from app.accounts.account import Account, AccountStatus
from app.accounts.accounts import Opening
from app.clock import StoppedClock
from app.database import Tx
from app.errors import NotSupported, Outage
from app.ids import CustomerId
from app.integrations.core_banking import (
    AccountKind,
    AccountState,
    CoreAccount,
    CoreCustomer,
)
from app.integrations.outcome import ContractBroken
from app.vault import Vault
from tests.accounts.far_world import FarRoom, told
from tests.accounts.world import actor_of

NUMBER = "50100012345678"


async def count() -> int:
    return len(await database.read("SELECT id FROM account"))


async def test_what_the_core_has_is_listed_once(far_room: FarRoom) -> None:
    asha = CustomerId.new()
    far_room.far.open(asha.value.hex, 5, name="Everyday", number=NUMBER)
    far_room.far.open(asha.value.hex, 7, name="Savings", kind=AccountKind.SAVINGS)
    far_room.far.open(CustomerId.new().value.hex, 9)

    first = await far_room.link(asha)
    second = await far_room.link(asha)

    assert (first.new, first.all, second.new, second.all) == (2, 2, 0, 2)
    listed = await far_room.accounts.of_customer(asha)
    assert [(one.name, one.kind) for one in listed] == [
        ("Everyday", AccountKind.CURRENT),
        ("Savings", AccountKind.SAVINGS),
    ]
    numbers = await far_room.accounts.numbers(actor_of(asha), [listed[0].id])
    assert numbers == {listed[0].id: NUMBER}
    payee = await far_room.accounts.by_number(NUMBER)
    assert payee is not None
    assert payee.id == listed[0].id


async def test_a_listed_account_is_looked_at_at_once(far_room: FarRoom) -> None:
    asha = CustomerId.new()
    far_room.far.open(asha.value.hex, 5)

    await far_room.link(asha)
    await far_room.settled()

    assert len(far_room.far.looks) == 1
    listed = await far_room.accounts.of_customer(asha)
    await far_room.balances.of(listed)
    assert len(far_room.far.looks) == 1


async def test_name_state_and_number_follow_the_core(far_room: FarRoom) -> None:
    account = await far_room.an_account(5)
    kept = far_room.far.kept[account.ref]
    kept.account = replace(
        kept.account,
        name="Gold",
        number=NUMBER,
        state=AccountState.CLOSED,
        external_ref=None,
    )

    done = await far_room.link(account.customer)

    now = (await far_room.accounts.of_customer(account.customer))[0]
    assert (done.new, now.id, now.name) == (0, account.id, "Gold")
    assert (now.status, now.masked_number) == (AccountStatus.CLOSED, "••••5678")
    numbers = await far_room.accounts.numbers(actor_of(now.customer), [now.id])
    assert numbers == {now.id: NUMBER}
    assert await far_room.links.without_holds() == ["••••5678 Gold"]


async def test_an_account_the_core_lists_no_more_stays(far_room: FarRoom) -> None:
    account = await far_room.an_account(5)
    del far_room.far.kept[account.ref]

    done = await far_room.link(account.customer)

    assert (done.new, done.all) == (0, 0)
    assert await far_room.accounts.of_customer(account.customer) == [account]


async def moved(room: FarRoom, account: Account) -> CustomerId:
    """Give an account to another customer at the core; everybody is linked."""
    ben = CustomerId.new()
    room.far.kept[account.ref].owner = ben.value.hex
    assert (await room.link(ben)).new == 0
    assert (await room.link(account.customer)).all == 0
    return ben


async def on_the_roll(vault: Vault, clock: StoppedClock, customer: CustomerId) -> None:
    """Let the bank know a customer's number."""
    number = vault.seal("customer", f"{customer}|number", customer.value.hex.encode())

    async def work(tx: Tx) -> None:
        await tx.rows(
            "INSERT INTO customer (id, handle, name_sealed, phone_lookup, "
            "phone_key_id, phone_sealed, number_lookup, number_key_id, number_sealed, "
            "locale, created_at) VALUES ($1, $2, $2, $2, 1, $2, $2, 1, $3, 'en', $4) "
            "RETURNING id",
            customer,
            customer.value.bytes,
            number,
            clock.now(),
        )

    await database.transaction(work, name="test.roll")


async def test_an_account_of_another_client_is_shown_to_nobody(
    far_room: FarRoom,
) -> None:
    account = await far_room.an_account(5, number=NUMBER)

    ben = await moved(far_room, account)

    actor = actor_of(account.customer)
    assert await far_room.accounts.of_customer(account.customer) == []
    assert await far_room.accounts.of_customer(ben) == []
    assert await far_room.accounts.found(actor, [account.id]) == {}
    assert await far_room.accounts.numbers(actor, [account.id]) == {}
    assert await far_room.accounts.by_refs(actor, [account.ref]) == {}
    assert await far_room.accounts.currencies(account.customer) == []
    assert await far_room.accounts.by_number(NUMBER) is None
    assert await far_room.links.moved() == ["••••5678 Everyday"]
    assert await far_room.accounts.other_core() is None
    assert await far_room.accounts.one(account.customer, account.id) == account


async def test_the_money_of_another_client_is_told_to_nobody(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    account = await far_room.an_account(5)
    await moved(far_room, account)
    far_room.far.looks.clear()
    far_room.far.deposit(account.ref, 900)
    clock.move(hours=2)

    polled = await far_room.feed.poll()
    await far_room.feed.hinted(account.ref)
    await far_room.feed.watch([account.customer])
    await far_room.settled()
    asked = len(far_room.far.looks)
    await far_room.feed.seen([account])  # a look that was under way

    assert (polled, asked) == (0, 0)
    assert await told(account.customer) == []
    rows = await database.read("SELECT booked FROM mirror_balance")
    assert [row.get("booked", int) for row in rows] == [5]


async def test_an_account_that_comes_back_is_its_customers_again(
    far_room: FarRoom,
) -> None:
    account = await far_room.an_account(5)
    await moved(far_room, account)
    far_room.far.kept[account.ref].owner = account.customer.value.hex

    done = await far_room.link(account.customer)

    assert (done.new, done.all) == (0, 1)
    assert await far_room.accounts.of_customer(account.customer) == [account]
    assert await far_room.links.moved() == []


async def test_an_account_that_two_have_stays_with_the_first(
    far_room: FarRoom, clock: StoppedClock, vault: Vault
) -> None:
    account, ben = await far_room.an_account(5), CustomerId.new()
    await on_the_roll(vault, clock, account.customer)
    far_room.far.for_two.add(account.ref)

    done = await far_room.link(ben)

    assert done.new == 0
    assert await far_room.accounts.of_customer(ben) == []
    assert await far_room.accounts.of_customer(account.customer) == [account]
    assert await far_room.links.moved() == []


@pytest.mark.parametrize("number", ["12345", "", NUMBER])
async def test_a_number_without_form_or_in_use_is_not_listed(
    far_room: FarRoom, number: str
) -> None:
    await far_room.an_account(number=NUMBER)
    ben = CustomerId.new()
    ref = far_room.far.open(ben.value.hex)
    kept = far_room.far.kept[ref]
    kept.account = replace(kept.account, number=number)

    done = await far_room.link(ben)

    assert done.new == 0
    assert await count() == 1


async def test_a_list_that_cannot_be_read_stops_nobody_elses(
    far_room: FarRoom,
    clock: StoppedClock,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    customers = [CustomerId.new() for _ in range(3)]
    for customer in customers:
        await on_the_roll(vault, clock, customer)
        far_room.far.open(customer.value.hex, 5)
    real, bad = far_room.far.accounts, sorted(customers)[1]

    async def listed(customer: CoreCustomer) -> list[CoreAccount]:
        if customer.id == bad:
            raise ContractBroken("an account without a number", component="ACCOUNTS")
        return await real(customer)

    monkeypatch.setattr(far_room.far, "accounts", listed)

    new = await far_room.links.link_all()

    assert new == 2
    linked = [
        len(await far_room.accounts.of_customer(one)) for one in sorted(customers)
    ]
    assert linked == [1, 0, 1]


async def test_accounts_without_holds_are_named_up_to_a_limit(
    far_room: FarRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.accounts.linking._NAMED_MAX", 2)
    asha = CustomerId.new()
    for _ in range(3):
        far_room.far.open(asha.value.hex, external=False)
    await far_room.link(asha)

    assert len(await far_room.links.without_holds()) == 2


async def test_a_core_that_is_away_lists_nothing_and_closes_nothing(
    far_room: FarRoom,
) -> None:
    account = await far_room.an_account(5)
    far_room.far.away = True

    with pytest.raises(Outage):
        await far_room.link(account.customer)

    assert await far_room.accounts.of_customer(account.customer) == [account]


async def test_such_a_core_opens_its_accounts_itself(far_room: FarRoom) -> None:
    opening = Opening(
        customer=CustomerId.new(),
        kind=AccountKind.CURRENT,
        name="Everyday",
        currency="INR",
        number=NUMBER,
    )

    with pytest.raises(NotSupported):
        await far_room.accounts.open_account(opening)

    assert await count() == 0
