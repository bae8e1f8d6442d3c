"""The state of every component, shared by processes: written, announced, outlived."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from app import database
from app.bank import open_bank
from app.clock import StoppedClock
from app.database import Tx
from app.errors import Outage
from app.integrations.core_banking import Health as CoreHealth
from app.realtime.announce import Announcement, Broadcast
from app.settings import Settings
from app.status import board as board_module
from app.status import reports
from app.status.board import Board
from app.status.health import Component, ComponentHealth, Health, State
from tests.conftest import BROKEN
from tests.realtime.patience import until, within

LOGIN, TRANSFERS = Component.LOGIN, Component.TRANSFERS
WELL, DOWN = State.OPERATIONAL, State.MAJOR_OUTAGE


class Process:
    """One process's health and board; its words are kept."""

    def __init__(self, clock: StoppedClock) -> None:
        self.said: list[Announcement] = []
        self.health = Health(clock)
        self.board = Board(clock=clock, health=self.health, announce=self.said.append)

    def meets(self, component: Component, *, good: bool, times: int = 5) -> None:
        """Let a partner answer."""
        for _ in range(times):
            self.health.note(component, good=good, took_ms=12)

    def shows(self, component: Component) -> ComponentHealth:
        """Give what this process tells of a component."""
        return next(one for one in self.board.now() if one.component is component)


async def change(stream: AsyncIterator[ComponentHealth]) -> tuple[Component, State]:
    seen = await within(anext(stream))
    return seen.component, seen.state


async def rows() -> list[tuple[str, str]]:
    found = await database.read("SELECT component, state FROM service_report")
    return [(one.get("component", str), one.get("state", str)) for one in found]


@pytest.mark.usefixtures("bank_database")
async def test_an_outage_and_its_end_reach_the_followers_of_every_process(
    clock: StoppedClock,
) -> None:
    one, two = Process(clock), Process(clock)

    async with (
        aclosing(one.board.follow()) as here,
        aclosing(two.board.follow()) as far,
    ):
        first = [await change(here) for _ in range(4)]
        for _ in range(4):
            await change(far)
        one.meets(TRANSFERS, good=False)
        await one.board.look()
        broken = await change(here)
        two.board.heard(Broadcast("something else"))
        await two.board.look()
        silent = two.shows(TRANSFERS).state
        two.board.heard(Broadcast("status"))
        await two.board.look()
        broken_far, told = await change(far), two.shows(TRANSFERS)
        clock.move(seconds=61)
        await one.board.look()
        await two.board.look()
        mended = [await change(here), await change(far)]

    assert [state for _, state in first] == [WELL] * 4
    assert broken == broken_far == (TRANSFERS, DOWN)
    assert silent is DOWN  # the first look reads without being told to
    assert (told.success_rate_1m, told.p95_ms) == (0.0, 12)
    assert mended == [(TRANSFERS, WELL)] * 2
    assert one.said == [Broadcast("status")] * 2
    assert two.said == []
    assert await rows() == []


@pytest.mark.usefixtures("bank_database")
async def test_the_worst_word_counts_and_one_that_nobody_renews_ends(
    clock: StoppedClock,
) -> None:
    one, two = Process(clock), Process(clock)
    one.meets(LOGIN, good=False)
    two.meets(LOGIN, good=True, times=19)
    two.meets(LOGIN, good=False, times=1)
    for process in (one, two, one):
        await process.board.look()
    worst = [process.shows(LOGIN).state for process in (one, two)]

    clock.move(seconds=11)  # one renews its word, and two hears it live
    await one.board.look()
    clock.move(seconds=25)
    await two.board.look()
    renewed = two.shows(LOGIN).state
    clock.move(seconds=6)  # one is gone since: its word ran out
    outlived = two.shows(LOGIN).state

    assert worst == [DOWN, DOWN]
    assert renewed is DOWN
    assert outlived is State.DEGRADED


