"""Proof 9 of acceptance.md: kill -9, and every fact and every notification comes once.

Who runs it brings servers that may be killed: a test its own, the command those of
`own_servers`. Nobody else's server is ever touched.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from mock_mobile_client.drawer import Note
from mock_mobile_client.errors import NotSeen, ProofFailed, expect
from mock_mobile_client.handset import Setting
from mock_mobile_client.insisting import insist
from mock_mobile_client.lines import line
from mock_mobile_client.live import Live
from mock_mobile_client.money import MoneyValue, money
from mock_mobile_client.payments import Order, new_key
from mock_mobile_client.phone import Phone, introduce
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.stage import Tell, everyday, holding, silent
from mock_mobile_client.stream import CONTROL
from mock_mobile_client.world_clock import SKIPPED, WorldClock

ONE: Final = money("1.00 INR")
MONEY_IN: Final = "MONEY_IN"
WHOEVER_SENDS: Final = "*"  # the address says to which phone
# The provider has delivered and keeps its answer back: FCM does, APNs' has no body.
HANGS_MS: Final = 4_000
LEASE_S: Final = 61  # of a push; the others are shorter
LONGEST_S: Final = 60.0
SOON_MS: Final = 400

Act = Callable[[], Awaitable[object]]


class Servers(Protocol):
    """Servers of one's own, to be killed by SIGKILL and started again."""

    @property
    def url(self) -> str:
        """The bank's public address."""

    @property
    def sandbox(self) -> str:
        """Its outside world."""

    async def web_dies(self, changing: Act) -> None:
        """Kill the web process between the commit of an act and its first hint.

        Where nobody can look into the process, as near to the commit as chance has it.
        Whatever the act hears is nobody's business; afterwards the web is back.
        """

    async def worker_dies(self) -> None:
        """Kill the process that sends pushes, now, and start it again."""

    async def all_die(self) -> None:
        """Kill every process of the bank, now, and start them again."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is killed.

    Attributes:
        kills: Of each kind.
        flying: Payments in flight at each kill of everything; 0 leaves that out.
    """

    kills: int = 3
    flying: int = 4


async def proof_09(
    servers: Servers,
    setting: Setting | None = None,
    tell: Tell = silent,
    size: Size | None = None,
    doors: tuple[str | None, str | None] = (None, None),
) -> None:
    """Kill -9: web after a commit, worker after a push, everything under payments.

    Args:
        servers: What is killed.
        setting: Where the phones lie.
        tell: Is told each step.
        size: How often, and under how many payments.
        doors: Web process of Asha-1, which pays and is killed, and of the others;
            None for the public address.
    """
    used = setting or Setting(iterations=ITERATIONS_MIN)
    url, sandbox = servers.url, servers.sandbox
    here, there = (replace(used, door=door) for door in doors)
    async with (
        Phone("Asha-1", url, sandbox, here) as asha,
        Phone("Asha-2", url, sandbox, there) as second,
        Phone("Ben-1", url, sandbox, there) as ben,
        Phone("Ben-2", url, sandbox, there, holding("Ben", asha)) as asleep,
    ):
        for phone in (asha, second, ben, asleep):
            await phone.start()
        await introduce(asha, ben)
        await introduce(ben, asha)
        await asleep.drawer.open()
        mark = set(asleep.drawer.notes)
        before = (await everyday(asha)).available, (await everyday(ben)).available
        order = await asha.order("Ben", ONE)
        async with second.live() as sees, ben.live() as hears:
            case = _Case(servers, asha, asleep, order, mark, tell, size or Size())
            await case.web_dies()
            await case.worker_dies()
            await case.all_die()
            for phone, live in ((second, sees), (ben, hears)):
                events = await _each_once(phone, live)
                tell(f"{phone.name}: {events} events, each once, none missing")
        await case.all_shown_once()
        tell(f"Ben-2, asleep: {case.paid} notifications, each seen once")
        moved = ONE.times(case.paid)
        after = (await everyday(asha)).available, (await everyday(ben)).available
        expect("Asha's balance", before[0].minus(moved), after[0])
        expect("Ben's balance", before[1].plus(moved), after[1])
        await _given_back(ben, moved)


