"""The turns of the live benches: saturated, at a fixed rate, and commits alone."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from itertools import count

import orjson

from bench.crowd import Crowd
from bench.live_servers import OURS, LiveServer
from bench.load import Turn

AHEAD = 8
LOOK_S = 0.002
SIZES_DIFFER_MAX = 16  # cursors and numbers have not as many digits
_OWN = ("cursor", "sequence", "occurredAt")


class Numbers:
    """Numbers every burst of one run; the number comes back as a version."""

    def __init__(self) -> None:
        self._next = count(1)

    def publish(self, server: LiveServer, first: int, many: int) -> int:
        """Ask for an event to each of so many customers; gives the burst's number."""
        number = next(self._next)
        server.wish(f"publish {number} {first} {many}")
        return number

    def hold(self, server: LiveServer, first: int, many: int) -> int:
        """Ask for the same, committed now and told later."""
        number = next(self._next)
        server.wish(f"hold {number} {first} {many}")
        return number

    def __next__(self) -> int:
        return next(self._next)


async def compared(crowds: Sequence[Crowd], numbers: Numbers) -> int:
    """Demand that all servers send the same; gives the bytes of our frame."""
    frames = []
    for crowd in crowds:
        each = len(crowd.sockets) // len(crowd.server.owners)
        goal = crowd.count.frames + each
        numbers.publish(crowd.server, 0, 1)
        await crowd.frames(goal)
        frames.append(crowd.sockets[0].last)
    ours = _bare(frames[0])
    for crowd, frame in zip(crowds, frames, strict=True):
        apart = abs(len(frame) - len(frames[0]))
        if _bare(frame) != ours or apart > SIZES_DIFFER_MAX:
            raise SystemExit(f"{crowd.server.name} differs:\n{frames[0]!r}\n{frame!r}")
    return len(frames[0])


def _bare(frame: bytes) -> object:
    """Take out what a server gives by itself, and the burst's number."""
    message = orjson.loads(frame)
    envelope = message["payload"]["data"]["events"]
    for name in _OWN:
        del envelope[name]
    balance = envelope["event"]["balance"]
    del balance["version"], balance["available"]["minorUnits"]
    return message


async def saturated(crowd: Crowd, rounds: int, numbers: Numbers) -> Turn:
    """Tell everybody again and again, some rounds ahead of the sockets.

    Our events are committed beforehand: measured is what comes after a commit, as with
    a peer what comes after its publish.
    """
    server, everybody = crowd.server, len(crowd.server.owners)
    before = crowd.count.frames
    if server.name == OURS:
        asked = [numbers.hold(server, 0, everybody) for _ in range(rounds)]
        await settled(server, asked)
        wishes = [f"release {one}" for one in asked]
    else:
        wishes = [f"publish {next(numbers)} 0 {everybody}" for _ in range(rounds)]
    return await _rounds(crowd, wishes, before)


async def whole(crowd: Crowd, rounds: int, numbers: Numbers) -> Turn:
    """The same with every commit inside: only our bank has any."""
    everybody = len(crowd.server.owners)
    wishes = [f"publish {next(numbers)} 0 {everybody}" for _ in range(rounds)]
    return await _rounds(crowd, wishes, crowd.count.frames)


async def _rounds(crowd: Crowd, wishes: Sequence[str], before: int) -> Turn:
    """Ask for round after round; counts the frames that came since the first.

    The safety poll looks at a watch a second and finds what is held back: those few
    frames have come by then, and count neither as work nor as done.
    """
    server, each, came = crowd.server, len(crowd.sockets), crowd.count.frames
    spent, began = server.cpu_s(), time.perf_counter()
    for turn, wish in enumerate(wishes, start=1):
        server.wish(wish)
        await crowd.frames(before + (turn - AHEAD) * each)
    await crowd.frames(before + len(wishes) * each)
    passed = time.perf_counter() - began
    return Turn(crowd.count.frames - came, passed, server.cpu_s() - spent)


async def committed(server: LiveServer, seconds: float, numbers: Numbers) -> Turn:
    """Commit events while nobody listens: what the log itself costs."""
    everybody, rounds = len(server.owners), 0
    spent, began = server.cpu_s(), time.perf_counter()
    while time.perf_counter() - began < seconds:
        await settled(server, [numbers.publish(server, 0, everybody)])
        rounds += 1
    passed = time.perf_counter() - began
    return Turn(rounds * everybody, passed, server.cpu_s() - spent)


async def paced(
    crowd: Crowd, per_second: float, seconds: float, numbers: Numbers
) -> list[float]:
    """Tell small bursts at a fixed rate of deliveries; gives milliseconds of each.

    From the moment the server is asked. Ours are committed beforehand, as above.
    """
    server, everybody = crowd.server, len(crowd.server.owners)
    each = len(crowd.sockets) // everybody
    burst = max(1, everybody // 10)
    rate = per_second / (burst * each)
    places = range(0, max(2, int(rate * seconds)) * burst, burst)
    ours, goal = server.name == OURS, crowd.count.frames + len(places) * burst * each
    asked = [
        numbers.hold(server, place % everybody, burst) if ours else next(numbers)
        for place in places
    ]
    if ours:
        await settled(server, asked)
    wishes = [
        f"release {one}" if ours else f"publish {one} {place % everybody} {burst}"
        for one, place in zip(asked, places, strict=True)
    ]
    sent = await _timed(crowd, server, wishes, rate, goal)
    return _delays(crowd, dict(zip(asked, sent, strict=True)))


async def payments(
    crowd: Crowd,
    per_second: float,
    seconds: float,
    numbers: Numbers,
    writer: LiveServer | None = None,
) -> list[float]:
    """Commit the events of transfers at a fixed rate; gives ms from commit to frame.

    In the process of the sockets, or in another one of the same bank.
    """
    server, everybody = writer or crowd.server, len(crowd.server.owners)
    each = len(crowd.sockets) // everybody
    asked = [next(numbers) for _ in range(int(per_second * seconds))]
    wishes = [
        f"pay {one} {one % everybody} {(one + everybody // 2) % everybody}"
        for one in asked
    ]
    # three events for the payer, two for the payee
    goal = crowd.count.frames + len(wishes) * 5 * each
    await _timed(crowd, server, wishes, per_second, goal)
    return _delays(crowd, await settled(server, asked))


async def _timed(
    crowd: Crowd,
    server: LiveServer,
    wishes: Sequence[str],
    per_second: float,
    goal: int,
) -> list[int]:
    """Ask when due, late or not, and wait for all of it; gives when each was asked."""
    crowd.count.arrivals.clear()
    crowd.count.timed = True
    sent: list[int] = []
    began = time.perf_counter()
    while len(sent) < len(wishes):
        due = int((time.perf_counter() - began) * per_second) + 1
        for wish in wishes[len(sent) : due]:
            server.wish(wish)
            sent.append(time.monotonic_ns())
        await asyncio.sleep(LOOK_S / 2)
    await crowd.frames(goal)
    crowd.count.timed = False
    return sent


def _delays(crowd: Crowd, since: dict[int, int]) -> list[float]:
    return [(at - since[number]) / 1e6 for number, at in crowd.count.arrivals]


async def settled(server: LiveServer, bursts: Iterable[int]) -> dict[int, int]:
    """Wait until these bursts are committed; gives when each was."""
    wanted = set(bursts)
    found: dict[int, int] = {}
    while not wanted <= found.keys():
        server.wish("stamps")
        told = await server.answer()
        found |= {int(number): at for number, at in told.items()}
        if not wanted <= found.keys():
            await asyncio.sleep(LOOK_S)
    return found
