"""From a fact to an inbox item and one dispatch per phone, exactly once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app import database
from app.auth.actor import Actor
from app.ids import CustomerId, uuid7
from app.realtime.dispatch import Dispatch
from app.realtime.facts import NOTIFICATIONS
from tests.notifications.world import (
    World,
    address_of,
    alarm,
    device_becomes,
    fates,
    money,
    notifications,
    pushes,
    record,
    work_left,
)


async def test_a_movement_becomes_one_item_and_a_dispatch_per_phone(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    second = await world.phone(asha, "fid-asha-2")
    silent = await world.phone(asha)

    await world.tell(money(asha, world.clock))

    assert len(await notifications(asha)) == 1
    assert [await fates(one) for one in (phone, second, silent)] == [
        ["QUEUED"],
        ["QUEUED"],
        [],
    ]
    assert await work_left() == []
    assert world.woken == 1


async def test_work_is_written_with_the_fact_and_only_for_what_is_told(
    world: World, asha: CustomerId
) -> None:
    await record(money(asha, world.clock), money(asha, world.clock, "IN"))

    assert len(await work_left()) == 2


async def test_the_same_work_done_twice_tells_once(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await record(money(asha, world.clock))
    owed = await Dispatch(clock=world.clock, consumer=NOTIFICATIONS).claim()

    await world.fanout.take(owed)
    await world.fanout.take(owed)

    assert len(await notifications(asha)) == 1
    assert await fates(phone) == ["QUEUED"]


async def test_work_that_comes_back_after_its_item_was_kept_tells_nothing(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.tell(money(asha, world.clock))

    await owe_again(world, asha)
    await world.relay.turn()

    assert await work_left() == []
    assert len(await pushes(phone)) == 1


@pytest.mark.parametrize(
    ("direction", "template"), [("IN", "money_in"), ("OUT", "money_out")]
)
async def test_the_item_keeps_what_the_inbox_will_say(
    world: World, asha: CustomerId, direction: str, template: str
) -> None:
    await world.tell(money(asha, world.clock, direction))

    (row,) = await database.read("SELECT * FROM inbox_item")

    assert row.get("template", str) == template
    assert row.get("args", dict) == {
        "amount": 98765432109,
        "currency": "INR",
        "account": "••4711-0815",
        "counterparty": "Zebulon Planted",
    }
    assert row.get("deep_link", str).startswith("sixpence://transaction/txn_")


async def test_a_muted_phone_is_told_of_security_only(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await database.transaction(
        lambda tx: world.addresses.signed_out(tx, phone.known_device), name="test.out"
    )

    await world.tell(money(asha, world.clock), alarm(asha, world.clock))

    assert await fates(phone) == ["SUPPRESSED:MUTED", "QUEUED"]


async def test_a_suspended_phone_is_told_of_security_only(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await device_becomes(phone, "LOCKED")

    await world.tell(money(asha, world.clock), alarm(asha, world.clock))

    assert await fates(phone) == ["SUPPRESSED:MUTED", "QUEUED"]


async def test_a_phone_that_is_bound_no_more_loses_its_address(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await device_becomes(phone, "REVOKED")

    await world.tell(alarm(asha, world.clock))

    row = await address_of(phone)
    assert row is not None
    assert (row.get("state", str), row.get("dead_reason", str)) == ("DEAD", "REVOKED")
    assert row.find("value", bytes) is None
    assert await fates(phone) == []


async def test_each_category_lives_as_long_as_it_is_worth(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    now = world.clock.now()

    await world.tell(money(asha, world.clock), alarm(asha, world.clock))

    rows = await pushes(phone)
    lives = [(row.get("expires_at", type(now)) - now).total_seconds() for row in rows]
    assert lives == [24 * 3600, 7 * 24 * 3600]


async def test_a_notification_of_security_has_a_thread_of_its_own(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.tell(alarm(asha, world.clock), alarm(asha, world.clock))

    threads = [row.get("thread", str) for row in await pushes(phone)]

    assert threads == [str(one) for one in await notifications(asha)]


async def test_a_new_phone_that_asks_is_pushed_to_all_each_with_its_own_question(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    second = await world.phone(asha, "fid-asha-2")
    muted = await world.phone(asha, "fid-asha-3")
    await device_becomes(muted, "LOCKED")
    names = (phone.device, second.device)
    asked = {str(name): f"chl_{number}" for number, name in enumerate(names)}
    now = world.clock.now()

    await world.tell(replace(alarm(asha, world.clock), asked=asked))

    (item,) = await notifications(asha)
    rows = [(await pushes(one))[0] for one in (phone, second, muted)]
    assert [row.get("thread", str) for row in rows] == ["chl_0", "chl_1", str(item)]
    assert {row.get("category", str) for row in rows} == {"LOGIN_APPROVAL"}
    assert {row.get("state", str) for row in rows} == {"QUEUED"}
    ends = {row.get("expires_at", type(now)) for row in rows}
    assert ends == {now + timedelta(seconds=300)}


async def test_a_batch_of_many_facts_costs_the_statements_of_one(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    others = [CustomerId.new() for _ in range(3)]
    phones = [phone, *[await world.phone(one, f"fid-{one}") for one in others]]
    queue = Dispatch(clock=world.clock, consumer=NOTIFICATIONS)
    await record(money(asha, world.clock))
    alone = await queue.claim()
    await record(*[money(one, world.clock) for one in (asha, *others)] * 4)
    batch = await queue.claim()

    async with database.watched_statements() as of_one:
        await world.fanout.take(alone)
    async with database.watched_statements() as of_many:
        await world.fanout.take(batch)

    assert (len(alone), len(batch)) == (1, 16)
    assert len(of_many) == len(of_one)
    assert [len(await pushes(one)) for one in phones] == [5, 4, 4, 4]
    assert await work_left() == []


async def test_in_one_batch_each_phone_hears_what_it_may(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    clock = world.clock
    ravi, meera = CustomerId.new(), CustomerId.new()
    gone = await world.phone(asha, "fid-asha-2")
    suspended = await world.phone(ravi, "fid-ravi")
    hers = await world.phone(meera, "fid-meera")
    await device_becomes(gone, "REVOKED")
    await device_becomes(suspended, "LOCKED")
    await world.tell(alarm(meera, clock))
    await owe_again(world, meera)
    facts = (money(asha, clock), money(ravi, clock), alarm(ravi, clock))
    await record(*facts, alarm(asha, clock), money(meera, clock))
    batch = await Dispatch(clock=clock, consumer=NOTIFICATIONS).claim()

    await world.fanout.take(batch)

    assert len(batch) == 6
    assert await work_left() == []
    assert await fates(phone) == ["QUEUED", "QUEUED"]
    assert await fates(gone) == []
    assert await fates(suspended) == ["SUPPRESSED:MUTED", "QUEUED"]
    assert await fates(hers) == ["QUEUED", "QUEUED"]
    assert [len(await notifications(one)) for one in (asha, ravi, meera)] == [2, 2, 2]
    states = [await address_of(one) for one in (phone, gone, suspended, hers)]
    assert [row and row.get("state", str) for row in states] == [
        "ACTIVE",
        "DEAD",
        "ACTIVE",
        "ACTIVE",
    ]


async def owe_again(world: World, customer: CustomerId) -> None:
    """Bring back the work of a customer's first fact."""

    async def work(tx: database.Tx) -> None:
        await tx.rows(
            "INSERT INTO event_work (id, consumer, customer_id, seq, due_at) "
            "VALUES ($1, $2, $3, 1, $4) RETURNING id",
            uuid7(),
            NOTIFICATIONS,
            customer,
            world.clock.now(),
        )

    await database.transaction(work, name="test.again")
