"""The inbox: pages, the unread count, reading, and what the phones are told of it."""

import asyncio
import itertools
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime

import pytest

from app import database
from app.auth.actor import Actor
from app.errors import NotFound, ValidationFailed
from app.ids import CustomerId, NotificationId
from app.notifications.inbox import Item, Place
from app.realtime import log
from app.realtime.facts import InboxAdded
from tests.notifications.world import (
    World,
    alarm,
    fates,
    money,
    notifications,
    record,
    work_left,
)


async def added(customer: CustomerId) -> list[tuple[InboxAdded, int]]:
    """Give what the phones were told of the inbox, with its number in the stream."""
    events = await log.read_after(customer, 0, 1000)
    return [(one.fact, one.seq) for one in events if isinstance(one.fact, InboxAdded)]


async def badges(customer: CustomerId) -> list[int]:
    return [fact.unread_count for fact, _seq in await added(customer)]


async def all_of(world: World, customer: CustomerId) -> list[Item]:
    return (await world.inbox.page(customer, first=100))[0]


async def test_what_is_told_is_in_the_stream_with_its_count_and_feeds_nothing(
    world: World, asha: CustomerId
) -> None:
    ben = CustomerId.new()
    await world.tell(money(asha, world.clock), alarm(asha, world.clock))

    await world.tell(money(ben, world.clock, "IN"), money(asha, world.clock))
    left = await world.relay.turn()

    first, second, third = await added(asha)
    items = {str(one.id): one for one in await all_of(world, asha)}
    assert [fact.unread_count for fact, _ in (first, second, third)] == [1, 2, 3]
    assert [seq for _, seq in (first, second, third)] == [3, 4, 6]
    assert {fact.item.id for fact, _ in (first, second, third)} == items.keys()
    assert first[0].item == items[first[0].item.id].shot()
    assert first[0].item.args["amount"] == 98765432109
    assert await badges(ben) == [1]
    assert (left, await work_left()) == (0, [])


async def test_pages_give_each_item_once_the_newest_first(
    world: World, asha: CustomerId
) -> None:
    await world.tell(*(money(asha, world.clock) for _ in range(3)))
    world.later(1)
    await world.tell(alarm(asha, world.clock), money(CustomerId.new(), world.clock))
    seen: list[Item] = []
    place, more = None, True

    while more:
        page, more = await world.inbox.page(asha, first=3, after=place)
        place = Place(page[-1].created_at, page[-1].id)
        seen += page

    assert [one.category for one in seen] == ["SECURITY", *["MONEY_OUT"] * 3]
    assert sorted(one.id for one in seen) == sorted(await notifications(asha))
    assert seen == sorted(seen, key=lambda one: (one.created_at, one.id), reverse=True)
    assert await world.inbox.page(asha, first=3, after=place) == ([], False)


