"""The event log: numbers in commit order, nothing of what rolled back, no doubles."""

import asyncio
import random
from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from app import audit, database, telemetry
from app.clock import StoppedClock
from app.database import Tx
from app.errors import NotAllowed
from app.ids import CustomerId
from app.realtime import coding, coherence, log
from app.realtime.announce import Announcement, Hint
from app.realtime.facts import BeneficiaryChanged, SecurityEvent
from app.realtime.shots import AuditShot
from tests.realtime.world import NOW, account_shot, balance_fact, record

pytestmark = pytest.mark.usefixtures("bank_database")


DEADLOCK = "40P01"


def entry_of(customer: CustomerId) -> audit.Entry:
    return audit.Entry(action="x", at=NOW, request_id="r1", customer=customer)


async def last_of(customer: CustomerId) -> int:
    """Read a stream to its end; gives its last number, all before it being there."""
    last = 0
    while batch := await log.read_after(customer, last, 1000):
        numbers = [event.seq for event in batch]
        assert numbers == list(range(last + 1, last + len(batch) + 1))
        last = numbers[-1]
    return last


async def numbers_of(customer: CustomerId) -> list[int]:
    return [event.seq for event in await log.read_after(customer, 0, 1000)]


async def test_facts_are_numbered_from_one_and_read_back_as_they_were() -> None:
    customer = CustomerId.new()
    first = balance_fact(customer, version=1)
    second = BeneficiaryChanged(
        customer=customer, occurred_at=NOW, beneficiary=None, beneficiary_id="ben_1"
    )

    await record(first, second)

    found = await log.read_after(customer, 0, 10)
    assert [event.fact for event in found] == [first, second]
    assert [event.seq for event in found] == [1, 2]
    assert found[-1].cursor == await log.head(customer)


async def test_several_streams_are_read_at_once_as_each_is_alone() -> None:
    customers = [CustomerId.new() for _ in range(5)]
    for one in customers[:4]:
        await record(*(balance_fact(one) for _ in range(6)))
    since = dict(zip(customers, (0, 2, 5, 6, 0), strict=True))

    found = await log.read_several(since, 4)

    read = {one: [log.logged(row) for row in rows] for one, rows in found.items()}
    assert read == {
        one: await log.read_after(one, last, 4) for one, last in since.items()
    }
    assert [len(events) for events in read.values()] == [4, 4, 1, 0, 0]


async def test_what_rolls_back_leaves_neither_row_nor_number() -> None:
    customer = CustomerId.new()

    async def refused(tx: Tx) -> None:
        log.append(tx, balance_fact(customer))
        raise NotAllowed

    with pytest.raises(NotAllowed):
        await database.transaction(refused, name="test.refused")
    assert await log.heads([customer]) == {}
    await record(balance_fact(customer))

    assert await numbers_of(customer) == [1]


async def test_a_returned_refusal_commits_its_facts() -> None:
    customer = CustomerId.new()

    async def remembered(tx: Tx) -> NotAllowed:
        log.append(tx, balance_fact(customer))
        return NotAllowed()

    with pytest.raises(NotAllowed):
        await database.transaction(remembered, name="test.remembered")

    assert await numbers_of(customer) == [1]


async def test_a_fact_with_a_known_key_is_recorded_once() -> None:
    customer, other = CustomerId.new(), CustomerId.new()

    await record(balance_fact(customer, dedupe_key="core-1"))
    await record(
        balance_fact(customer, dedupe_key="core-1"),
        balance_fact(customer, dedupe_key="core-2"),
        balance_fact(customer, dedupe_key="core-2"),
        balance_fact(other, dedupe_key="core-1"),
    )

    assert await numbers_of(customer) == [1, 2]
    assert await numbers_of(other) == [1]


@pytest.mark.parametrize("title", ["x" * 9000, "\N{DEVANAGARI LETTER KA}" * 3000])
async def test_a_fact_beyond_eight_kibibytes_is_our_mistake(title: str) -> None:
    entry = AuditShot(id="aud_1", at=NOW, actor="customer", action="x", outcome="ok")
    fact = SecurityEvent(
        customer=CustomerId.new(), occurred_at=NOW, entry=entry, title=title
    )

    with pytest.raises(ValueError, match="too large"):
        await record(fact)

    assert await log.heads([fact.customer]) == {}


async def test_hints_leave_only_after_the_commit_and_one_per_customer(
    clock: StoppedClock,
) -> None:
    ann, ben = CustomerId.new(), CustomerId.new()
    heard: list[Announcement] = []
    log.open_log(clock, heard.append)

    async def work(tx: Tx) -> None:
        log.append(tx, balance_fact(ann))
        log.append(tx, balance_fact(ben))
        log.append(tx, balance_fact(ann))
        assert heard == []

    await database.transaction(work, name="test.record")

    hints = {item.customer: item for item in heard if isinstance(item, Hint)}
    assert len(heard) == 2
    assert hints[ann].seq == 2
    assert [event.seq for event in hints[ann].events] == [1, 2]
    assert hints[ben].seq == 1