@dataclass(slots=True)
class _Case:
    """Asha pays Ben while the bank is killed; Ben's other phone sleeps."""

    servers: Servers
    asha: Phone
    asleep: Phone
    order: Order
    mark: set[str]
    tell: Tell
    size: Size
    paid: int = 0

    async def web_dies(self) -> None:
        """A payment is made and nobody is told; its key finds it again."""
        for _ in range(self.size.kills):
            order = self._another()
            await self.servers.web_dies(lambda: self._sent_once(order))  # noqa: B023  -- awaited before the next turn
            await self._insisted(order)
        self.tell(f"web killed after the commit, {self.size.kills} times: all settled")

    async def worker_dies(self) -> None:
        """A push was delivered and not written down.

        The phone's receipt tells the bank of it; where the receipt is lost as well, the
        push comes again, under the same id.
        """
        clock = WorldClock(self.servers.sandbox)
        for turn in range(self.size.kills):
            is_mute = turn % 2 == 0
            note = await self._pushed_and_killed(is_mute=is_mute)
            if is_mute and not await clock.forward(LEASE_S):
                self.asleep.handset.api.offline = False
                self.tell(f"a push that comes again after a minute: {SKIPPED}")
                return
            if is_mute:
                await self._comes_again(note)
        self.tell(
            f"worker killed after sending, {self.size.kills} times: what came again "
            "replaced itself"
        )

    async def all_die(self) -> None:
        """Everything dies at a random moment under payments in flight."""
        clock = WorldClock(self.servers.sandbox)
        if self.size.flying == 0:
            return
        for _ in range(self.size.kills):
            orders = [self._another() for _ in range(self.size.flying)]
            async with asyncio.timeout(LONGEST_S), asyncio.TaskGroup() as group:
                for order in orders:
                    group.create_task(self._insisted(order))
                await asyncio.sleep(secrets.randbelow(SOON_MS) / 1000)
                await self.servers.all_die()
                await clock.forward(LEASE_S)
        total = self.size.kills * self.size.flying
        self.tell(f"everything killed under payments: {total} paid, each settled once")

    async def all_shown_once(self) -> None:
        """Every payment so far is on the screen, and no second time.

        What a killed worker had claimed is sent when its lease ends: the clock is moved
        on by as much.

        Raises:
            ProofFailed: one is missing, or there is one too many.
        """
        await WorldClock(self.servers.sandbox).forward(LEASE_S)
        drawer, wanted = self.asleep.drawer, self.paid
        try:
            await drawer.until(
                lambda: self._shown >= wanted, f"{wanted} notifications", LONGEST_S
            )
        except NotSeen as late:
            raise ProofFailed("notifications", wanted, self._shown) from late
        expect("notifications", wanted, self._shown)
        about = [
            (note.push.epoch, note.push.sequence) for note in drawer.notes.values()
        ]
        expect("events on the screen", len(about), len(set(about)))

    @property
    def _shown(self) -> int:
        notes = self.asleep.drawer.notes
        fresh = [note for name, note in notes.items() if name not in self.mark]
        return sum(note.push.category == MONEY_IN for note in fresh)

    async def _pushed_and_killed(self, *, is_mute: bool) -> Note:
        """Let a push arrive whose answer hangs, and kill the worker meanwhile."""
        drawer = self.asleep.drawer
        await self.all_shown_once()
        known = set(drawer.notes)
        await _hang(self.servers.sandbox, drawer.installation)
        self.asleep.handset.api.offline = is_mute  # its receipt goes nowhere
        await self._insisted(self._another())
        await drawer.until(
            lambda: set(drawer.notes) > known, "the push of a payment", LONGEST_S
        )
        await self.servers.worker_dies()
        await _unhang(self.servers.sandbox)
        (new,) = set(drawer.notes) - known
        expect("how often it came", 1, drawer.notes[new].came)
        return drawer.notes[new]

    async def _comes_again(self, note: Note) -> None:
        """Wait for the second message of a notification that is on the screen."""
        drawer, shown = self.asleep.drawer, len(self.asleep.drawer.notes)
        await drawer.until(
            lambda: drawer.notes[note.push.id].came > 1, "the same push", LONGEST_S
        )
        expect("notifications on the screen", shown, len(drawer.notes))
        self.asleep.handset.api.offline = False

    async def _sent_once(self, order: Order) -> None:
        await self.asha.payments.create(order)

    async def _insisted(self, order: Order) -> None:
        await insist(self.asha, order)
        self.paid += 1

    def _another(self) -> Order:
        return replace(self.order, key=new_key())


async def _each_once(phone: Phone, live: Live) -> int:
    """Wait until a stream was where a fresh query is; its numbers have no hole.

    Raises:
        ProofFailed: an event is missing, or came twice.
    """
    head = (await phone.home()).stream_position
    try:
        await live.until(
            lambda: head in {one.cursor for one in live.picture.applied},
            "the newest event",
            LONGEST_S,
        )
    except NotSeen as late:
        raise ProofFailed(f"stream of {phone.name}", head, "behind it") from late
    applied = [one for one in live.picture.applied if one.kind not in CONTROL]
    numbers = [one.sequence for one in applied]
    expect("numbers", list(range(numbers[0], numbers[0] + len(numbers))), numbers)
    expect("what came twice", [], live.picture.repeated)
    return len(numbers)


async def _given_back(ben: Phone, amount: MoneyValue) -> None:
    await insist(ben, await ben.order("Asha", amount))


async def _hang(sandbox: str, address: str) -> None:
    """Let the provider deliver to an address and keep its answer back."""
    rule = {
        "route": WHOEVER_SENDS,
        "kind": "slow-body",
        "address": address,
        "latency_ms": HANGS_MS,
    }
    async with line(sandbox, LONGEST_S) as http:
        (await http.put(f"{sandbox}/_faults", json=rule)).raise_for_status()


async def _unhang(sandbox: str) -> None:
    async with line(sandbox, LONGEST_S) as http:
        (await http.delete(f"{sandbox}/_faults")).raise_for_status()
