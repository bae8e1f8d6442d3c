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
from bench.servers import Server
from mock_mobile_client.api import BASE_HEADERS, encode
from mock_mobile_client.dpop import Covered, make_proof
from mock_mobile_client.enums import Platform
from mock_mobile_client.handset import Level, Setting
from mock_mobile_client.people import Person
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN

PEERS = {"sqlite": "raw sqlite3 + orjson", "postgres": "raw asyncpg + orjson"}
PHONES = 20
CONNECTIONS = 16
DOCUMENT = (Path(__file__).parent / "home.graphql").read_text()


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: pairs of turns, requests of one turn."""

    pairs: int
    requests: int


FULL = Size(pairs=5, requests=2000)
SMOKE = Size(pairs=1, requests=60)


async def run(size: Size, engine: str) -> dict[str, list[Turn]]:
    """Measure both variants on one engine; gives the turns of each by name."""
    with (
        tempfile.TemporaryDirectory() as name,
        servers.engine(engine, Path(name)) as below,
        servers.bank(Path(name), below.url, 3 + PHONES) as (bank, table),
        servers.peer(below) as peer,
    ):
        phones = await _phones(bank, table)
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


async def _phones(bank: Server, table: dict[str, object]) -> list[Phone]:
    """Enrol one phone per numbered customer, through the wire, and sign it in."""
    customers = table["customers"]
    assert isinstance(customers, list)
    phones = [
        Phone(
            owner.name,
            f"http://localhost:{bank.port}",
            str(table["world"]).rstrip("/"),
            Setting(iterations=ITERATIONS_MIN),
            owner=owner,
        )
        for owner in (_person(row) for row in customers[3:])
    ]
    for phone in phones:
        await phone.start()
    return phones


async def _customers(phones: list[Phone]) -> list[str]:
    """Ask every phone whose it is; the peer trusts this instead of a token."""
    found = []
    for phone in phones:
        reply = await phone.ask("{ me { id } }", {}, Level.LOGIN)
        me = (reply.data or {})["me"]
        found.append(str(UUID(me["id"].removeprefix("cus_"))))
    return found


def _person(row: dict[str, str]) -> Person:
    return Person(
        row["name"],
        row["number"],
        row["phone"],
        row["code"],
        "480257",
        Platform.ANDROID,
        "bench",
    )


async def _compare(
    bank: Server, peer: Server, phones: list[Phone], customers: list[str]
) -> None:
    """Every customer's answer must be the same bytes from both."""
    one = Size(pairs=1, requests=len(phones))
    ours, theirs = _requests(bank, phones, one), _raw(peer, customers, one)
    for left, right in zip(ours, theirs, strict=True):
        mine, raw = await ask(bank.port, left), await ask(peer.port, right)
        if mine != raw:
            raise SystemExit(f"the answers differ:\n{mine[:999]!r}\n{raw[:999]!r}")


def _requests(bank: Server, phones: list[Phone], size: Size) -> list[Request]:
    body = encode(DOCUMENT, {}, "Home")
    return [
        _signed(bank, phones[turn % len(phones)], body) for turn in range(size.requests)
    ]


def _signed(bank: Server, phone: Phone, body: bytes) -> Request:
    handset = phone.handset
    covered = Covered(
        "POST", handset.api.endpoint, body, handset.token, handset.api.nonce
    )
    proof = make_proof(handset.key, covered, handset.setting.clock())
    headers = dict(BASE_HEADERS) | {
        "host": f"localhost:{bank.port}",
        "authorization": f"DPoP {handset.token}",
        "dpop": proof,
    }
    return _request(headers, body)


def _raw(peer: Server, customers: list[str], size: Size) -> list[Request]:
    made = []
    for customer in customers:
        headers = {"host": f"localhost:{peer.port}", "x-customer": customer}
        made.append(_request(headers, b"{}"))
    return [made[turn % len(made)] for turn in range(size.requests)]


def _request(headers: dict[str, str], body: bytes) -> Request:
    lines = ["POST /graphql HTTP/1.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return Request("\r\n".join([*lines, "", ""]).encode() + body)