@pytest.mark.parametrize(
    "each", [32, pytest.param(1250, marks=pytest.mark.chaos)], ids=["512", "20000"]
)
async def test_sixteen_writers_of_two_parties_meet_in_no_deadlock_and_leave_no_gap(
    each: int,
) -> None:
    """T9: both heads of both parties, the audit's before the stream's, in one order."""
    chance = random.Random(16)  # noqa: S311  -- a history that can be told again
    customers = [CustomerId.new() for _ in range(20)]
    written = dict.fromkeys(customers, 0)
    deadlocks = telemetry.transaction_retries.labels(DEADLOCK)
    before = deadlocks._value.get()  # noqa: SLF001  -- what the counter stands at

    async def writer() -> None:
        for _ in range(each):
            parties = chance.sample(customers, 2)

            async def work(tx: Tx, parties: Sequence[CustomerId] = parties) -> None:
                for party in parties:
                    log.append(tx, balance_fact(party))
                    audit.append(tx, entry_of(party))

            await database.transaction(work, name="test.parties")
            for party in parties:
                written[party] += 1

    await asyncio.gather(*(writer() for _ in range(16)))

    assert sum(written.values()) == 16 * each * 2
    assert deadlocks._value.get() == before  # noqa: SLF001  -- same
    assert {customer: await last_of(customer) for customer in customers} == written
    assert await audit.verify() == []
    for proof in (*coherence.proofs(), *audit.proofs()):
        assert await database.read(proof.full) == []


async def test_a_day_never_goes_back_and_a_head_takes_the_later_one(
    clock: StoppedClock,
) -> None:
    customer = CustomerId.new()
    days = []

    for moved in (0, 2, -1, -1, 3):
        clock.move(days=moved)
        await record(balance_fact(customer))
        days.append((await log.head(customer)).day - NOW.date())

    assert [day.days for day in days] == [0, 2, 2, 2, 3]
    found = await log.read_after(customer, 0, 10)
    assert [event.day - NOW.date() for event in found] == days


async def test_retention_goes_in_batches_and_its_floor_only_rises(
    clock: StoppedClock,
) -> None:
    ann, ben = CustomerId.new(), CustomerId.new()
    for _ in range(4):
        await record(*(balance_fact(one) for one in (ann, ben, ann)))
        clock.move(days=1)

    today = clock.today()
    async with database.watched_statements() as statements:
        gone = await log.prune(today - timedelta(days=2), batch=3)
    again = await log.prune(today - timedelta(days=3))

    deletes = [sql for sql in statements if sql.startswith("DELETE")]
    assert (gone, again, len(deletes)) == (6, 0, 3)
    assert await numbers_of(ann) == [5, 6, 7, 8]
    assert await numbers_of(ben) == [3, 4]
    floor = await database.read_one("SELECT day FROM event_floor")
    assert floor is not None
    assert floor.get("day", date) == today - timedelta(days=2)


async def test_a_retention_that_was_interrupted_breaks_no_proof(
    clock: StoppedClock,
) -> None:
    customer = CustomerId.new()
    await record(*(balance_fact(customer) for _ in range(5)))
    clock.move(days=20)
    await record(balance_fact(customer))

    async def half(tx: Tx) -> None:
        await tx.rows(
            "INSERT INTO event_floor (id, day) VALUES (1, $1) RETURNING id",
            clock.today(),
        )
        await tx.rows("DELETE FROM customer_event WHERE seq IN (2, 4) RETURNING seq")

    await database.transaction(half, name="test.half")

    assert await numbers_of(customer) == [1, 3, 5, 6]
    assert await database.read(coherence.proofs()[0].full) == []
    assert await log.prune(clock.today()) == 3


async def test_retention_deletes_old_days_only_and_the_guard_refuses_the_rest(
    clock: StoppedClock,
) -> None:
    customer = CustomerId.new()
    await record(balance_fact(customer))
    clock.move(days=15)
    await record(balance_fact(customer))

    async def vandal(tx: Tx) -> None:
        await tx.rows("DELETE FROM customer_event WHERE customer_id = $1", customer)

    with pytest.raises(Exception, match="event_append_only"):
        await database.transaction(vandal, name="test.vandal")
    gone = await log.prune(clock.today() - timedelta(days=14))

    assert gone == 1
    assert await numbers_of(customer) == [2]


async def test_the_proof_finds_a_hole_and_a_head_that_runs_ahead() -> None:
    whole, broken = CustomerId.new(), CustomerId.new()
    await record(*(balance_fact(whole) for _ in range(3)))
    await record(balance_fact(broken))
    proof = coherence.proofs()[0]
    assert await database.read(proof.full) == []

    async def skip(tx: Tx) -> None:
        await tx.rows(
            "UPDATE stream_head SET seq = 3 WHERE customer_id = $1 RETURNING seq",
            broken,
        )

    async def mend(tx: Tx) -> None:
        await tx.rows(
            "UPDATE stream_head SET epoch = 'bbbbbbbb', seq = 1 "
            "WHERE customer_id = $1 RETURNING seq",
            broken,
        )

    await database.transaction(skip, name="test.skip")
    found = await database.read(proof.full)
    since = await database.read(proof.since, NOW)
    await database.transaction(mend, name="test.mend")

    assert [row.get("customer_id", CustomerId) for row in found] == [broken]
    assert [row.get("customer_id", CustomerId) for row in since] == [broken]


def test_a_fact_that_grew_a_field_is_read_from_an_older_log() -> None:
    customer = CustomerId.new()
    fact = balance_fact(customer, account=account_shot())
    older = coding.encode(fact).replace(',"can_credit":true', "")

    assert coding.decode("BalanceChanged", older, customer, NOW) == fact
