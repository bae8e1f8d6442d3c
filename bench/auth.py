"""Sign-in: what a caller costs, what a sign-in costs, and who notices a storm of them.

The storm comes from a process of its own, at a fixed rate, mPIN and passkey half and
half; meanwhile home screens are asked for at a fixed rate, and before it the same, in
pairs (performance.md, S10).
"""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import phones, servers, sign_ins, storm, verifying
from bench.load import Turn, ask, pace
from bench.phones import DOCUMENT
from bench.report import Row
from bench.servers import Server
from bench.sign_ins import Holder
from bench.storm import Storm
from bench.verifying import Cost
from mock_mobile_client.api import encode
from mock_mobile_client.enums import FactorKind

STORM_PER_S = 25
HOMES_PER_S = 10
PROOF_US_MAX = 150
CURVE_US = 95  # of one verification, where that target was set (performance.md 3.6)
STORM_RATIO_MAX = 2.0
TITLE = (
    f"sign-in on {{engine}}; the storm is {STORM_PER_S} sign-ins a second beside "
    f"{HOMES_PER_S} home screens a second"
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Args:
        phones: of the home screens, and as many again of the storm.
        pairs: turns of each kind.
        requests: verified requests of one turn.
        sign_ins: sign-ins of each phone in one turn.
        seconds: one turn of home screens.
    """

    phones: int
    pairs: int
    requests: int
    sign_ins: int
    seconds: float


FULL = Size(phones=8, pairs=5, requests=4000, sign_ins=20, seconds=20)
SMOKE = Size(phones=2, pairs=1, requests=100, sign_ins=1, seconds=0.5)


@dataclass(frozen=True, slots=True)
class Pair:
    """One quiet turn and the storm after it; milliseconds of every home screen."""

    idle: Sequence[float]
    stormy: Sequence[float]
    sign_ins: int


async def run(size: Size, engine: str) -> list[Row]:
    """Measure on one engine; gives one row a measure."""
    with (
        tempfile.TemporaryDirectory() as name,
        servers.engine(engine, Path(name)) as below,
        servers.bank(Path(name), below.url, phones.NAMED + 2 * size.phones) as (
            bank,
            table,
        ),
    ):
        rows, world = phones.numbered(table), str(table["world"])
        found = await phones.enrolled(bank.port, world, rows[: size.phones])
        ready = await sign_ins.holders(found)
        turns = await _sign_ins(bank, ready, size)
        for phone in found:
            await phone.login()
        await _look(bank, ready)
        order = {
            "port": bank.port,
            "world": world,
            "customers": rows[size.phones :],
            "rate": STORM_PER_S,
        }
        async with storm.gathered(order) as raging:
            pairs = [await _pair(bank, ready, raging, size) for _ in range(size.pairs)]
        for phone in found:
            await phone.close()
    with tempfile.TemporaryDirectory() as name:
        costs = await verifying.costs(Path(name), size.pairs, size.requests)
    return [*_callers(costs), *_logins(turns), *_storms(pairs, size)]


async def _look(bank: Server, ready: Sequence[Holder]) -> None:
    """Every phone's home screen must be one before any is timed."""
    body = encode(DOCUMENT, {}, "Home")
    for holder in ready:
        shown = await ask(bank.port, phones.signed(bank.port, holder.phone, body))
        if not shown.startswith(b'{"data":{"me":{') or b'"errors"' in shown:
            raise SystemExit(f"no home screen: {shown[:999]!r}")


async def _sign_ins(
    bank: Server, ready: Sequence[Holder], size: Size
) -> dict[str, list[Turn]]:
    """Sign in with one factor and then the other, by turns."""
    turns: dict[str, list[Turn]] = {"mPIN": [], "passkey": []}
    factors = (FactorKind.MPIN, FactorKind.WEBAUTHN)
    for factor in factors:  # the first use of a factor loads what it needs
        await ready[0].sign_in(factor)
    for _ in range(size.pairs):
        for name, factor in zip(turns, factors, strict=True):
            turn = await sign_ins.measured(ready, factor, size.sign_ins, bank.pid)
            turns[name].append(turn)
    return turns


async def _pair(
    bank: Server, ready: Sequence[Holder], raging: Storm, size: Size
) -> Pair:
    idle = await _homes(bank, ready, size)
    await raging.begin(size.seconds)
    stormy = await _homes(bank, ready, size)
    return Pair(idle, stormy, await raging.counted())


async def _homes(bank: Server, ready: Sequence[Holder], size: Size) -> list[float]:
    """Ask for home screens at the fixed rate; gives milliseconds of each."""
    body = encode(DOCUMENT, {}, "Home")
    count = max(2, int(HOMES_PER_S * size.seconds))
    requests = [
        phones.signed(bank.port, ready[turn % len(ready)].phone, body)
        for turn in range(count)
    ]
    return await pace(bank.port, requests, HOMES_PER_S)


# ------------------------------------------------------------------ the rows


def _callers(costs: Sequence[Cost]) -> list[Row]:
    unit = "µs CPU"
    return [
        Row.of(
            "verified request, warm: token and proof", unit, [c.whole for c in costs]
        ),
        Row.of(
            "what the DPoP proof adds", unit, [c.proof for c in costs], PROOF_US_MAX
        ),
        Row.of(
            "the same, in P-256 verifications of this machine",
            "x",
            [c.proof / c.curve for c in costs],
            round(PROOF_US_MAX / CURVE_US, 2),
        ),
        Row.of("first request of a phone", unit, [cost.first for cost in costs]),
        Row.of("for scale: one P-256 verification", unit, [c.curve for c in costs]),
    ]


def _logins(turns: dict[str, list[Turn]]) -> list[Row]:
    return [
        Row.of(f"sign-in with {name}", "µs CPU", [turn.cpu_us for turn in found])
        for name, found in turns.items()
    ]


def _storms(pairs: Sequence[Pair], size: Size) -> list[Row]:
    ratios = [_p99(pair.stormy) / _p99(pair.idle) for pair in pairs]
    rates = [pair.sign_ins / size.seconds for pair in pairs]

    def of(figure: Callable[[Sequence[float]], float], *, wild: bool) -> list[float]:
        return [figure(pair.stormy if wild else pair.idle) for pair in pairs]

    return [
        Row.of("home screen, idle: median", "ms", of(statistics.median, wild=False)),
        Row.of(
            "home screen, in the storm: median", "ms", of(statistics.median, wild=True)
        ),
        Row.of("home screen, idle: p99", "ms", of(_p99, wild=False)),
        Row.of("home screen, in the storm: p99", "ms", of(_p99, wild=True)),
        Row.of("p99 in the storm over idle (S10)", "x", ratios, STORM_RATIO_MAX),
        Row.of("sign-ins of the storm", "1/s", rates),
    ]


def _p99(figures: Sequence[float]) -> float:
    return statistics.quantiles(figures, n=100, method="inclusive")[98]
