"""kill -9 under payments: what was acknowledged stays, nothing doubles, all ends.

On SQLite and on PostgreSQL with fsync on; on PostgreSQL also with front and back door
in two processes that die independently, and with the database itself killed. A part of
the payments goes over the instant rail, whose sandbox is not killed: what it settled is
compared at the end.
"""

import asyncio
import secrets
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mock_mobile_client import abroad
from mock_mobile_client.handset import Setting
from mock_mobile_client.phone import Phone, introduce
from mock_mobile_client.pin import ITERATIONS_MIN
from tests.journeys.abroad import DEV, settled_abroad
from tests.journeys.books import Books
from tests.journeys.parts import Parts, bank_in_parts
from tests.journeys.payers import (
    ONE,
    Tally,
    Verdict,
    Watcher,
    balances,
    first_answer,
    judged,
    pay_on_and_on,
    payments_of,
    spread,
    unseen_pushes,
)

if TYPE_CHECKING:
    from tests.journeys.durable import Durable

pytestmark = [pytest.mark.slow, pytest.mark.only("sqlite", "postgres")]

LEASE_S = 31  # the clock moves on by one lease with each kill
LONGEST_S = 60  # until everything in flight has ended
EACH = 2  # payers that do the same
Note = Callable[[str, object], None]


@dataclass
class Scene:
    """A bank under payments: its parts and the phones of Asha and Ben."""

    parts: Parts
    asha: Phone
    ben: Phone
    told: Tally

    async def after_a_moment(self, blow: Callable[[], None]) -> None:
        """Let payments flow, strike at a random point, and measure the recovery."""
        await asyncio.sleep(0.05 + secrets.randbelow(500) / 1000)
        in_flight, began = set(self.told.waiting), time.monotonic()
        await asyncio.to_thread(blow)
        await first_answer(self.asha)
        self.told.answered_s.append(time.monotonic() - began)
        try:
            async with asyncio.timeout(LONGEST_S):
                await self.told.until_final(in_flight)
        except TimeoutError:
            raise AssertionError(self._stuck()) from None
        self.told.final_s.append(time.monotonic() - began)

    def _stuck(self) -> str:
        """Tell what is known of the payments that do not end."""
        rows = self.parts.books.read(
            "SELECT idempotency_key, state, lease_until, authorise_by FROM payment"
        )
        left = [row for row in rows if row[0] in self.told.waiting]
        return f"not final: {left} of {self.told.waiting}; heard {self.told.heard}"


@pytest.mark.parametrize(
    "kills", [2, pytest.param(200, marks=pytest.mark.chaos)], ids=["2", "200"]
)
async def test_a_bank_killed_under_payments_loses_and_doubles_nothing(
    tmp_path: Path, durable_books: Books, kills: int, record_property: Note
) -> None:
    with bank_in_parts(tmp_path, durable_books) as parts:

        async def struck(scene: Scene) -> None:
            for _ in range(kills):
                await scene.after_a_moment(partial(_killed, parts, *parts.names))

        told = await _played(parts, "bank killed", struck, record_property)

    assert told.heard["INTERNAL"] == 0


@pytest.mark.only("postgres")
@pytest.mark.parametrize(
    "kills", [2, pytest.param(200, marks=pytest.mark.chaos)], ids=["2", "200"]
)
async def test_front_and_back_door_die_independently(
    tmp_path: Path, durable_books: Books, kills: int, record_property: Note
) -> None:
    with bank_in_parts(tmp_path, durable_books, apart=True) as parts:

        async def struck(scene: Scene) -> None:
            victims = [("web",), ("worker",), ("web", "worker")]
            for kill in range(kills):
                doors = victims[kill % len(victims)]
                await scene.after_a_moment(partial(_killed, parts, *doors))

        told = await _played(parts, "doors killed apart", struck, record_property)

    assert told.heard["INTERNAL"] == 0


@pytest.mark.only("postgres")
@pytest.mark.parametrize(
    "restarts", [1, pytest.param(6, marks=pytest.mark.chaos)], ids=["1", "6"]
)
async def test_a_database_that_falls_is_told_as_such_and_loses_nothing(
    tmp_path: Path,
    durable: "Durable",
    durable_books: Books,
    restarts: int,
    record_property: Note,
) -> None:
    with bank_in_parts(tmp_path, durable_books) as parts:

        def fell(how: signal.Signals) -> None:
            durable.crash(how)
            parts.move_clock(LEASE_S)

        async def struck(scene: Scene) -> None:
            for turn in range(restarts):
                how = (signal.SIGKILL, signal.SIGQUIT)[turn % 2]
                await scene.after_a_moment(partial(fell, how))

        told = await _played(parts, "database killed", struck, record_property)

    assert told.heard["SERVICE_UNAVAILABLE"] > 0