@pytest.mark.usefixtures("bank_database")
async def test_without_the_database_a_process_tells_what_it_sees_and_shares_it_later(
    clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = Process(clock), Process(clock)

    async def lost(*_: object) -> None:
        raise Outage("database")

    async with aclosing(one.board.follow()) as here:
        for _ in range(4):
            await change(here)
        one.meets(LOGIN, good=False)
        with monkeypatch.context() as patch:
            patch.setattr(reports, "write", lost)
            await one.board.look()
        broken = await change(here)
    unshared = list(one.said)
    await one.board.look()
    await two.board.look()

    assert broken == (LOGIN, DOWN)
    assert unshared == []
    assert one.said == [Broadcast("status")]
    assert two.shows(LOGIN).state is DOWN


@pytest.mark.usefixtures("bank_database")
async def test_what_is_well_writes_nothing_and_reads_every_five_seconds(
    clock: StoppedClock,
) -> None:
    one = Process(clock)
    await one.board.look()

    async with database.watched_statements() as statements:
        for _ in range(5):
            one.meets(LOGIN, good=True)
            await one.board.look()
            clock.move(seconds=1)
        quiet = len(statements)
        await one.board.look()

    assert (quiet, len(statements)) == (0, 1)


@pytest.mark.usefixtures("bank_database")
async def test_the_loop_looks_by_itself_and_at_once_when_told(
    clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = Process(clock), Process(clock)
    monkeypatch.setattr(board_module, "_LOOK_EVERY_S", 3600.0)
    one.meets(LOGIN, good=False)
    await one.board.look()

    task = asyncio.create_task(two.board.run())
    await asyncio.sleep(0)
    two.board.hurry()
    await until(lambda: two.shows(LOGIN).state is DOWN)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()


@pytest.mark.usefixtures("bank_database")
async def test_a_share_beyond_one_is_no_report() -> None:
    async def work(tx: Tx) -> None:
        await tx.rows(
            "INSERT INTO service_report VALUES ('p', 'LOGIN', 'DEGRADED', "
            "'2026-11-21', 1000001, NULL, '2026-11-21')"
        )

    with pytest.raises(BROKEN, match="service_report_share"):
        await database.transaction(work, name="test.share")


async def test_an_opened_bank_hears_of_its_own_outage_over_the_bus(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_module, "_LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(board_module, "_READ_EVERY_S", 3600.0)

    async with open_bank(settings) as bank, aclosing(bank.board.follow()) as stream:
        for _ in range(4):
            await change(stream)
        async with database.watched_statements() as statements:

            def shared() -> str:
                verbs = (sql.split()[0] for sql in statements if "service_re" in sql)
                return " ".join(verbs)

            for _ in range(5):
                bank.health.note(LOGIN, good=False, took_ms=1)
            broken = await change(stream)
            await until(lambda: "DELETE INSERT SELECT" in shared())

    assert broken == (LOGIN, DOWN)


@pytest.mark.usefixtures("bank_database")
async def test_a_core_that_keeps_silent_is_told_and_the_others_are_still_heard(
    clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_module, "_CORE_S", 0.01)
    monkeypatch.setattr(board_module, "_READ_EVERY_S", 0.0)
    silence, asked = asyncio.Event(), 0

    async def health() -> CoreHealth:
        nonlocal asked
        asked += 1
        await silence.wait()
        return CoreHealth(reachable=False)

    here, far = Process(clock), Process(clock)
    here.board = Board(clock, here.health, here.said.append, health)
    far.meets(LOGIN, good=False)

    await far.board.look()
    await here.board.look()
    await here.board.look()
    meanwhile = here.shows(LOGIN).state, here.shows(TRANSFERS).state
    silence.set()
    await here.board.look()

    assert asked == 1
    assert meanwhile == (DOWN, WELL)
    assert here.shows(TRANSFERS).state is DOWN
    assert here.shows(Component.ACCOUNTS).state is DOWN
