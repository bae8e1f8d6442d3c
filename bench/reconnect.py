"""Reconnect: what a socket costs to open and to keep, and how fast all come back (S6).

Every turn is a process of its own, so that its memory is its own: sockets are opened
(token and proof verified, subscribed), stay idle, get events; then all lines break at
once, events happen meanwhile, and every phone comes back and is told what it missed.
The peers recognise nobody and cannot resume; they open and get events.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import live_servers, servers, turns
from bench.crowd import Crowd, named, signed
from bench.live_servers import OURS, LiveServer, Owners
from bench.report import Row
from bench.servers import Engine
from bench.turns import Numbers
from mock_mobile_client.keys import DeviceKey

TITLE = (
    "reconnect on {engine}, two phones per customer, one process; Sixpence verifies "
    "token and proof of every socket and resumes it, the peers do neither"
)
PHONES_EACH = 2
WARM = 20
MISSED = 3
SETTLE_S = 0.5
SOCKET_KB_MAX, GROWTH_MAX, OPEN_MS_MAX, RESUMED_MIN = 30.0, 10.0, 2.5, 400.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Args:
        customers: each has two phones.
        pairs: processes of each variant.
        rounds: events to everybody before memory is looked at again.
    """

    customers: int
    pairs: int
    rounds: int


FULL = Size(customers=1000, pairs=5, rounds=5)
SMOKE = Size(customers=15, pairs=1, rounds=1)


@dataclass(frozen=True, slots=True)
class Visit:
    """One process of one variant.

    Args:
        open_ms: processor time of the server per opened socket.
        idle_kb: memory per socket, opened and subscribed.
        used_kb: the same after events.
        resumed_ms: processor time per phone that came back; None for peers.
        resumed_s: seconds until all were back and told; None for peers.
    """

    open_ms: float
    idle_kb: float
    used_kb: float
    resumed_ms: float | None = None
    resumed_s: float | None = None

    @property
    def growth(self) -> float:
        """How much more memory a socket takes after events, in per cent."""
        return (self.used_kb / max(self.idle_kb, 0.1) - 1) * 100


@dataclass(frozen=True, slots=True)
class Scene:
    """What all processes of a run share."""

    folder: Path
    below: Engine
    core: frozenset[int]
    keys: Sequence[Sequence[DeviceKey]]
    port: int
    owners: Owners
    tokens: Sequence[Sequence[str]]

    @asynccontextmanager
    async def crowd(self, name: str) -> AsyncIterator[Crowd]:
        """Start a variant anew, with all its phones, none connected."""
        if name == OURS:
            again = live_servers.bank(
                self.folder,
                self.below.url,
                self.core,
                owners=self.owners,
                port=self.port,
            )
            async with again as bank:
                yield self.ours(bank)
            return
        async with live_servers.peer(name, self.owners, self.core) as server:
            inits = [named(place) for place in range(len(self.owners))] * PHONES_EACH
            yield Crowd(server, inits, resumes=False)

    def ours(self, bank: LiveServer) -> Crowd:
        """Give all phones of a started bank."""
        inits = [
            signed(bank, row[phone], self.tokens[place][phone])
            for phone in range(PHONES_EACH)
            for place, row in enumerate(self.keys)
        ]
        return Crowd(bank, inits, resumes=True)


async def run(size: Size, engine: str, *, smoke: bool) -> list[Row]:
    """Measure on one engine; gives one row a measure."""
    core = live_servers.apart()
    with (
        tempfile.TemporaryDirectory() as name,
        servers.engine(engine, Path(name)) as below,
    ):
        keys = [
            [DeviceKey.generate() for _ in range(PHONES_EACH)]
            for _ in range(size.customers)
        ]
        jwks = [[key.jwk for key in row] for row in keys]
        async with live_servers.bank(Path(name), below.url, core, jwks=jwks) as bank:
            known = bank.port, bank.owners, bank.tokens
            scene = Scene(Path(name), below, core, keys, *known)
            if smoke:  # one process will do
                return _rows({OURS: [await _visit(scene.ours(bank), size)]}, size)
        names = [OURS, *live_servers.peers(smoke=smoke)]
        visits: dict[str, list[Visit]] = {name: [] for name in names}
        for _ in range(size.pairs):
            for variant in names:
                async with scene.crowd(variant) as crowd:
                    visits[variant].append(await _visit(crowd, size))
    return _rows(visits, size)


