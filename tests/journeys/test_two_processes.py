"""Two web processes, a worker and a Valkey: the same promises as in one process.

What the figures of a run were is told with it; the bounds of the design are asserted in
`make chaos`, where the machine has nothing else to do.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import Refused
from mock_mobile_client.handset import Setting
from mock_mobile_client.live import Live
from mock_mobile_client.payments import new_key
from mock_mobile_client.phone import Phone, introduce
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.proofs_live import proof_03
from mock_mobile_client.proofs_lost_phone import proof_06
from mock_mobile_client.proofs_resume import proof_04
from mock_mobile_client.stage import SAVINGS, present
from mock_mobile_client.store import MemoryStore
from mock_mobile_client.stream import CONTROL, Event
from mock_mobile_client.world_clock import WorldClock
from tests.journeys.books import books_of
from tests.journeys.payers import ONE as ONE_RUPEE
from tests.journeys.payers import (
    Tally,
    Watcher,
    judged,
    pay_on_and_on,
    payments_of,
    spread,
)
from tests.journeys.two_webs import ONE, OTHER, TwoWebs, two_webs

if TYPE_CHECKING:
    from tests.postgres import Server

pytestmark = [pytest.mark.slow, pytest.mark.only("sqlite", "postgres")]
# On SQLite the proofs hold in one process, see test_proofs.py.
as_in_production = pytest.mark.only("postgres")

CHANGES = 40
AUTHORISE_S = 901
UP_WITHIN_S, DOWN_WITHIN_S = 1.0, 1.5
AGAIN_WITHIN_S = 15.0
Note = Callable[[str, object], None]


@pytest.fixture(scope="module")
def bank(
    tmp_path_factory: pytest.TempPathFactory, postgres: "Server | None"
) -> Iterator[TwoWebs]:
    """Run the bank that the stories of this file share."""
    folder = tmp_path_factory.mktemp("two")
    with books_of(folder, postgres) as books, two_webs(folder, books) as found:
        yield found
        assert "Traceback" not in found.log()


@pytest.fixture(scope="module")
def setting() -> Setting:
    """Give phones that remember each other from story to story."""
    return Setting(store=MemoryStore(), iterations=ITERATIONS_MIN)


def through(door: str, setting: Setting, bank: TwoWebs) -> Setting:
    """Give the same phones a line to one process."""
    return replace(setting, door=bank.door(door))


@asynccontextmanager
async def phones(bank: TwoWebs, **named: Setting) -> AsyncIterator[list[Phone]]:
    """Switch phones on and sign in."""
    async with AsyncExitStack() as stack:
        found = [
            Phone(name.replace("_", "-"), bank.url, bank.sandbox, chosen)
            for name, chosen in named.items()
        ]
        for phone in found:
            await stack.enter_async_context(phone)
            await phone.start()
        yield found


# ---------------------------------------------------------------- the proofs


@as_in_production
async def test_proof_03_the_second_phone_sees_it_whichever_process_it_asks(
    bank: TwoWebs, setting: Setting, record_property: Note
) -> None:
    told: list[str] = []

    await proof_03(bank.url, bank.sandbox, setting, told.append)

    lost = [bank.figure(door, "sixpence_hub_lost_hints_total") for door in (ONE, OTHER)]
    record_property("figures", f"two processes: {told[-1]}; hints lost: {sum(lost)}")
    assert told[0].startswith("20 payments")


async def test_a_dead_zone_ends_on_the_other_process(
    bank: TwoWebs, setting: Setting
) -> None:
    here, there = (through(door, setting, bank) for door in (ONE, OTHER))
    async with phones(bank, Asha_1=here, Asha_2=there) as (asha, second):
        async with second.live() as witness:
            async with asha.live() as live:
                await live.cut(stay_away=True)
            first = present(live.picture.sequence)
            while present(witness.picture.sequence) < first + CHANGES:
                await second.pay(SAVINGS, ONE_RUPEE, source="Everyday")
                await second.pay("Everyday", ONE_RUPEE, source=SAVINGS)
            head = present(witness.picture.sequence)
        cursor = asha.handset.state.cursor
        elsewhere = Phone("Asha-1", bank.url, bank.sandbox, there)
        async with elsewhere, elsewhere.live(after=cursor) as live:
            await live.until(live.is_caught_up, "the end of the replay")
            missed = [event.sequence for event in live.picture.resume.missed]
            await second.pay(SAVINGS, ONE_RUPEE, source="Everyday")
            await live.until(
                lambda: present(live.picture.sequence) > head, "what happens from now"
            )
            numbers = _numbers(live)

    assert missed[:CHANGES] == list(range(first + 1, first + CHANGES + 1))
    assert numbers == list(range(first + 1, numbers[-1] + 1))


@pytest.mark.chaos
@as_in_production
async def test_proof_04_a_dead_zone_leaves_no_silent_hole_between_two_processes(
    bank: TwoWebs, setting: Setting
) -> None:
    told: list[str] = []

    await proof_04(bank.url, bank.sandbox, setting, told.append)

    assert told
    assert not [line for line in told if "skipped" in line]


@as_in_production
async def test_proof_06_a_lost_phone_is_out_on_the_other_process_by_a_hint(
    bank: TwoWebs, setting: Setting, record_property: Note
) -> None:
    told: list[str] = []
    here = through(ONE, setting, bank)

    await proof_06(bank.url, bank.sandbox, here, told.append, second=bank.door(OTHER))

    (closed,) = [line for line in told if line.startswith("socket on the other")]
    record_property("figures", f"two processes: {closed}")
    assert not [line for line in told if "skipped" in line]


# ---------------------------------------------------------------- revocation


@pytest.mark.parametrize("is_up", [True, False], ids=["bus up", "bus down"])
@pytest.mark.parametrize(
    "times", [3, pytest.param(50, marks=pytest.mark.chaos)], ids=["3", "50"]
)
async def test_a_sign_out_here_ends_the_socket_there(
    bank: TwoWebs, setting: Setting, times: int, record_property: Note, *, is_up: bool
) -> None:
    here, there = (through(door, setting, bank) for door in (ONE, OTHER))
    took_s: list[float] = []
    if not is_up:
        bank.hints.kill()
    try:
        async with phones(bank, Asha_2=here) as (asha,):
            for _ in range(times):
                await asha.login()
                async with Phone("Asha-2", bank.url, bank.sandbox, there) as same:
                    await same.home()  # its clock is days behind: it learns the nonce
                    took_s.append(await _signed_out(asha, same))
    finally:
        if not is_up:
            bank.hints.back()

    way = "by a hint" if is_up else "by the poll alone"
    record_property("figures", f"sign-out seen elsewhere {way}: {spread(took_s)}")
    if times > 3:
        assert max(took_s) < (UP_WITHIN_S if is_up else DOWN_WITHIN_S)


async def _signed_out(here: Phone, there: Phone) -> float:
    """Sign out on one process; gives the seconds until the other has ended it."""
    async with there.live(resume=False) as live:
        began = time.perf_counter()
        await here.logout()
        closed = await live.until_closed(10)
        took_s = time.perf_counter() - began
        with pytest.raises(Refused) as refused:
            await there.handset.call("home", {})
    assert (closed.code, refused.value.code) == (4401, "UNAUTHENTICATED")
    return took_s


# ---------------------------------------------------------------- the worker


async def test_a_payment_that_the_worker_ends_is_seen_live(
    bank: TwoWebs, setting: Setting, record_property: Note
) -> None:
    here, there = (through(door, setting, bank) for door in (ONE, OTHER))
    async with (
        phones(bank, Asha_1=here, Asha_2=there) as (asha, second),
        second.live() as live,
        asha.live() as own,
    ):
        order = await asha.order(SAVINGS, ONE_RUPEE)
        waiting = await asha.payments.create(replace(order, key=new_key()))
        over = waiting.id, PaymentStatus.EXPIRED

        def is_end(event: Event) -> bool:
            told = event.body.get("payment", {})
            return (told.get("id"), told.get("status")) == over

        began = time.monotonic()
        assert await WorldClock(bank.sandbox).forward(AUTHORISE_S)
        for one in (live, own):
            await one.until_event(is_end, "the end of a payment nobody approved")
        took_s = time.monotonic() - began
        lines = live.connections, own.connections

    record_property("figures", f"a worker's change seen live after {took_s:.2f} s")
    assert lines == (1, 1)


# ---------------------------------------------------------------- under load


class Load:
    """Asha and Ben pay on and on; two phones of each hear of it."""

    def __init__(self, bank: TwoWebs, crowd: list[Phone]) -> None:
        self._bank = bank
        self.asha, self.ben = crowd[:2]
        self.told = Tally()
        self.watchers = [Watcher(phone) for phone in crowd]
        self._before = payments_of(bank.books)

    @asynccontextmanager
    async def paying(self) -> AsyncIterator[None]:
        """Pay meanwhile; afterwards everything must have come to an end, once."""
        ways = (self.asha, "Ben"), (self.asha, SAVINGS), (self.ben, "Asha")
        orders = [(who, await who.order(whom, ONE_RUPEE)) for who, whom in ways]
        async with asyncio.TaskGroup() as group:
            ears = [group.create_task(one.run()) for one in self.watchers]
            try:
                async with asyncio.TaskGroup() as payers:
                    for who, order in orders:
                        payers.create_task(pay_on_and_on(who, order, self.told))
                    yield
                    self.told.stopped = True
                books = self._bank.books
                whole = [await one.saw_each_event_once(books) for one in self.watchers]
            finally:
                for ear in ears:
                    ear.cancel()
        found = judged(self._bank.books, self.told, self._before)
        assert whole == [True] * len(whole)
        assert (found.lost, found.doubled, found.unfinished) == (0, 0, 0)
        assert found.sums == {0}
        assert self._bank.balancer.faults == []

    async def until_more(self, count: int) -> None:
        """Wait until so many further payments have settled."""
        before = len(self.told.settled)
        async with asyncio.timeout(60):
            while len(self.told.settled) < before + count:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def load(bank: TwoWebs, setting: Setting) -> AsyncIterator[Load]:
    names = ("Asha_1", "Ben_1", "Asha_2", "Ben_2")
    async with phones(bank, **dict.fromkeys(names, setting)) as crowd:
        await introduce(crowd[0], crowd[1])
        await introduce(crowd[1], crowd[0])
        found = Load(bank, crowd)
        async with found.paying():
            await found.until_more(3)
            yield found


@pytest.mark.parametrize(
    ("times", "away_s"),
    [(1, 2), pytest.param(10, 30, marks=pytest.mark.chaos)],
    ids=["2 s", "10 x 30 s"],
)
async def test_hints_that_are_gone_for_a_while_cost_nobody_anything(
    bank: TwoWebs, setting: Setting, times: int, away_s: int, record_property: Note
) -> None:
    back_s: list[float] = []
    unready = bank.balancer.unready.total()

    async with load(bank, setting) as found:
        for _ in range(times):
            bank.hints.kill()
            gone = time.monotonic()
            await found.until_more(3)
            await asyncio.sleep(max(0, gone + away_s - time.monotonic()))
            await _all_are_back(bank, len(found.watchers))
            await asyncio.to_thread(bank.hints.back)
            came = time.monotonic()
            for watcher in found.watchers:
                await _caught_up(watcher, bank)
            back_s.append(time.monotonic() - came)
            await found.until_more(3)

    count = len(found.told.settled)
    record_property(
        "figures",
        f"Valkey away {times} x {away_s} s: {count} payments, 0 lost or doubled; all "
        f"told {spread(back_s)} after it came back",
    )
    assert found.told.heard["INTERNAL"] == 0
    if times > 1:
        assert found.told.heard == {}
        assert bank.balancer.unready.total() == unready
        assert max(back_s) < AGAIN_WITHIN_S


@pytest.mark.parametrize(
    "times", [1, pytest.param(20, marks=pytest.mark.chaos)], ids=["1", "20"]
)
async def test_a_web_that_is_told_to_end_loses_nothing(
    bank: TwoWebs, setting: Setting, times: int, record_property: Note
) -> None:
    took_s: list[float] = []

    async with load(bank, setting) as found:
        for turn in range(times):
            await _all_are_back(bank, len(found.watchers))
            victim = (ONE, OTHER)[turn % 2]
            before = bank.figure(victim, "sixpence_sockets_open")
            began = time.monotonic()
            await asyncio.to_thread(bank.end, victim)
            took_s.append(time.monotonic() - began)
            await found.until_more(3)
            await asyncio.to_thread(bank.start, victim)
            assert before > 0

    ends = [end for one in found.watchers for end in one.closings]
    record_property(
        "figures",
        f"{times} webs ended under load in {spread(took_s)}: {len(ends)} sockets "
        f"sent away, {len(found.told.settled)} payments, 0 lost, 0 answers of 5xx",
    )
    codes = {end.code for end in ends}
    assert 1012 in codes
    assert found.told.heard["INTERNAL"] == 0
    if times > 1:
        assert codes == {1012}
        assert found.told.heard["SERVICE_UNAVAILABLE"] == 0


async def _caught_up(watcher: Watcher, bank: TwoWebs) -> None:
    """Wait until a phone knows of all that had happened just now."""
    head = await watcher.head(bank.books)
    async with asyncio.timeout(60):
        while max(watcher.numbers, default=0) < head:
            await asyncio.sleep(0.02)


async def _all_are_back(bank: TwoWebs, count: int) -> None:
    """Wait until every process is ready, and every phone has a line."""

    def lines() -> float:
        return sum(bank.figure(door, "sixpence_sockets_open") for door in (ONE, OTHER))

    async with asyncio.timeout(60):
        while not bank.balancer.is_whole or await asyncio.to_thread(lines) < count:
            await asyncio.sleep(0.05)


def _numbers(live: Live) -> list[int]:
    applied = live.picture.applied
    return [event.sequence for event in applied if event.kind not in CONTROL]
