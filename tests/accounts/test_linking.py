"""Accounts that a remote core opens come into our list, and follow it."""

from dataclasses import replace

import pytest

from app import database
from app.accounts.account import AccountStatus
from app.accounts.accounts import Opening
from app.errors import NotSupported, Outage
from app.ids import CustomerId
from app.integrations.core_banking import AccountKind, AccountState
from tests.accounts.far_world import FarRoom
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


async def test_an_account_is_not_taken_from_its_customer(far_room: FarRoom) -> None:
    account, thief = await far_room.an_account(5), CustomerId.new()
    far_room.far.kept[account.ref].owner = thief.value.hex

    done = await far_room.link(thief)

    assert done.new == 0
    assert await far_room.accounts.of_customer(thief) == []
    assert await far_room.accounts.of_customer(account.customer) == [account]


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
