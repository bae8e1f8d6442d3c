"""The queue of what facts owe: claimed once, postponed, parked, never lost."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app import database, telemetry
from app.clock import StoppedClock
from app.database import Tx
from app.ids import CustomerId
from app.realtime import coherence, dispatch, log
from app.realtime.dispatch import Dispatch, backoff_s
from app.realtime.facts import NOTIFICATIONS, SecurityEvent
from app.realtime.logged import LoggedEvent
from app.realtime.shots import AuditShot
from app.rows import Row
from app.settings import Settings
from tests.realtime.world import balance_fact, record


def owed(customer: CustomerId, at: datetime) -> SecurityEvent:
    """Give a fact that owes a notification."""
    shot = AuditShot(
        id="aud_1", at=at, actor="CUSTOMER", action="mpin.set", outcome="OK"
    )
    return SecurityEvent(customer=customer, occurred_at=at, entry=shot, title="Hello.")


@pytest.fixture
def queue(bank_database: Settings, clock: StoppedClock) -> Dispatch:
    """Give the queue of the notifications room."""
    return Dispatch(clock=clock, consumer=NOTIFICATIONS)


async def work_rows() -> list[Row]:
    return await database.read("SELECT * FROM event_work ORDER BY seq")


async def forgotten(clock: StoppedClock) -> int:
    """Run the proof of the minute, as the worker does."""
    proof = next(one for one in coherence.proofs() if one.name == "realtime.work")
    return len(await database.read(proof.since, clock.now()))


async def test_only_facts_that_owe_something_leave_work(
    queue: Dispatch, clock: StoppedClock
) -> None:
    customer = CustomerId.new()

    await record(balance_fact(customer), owed(customer, clock.now()))

    (row,) = await work_rows()
    assert (row.get("seq", int), row.get("consumer", str)) == (2, NOTIFICATIONS)
    (one,) = await queue.claim()
    assert (one.event.seq, one.attempts) == (2, 1)
    assert one.event.fact == owed(customer, clock.now())


async def test_a_fact_that_is_rolled_back_owes_nothing(
    queue: Dispatch, clock: StoppedClock
) -> None:
    async def work(tx: Tx) -> None:
        log.append(tx, owed(CustomerId.new(), clock.now()))
        raise LookupError

    with pytest.raises(LookupError):
        await database.transaction(work, name="test.broken")

    assert await work_rows() == []


async def test_a_claim_is_a_lease_of_a_minute(
    queue: Dispatch, clock: StoppedClock
) -> None:
    await record(owed(CustomerId.new(), clock.now()))
    (first,) = await queue.claim()

    clock.move(seconds=59)
    none = await queue.claim()
    clock.move(seconds=1)
    (again,) = await queue.claim()

    assert none == []
    assert (again.id, again.attempts) == (first.id, 2)


async def test_two_workers_never_claim_the_same_work(
    queue: Dispatch, clock: StoppedClock
) -> None:
    customers = [CustomerId.new() for _ in range(16)]
    for _ in range(12):
        await record(*(owed(one, clock.now()) for one in customers))

    batches = await asyncio.gather(*(queue.claim(64) for _ in range(4)))

    ids = [one.id for batch in batches for one in batch]
    assert len(ids) == len(set(ids)) == 192
    assert max(len(batch) for batch in batches) == 64


async def test_another_consumers_work_is_left_alone(
    queue: Dispatch, clock: StoppedClock
) -> None:
    await record(owed(CustomerId.new(), clock.now()))

    assert await Dispatch(clock=clock, consumer="webhooks").claim() == []


async def test_finishing_happens_once_and_with_the_work(
    queue: Dispatch, clock: StoppedClock
) -> None:
    await record(owed(CustomerId.new(), clock.now()))
    (one,) = await queue.claim()

    async def work(tx: Tx) -> set[UUID]:
        return await dispatch.finish(tx, [one.id])

    first = await database.transaction(work, name="test.finish")
    second = await database.transaction(work, name="test.finish")

    assert (first, second) == ({one.id}, set())
    assert await work_rows() == []


async def test_work_that_failed_comes_back_later_and_says_why(
    queue: Dispatch, clock: StoppedClock
) -> None:
    await record(owed(CustomerId.new(), clock.now()))
    (one,) = await queue.claim()

    await queue.postpone(one.id, one.attempts, "ValueError")

    (row,) = await work_rows()
    wait = row.get("due_at", datetime) - clock.now()
    assert timedelta(seconds=2) <= wait <= timedelta(seconds=2.5)
    assert row.get("error", str) == "ValueError"
    assert row.find("lease_until", datetime) is None


async def test_pauses_double_up_to_ten_minutes_with_some_chance() -> None:
    assert 2 <= backoff_s(1) <= 2.5
    assert 16 <= backoff_s(4) <= 20
    assert backoff_s(10) == backoff_s(1000) == 600
    assert len({backoff_s(4) for _ in range(50)}) > 10


async def test_after_a_day_work_is_parked_and_alarms(
    queue: Dispatch, clock: StoppedClock
) -> None:
    parked = telemetry.event_work_parked.labels(NOTIFICATIONS)
    before = next(iter(parked.collect())).samples[0].value
    await record(owed(CustomerId.new(), clock.now()))
    clock.move(hours=24)
    (one,) = await queue.claim()

    await queue.postpone(one.id, one.attempts, "ValueError")

    (row,) = await work_rows()
    assert row.get("due_at", datetime) == datetime(9999, 12, 31, tzinfo=UTC)
    assert next(iter(parked.collect())).samples[0].value == before + 1
    clock.move(hours=1000)
    assert await queue.claim() == []


async def test_work_whose_event_cannot_be_read_is_put_back_alone(
    queue: Dispatch, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = CustomerId.new(), CustomerId.new()
    await record(owed(first, clock.now()), owed(second, clock.now()))
    read = log.logged

    def picky(row: Row) -> LoggedEvent:
        if row.get("customer_id", CustomerId) == first:
            raise KeyError("NewerFact")
        return read(row)

    monkeypatch.setattr(log, "logged", picky)

    (one,) = await queue.claim()

    assert one.event.customer == second
    errors = {
        row.get("customer_id", CustomerId): row.find("error", str)
        for row in await work_rows()
    }
    assert errors == {first: "KeyError", second: None}


async def test_the_age_of_the_oldest_work_is_measured(
    queue: Dispatch, clock: StoppedClock
) -> None:
    idle = await queue.measure()
    await record(owed(CustomerId.new(), clock.now()))
    clock.move(seconds=42)

    assert (idle, await queue.measure()) == (0.0, 42.0)


async def test_the_proof_finds_work_that_every_worker_forgot(
    queue: Dispatch, clock: StoppedClock
) -> None:
    await record(owed(CustomerId.new(), clock.now()))
    young = await forgotten(clock)
    clock.move(seconds=61)
    lying = await forgotten(clock)
    await queue.claim()

    assert (young, lying, await forgotten(clock)) == (0, 1, 0)


async def test_the_proof_finds_work_for_an_event_that_never_was(
    queue: Dispatch, clock: StoppedClock
) -> None:
    proof = next(one for one in coherence.proofs() if one.name == "realtime.work")
    stray = UUID(int=7)

    async def write(tx: Tx) -> None:
        await tx.rows(
            "INSERT INTO event_work (id, consumer, customer_id, seq, due_at) "
            "VALUES ($1, 'x', $2, 9, $3) RETURNING id",
            stray,
            CustomerId.new(),
            clock.now(),
        )

    async def erase(tx: Tx) -> None:
        await dispatch.finish(tx, [stray])

    await database.transaction(write, name="test.stray")
    found = await database.read(proof.full)
    await database.transaction(erase, name="test.stray")

    assert [row.get("id", UUID) for row in found] == [stray]