def _killed(parts: Parts, *names: str) -> None:
    """Kill some processes and start them again, one lease later."""
    parts.kill(*names)
    parts.move_clock(LEASE_S)
    parts.start(*names)


async def _played(
    parts: Parts,
    blow: str,
    struck: Callable[[Scene], Awaitable[None]],
    note: Note,
) -> Tally:
    """Let Asha and Ben pay while the bank is struck; then compare with the books."""
    told, setting = Tally(), Setting(iterations=ITERATIONS_MIN)
    async with (
        Phone("asha", parts.url, parts.sandbox, setting) as asha,
        Phone("ben", parts.url, parts.sandbox, setting) as ben,
        Phone("ben-2", parts.url, parts.sandbox, setting) as asleep,
    ):
        for phone in (asha, ben, asleep):
            await phone.start()
        await asleep.drawer.open()
        await introduce(asha, ben)
        await introduce(ben, asha)
        await abroad.save(asha.session, *DEV)
        old, before = payments_of(parts.books), await balances(asha, ben)
        watchers = [Watcher(asha), Watcher(ben)]
        async with asyncio.TaskGroup() as listening:
            ears = [listening.create_task(one.run()) for one in watchers]
            counts = await _paid(Scene(parts, asha, ben, told), struck)
            whole = [await one.saw_each_event_once(parts.books) for one in watchers]
            for ear in ears:
                ear.cancel()
        unseen = await unseen_pushes(parts.books, asleep)
        pushes, notes = len(asleep.drawer.pushes), len(asleep.drawer.notes)
        after = await balances(asha, ben)

    found = judged(parts.books, told, old)
    said = f"{notes} notifications seen once ({pushes - notes} came again)"
    note("figures", f"{_line(f'{blow}, {parts.books.engine}', found, told)}; {said}")
    assert (found.lost, found.doubled, found.unfinished) == (0, 0, 0)
    assert found.held == 0
    assert await settled_abroad(parts) == counts["abroad"] > 0
    assert found.sums == {0}
    assert found.acknowledged == sum(counts.values()) >= len(told.final_s)
    for account, move in _expected(counts).items():
        assert after[account] == before[account].plus(ONE.times(move)), account
    assert whole == [True, True]
    assert (unseen, notes > 0) == (set(), True)
    return told


async def _paid(
    scene: Scene, struck: Callable[[Scene], Awaitable[None]]
) -> dict[str, int]:
    """Run every payer until the blows have fallen; gives the settled by direction."""
    asha, ben, told = scene.asha, scene.ben, scene.told
    ways = {
        "own": (asha, await asha.order("Savings", ONE)),
        "to Ben": (asha, await asha.order("Ben", ONE)),
        "back": (ben, await ben.order("Asha", ONE)),
        "abroad": (asha, await asha.order("Dev", ONE)),
    }
    async with asyncio.TaskGroup() as group:
        paying = {
            way: [group.create_task(pay_on_and_on(*who, told)) for _ in range(EACH)]
            for way, who in ways.items()
        }
        await struck(scene)
        told.stopped = True
    return {way: sum(task.result() for task in tasks) for way, tasks in paying.items()}


def _expected(counts: dict[str, int]) -> dict[str, int]:
    """Give by how much each account must have moved."""
    own, to_ben, back = counts["own"], counts["to Ben"], counts["back"]
    return {
        "Asha-1 Everyday": back - own - to_ben - counts["abroad"],
        "Asha-1 Savings": own,
        "Ben-1 Everyday": to_ben - back,
    }


def _line(blow: str, found: Verdict, told: Tally) -> str:
    """Write the figures of one run."""
    heard = ", ".join(f"{n} {code}" for code, n in sorted(told.heard.items()))
    return (
        f"{blow}: {len(told.final_s)} times, acknowledged "
        f"{found.acknowledged}, lost {found.lost}, doubled {found.doubled}, sum "
        f"{sum(found.sums)}, warm recovery p50/p95: first answer "
        f"{spread(told.answered_s)}, all final {spread(told.final_s)} ({heard})"
    )
