"""Scale: whether ten times as much makes each piece of work dearer (S11).

Home screens of banks with ever more customers, of accounts with ever more history, and
events with ever more open sockets. Each tenfold step is a process on a database of its
own, filled beforehand, and all are asked by turns: a ratio is of one moment. Costs are
processor time, which on PostgreSQL includes that of the bank's connections there. What
a transfer costs in a large book is measured by `transfers`.
"""

import json
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

from bench import live_servers, servers
from bench.crowd import Crowd, signed
from bench.fanout import PHONES_EACH, SOCKETS_EACH
from bench.live_servers import CHOSEN, LiveServer
from bench.load import ask, backend_seconds, fire
from bench.phones import homes
from bench.report import Row
from bench.servers import ROOT, Engine
from bench.turns import Numbers
from mock_mobile_client.keys import DeviceKey

TITLE = (
    "what ten times as much costs on {engine}: home screens by customers of the bank "
    "and by rows of an account, events by open sockets"
)
CONNECTIONS = 16
GROWTH_MAX = 1.2  # S11
SHOWN = [10, 10, 10]  # rows of each account on a home screen
TOLD = 5  # events of one settled transfer
AT_ONCE = 8  # transfers that are told before their frames are waited for


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Args:
        customers: of each bank, the smallest first.
        asked: customers of each who ask for home screens.
        rows: of each account, by steps, the fewest first.
        each: customers who ask with accounts of so many rows.
        sockets: open ones, by steps, five for each customer.
        pairs: turns of each step.
        warm: home screens with which each begins to warm up.
        seconds: one turn of the first step; the others do as much.
        apart: whether each step has a process of its own, or one serves them all.
    """

    customers: tuple[int, ...]
    asked: int
    rows: tuple[int, ...]
    each: int
    sockets: tuple[int, ...]
    pairs: int
    warm: int
    seconds: float
    apart: bool


FULL = Size(
    customers=(100, 1_000, 10_000, 100_000),
    asked=40,
    rows=(10, 100, 1_000, 10_000),
    each=4,
    sockets=(200, 2_000),
    pairs=5,
    warm=200,
    seconds=2.5,
    apart=True,
)
SMOKE = Size(
    customers=(4,),
    asked=2,
    rows=(10, 20),
    each=1,
    sockets=(10,),
    pairs=1,
    warm=16,
    seconds=0.05,
    apart=False,
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor microseconds of one unit of work.

    Args:
        all_us: of the bank and of its connections to PostgreSQL.
        below_us: of these connections alone; 0 on SQLite, which is in the bank.
    """

    all_us: float
    below_us: float


@dataclass(slots=True)
class World:
    """A bank with its customers.

    Args:
        bank: the process.
        keys: three phones' for each customer who asks or listens.
        name: of its database on PostgreSQL.
        backends: processor seconds of each connection, also of those that ended.
    """

    bank: LiveServer
    keys: Sequence[Sequence[DeviceKey]]
    name: str
    backends: dict[int, float] = field(default_factory=dict)

    def spent(self) -> tuple[float, float]:
        """Give processor seconds until now: the bank's, and its connections'."""
        self.backends |= backend_seconds(self.name)
        return self.bank.cpu_s(), sum(self.backends.values())

    def cost(self, since: tuple[float, float], count: int) -> Cost:
        """Tell what each of so many pieces of work cost since then."""
        bank, below = (
            (now - before) / count * 1_000_000
            for now, before in zip(self.spent(), since, strict=True)
        )
        return Cost(bank + below, below)

    async def homes(self, places: Sequence[int], count: int) -> Cost:
        """Ask for so many home screens of these customers."""
        nonce = (await self.bank.asked("nonce"))["nonce"]
        turns = [places[turn % len(places)] for turn in range(count)]
        phones = [row[0] for row in self.keys]
        requests = homes(self.bank, phones, nonce, turns)
        since = self.spent()
        await fire(self.bank.port, requests, CONNECTIONS, self.bank.process.pid)
        return self.cost(since, count)

    async def require_whole(self) -> None:
        """End the bench unless every home screen is whole."""
        nonce = (await self.bank.asked("nonce"))["nonce"]
        phones = [row[0] for row in self.keys]
        for request in homes(self.bank, phones, nonce, range(len(phones))):
            answer = await ask(self.bank.port, request)
            me = (json.loads(answer).get("data") or {}).get("me") or {}
            rows = [len(one["transactions"]["nodes"]) for one in me.get("accounts", ())]
            if b'"errors"' in answer or rows != SHOWN:
                raise SystemExit(f"no whole home screen: {answer[:999]!r}")

    def crowd(self) -> Crowd:
        """Give five phones for each customer, none connected."""
        tokens = self.bank.tokens
        return Crowd(
            self.bank,
            [
                signed(self.bank, row[turn % PHONES_EACH], mine[turn % PHONES_EACH])
                for row, mine in zip(self.keys, tokens, strict=True)
                for turn in range(SOCKETS_EACH)
            ],
            resumes=True,
        )


