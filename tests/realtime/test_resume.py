"""Where a stream starts: what was missed, and each reason for a reset."""

from contextlib import aclosing
from datetime import timedelta

from app import database
from app.clock import StoppedClock
from app.database import Tx
from app.ids import CustomerId
from app.realtime import log
from app.realtime.cursor import EventCursor, Verdict
from app.realtime.stream import CaughtUp, StreamReady, StreamReset
from app.settings import Settings
from tests.realtime.patience import until
from tests.realtime.world import (
    balance_fact,
    cursor_at,
    next_of,
    numbers,
    record,
    running_hub,
    take,
)


async def rebuild(customer: CustomerId) -> None:
    """Do what a restore from backup does to a stream: another epoch."""

    async def work(tx: Tx) -> None:
        await tx.rows(
            "UPDATE stream_head SET epoch = 'aaaabbbb' "
            "WHERE customer_id = $1 RETURNING seq",
            customer,
        )

    await database.transaction(work, name="test.rebuild")


async def test_without_a_cursor_the_stream_starts_at_the_head(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    await record(balance_fact(customer), balance_fact(customer))
    head = await log.head(customer)

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        opening = await next_of(stream)
        await record(balance_fact(customer))
        live = await next_of(stream)

    assert opening == StreamReady(head, clock.now(), 0)
    assert numbers([live]) == [3]


async def test_a_resume_replays_what_was_missed_then_says_caught_up(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    await record(*(balance_fact(customer) for _ in range(7)))
    head = await log.head(customer)
    after = cursor_at(head, 4)

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, after)) as stream,
    ):
        items = await take(stream, 5)
        await record(balance_fact(customer))
        live = await next_of(stream)

    assert items[0] == StreamReady(after, clock.now(), 3)
    assert numbers(items[1:4]) == [5, 6, 7]
    assert items[4] == CaughtUp(head, clock.now())
    assert numbers([live]) == [8]


async def test_a_resume_at_the_head_is_caught_up_at_once(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    await record(balance_fact(customer))
    head = await log.head(customer)

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, head)) as stream,
    ):
        items = await take(stream, 2)

    assert items == [StreamReady(head, clock.now(), 0), CaughtUp(head, clock.now())]


async def test_a_hundred_changes_while_offline_come_in_order(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    start = await log.head(customer)
    for _ in range(100):
        await record(balance_fact(customer))

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, start)) as stream,
    ):
        items = await take(stream, 102)

    assert numbers(items) == list(range(1, 101))
    assert isinstance(items[-1], CaughtUp)


async def test_more_than_the_longest_replay_is_a_reset(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    start = await log.head(customer)
    await record(*(balance_fact(customer) for _ in range(501)))
    head = await log.head(customer)

    async with running_hub(ours, clock) as hub:
        async with aclosing(hub.subscribe(customer, start)) as far:
            opening = await next_of(far)
        async with aclosing(hub.subscribe(customer, cursor_at(head, 1))) as near:
            just = await next_of(near)

    assert opening == StreamReset(head, clock.now(), Verdict.TOO_FAR_BEHIND)
    assert isinstance(just, StreamReady)
    assert just.missed == 500


async def test_what_retention_deleted_is_a_reset_and_the_stream_goes_on_live(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    await record(balance_fact(customer), balance_fact(customer))
    old = cursor_at(await log.head(customer), 1)
    clock.move(days=15)
    await record(balance_fact(customer))
    head = await log.head(customer)
    assert await log.prune(clock.today() - timedelta(days=14)) == 2

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, old)) as stream,
    ):
        opening = await next_of(stream)
        await record(balance_fact(customer))
        live = await next_of(stream)

    assert opening == StreamReset(head, clock.now(), Verdict.EXPIRED)
    assert numbers([live]) == [4]


async def test_a_cursor_of_another_stream_is_a_reset(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    await record(balance_fact(customer))
    foreign = await log.head(CustomerId.new())

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, foreign)) as stream,
    ):
        opening = await next_of(stream)

    assert isinstance(opening, StreamReset)
    assert opening.reason is Verdict.EPOCH_CHANGED


async def test_a_cursor_from_a_lost_future_is_a_reset(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    head = await log.head(customer)

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer, cursor_at(head, 9))) as stream,
    ):
        opening = await next_of(stream)

    assert opening == StreamReset(head, clock.now(), Verdict.AHEAD)


async def test_a_stream_that_is_rebuilt_resets_its_live_readers(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    await record(balance_fact(customer))

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        await next_of(stream)
        await rebuild(customer)
        reset = await next_of(stream)
        await record(balance_fact(customer))
        live = await next_of(stream)

    assert isinstance(reset, StreamReset)
    assert reset.reason is Verdict.EPOCH_CHANGED
    assert reset.cursor == EventCursor("aaaabbbb", 1, clock.today())
    assert numbers([live]) == [2]


async def test_a_hint_of_another_epoch_makes_the_hub_look_again(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    head = await log.head(customer)
    seldom = ours.model_copy(update={"poll_s": 60.0})

    async with (
        running_hub(seldom, clock) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        await next_of(stream)
        await rebuild(customer)
        await record(balance_fact(customer))
        reset = await next_of(stream)

    assert reset == StreamReset(
        EventCursor("aaaabbbb", 1, head.day), clock.now(), Verdict.EPOCH_CHANGED
    )


async def test_a_slow_reader_whose_events_were_deleted_meanwhile_is_reset(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        await next_of(stream)
        await record(*(balance_fact(customer) for _ in range(100)))
        clock.move(days=15)
        await record(balance_fact(customer))
        await log.prune(clock.today() - timedelta(days=14))
        watch = hub._watches[customer]  # noqa: SLF001  -- the tail is inside
        await until(lambda: watch.last == 101)
        reset = await next_of(stream)
        await record(balance_fact(customer))
        live = await next_of(stream)

    assert isinstance(reset, StreamReset)
    assert reset.reason is Verdict.EXPIRED
    assert reset.cursor.seq == 101
    assert numbers([live]) == [102]