async def test_what_one_phone_reads_the_others_hear_of_once(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    second = await world.phone(asha, "fid-asha-2")
    await world.tell(*(money(asha, world.clock) for _ in range(3)))
    await world.send()
    newest, middle, oldest = await all_of(world, asha)
    world.later(5)
    now = world.clock.now()

    read = await world.inbox.mark_read(phone, [oldest.id, middle.id, oldest.id])
    world.later(5)
    again = await world.inbox.mark_read(second, [middle.id])

    assert [one.id for one in read.items] == [oldest.id, middle.id]
    assert {one.read_at for one in (*read.items, *again.items)} == {now}
    assert (read.unread, again.unread) == (1, 1)
    assert await world.inbox.unread(asha) == 1
    told = [fact for fact, _ in await added(asha)]
    assert [fact.unread_count for fact in told] == [1, 2, 3, 1]
    assert told[-1].item == replace(middle, read_at=now).shot()
    by_id = {one.id: one.read_at for one in await all_of(world, asha)}
    assert by_id == {newest.id: None, middle.id: now, oldest.id: now}
    assert sorted(await fates(phone)) == ["OPENED", "OPENED", "SENT"]
    assert sorted(await fates(second)) == ["OPENED", "SENT", "SENT"]


async def test_what_is_read_before_its_push_left_is_not_pushed_to_that_phone(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    second = await world.phone(asha, "fid-asha-2")
    await world.tell(money(asha, world.clock))

    await world.inbox.mark_read(phone, await notifications(asha))
    await world.send()

    assert [await fates(one) for one in (phone, second)] == [["OPENED"], ["SENT"]]
    assert len(world.provider.got) == 1


async def test_one_foreign_id_and_nothing_is_marked(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    ben = CustomerId.new()
    await world.tell(money(asha, world.clock), money(ben, world.clock))
    (own,), (foreign,) = await notifications(asha), await notifications(ben)
    before = await badges(asha)

    for one in (foreign, NotificationId.new()):
        with pytest.raises(NotFound):
            await world.inbox.mark_read(phone, [own, one])
    with pytest.raises(ValidationFailed):
        await world.inbox.mark_read(phone, [own] * 101)

    assert await world.inbox.by_ids(asha, [foreign]) == {}
    assert [await world.inbox.unread(one) for one in (asha, ben)] == [1, 1]
    assert await badges(asha) == before
    assert await fates(phone) == ["QUEUED"]
    assert (await world.inbox.mark_read(phone, [])).unread == 1


async def test_whatever_happens_at_one_moment_each_badge_follows_the_one_before(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    second = await world.phone(asha)
    await world.tell(*(money(asha, world.clock) for _ in range(12)))
    ids = await notifications(asha)
    told = [record(alarm(asha, world.clock)) for _ in range(4)]

    await asyncio.gather(
        *(world.inbox.mark_read(phone, [one]) for one in ids[:8]),
        *(world.inbox.mark_read(second, [one]) for one in ids[5:10]),
        *(told_now(world, one) for one in told),
    )
    while await world.relay.turn():
        pass

    heard = [fact for fact, _seq in await added(asha)]
    steps = [1 if one.item.read_at is None else -1 for one in heard]
    counts = [one.unread_count for one in heard]
    assert counts == list(itertools.accumulate(steps))
    assert counts[-1] == await world.inbox.unread(asha) == 12 + 4 - 10


async def told_now(world: World, happened: Coroutine[None, None, None]) -> None:
    await happened
    await world.relay.turn()


async def test_the_count_and_the_place_in_the_stream_are_of_one_moment(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    nothing = await world.inbox.standing(asha)
    await world.tell(money(asha, world.clock))

    async with database.watched_statements() as seen:
        standing = await world.inbox.standing(asha)

    assert (nothing.position.seq, nothing.unread) == (0, 0)
    assert (standing.position, standing.unread) == (await log.head(asha), 1)
    assert len(seen) == 1


# ------------------------------------------------------------------ receipts


async def test_each_phone_shows_how_far_its_push_came_and_when(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    live = await world.phone(asha, "fid-asha-2")
    out = await world.phone(asha, "fid-asha-3")
    await database.transaction(
        lambda tx: world.addresses.signed_out(tx, out.known_device), name="test.out"
    )
    await world.live(live)
    told_at = world.clock.now()
    await world.tell(money(asha, world.clock))
    (item,) = await notifications(asha)

    async def shown() -> dict[Actor, list[tuple[str, str, datetime, str | None]]]:
        found = (await world.fates.of(asha, [item]))[item]
        return {
            actor: [
                (one.channel, one.state, one.at, one.reason)
                for one in found
                if one.device == actor.known_device
            ]
            for actor in (phone, live, out)
        }

    queued = await shown()
    world.later(1)
    sent_at = world.clock.now()
    await world.send()
    sent = await shown()
    await world.ack(live, 1)
    world.later(2)
    await world.send()
    await world.ack(phone, 1)
    delivered = await shown()
    await world.inbox.mark_read(phone, [item])
    opened = await shown()

    muted = ("PUSH", "SUPPRESSED", told_at, "MUTED")
    now = world.clock.now()
    assert queued == {
        phone: [("PUSH", "QUEUED", told_at, None)],
        live: [("PUSH", "QUEUED", told_at, None)],
        out: [muted],
    }
    assert sent[phone] == [("PUSH", "SENT", sent_at, None)]
    assert delivered == {
        phone: [("PUSH", "DELIVERED", now, None)],
        live: [
            ("PUSH", "SUPPRESSED", now, "SEEN_LIVE"),
            ("IN_APP", "DELIVERED", now, None),
        ],
        out: [muted],
    }
    assert opened[phone] == [("PUSH", "OPENED", now, None)]


async def test_the_receipts_of_many_items_are_one_statement_and_nobody_elses(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    ben = CustomerId.new()
    await world.phone(ben, "fid-ben")
    await world.tell(*(money(asha, world.clock) for _ in range(7)))
    await world.tell(money(ben, world.clock))
    mine, (foreign,) = await notifications(asha), await notifications(ben)

    async with database.watched_statements() as seen:
        found = await world.fates.of(asha, [*mine, foreign])

    assert len(seen) == 1
    assert {len(found[one]) for one in mine} == {1}
    assert found[foreign] == []
