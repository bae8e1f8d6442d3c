"""A remote core: what a home screen asks of it, and who notices when it is slow.

The sandbox plays Fineract by real HTTP, and every call is counted there. Customers with
a warm mirror ask for home screens at a fixed rate; beside them others, of whom the
mirror knows nothing, do so too and have to wait for the core. In the slow turns each
route of the core takes two seconds. Bank and worker are one process, the harder case.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from bench import live_servers, remote_bank, servers
from bench.fanout import p99
from bench.live_servers import CHOSEN, LiveServer
from bench.load import ask, pace
from bench.phones import homes
from bench.report import Row
from bench.servers import ROOT
from mock_mobile_client.keys import DeviceKey

HOMES_PER_S, COLD_PER_S = 25, 3
SLOW_MS = 2000
CALLS_MAX = 2.0
SLOW_RATIO_MAX = 2.0
STILL_S = 0.1
COUNTED = 10  # of the others; a warm mirror is young for 30 s
SHOWN = 10  # rows of each account
CORE: Final = "/fineract-provider/api"
HEALTH: Final = f"{CORE}/v1/interoperation/health"
KEY: Final = ".sixpence/fineract-password"
TITLE = (
    f"a remote core below {{engine}}: Fineract, played; {HOMES_PER_S} home screens a "
    f"second with a warm mirror, {COLD_PER_S} with a cold one; slow is {SLOW_MS} ms"
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Args:
        phones: whose mirror stays warm, each of a customer of its own.
        others: of whom the mirror knows nothing when they ask.
        pairs: turns of each kind.
        seconds: one turn.
        slow_ms: what a slow core takes for each call.
    """

    phones: int
    others: int
    pairs: int
    seconds: float
    slow_ms: int


FULL = Size(phones=50, others=30, pairs=5, seconds=10, slow_ms=SLOW_MS)
SMOKE = Size(phones=2, others=1, pairs=1, seconds=0.2, slow_ms=100)


@dataclass(slots=True)
class Found:
    """What was measured, in the order of the turns; milliseconds.

    Args:
        cold_calls: of the core, by the first home screen of each of some others.
        warm_calls: of the core, by the second home screens of them all.
        quick, slow: home screens of the warm, by how the core is.
        cold_quick, cold_slow: of the others meanwhile.
        embedded: home screens of a bank with the embedded core.
    """

    cold_calls: list[int] = field(default_factory=list)
    warm_calls: int = 0
    quick: list[list[float]] = field(default_factory=list)
    slow: list[list[float]] = field(default_factory=list)
    cold_quick: list[float] = field(default_factory=list)
    cold_slow: list[float] = field(default_factory=list)
    embedded: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bed:
    """The processes, and the phones in the order of their customers.

    Args:
        bank: with the remote core.
        beside: with the embedded one.
        world: base URL of the sandbox.
        keys: of the phones; the others' come last.
    """

    bank: LiveServer
    beside: LiveServer
    world: str
    keys: Sequence[DeviceKey]

    def core_takes(self, latency_ms: int) -> None:
        """Let every route of the core take so long; its calls are counted anew."""
        with httpx.Client(base_url=self.world) as http:
            routes = http.get("/_faults").json()["routes"]
            for route in {one for one in routes if one.startswith(CORE)}:
                rule = {"route": route, "kind": "latency", "latency_ms": latency_ms}
                http.put("/_faults", json=rule).raise_for_status()

    async def calls(self) -> int:
        """Count the calls of the core once no more come; probes go by the clock."""
        before = -1
        while (now := self._hits()) != before:
            before = now
            await asyncio.sleep(STILL_S)
        return now

    def _hits(self) -> int:
        with httpx.Client(base_url=self.world) as http:
            faults = http.get("/_faults").json()["faults"]
        return sum(one["hits"] for one in faults if one["route"] != HEALTH)


async def run(size: Size, engine: str) -> list[Row]:
    """Measure on one engine; gives one row a measure."""
    core = live_servers.apart()
    keys = [DeviceKey.generate() for _ in range(size.phones + size.others)]
    async with AsyncExitStack() as stack:
        folder, near = (
            Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)
        )
        asked = ("--fineract-password", KEY)
        world = await stack.enter_async_context(live_servers.world(folder, *asked))
        _filled(world, remote_bank.seed(len(keys)))
        far = {
            "SIXPENCE_CORE_BANKING": "fineract",
            "SIXPENCE_CORE_BANKING_FINERACT_BASE_URL": world + CORE,
            "SIXPENCE_CORE_BANKING_FINERACT_PASSWORD_FILE": KEY,
        }

        async def bank(place: Path, own: dict[str, str]) -> LiveServer:
            below = stack.enter_context(servers.engine(engine, place))
            shared = {
                "PYTHONPATH": str(ROOT),
                "SIXPENCE_DATABASE_URL": below.url,
                "SIXPENCE_SMS_HTTP_BASE_URL": world,
                "SIXPENCE_POLL_S": "1",
            }
            order = {"jwks": [[key.jwk] for key in keys], "owners": []}
            opening = live_servers.bank_process(
                "bench.remote_bank", core, place, CHOSEN | shared | own, order
            )
            return await stack.enter_async_context(opening)

        bed = Bed(await bank(folder, far), await bank(near, {}), world, keys)
        return _rows(await _measured(bed, size))


