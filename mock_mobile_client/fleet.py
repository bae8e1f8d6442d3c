"""Many phones in one process, and a verdict: did each see everything once, and soon?

The phones are customers of the demo's long table, three phones each; the first run
enrols them, later ones sign in.
"""

import asyncio
import resource
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from mock_mobile_client.closing import Reaction, Verdict, verdict
from mock_mobile_client.errors import PhoneError, Refused, Unreachable
from mock_mobile_client.fleet_line import End
from mock_mobile_client.fleet_phone import FleetPhone, State
from mock_mobile_client.fleet_tally import Tally
from mock_mobile_client.money import money
from mock_mobile_client.payments import Order, new_key
from mock_mobile_client.phone import Phone

PHONES_EACH = 3
AT_ONCE = 8
ACK_S = 1.0
LOOK_S = 0.02
SETTLE_S = 15.0
OPEN_S = 60.0
AMOUNT = "1.00 INR"
FROM, TO = "Everyday", "Savings"
BUSY, BUSY_S = frozenset({429, 503}), 2.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a fleet is to do.

    Attributes:
        phones: How many.
        seconds: How long it watches.
        pay: Payments a second, of the whole fleet.
        storm_s: When all lines break at once; None for never.
        p99_ms_max: The longest lag one event in a hundred may have; None for any.
    """

    phones: int
    seconds: float
    pay: float = 1.0
    storm_s: float | None = None
    p99_ms_max: float | None = None


class Fleet:
    """The phones of one run.

    Args:
        wish: What is asked for.
        phone: Makes the phone of a demo customer by place and number; not started.
        tell: Takes the living line.
    """

    def __init__(
        self,
        wish: Wish,
        phone: Callable[[int, int], Phone],
        tell: Callable[[str], None],
    ) -> None:
        self.tally = Tally()
        self._wish = wish
        self._make = phone
        self._tell = tell
        self._phones: list[FleetPhone] = []
        self._orders: dict[int, tuple[Order, Order]] = {}
        self._ends: asyncio.Queue[tuple[FleetPhone, End]] = asyncio.Queue()
        self._closing = False

    async def run(self) -> list[str]:
        """Enrol, open, watch; gives everything that must not have happened.

        Raises:
            Refused: a customer is unknown, or its phones cannot be bound.
            Unreachable: the bank does not answer.
        """
        _allow_lines(self._wish.phones)
        try:
            await self._start()
            async with asyncio.TaskGroup() as group:
                helpers = [
                    group.create_task(work())
                    for work in (self._come_back, self._acknowledge, self._report)
                ]
                await self._open()
                await self._watch(group)
                await self._settle()
                for helper in helpers:
                    helper.cancel()
            return self.tally.broken(self._wish.p99_ms_max)
        finally:
            await self._close()

    # -------------------------------------------------------------- coming up

    async def _start(self) -> None:
        """Enrol or sign in everybody, a few customers at a time."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one_customer(place: int, count: int) -> None:
            async with room:
                for number in range(1, count + 1):  # they share one inbox of SMS
                    await self._begin(place, number)

        full, rest = divmod(self._wish.phones, PHONES_EACH)
        counts = dict(enumerate([PHONES_EACH] * full + [rest] * (rest > 0)))
        last = max(counts)
        await one_customer(last, counts.pop(last))  # with it all the others are there
        try:
            async with asyncio.TaskGroup() as group:
                for place, count in counts.items():
                    group.create_task(one_customer(place, count))
        except* PhoneError as failed:
            raise failed.exceptions[0] from None

    async def _begin(self, place: int, number: int) -> None:
        phone = self._make(place, number)
        self._phones.append(FleetPhone(phone, self.tally, self._ended))
        await phone.start()
        self.tally.phones += 1
        self._tell(f"{self.tally.phones} of {self._wish.phones} phones signed in")

    async def _open(self) -> None:
        """Open all streams; who is told to wait, waits."""
        for one in self._phones:
            await self._connect(one)
        await _until(self._all_stand, OPEN_S)

    async def _connect(self, one: FleetPhone) -> None:
        try:
            await one.open()
        except OSError:
            one.ended(End())

    # -------------------------------------------------------------- while it lives

    async def _watch(self, group: asyncio.TaskGroup) -> None:
        """Let time pass: payments now and then, and perhaps a storm."""
        wish, began = self._wish, time.monotonic()
        due, storm_s = 0, wish.storm_s
        paying: set[asyncio.Task[None]] = set()
        while (passed := time.monotonic() - began) < wish.seconds:
            while due < passed * wish.pay and len(paying) < AT_ONCE:
                task = group.create_task(self._pay(due % len(self._phones)))
                paying.add(task)
                task.add_done_callback(paying.discard)
                due += 1
            if storm_s is not None and passed >= storm_s:
                storm_s = None
                await self._storm()
            await asyncio.sleep(LOOK_S)
        if paying:
            await asyncio.wait(paying)

    async def _pay(self, turn: int) -> None:
        """Move a little between two own accounts, there and later back."""
        place = turn % len(self._phones)
        phone = self._phones[place].phone
        try:
            there, back = self._orders.get(place) or await self._order(phone)
            self._orders[place] = _again(back), _again(there)
            await phone.payments.settle(there)
            self.tally.payments += 1
        except Refused as refused:
            self.tally.refused[refused.code] += 1
        except PhoneError as failed:
            self.tally.faults[type(failed).__name__] += 1

    @staticmethod
    async def _order(phone: Phone) -> tuple[Order, Order]:
        amount = money(AMOUNT)
        there = await phone.order(TO, amount, FROM)
        return there, await phone.order(FROM, amount, TO)

    async def _storm(self) -> None:
        """Cut every line at once and see how long all need to be back."""
        for one in self._phones:
            one.cut()
        began = time.monotonic()
        await _until(lambda: not self._all_stand(), 1.0)
        await _until(self._all_stand, OPEN_S)
        self.tally.back_s = time.monotonic() - began

    async def _settle(self) -> None:
        """Wait until all phones of each customer were told the same."""
        groups = defaultdict(list)
        for one in self._phones:
            groups[one.phone.owner.number].append(one)
        await _until(lambda: not _behind(groups.values()), SETTLE_S)
        self.tally.missing = _behind(groups.values())

    async def _acknowledge(self) -> None:
        """Tell the bank once a second how far each phone is."""
        while True:
            await asyncio.sleep(ACK_S)
            for one in self._phones:
                one.acknowledge()

    async def _report(self) -> None:
        before, at = self.tally.events, time.monotonic()
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            self._tell(self.tally.line((self.tally.events - before) / (now - at)))
            before, at = self.tally.events, now

    def _all_stand(self) -> bool:
        standing = {State.LIVE}
        return all(one.state in standing for one in self._phones)

    # -------------------------------------------------------------- coming back

    def _ended(self, one: FleetPhone, end: End) -> None:
        if not self._closing:
            self._ends.put_nowait((one, end))

    async def _come_back(self) -> None:
        """Bring each phone back as the table of close codes says."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._again(*await self._ends.get()))

    async def _again(self, one: FleetPhone, end: End) -> None:
        what = verdict(end.code, end.reason, one.attempt)
        one.attempt += 1
        if what.reaction in {Reaction.STOP, Reaction.SIGN_IN}:
            self.tally.faults[f"close {end.code}"] += 1
            return
        await asyncio.sleep(_wait_s(what, busy=end.status in BUSY))
        try:
            if what.reaction is Reaction.RENEW:
                await one.phone.renew(one.used)
        except PhoneError as failed:
            self.tally.faults[type(failed).__name__] += 1
            return
        await self._connect(one)

    async def _close(self) -> None:
        self._closing = True
        for one in self._phones:
            one.leave()
        for one in self._phones:
            with suppress(Unreachable):
                await one.phone.close()


def _again(order: Order) -> Order:
    """The same, as a wish of its own."""
    return replace(order, key=new_key())


def _behind(groups: Collection[Sequence[FleetPhone]]) -> int:
    """How many phones have been told less than another of their customer."""
    return sum(
        (one.sequence or 0) < max(other.sequence or 0 for other in group)
        for group in groups
        for one in group
    )


def _wait_s(what: Verdict, *, busy: bool) -> float:
    """Full jitter; a phone that was turned away by HTTP waits at least a little."""
    longest = max(what.wait_max_s, BUSY_S) if busy else what.wait_max_s
    if what.exact:
        return longest
    return secrets.SystemRandom().uniform(0, longest)


async def _until(met: Callable[[], bool], longest_s: float) -> None:
    end = time.monotonic() + longest_s
    while not met() and time.monotonic() < end:  # noqa: ASYNC110  -- of many phones
        await asyncio.sleep(LOOK_S)


def _allow_lines(count: int) -> None:
    """Ask the system for as many open files as it gives."""
    low, high = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(high, max(low, 4 * count + 256))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, high))
