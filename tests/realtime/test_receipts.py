"""Which phone listens, written in batches, and how far it has acknowledged."""

import asyncio
from contextlib import aclosing
from datetime import datetime, timedelta

import pytest

from app import database
from app.clock import StoppedClock
from app.database import Tx
from app.ids import CustomerId, DeviceId
from app.realtime import log, receipts
from app.realtime.cursor import EventCursor
from app.realtime.receipts import Presence, Standing
from app.settings import Settings
from tests.conftest import BROKEN
from tests.realtime.world import balance_fact, next_of, record, running_hub


async def standing(device: DeviceId) -> Standing:
    async def work(tx: Tx) -> Standing:
        return (await receipts.standings(tx, [device]))[device]

    return await database.transaction(work, name="test.standing")


async def acknowledged(
    customer: CustomerId, device: DeviceId, upto: EventCursor, at: datetime
) -> EventCursor | None:
    async def work(tx: Tx) -> EventCursor | None:
        return await receipts.acknowledge(tx, customer, device, upto, at)

    return await database.transaction(work, name="test.ack")


async def live(device: DeviceId, clock: StoppedClock, *, is_live: bool) -> None:
    """Wait until the database says whether a phone listens."""
    async with asyncio.timeout(5):
        while (await standing(device)).is_live(clock.now()) is not is_live:
            await asyncio.sleep(0.01)


async def test_a_phone_is_live_while_its_stream_is_open(
    ours: Settings, clock: StoppedClock
) -> None:
    customer, device = CustomerId.new(), DeviceId.new()

    async with running_hub(ours, clock) as hub:
        async with aclosing(hub.subscribe(customer, device=device)) as stream:
            await next_of(stream)
            await live(device, clock, is_live=True)
            until = (await standing(device)).live_until
        await live(device, clock, is_live=False)

    assert until == clock.now() + timedelta(seconds=90)
    assert (await standing(device)).live_until is None


async def test_a_second_stream_of_the_phone_keeps_it_live(
    bank_database: Settings, clock: StoppedClock
) -> None:
    customer, device = CustomerId.new(), DeviceId.new()
    presence = Presence(clock=clock)

    with presence.of(device, customer):
        with presence.of(device, customer):
            await presence.flush()
        await presence.flush()
        both = await standing(device)
    await presence.flush()

    assert both.is_live(clock.now())
    assert not (await standing(device)).is_live(clock.now())


async def test_who_comes_and_goes_together_is_written_in_one_statement(
    bank_database: Settings, clock: StoppedClock
) -> None:
    presence = Presence(clock=clock)
    pairs = [(DeviceId.new(), CustomerId.new()) for _ in range(200)]
    opened = [presence.of(*pair) for pair in pairs]
    for one in opened:
        one.__enter__()

    async with database.watched_statements() as statements:
        await presence.flush()

    assert len(statements) == 1
    assert (await standing(pairs[199][0])).is_live(clock.now())


async def test_nobodys_stream_is_nobodys_presence(
    bank_database: Settings, clock: StoppedClock
) -> None:
    presence = Presence(clock=clock)

    with presence.of(None, CustomerId.new()):
        await presence.flush()

    assert await database.read("SELECT device_id FROM device_stream") == []


async def test_a_crash_is_over_after_ninety_seconds(
    bank_database: Settings, clock: StoppedClock
) -> None:
    presence, device = Presence(clock=clock), DeviceId.new()
    with presence.of(device, CustomerId.new()):
        await presence.flush()

    clock.move(seconds=89)
    before = (await standing(device)).is_live(clock.now())
    clock.move(seconds=1)

    assert (before, (await standing(device)).is_live(clock.now())) == (True, False)


async def test_a_phone_nobody_heard_of_is_not_live_and_has_shown_nothing(
    bank_database: Settings, clock: StoppedClock
) -> None:
    found = await standing(DeviceId.new())

    assert found == Standing()
    assert not found.is_live(clock.now())
    assert not found.has_shown("aaaaaaaa", 1)


async def test_an_acknowledgement_rises_and_never_falls(
    bank_database: Settings, clock: StoppedClock
) -> None:
    customer, device = CustomerId.new(), DeviceId.new()
    await record(*(balance_fact(customer, number) for number in range(1, 6)))
    head = (await log.heads([customer]))[customer]

    seen = []
    for seq in (2, 4, 3, 5, 1):
        upto = EventCursor(head.epoch, seq, head.day)
        await acknowledged(customer, device, upto, clock.now())
        seen.append((await standing(device)).seq)

    assert seen == [2, 4, 4, 5, 5]
    assert (await standing(device)).has_shown(head.epoch, 5)
    assert not (await standing(device)).has_shown("aaaaaaaa", 5)


async def test_positions_that_are_none_of_the_stream_are_not_noted(
    bank_database: Settings, clock: StoppedClock
) -> None:
    customer, stranger, device = CustomerId.new(), CustomerId.new(), DeviceId.new()
    await record(balance_fact(customer), balance_fact(stranger))
    heads = await log.heads([customer, stranger])
    own = heads[customer]

    answers = [
        await acknowledged(customer, device, upto, clock.now())
        for upto in (
            EventCursor(own.epoch, 2, own.day),
            heads[stranger],
            EventCursor("aaaaaaaa", 1, own.day),
        )
    ]

    assert answers == [None, None, None]
    assert await standing(device) == Standing()


async def test_presence_and_acknowledgement_leave_each_other_alone(
    bank_database: Settings, clock: StoppedClock
) -> None:
    customer, device = CustomerId.new(), DeviceId.new()
    await record(balance_fact(customer))
    head = (await log.heads([customer]))[customer]
    presence = Presence(clock=clock)

    await acknowledged(customer, device, head, clock.now())
    with presence.of(device, customer):
        await presence.flush()
        found = await standing(device)
    await presence.flush()

    assert found == Standing(clock.now() + timedelta(seconds=90), head.epoch, 1)
    assert await standing(device) == Standing(None, head.epoch, 1)


async def test_half_an_acknowledgement_cannot_be_written(
    bank_database: Settings, clock: StoppedClock
) -> None:
    async def work(tx: Tx) -> None:
        await tx.rows(
            "INSERT INTO device_stream (device_id, customer_id, acked_seq) "
            "VALUES ($1, $2, 1) RETURNING device_id",
            DeviceId.new(),
            CustomerId.new(),
        )

    with pytest.raises(BROKEN):
        await database.transaction(work, name="test.half")