async def _visit(crowd: Crowd, size: Size) -> Visit:
    server, numbers = crowd.server, Numbers()
    await crowd.open(WARM)
    await _told(crowd, numbers, 1)
    await crowd.cut()
    before_kb, spent = server.rss_kb(), server.cpu_s()
    await crowd.open()
    count = len(crowd.sockets)
    open_ms = (server.cpu_s() - spent) / count * 1000
    await asyncio.sleep(SETTLE_S)
    idle_kb = (server.rss_kb() - before_kb) / count
    await _told(crowd, numbers, size.rounds)
    used_kb = (server.rss_kb() - before_kb) / count
    crowd.require_whole()
    if server.name != OURS:
        return Visit(open_ms, idle_kb, used_kb)
    resumed_ms, resumed_s = await _storm(crowd, numbers)
    return Visit(open_ms, idle_kb, used_kb, resumed_ms, resumed_s)


async def _told(crowd: Crowd, numbers: Numbers, rounds: int) -> None:
    """Send events to everybody and wait until all have come."""
    for _ in range(rounds):
        goal = crowd.count.frames + crowd.standing
        numbers.publish(crowd.server, 0, len(crowd.server.owners))
        await crowd.frames(goal)


async def _storm(crowd: Crowd, numbers: Numbers) -> tuple[float, float]:
    """Break all lines, let events happen, and let everybody come back at once."""
    await crowd.cut()
    everybody = len(crowd.server.owners)
    missed = [numbers.publish(crowd.server, 0, everybody) for _ in range(MISSED)]
    await turns.settled(crowd.server, missed)
    before, told = crowd.count.frames, crowd.count.caught_up
    spent, began = crowd.server.cpu_s(), time.perf_counter()
    await crowd.open()
    await crowd.caught_up(told + len(crowd.sockets))
    seconds = time.perf_counter() - began
    cpu_s = crowd.server.cpu_s() - spent
    crowd.require_whole()
    if crowd.count.frames - before != MISSED * len(crowd.sockets):
        raise SystemExit("a phone that came back was not told everything")
    return cpu_s / len(crowd.sockets) * 1000, seconds


# ------------------------------------------------------------------ the rows


def _rows(visits: dict[str, list[Visit]], size: Size) -> list[Row]:
    sockets, ours = size.customers * PHONES_EACH, visits[OURS]
    rows = []
    for name, found in visits.items():
        most = OPEN_MS_MAX if name == OURS else None
        measure = f"connect, init, subscribe: {name}{_of('S6', most)}"
        rows.append(Row.of(measure, "ms CPU", [one.open_ms for one in found], most))
    for name, found in visits.items():
        most = SOCKET_KB_MAX if name == OURS else None
        measure = f"a socket of {sockets}, idle: {name}{_of('S6', most)}"
        rows.append(Row.of(measure, "KB", [one.idle_kb for one in found], most))
    for name, found in visits.items():
        most = SOCKET_KB_MAX if name == OURS else None
        measure = f"the same after {size.rounds} events each: {name}"
        rows.append(Row.of(measure, "KB", [one.used_kb for one in found], most))
    growth = [one.growth for one in ours]
    rows.append(Row.of("growth of our socket by events", "%", growth, GROWTH_MAX))
    came_ms = [one.resumed_ms for one in ours if one.resumed_ms is not None]
    came_s = [one.resumed_s for one in ours if one.resumed_s is not None]
    each = [1000 / max(ms, 0.01) for ms in came_ms]
    what = f"a phone back with {MISSED} missed events"
    return [
        *rows,
        Row.of(what, "ms CPU", came_ms),
        Row.of(
            "phones resumed per second of a core (S6)", "1/s", each, floor=RESUMED_MIN
        ),
        Row.of(f"storm of {sockets}: all are back after", "s", came_s),
    ]


def _of(target: str, most: float | None) -> str:
    return "" if most is None else f" ({target})"
