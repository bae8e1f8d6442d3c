"""Phones of a bench: enrolled through the wire, and their requests as bytes."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.live_servers import LiveServer
from bench.load import Request
from mock_mobile_client.api import BASE_HEADERS, encode
from mock_mobile_client.dpop import Covered, make_proof
from mock_mobile_client.enums import Platform
from mock_mobile_client.handset import Setting
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.people import Person
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN

NAMED = 3  # the demo's own customers; numbered ones follow in its table
PIN = "480257"
DOCUMENT = (Path(__file__).parent / "home.graphql").read_text()


def numbered(table: dict[str, object]) -> Sequence[dict[str, str]]:
    """Read the numbered customers from the start table of the demo."""
    customers = table["customers"]
    assert isinstance(customers, list)
    return customers[NAMED:]


async def enrolled(
    port: int, world: str, rows: Sequence[dict[str, str]]
) -> list[Phone]:
    """Enrol one phone per customer, and sign it in."""
    phones = [
        Phone(
            row["name"],
            f"http://localhost:{port}",
            world.rstrip("/"),
            Setting(iterations=ITERATIONS_MIN),
            owner=_person(row),
        )
        for row in rows
    ]
    for phone in phones:
        await phone.start()
    return phones


def signed(port: int, phone: Phone, body: bytes) -> Request:
    """Make a request of a signed-in phone, with a proof of its own."""
    handset = phone.handset
    covered = Covered(
        "POST", handset.api.endpoint, body, handset.token, handset.api.nonce
    )
    proof = make_proof(handset.key, covered, handset.setting.clock())
    headers = dict(BASE_HEADERS) | {
        "host": f"localhost:{port}",
        "authorization": f"DPoP {handset.token}",
        "dpop": proof,
    }
    return posted(headers, body)


def posted(headers: dict[str, str], body: bytes) -> Request:
    """Write a POST to `/graphql`."""
    lines = ["POST /graphql HTTP/1.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return Request("\r\n".join([*lines, "", ""]).encode() + body)


def homes(
    server: LiveServer, keys: Sequence[DeviceKey], nonce: str, places: Iterable[int]
) -> list[Request]:
    """Make home screens of a live bench's phones, each with a proof of its own."""
    body = encode(DOCUMENT, {}, "Home")
    url = f"http://localhost:{server.port}/graphql"
    made = []
    for place in places:
        token = server.tokens[place][0]
        covered = Covered("POST", url, body, token, nonce)
        headers = dict(BASE_HEADERS) | {
            "host": f"localhost:{server.port}",
            "authorization": f"DPoP {token}",
            "dpop": make_proof(keys[place], covered, time.time()),
        }
        made.append(posted(headers, body))
    return made


def _person(row: dict[str, str]) -> Person:
    return Person(
        row["name"],
        row["number"],
        row["phone"],
        row["code"],
        PIN,
        Platform.ANDROID,
        "bench",
    )