@dataclass(slots=True)
class Bed:
    """Where the banks of a run lie."""

    folder: Path
    below: Engine
    core: frozenset[int]
    made: int = 0

    @asynccontextmanager
    async def world(self, others: int, rows: Sequence[int]) -> AsyncIterator[World]:
        """Fill a database and start a bank on it.

        Args:
            others: customers who never ask.
            rows: of each account of a customer who does, or listens.
        """
        self.made += 1
        name = f"scale_{os.getpid()}_{self.made}"
        url = await servers.another(self.below, self.folder, name)
        keys = [[DeviceKey.generate() for _ in range(PHONES_EACH)] for _ in rows]
        jwks = [[key.jwk for key in row] for row in keys]
        order = {"jwks": jwks, "owners": [], "others": others, "rows": list(rows)}
        chosen = CHOSEN | {"PYTHONPATH": str(ROOT), "SIXPENCE_DATABASE_URL": url}
        opening = live_servers.bank_process(
            "bench.scale_bank", self.core, self.folder, chosen, order
        )
        async with opening as bank:
            if url.startswith("postgres"):
                await _tidied(url)
            yield World(bank, keys, name)


async def _tidied(url: str) -> None:
    """Do after the filling what PostgreSQL would do by itself, only later."""
    import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415  -- one engine has it, no types

    line = await asyncpg.connect(url)
    await line.execute("VACUUM ANALYZE")
    await line.close()


Found = Mapping[int, Sequence[Cost]]
Ask = Callable[[int], Awaitable[Cost]]


async def run(size: Size, engine: str) -> list[Row]:
    """Measure on one engine; gives one row a step, and one a ratio of two."""
    core = live_servers.apart()
    with (
        tempfile.TemporaryDirectory() as name,
        servers.engine(engine, Path(name)) as below,
    ):
        bed = Bed(Path(name), below, core)
        found = await (_apart(bed, size) if size.apart else _together(bed, size))
    return [
        row
        for (what, unit), steps in zip(WHAT, found, strict=True)
        for row in _rows(what, unit, steps, engine)
    ]


