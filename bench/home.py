"""The home screen: Sixpence with every guard on, beside raw sqlite3 + orjson.

Both read the same SQLite file in one interleaved run, A B A B; the answers are compared
byte for byte before anything is timed. Sixpence verifies token and DPoP proof of every
request; the peer does no sign-in work at all.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bench.load import Request, Turn, ask, fire
from mock_mobile_client.api import BASE_HEADERS, encode
from mock_mobile_client.dpop import Covered, make_proof
from mock_mobile_client.enums import Platform
from mock_mobile_client.handset import Level, Setting
from mock_mobile_client.people import Person
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN

ROOT = Path(__file__).parents[1]
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


@dataclass(frozen=True, slots=True)
class Server:
    """A started server."""

    process: "subprocess.Popen[str]"
    port: int

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid


async def run(size: Size) -> dict[str, list[Turn]]:
    """Measure both variants; gives the turns of each by name."""
    with tempfile.TemporaryDirectory() as name, _bank(Path(name)) as (bank, table):
        phones = await _phones(bank, table)
        customers = await _customers(phones)
        database = Path(name) / ".sixpence/bank.db"
        with _peer(database) as peer:
            await _compare(bank, peer, phones, customers)
            turns: dict[str, list[Turn]] = {"sixpence": [], "raw sqlite3 + orjson": []}
            for _ in range(size.pairs):
                ours = _requests(bank, phones, size)
                theirs = _raw(peer, customers, size)
                turns["sixpence"].append(
                    await fire(bank.port, ours, CONNECTIONS, bank.pid)
                )
                turns["raw sqlite3 + orjson"].append(
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


@contextmanager
def _bank(folder: Path) -> Iterator[tuple[Server, dict[str, object]]]:
    port, world = _free_port(), _free_port()
    chosen = {
        "PYTHONPATH": str(ROOT),
        "SIXPENCE_PORT": str(port),
        "SIXPENCE_PUBLIC_URL": f"http://localhost:{port}",
        "SIXPENCE_SANDBOX_PORT": str(world),
        "SIXPENCE_DEMO_CUSTOMERS": str(3 + PHONES),
        "SIXPENCE_INTROSPECTION": "false",  # as in production: no price in the answer
        "SIXPENCE_LOG_LEVEL": "warning",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "demo", "--json"],
        cwd=folder,
        env=os.environ | chosen,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        table = json.loads(process.stdout.readline() or "null")
        if table is None:
            raise SystemExit("the bank did not open")
        yield Server(process, port), table
    finally:
        _end(process)


@contextmanager
def _peer(database: Path) -> Iterator[Server]:
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.peers.raw_sqlite", str(database), str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        _await_port(port)
        yield Server(process, port)
    finally:
        _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    if process.stdout is not None:
        process.stdout.close()


def _await_port(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the peer did not open")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