def _filled(world: str, seed: dict[str, Any]) -> None:
    """Open the accounts and book on them.

    The rows are without notes, so that the list of rows does not tell all: their
    details have to be asked for.
    """
    row = {"kind": "deposit", "amount": remote_bank.SALARY.minor // 100}
    with httpx.Client(base_url=world) as http:
        http.put("/_fineract/seed", json=seed).raise_for_status()
        for account in (one for each in seed["clients"] for one in each["accounts"]):
            rows = f"/_fineract/accounts/{account['accountNo']}/rows"
            for _ in range(remote_bank.ROWS):
                http.post(rows, json=row).raise_for_status()


# ------------------------------------------------------------------ the turns


async def _measured(bed: Bed, size: Size) -> Found:
    found = Found()
    await _counted(bed, size, found)
    for place in range(size.phones):
        await _asked(bed, bed.bank, place)
        await _asked(bed, bed.beside, place)
    await bed.bank.asked("work")
    await bed.calls()  # those with which the worker begins
    for _ in range(size.pairs):
        found.embedded.append(await _paced(bed, bed.beside, size))
        for latency_ms, told, cold in (
            (0, found.quick, found.cold_quick),
            (size.slow_ms, found.slow, found.cold_slow),
        ):
            bed.core_takes(latency_ms)
            told.append(await _paced(bed, bed.bank, size, cold))
        bed.core_takes(0)
        await asyncio.sleep(size.slow_ms / 1000)  # what is still under way
    return found


async def _counted(bed: Bed, size: Size, found: Found) -> None:
    """Count the calls of first and second home screens, before anything else runs."""
    others = range(size.phones, len(bed.keys))[:COUNTED]
    bed.core_takes(0)
    before = await bed.calls()
    for place in others:
        await _asked(bed, bed.bank, place)
        now = await bed.calls()
        found.cold_calls.append(now - before)
        before = now
    for place in others:
        await _asked(bed, bed.bank, place)
    found.warm_calls = await bed.calls() - before


async def _paced(
    bed: Bed, bank: LiveServer, size: Size, cold: list[float] | None = None
) -> list[float]:
    """Ask for home screens at the fixed rate; gives milliseconds of each.

    Args:
        bed: the processes.
        bank: which of them is asked.
        size: how long.
        cold: takes the milliseconds of the others, who ask meanwhile; None: nobody.
    """
    count = max(2, int(HOMES_PER_S * size.seconds))
    nonce = (await bank.asked("nonce"))["nonce"]
    places = [turn % size.phones for turn in range(count)]
    requests = homes(bank, bed.keys, nonce, places)
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(pace(bank.port, requests, HOMES_PER_S))
        if cold is not None:
            group.create_task(_others(bed, size, cold))
    return asking.result()


async def _others(bed: Bed, size: Size, cold: list[float]) -> None:
    """Let the others ask one by one, each forgotten by the mirror just before."""
    others = range(size.phones, len(bed.keys))
    async with asyncio.TaskGroup() as group:
        for turn in range(max(1, int(COLD_PER_S * size.seconds))):
            place = others[turn % len(others)]
            nonce = (await bed.bank.asked(f"chill {place}"))["nonce"]
            group.create_task(_timed(bed, place, nonce, cold))
            await asyncio.sleep(1 / COLD_PER_S)


async def _timed(bed: Bed, place: int, nonce: str, cold: list[float]) -> None:
    began = time.perf_counter()
    await _shown(bed.bank, bed.keys, place, nonce)
    cold.append((time.perf_counter() - began) * 1000)


async def _asked(bed: Bed, bank: LiveServer, place: int) -> None:
    nonce = (await bank.asked("nonce"))["nonce"]
    await _shown(bank, bed.keys, place, nonce)


async def _shown(
    bank: LiveServer, keys: Sequence[DeviceKey], place: int, nonce: str
) -> None:
    """Ask for one home screen, which must be whole."""
    (request,) = homes(bank, keys, nonce, [place])
    answer = await ask(bank.port, request)
    accounts = (json.loads(answer).get("data") or {"me": {}})["me"].get("accounts", [])
    rows = [len(one["transactions"]["nodes"]) for one in accounts if one["balance"]]
    if b'"errors"' in answer or rows != [SHOWN, SHOWN]:
        raise SystemExit(f"no whole home screen: {answer[:999]!r}")


# ------------------------------------------------------------------ the rows


def _rows(found: Found) -> list[Row]:
    slower = [
        p99(slow) / p99(quick)
        for slow, quick in zip(found.slow, found.quick, strict=True)
    ]
    further = [
        statistics.median(quick) / statistics.median(near)
        for quick, near in zip(found.quick, found.embedded, strict=True)
    ]
    counted, warm = len(found.cold_calls), [float(found.warm_calls)]
    most = [float(max(found.cold_calls))]
    return [
        Row.of(f"cold home, most calls of {counted}", "calls", most, CALLS_MAX),
        Row.of(f"{counted} warm homes, calls together", "calls", warm, 0.0),
        Row.of("warm home, core quick: p99", "ms", [*map(p99, found.quick)]),
        Row.of("warm home, core slow: p99", "ms", [*map(p99, found.slow)]),
        Row.of("p99 slow over quick", "x", slower, SLOW_RATIO_MAX),
        Row.of("cold home beside it, core quick", "ms", found.cold_quick),
        Row.of("cold home beside it, core slow", "ms", found.cold_slow),
        Row.of("warm home over embedded core: p50", "x", further),
    ]
