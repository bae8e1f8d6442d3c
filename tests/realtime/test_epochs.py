"""Another epoch: every stream, or one, resets its phones once; numbers go on."""

from contextlib import aclosing

import pytest

from app import audit, database
from app.clock import StoppedClock
from app.database import Tx
from app.ids import CustomerId, request_id
from app.realtime import epochs, log
from app.realtime.announce import Announcement, Hint
from app.realtime.cursor import Verdict
from app.realtime.stream import StreamReset
from app.settings import Settings
from tests.realtime.world import NOW, balance_fact, next_of, numbers, record
from tests.realtime.world import running_hub as running

pytestmark = pytest.mark.usefixtures("bank_database")


async def test_every_stream_gets_another_epoch_and_keeps_number_and_day(
    clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "_BATCH", 2)
    customers = [CustomerId.new() for _ in range(5)]
    await record(*(balance_fact(one) for one in customers), balance_fact(customers[0]))
    before = await log.heads(customers)
    clock.move(days=3)
    heard: list[Announcement] = []
    log.open_log(clock, heard.append)

    renewed = await epochs.renew_all()

    after = await log.heads(customers)
    assert (renewed, await epochs.count()) == (5, 5)
    assert len({one.epoch for one in [*before.values(), *after.values()]}) == 10
    assert {key: (one.seq, one.day) for key, one in after.items()} == {
        key: (one.seq, one.day) for key, one in before.items()
    }
    assert sorted(heard, key=str) == sorted(
        (Hint(key, one.epoch, one.seq) for key, one in after.items()), key=str
    )


async def test_one_stream_is_renewed_after_the_audit_head_and_an_absent_one_stays() -> (
    None
):
    ann, ben, nobody = (CustomerId.new() for _ in range(3))
    await record(balance_fact(ann), balance_fact(ben))
    before = await log.heads([ann, ben])

    async def work(tx: Tx) -> None:
        epochs.renew(tx, nobody)
        epochs.renew(tx, ann)
        audit.append(
            tx,
            audit.Entry(action="x", at=NOW, request_id=request_id(), customer=ann),
        )

    async with database.watched_statements() as statements:
        await database.transaction(work, name="test.renew")

    after = await log.heads([ann, ben, nobody])
    assert after[ann].epoch != before[ann].epoch
    assert after[ben] == before[ben]
    assert nobody not in after
    order = [
        table
        for sql in statements
        for table in ("audit_head", "stream_head")
        if sql.startswith(f"INSERT INTO {table} ")
    ]
    assert order == ["audit_head", "stream_head"]


async def test_a_live_reader_and_a_stored_cursor_are_reset_and_go_on_live(
    bank_database: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    seldom = bank_database.model_copy(update={"poll_s": 60.0})

    async with running(seldom, clock) as hub:
        await record(balance_fact(customer), balance_fact(customer))
        stored = await log.head(customer)
        async with (
            aclosing(hub.subscribe(customer)) as live,
            aclosing(hub.subscribe(customer, stored)) as late,
        ):
            await next_of(live)
            await epochs.renew_all()
            resets = [await next_of(live), await next_of(late)]
            await record(balance_fact(customer))
            events = [await next_of(live), await next_of(late)]

    assert [one.reason for one in resets if isinstance(one, StreamReset)] == [
        Verdict.EPOCH_CHANGED,
        Verdict.EPOCH_CHANGED,
    ]
    assert {one.cursor.seq for one in resets} == {2}
    assert numbers(events) == [3, 3]
