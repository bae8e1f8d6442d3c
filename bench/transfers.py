"""Money: postings of the book, whole payments over GraphQL, and what size costs (S8).

The book posts in processes of its own, one on a small database and one on a large one;
both are asked by turns, so that a ratio is of one moment. Whole payments go to the demo
bank with its worker, 32 customers at once; between their turns the bare process posts
the same pairs of postings with nothing around them.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import phones, servers
from bench.load import Turn
from bench.payers import Payer, paced, payers, saturated
from bench.report import Row
from bench.servers import ROOT, Engine

TITLE = (
    "money on {engine}: the book with triggers, rows and events by 32 workers; whole "
    "payments by 32 customers, each created and approved by signature over GraphQL"
)
SMALL, RATE, EASY_RATE = 1_000, 100, 10
SPREAD_MIN = {"postgres": 500, "sqlite": 150}  # transfers a second, banking.md 2.3
HOT_MIN = {"postgres": 250, "sqlite": None}
WHOLE_MIN, SHARE_MIN, P99_MS_MAX = 250, 0.15, 150  # S8, on PostgreSQL
GROWTH_MAX = 1.2


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Args:
        pairs: turns of each kind.
        transfers: of one turn of postings.
        large: postings of the large book.
        payers: customers who pay at once.
        payments: of each customer in one turn.
        seconds: one turn at a fixed rate.
    """

    pairs: int
    transfers: int
    large: int
    payers: int
    payments: int
    seconds: float


FULL = Size(
    pairs=5, transfers=2000, large=1_000_000, payers=32, payments=40, seconds=10
)
SMOKE = Size(pairs=1, transfers=16, large=1_400, payers=2, payments=2, seconds=0.1)


class Poster:
    """A process that posts."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self, wish: str = "") -> dict[str, float]:
        """Wish for something, if for anything, and wait until it is done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if wish:
            self._process.stdin.write(f"{wish}\n".encode())
        line = await self._process.stdout.readline()
        if not line:
            raise SystemExit("a posting process is gone")
        found: dict[str, float] = json.loads(line)
        return found

    async def rate(self, wish: str, number: int) -> float:
        """Give so many transfers a second."""
        done = await self.told(f"{wish} {number}")
        return done["done"] / done["seconds"]


@asynccontextmanager
async def poster(url: str) -> AsyncIterator[Poster]:
    """Start a posting process on a database of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.posting",
        url,
        cwd=ROOT,
        env=os.environ | {"SIXPENCE_LOG_LEVEL": "warning"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        found = Poster(process)
        await found.told()
        yield found
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


@dataclass(frozen=True, slots=True)
class Postings:
    """Transfers a second of every turn; the first two of short ones, by turns."""

    small: list[float]
    large: list[float]
    spread: list[float]
    hot: list[float]


@dataclass(frozen=True, slots=True)
class Whole:
    """Turns of whole payments, bare transfers a second, milliseconds at two rates."""

    turns: list[Turn]
    bare: list[float]
    at_rate: list[list[float]]
    at_ease: list[list[float]]


async def run(size: Size, engine: str) -> list[Row]:
    """Measure on one engine; gives one row a measure."""
    with (
        tempfile.TemporaryDirectory() as name,
        servers.engine(engine, Path(name)) as below,
    ):
        folder = Path(name)
        async with poster(await servers.another(below, folder, "small")) as small:
            async with poster(await servers.another(below, folder, "large")) as large:
                postings = await _postings(small, large, size)
            whole = await _whole(folder, below, small, size)
    return [*_booked(postings, engine), *_paid(whole, engine)]


async def _postings(small: Poster, large: Poster, size: Size) -> Postings:
    await small.told(f"fill {SMALL}")
    await large.told(f"fill {size.large}")
    short = max(16, size.transfers // 8)  # or the small book would not stay small
    for each in (small, large):  # the first transfers load what all need
        await each.told(f"spread {short}")
    found = Postings([], [], [], [])
    for _ in range(size.pairs):
        found.small.append(await small.rate("spread", short))
        found.large.append(await large.rate("spread", short))
    for _ in range(size.pairs):
        found.spread.append(await large.rate("spread", size.transfers))
        found.hot.append(await large.rate("hot", size.transfers))
    return found


async def _whole(folder: Path, below: Engine, bare: Poster, size: Size) -> Whole:
    found = Whole([], [], [], [])
    customers = phones.NAMED + size.payers
    with servers.bank(folder, below.url, customers) as (bank, table):
        rows, world = phones.numbered(table), str(table["world"])
        enrolled = await phones.enrolled(bank.port, world, rows)
        ready = await payers(enrolled, bank.port)
        await saturated(ready, 1, bank.pid)
        await bare.told(f"bare {max(16, size.transfers // 10)}")
        for _ in range(size.pairs):
            found.bare.append(await bare.rate("bare", size.transfers))
            found.turns.append(await saturated(ready, size.payments, bank.pid))
        for _ in range(size.pairs):
            found.at_rate.append(await paced(ready, RATE, size.seconds))
            found.at_ease.append(await paced(ready, EASY_RATE, size.seconds))
        await _left(ready)
    return found


async def _left(ready: Sequence[Payer]) -> None:
    for payer in ready:
        payer.line.close()
        await payer.phone.close()


# ------------------------------------------------------------------ the rows


def _booked(found: Postings, engine: str) -> list[Row]:
    grown = [
        small / large for small, large in zip(found.small, found.large, strict=True)
    ]
    return [
        Row.of(
            "transfers of the book, spread over 64 accounts",
            "1/s",
            found.spread,
            floor=SPREAD_MIN[engine],
        ),
        Row.of("the same, one hot account", "1/s", found.hot, floor=HOT_MIN[engine]),
        Row.of(
            "cost of a transfer with 1,000,000 postings over 1,000 (S11)",
            "x",
            grown,
            GROWTH_MAX,
        ),
    ]


def _paid(found: Whole, engine: str) -> list[Row]:
    promised = engine == "postgres"
    speeds = [turn.per_second for turn in found.turns]
    shares = [speed / bare for speed, bare in zip(speeds, found.bare, strict=True)]
    late = [_p99(turn) for turn in found.at_rate]
    return [
        Row.of("two bare postings: no trigger, row or event", "1/s", found.bare),
        Row.of(
            "whole payment, created to SETTLED (S8)",
            "1/s",
            speeds,
            floor=WHOLE_MIN if promised else None,
        ),
        Row.of(
            "whole payments over bare postings (S8)",
            "x",
            shares,
            floor=SHARE_MIN if promised else None,
        ),
        Row.of(
            "whole payment: the bank's own time",
            "µs CPU",
            [turn.cpu_us for turn in found.turns],
        ),
        Row.of(
            f"whole payment at {RATE}/s: median",
            "ms",
            [statistics.median(turn) for turn in found.at_rate],
        ),
        Row.of(
            f"whole payment at {RATE}/s: p99 (S8)",
            "ms",
            late,
            P99_MS_MAX if promised else None,
        ),
        Row.of(
            f"whole payment at {EASY_RATE}/s: p99",
            "ms",
            [_p99(turn) for turn in found.at_ease],
        ),
    ]


def _p99(figures: Sequence[float]) -> float:
    return statistics.quantiles(figures, n=100, method="inclusive")[98]
