"""The home screen: Sixpence with every guard on, beside a raw driver + orjson.

Both read the same database in one interleaved run, A B A B; the answers are compared
byte for byte before anything is timed. Sixpence verifies token and DPoP proof of every
request; the peer does no sign-in work at all. On SQLite the peer is raw sqlite3, on
PostgreSQL raw asyncpg.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bench import servers
from bench.load import Request, Turn, ask, fire
from bench.phones import DOCUMENT, NAMED, enrolled, numbered, posted, signed
from bench.servers import Server
from mock_mobile_client.api import encode
from mock_mobile_client.handset import Level
from mock_mobile_client.phone import Phone

PEERS = {"sqlite": "raw sqlite3 + orjson", "postgres": "raw asyncpg + orjson"}
CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: phones that ask, pairs of turns, requests of one turn."""

    phones: int
    pairs: int
    requests: int


FULL = Size(phones=20, pairs=5, requests=2000)
SMOKE = Size(phones=2, pairs=1, requests=32)


async def run(size: Size, engine: str) -> dict[str, list[Turn]]:
    """Measure both variants on one engine; gives the turns of each by name."""
    with (
        tempfile.TemporaryDirectory() as name,
        servers.engine(engine, Path(name)) as below,
        servers.bank(Path(name), below.url, NAMED + size.phones) as (bank, table),
        servers.peer(below) as peer,
    ):
        world, rows = str(table["world"]), numbered(table)
        phones = await enrolled(bank.port, world, rows)
        customers = await _customers(phones)
        await _compare(bank, peer, phones, customers)
        turns: dict[str, list[Turn]] = {"sixpence": [], PEERS[engine]: []}
        for _ in range(size.pairs):
            ours = _requests(bank, phones, size)
            theirs = _raw(peer, customers, size)
            turns["sixpence"].append(await fire(bank.port, ours, CONNECTIONS, bank.pid))
            turns[PEERS[engine]].append(
                await fire(peer.port, theirs, CONNECTIONS, peer.pid)
            )
        for phone in phones:
            await phone.close()
        return turns


async def _customers(phones: list[Phone]) -> list[str]:
    """Ask every phone whose it is; the peer trusts this instead of a token."""
    found = []
    for phone in phones:
        reply = await phone.ask("{ me { id } }", {}, Level.LOGIN)
        me = (reply.data or {})["me"]
        found.append(str(UUID(me["id"].removeprefix("cus_"))))
    return found


async def _compare(
    bank: Server, peer: Server, phones: list[Phone], customers: list[str]
) -> None:
    """Every customer's answer must be the same bytes from both."""
    one = Size(phones=len(phones), pairs=1, requests=len(phones))
    ours, theirs = _requests(bank, phones, one), _raw(peer, customers, one)
    for left, right in zip(ours, theirs, strict=True):
        mine, raw = await ask(bank.port, left), await ask(peer.port, right)
        if mine != raw:
            raise SystemExit(f"the answers differ:\n{mine[:999]!r}\n{raw[:999]!r}")


def _requests(bank: Server, phones: list[Phone], size: Size) -> list[Request]:
    body = encode(DOCUMENT, {}, "Home")
    return [
        signed(bank.port, phones[turn % len(phones)], body)
        for turn in range(size.requests)
    ]


def _raw(peer: Server, customers: list[str], size: Size) -> list[Request]:
    made = []
    for customer in customers:
        headers = {"host": f"localhost:{peer.port}", "x-customer": customer}
        made.append(posted(headers, b"{}"))
    return [made[turn % len(made)] for turn in range(size.requests)]
