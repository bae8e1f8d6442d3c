"""The announcer and the bus of one process: newest wins, nothing blocks or fails."""

import asyncio
from collections.abc import Sequence

from app.ids import CustomerId, SessionId
from app.realtime import announce, log
from app.realtime.announce import Announcement, Announcer, Broadcast, Hint, Revoke
from app.realtime.bus import BusDown, Reconnected
from app.realtime.bus.memory import MemoryBus, connect
from app.realtime.hub import Hub
from app.settings import Settings
from tests.realtime.patience import until
from tests.realtime.world import balance_fact, record, running_hub

ANN, BEN = CustomerId.new(), CustomerId.new()


class Ear:
    """A bus that remembers its batches, or is down."""

    def __init__(self, *, down: bool = False) -> None:
        self.batches: list[list[Announcement]] = []
        self.down = down

    async def publish(self, items: Sequence[Announcement]) -> None:
        if self.down:
            raise BusDown
        self.batches.append(list(items))


async def test_one_hint_per_customer_leaves_and_the_newest_wins() -> None:
    ear = Ear()
    announcer = Announcer(ear)
    announcer.announce(Hint(ANN, "e", 2))
    announcer.announce(Hint(ANN, "e", 4))
    announcer.announce(Hint(ANN, "e", 3))
    announcer.announce(Hint(BEN, "e", 1))

    await announcer.flush()
    await announcer.flush()

    assert ear.batches == [[Hint(ANN, "e", 4), Hint(BEN, "e", 1)]]


async def test_a_hint_of_a_new_epoch_replaces_the_old() -> None:
    ear = Ear()
    announcer = Announcer(ear)
    announcer.announce(Hint(ANN, "old", 9))
    announcer.announce(Hint(ANN, "new", 1))

    await announcer.flush()

    assert ear.batches == [[Hint(ANN, "new", 1)]]


async def test_revocations_and_broadcasts_are_never_merged() -> None:
    ear = Ear()
    announcer = Announcer(ear)
    revoke = Revoke(SessionId.new(), superseded=True)
    announcer.announce(revoke)
    announcer.announce(Broadcast("status"))
    announcer.announce(Broadcast("status"))

    await announcer.flush()

    assert ear.batches == [[revoke, Broadcast("status"), Broadcast("status")]]


async def test_a_bus_that_is_down_loses_hints_and_fails_nobody() -> None:
    ear = Ear(down=True)
    announcer = Announcer(ear)
    announcer.announce(Hint(ANN, "e", 1))
    await announcer.flush()
    ear.down = False
    announcer.announce(Hint(ANN, "e", 2))

    await announcer.flush()

    assert ear.batches == [[Hint(ANN, "e", 2)]]


async def test_beyond_ten_thousand_customers_hints_are_dropped_and_counted(
    bank_database: Settings,
) -> None:
    ear = Ear()
    announcer = Announcer(ear)
    for _ in range(announce._PENDING_MAX + 5):  # noqa: SLF001  -- the bound under test
        announcer.announce(Hint(CustomerId.new(), "e", 1))

    await announcer.flush()

    assert sum(len(batch) for batch in ear.batches) == 10_000
    assert max(len(batch) for batch in ear.batches) == 512
    assert bank_database.poll_s == 15.0  # what repairs the five that were dropped


async def test_the_memory_bus_hands_on_in_order_and_says_when_it_lost_some() -> None:
    bus = await connect("memory://")
    hints = [Hint(ANN, "e", number) for number in range(10_002)]

    await bus.publish(hints)
    heard = []
    async for item in bus.listen():
        heard.append(item)
        if len(heard) == 10_000:
            break

    assert heard[0] == hints[2]
    assert heard[-2:] == [Reconnected(), Reconnected()]


async def test_a_hint_carries_the_events_so_that_one_process_reads_nothing(
    bank_database: Settings,
) -> None:
    bus = MemoryBus()
    heard: list[Announcement] = []

    async def publish(items: Sequence[Announcement]) -> None:
        heard.extend(items)

    bus.publish = publish  # type: ignore[method-assign]  # listens in
    announcer = Announcer(bus)
    log.open_log(log._clock[0], announcer.announce)  # noqa: SLF001  -- the fixture's clock
    customer = CustomerId.new()
    await record(balance_fact(customer, 1))
    await record(balance_fact(customer, 2))

    await announcer.flush()

    (hint,) = heard
    assert isinstance(hint, Hint)
    assert hint.seq == 2
    assert [event.seq for event in hint.events] == [1, 2]
    assert bank_database.bus_url == "memory://"


async def test_the_hub_hands_on_revocations_and_tells_of_gaps(
    bank_database: Settings,
) -> None:
    bus, clock = MemoryBus(), log._clock[0]  # noqa: SLF001  -- the fixture's clock
    revoked: list[Revoke] = []
    gaps: list[bool] = []
    hub = Hub(
        bank_database,
        clock,
        bus,
        on_revoke=revoked.append,
        on_gap=lambda: gaps.append(True),
    )
    revoke = Revoke(SessionId.new())

    async with running_hub(bank_database, clock):
        running = asyncio.ensure_future(hub.run())
        await bus.publish([revoke, Broadcast("status")])
        bus._queue.put_nowait(Reconnected())  # noqa: SLF001  -- as an engine would say
        await until(lambda: bool(gaps))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert revoked == [revoke]