async def _apart(bed: Bed, size: Size) -> list[Found]:
    """Give each step processes of its own, beside each other."""
    async with AsyncExitStack() as stack:
        banks = {}
        for customers in size.customers:
            rows = SHOWN[:1] * size.asked
            opening = bed.world(customers - size.asked, rows)
            banks[customers] = await stack.enter_async_context(opening)
        by_customers = await _by_customers(banks, size)
    others = size.customers[0]
    async with bed.world(others, _by_steps(size)) as bank:
        by_rows = await _by_rows(bank, size)
    async with AsyncExitStack() as stack:
        banks = {}
        for sockets in size.sockets:
            opening = bed.world(0, [0] * (sockets // SOCKETS_EACH))
            banks[sockets] = await stack.enter_async_context(opening)
        return [by_customers, by_rows, await _by_sockets(banks, size)]


async def _together(bed: Bed, size: Size) -> list[Found]:
    """Let one process do it all: a smoke run has no time to start more."""
    [customers], [sockets] = size.customers, size.sockets
    async with bed.world(customers - size.asked, _by_steps(size)) as one:
        return [
            await _by_customers({customers: one}, size),
            await _by_rows(one, size),
            await _by_sockets({sockets: one}, size),
        ]


def _by_steps(size: Size) -> list[int]:
    """Tell how many rows each customer's accounts have who asks."""
    return [rows for rows in size.rows for _ in range(size.each)]


async def _by_customers(banks: Mapping[int, World], size: Size) -> Found:
    for bank in banks.values():
        await bank.require_whole()
    asks: dict[int, Ask] = {
        customers: partial(bank.homes, range(size.asked))
        for customers, bank in banks.items()
    }
    return await _by_turns(asks, size.warm, size)


async def _by_rows(bank: World, size: Size) -> Found:
    await bank.require_whole()
    places = {
        rows: range(step * size.each, (step + 1) * size.each)
        for step, rows in enumerate(size.rows)
    }
    asks: dict[int, Ask] = {
        rows: partial(bank.homes, mine) for rows, mine in places.items()
    }
    return await _by_turns(asks, size.warm, size)


async def _by_sockets(banks: Mapping[int, World], size: Size) -> Found:
    numbers, asks = Numbers(), dict[int, Ask]()
    for sockets, bank in banks.items():
        crowd = bank.crowd()
        await crowd.open()
        asks[sockets] = partial(_told, bank, crowd, numbers)
    return await _by_turns(asks, AT_ONCE * TOLD, size)


async def _told(bank: World, crowd: Crowd, numbers: Numbers, count: int) -> Cost:
    """Commit so many events as transfers leave them, until all frames have come.

    A few transfers at once and no more before these are told: else a small crowd would
    have several events of a customer read in one go, and a large one would not.
    """
    everybody, rounds = len(bank.bank.owners), max(1, count // (AT_ONCE * TOLD))
    goal, since = crowd.count.frames, bank.spent()
    for turn in range(rounds * AT_ONCE):
        payer = turn % everybody
        payee = (payer + everybody // 2) % everybody
        bank.bank.wish(f"pay {next(numbers)} {payer} {payee}")
        goal += TOLD * SOCKETS_EACH
        if turn % AT_ONCE == AT_ONCE - 1:
            await crowd.frames(goal)
    crowd.require_whole()
    return bank.cost(since, rounds * AT_ONCE * TOLD)


async def _by_turns(asks: Mapping[int, Ask], warm: int, size: Size) -> Found:
    """Let each warm up, then ask all by turns, for the same amount of work."""
    costs = []
    for asked in asks.values():
        await asked(warm)
        costs.append(await asked(warm))
    count = max(warm, int(size.seconds * 1_000_000 / max(costs[0].all_us, 100)))
    found: dict[int, list[Cost]] = {step: [] for step in asks}
    for _ in range(size.pairs):
        for step, asked in asks.items():
            found[step].append(await asked(count))
    return found


# ------------------------------------------------------------------ the rows

WHAT = (
    ("home screen", "customers"),
    ("home screen", "rows of history"),
    ("event to its frames", "sockets"),
)


def _rows(what: str, unit: str, found: Found, engine: str) -> list[Row]:
    rows = []
    for step, costs in found.items():
        measure = f"{what}, {step:,} {unit}"
        rows.append(Row.of(measure, "µs CPU", [one.all_us for one in costs]))
        if engine == "postgres":
            below = [one.below_us for one in costs]
            rows.append(Row.of(f"{measure}: of it PostgreSQL", "µs CPU", below))
    for (small, before), (large, after) in pairwise(found.items()):
        pairs = zip(before, after, strict=True)
        ratios = [more.all_us / max(less.all_us, 1) for less, more in pairs]
        measure = f"{what}, {large:,} {unit} over {small:,} (S11)"
        rows.append(Row.of(measure, "x", ratios, GROWTH_MAX))
    return rows
