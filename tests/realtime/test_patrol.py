"""The rounds of a hub: who is looked at when, and which hints count as lost."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from app import telemetry
from app.errors import Outage
from app.ids import CustomerId
from app.realtime import log
from app.realtime.announce import Hint
from app.realtime.cursor import EventCursor
from app.realtime.patrol import Patrol
from app.realtime.watch import Watch
from tests.conftest import NOON
from tests.realtime.patience import until

EPOCH, DAY = "abcdefgh", NOON.date()


class Book:
    """The heads of the log, and who asked for how many of them when."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seq = 1
        self.away = False
        self.asked: list[int] = []
        self.marked: list[str] = []
        self.watches: dict[CustomerId, Watch] = {}
        monkeypatch.setattr(log, "heads", self.heads)

    async def heads(
        self, customers: Iterable[CustomerId]
    ) -> dict[CustomerId, EventCursor]:
        wanted = list(customers)
        self.asked.append(len(wanted))
        if self.away:
            raise Outage("database")
        return {one: EventCursor(EPOCH, self.seq, DAY) for one in wanted}

    def follow(self, count: int, *, begun: bool = True) -> list[CustomerId]:
        fresh = [Watch(CustomerId.new()) for _ in range(count)]
        for watch in fresh:
            self.watches[watch.customer] = watch
            if begun:
                watch.begin(EventCursor(EPOCH, 1, DAY))
        return [watch.customer for watch in fresh]

    @asynccontextmanager
    async def patrolled(self, poll_s: float) -> AsyncIterator[Patrol]:
        patrol = Patrol(
            self.watches, lambda _, cause: self.marked.append(cause), poll_s
        )
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(run()) for run in (patrol.turns, patrol.outages)]
            yield patrol
            for loop in loops:
                loop.cancel()


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> Book:
    return Book(monkeypatch)


def lost() -> float:
    found = telemetry.registry.get_sample_value("sixpence_hub_lost_hints_total")
    assert found is not None
    return found


async def test_after_an_outage_all_are_looked_at_in_a_few_statements_one_by_one(
    book: Book,
) -> None:
    book.follow(1200)
    book.seq = 2

    async with book.patrolled(poll_s=1000) as patrol:
        began = asyncio.get_running_loop().time()
        patrol.look_again()
        await until(lambda: len(book.marked) == 1200)
        took_s = asyncio.get_running_loop().time() - began

    assert book.asked == [500, 500, 200]
    assert set(book.marked) == {"reconnect"}
    assert took_s >= 0.2


async def test_who_could_not_be_looked_at_then_is_looked_at_with_the_next_turn(
    book: Book,
) -> None:
    book.follow(3)
    book.away = True

    async with book.patrolled(poll_s=0.1) as patrol:
        patrol.look_again()
        await until(lambda: len(book.asked) > 1)
        book.away, book.seq = False, 2
        await until(lambda: len(book.marked) == 3)


async def test_a_watch_that_has_not_begun_stays_suspect_until_it_has(
    book: Book,
) -> None:
    (customer,) = book.follow(1, begun=False)
    book.seq = 2

    async with book.patrolled(poll_s=0.1) as patrol:
        patrol.look_again()
        await until(lambda: len(book.asked) > 2)
        assert book.marked == []
        book.watches[customer].begin(EventCursor(EPOCH, 1, DAY))
        await until(lambda: bool(book.marked))


async def test_what_the_poll_finds_counts_as_lost_unless_its_hint_still_comes(
    book: Book,
) -> None:
    late, silent = book.follow(2)
    before = lost()

    async with book.patrolled(poll_s=0.4) as patrol:
        for one in (late, silent):
            patrol.suspect(one)  # both with one turn
        book.seq = 2
        await until(lambda: len(book.marked) == 2)
        assert lost() == before
        patrol.told(Hint(late, EPOCH, 2))
        await until(lambda: lost() > before)
        turns = len(book.asked)
        await until(lambda: len(book.asked) > turns + 1)

    assert lost() == before + 1
    assert set(book.marked) == {"poll"}
