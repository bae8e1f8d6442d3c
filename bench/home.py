"""The home screen: Sixpence with every guard on, beside peers of several kinds.

All read the same database in one interleaved run, A B C A B C; every customer's answer
is compared with ours, byte for byte, before anything is timed. Sixpence verifies token
and DPoP proof of every request. The GraphQL peers verify the same token, without a
proof; those without GraphQL do no sign-in work at all (performance.md, S1 to S4).
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bench import live_servers, rivals, servers
from bench.live_servers import OURS
from bench.load import Request, Turn, ask, fire
from bench.phones import DOCUMENT, NAMED, enrolled, numbered, posted, signed
from bench.report import Row
from bench.rivals import Issuer, Rival
from bench.servers import Server
from mock_mobile_client.api import BASE_HEADERS, encode
from mock_mobile_client.handset import Level
from mock_mobile_client.phone import Phone

CONNECTIONS = 16
TITLE = (
    "home screen on {engine}; Sixpence with token and proof, peers by GraphQL with the "
    "token alone, the others without sign-in"
)
BODY = encode(DOCUMENT, {}, "Home")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Args:
        phones: that ask, each of a customer of its own.
        pairs: turns of each variant.
        warm: requests of each variant with which it begins to warm up.
        seconds: one turn; one before the first is not counted.
    """

    phones: int
    pairs: int
    warm: int
    seconds: float


FULL = Size(phones=20, pairs=5, warm=200, seconds=6)
SMOKE = Size(phones=2, pairs=1, warm=16, seconds=0.1)


@dataclass(frozen=True, slots=True)
class Variant:
    """A server and what it is asked.

    Args:
        name: as the tables call it.
        server: where it is.
        phones: only of ours: they sign each request anew.
        ready: only of peers: one request of each customer.
    """

    name: str
    server: Server
    phones: Sequence[Phone] = ()
    ready: Sequence[Request] = ()

    def requests(self, count: int) -> list[Request]:
        """Make so many, the customers by turns."""
        if self.ready:
            return [self.ready[turn % len(self.ready)] for turn in range(count)]
        port, phones = self.server.port, self.phones
        return [signed(port, phones[turn % len(phones)], BODY) for turn in range(count)]

    async def turn(self, count: int) -> Turn:
        """Ask so often, over many connections."""
        requests = self.requests(count)
        return await fire(self.server.port, requests, CONNECTIONS, self.server.pid)


async def run(size: Size, engine: str, *, smoke: bool) -> list[Row]:
    """Measure all variants on one engine; gives one row a measure."""
    core = live_servers.apart()
    found = rivals.able(engine, smoke=smoke)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        below = stack.enter_context(servers.engine(engine, folder))
        customers = NAMED + size.phones
        bank, table = stack.enter_context(
            servers.bank(folder, below.url, customers, core)
        )
        phones = await enrolled(bank.port, str(table["world"]), numbered(table))
        for phone in phones:
            stack.push_async_callback(phone.close)
        issuer = await Issuer.of(bank, _token(phones[0]), folder)
        variants = [Variant(OURS, bank, phones=phones)]
        for rival in found:
            opening = rivals.started(rival, below, issuer, core)
            peer = stack.enter_context(opening)
            ready = [await _asked(rival, peer, phone) for phone in phones]
            variants.append(Variant(rival.name, peer, ready=ready))
        await _compare(variants, len(phones))
        return _rows(await _measured(variants, size), found)


def _token(phone: Phone) -> str:
    token = phone.handset.token
    if token is None:
        raise SystemExit("a phone is not signed in")
    return token


async def _asked(rival: Rival, peer: Server, phone: Phone) -> Request:
    """Make the request of one customer: with her token, or with her key instead."""
    host = {"host": f"localhost:{peer.port}"}
    if not rival.bare:
        bearer = {"authorization": f"Bearer {_token(phone)}"}
        return posted(dict(BASE_HEADERS) | host | bearer, BODY)
    reply = await phone.ask("{ me { id } }", {}, Level.LOGIN)
    me = (reply.data or {})["me"]
    customer = str(UUID(me["id"].removeprefix("cus_")))
    return posted(host | {"x-customer": customer}, b"{}")


async def _compare(variants: Sequence[Variant], customers: int) -> None:
    """Every customer's answer must be the same bytes from all.

    Apollo ends its answer with a line break.
    """
    answers = [
        [
            (await ask(variant.server.port, request)).strip()
            for request in variant.requests(customers)
        ]
        for variant in variants
    ]
    for variant, theirs in zip(variants, answers, strict=True):
        for mine, other in zip(answers[0], theirs, strict=True):
            if not mine.startswith(b'{"data":{"me":{') or mine != other:
                shown = f"{mine[:999]!r}\n{other[:999]!r}"
                raise SystemExit(f"{variant.name} answers differently:\n{shown}")


async def _measured(variants: Sequence[Variant], size: Size) -> dict[str, list[Turn]]:
    counts = []
    for variant in variants:  # until all is loaded and compiled
        cold = await variant.turn(size.warm)
        warm = await variant.turn(_count(cold, size.seconds))
        counts.append(_count(warm, size.seconds))
    turns: dict[str, list[Turn]] = {variant.name: [] for variant in variants}
    for _ in range(size.pairs):
        for variant, count in zip(variants, counts, strict=True):
            turns[variant.name].append(await variant.turn(count))
    return turns


def _count(turn: Turn, seconds: float) -> int:
    """Tell how many requests take about so long."""
    return max(CONNECTIONS, int(turn.per_second * seconds))


# ------------------------------------------------------------------ the rows


def _rows(turns: Mapping[str, Sequence[Turn]], found: Sequence[Rival]) -> list[Row]:
    rows = []
    for name, own in turns.items():
        speeds = [turn.per_second for turn in own]
        rows.append(Row.of(f"home screens: {name}", "requests/s", speeds))
    for name, own in turns.items():
        costs = [turn.cpu_us for turn in own]
        rows.append(Row.of(f"a home screen: {name}", "µs CPU", costs))
    for rival in found:
        pairs = zip(turns[OURS], turns[rival.name], strict=True)
        ratios = [mine.per_second / other.per_second for mine, other in pairs]
        what = f"Sixpence over {rival.name} ({rival.target})"
        rows.append(Row.of(what, "x", ratios, floor=rival.floor))
    return rows
