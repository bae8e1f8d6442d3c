"""Who floods the doors, comes from a foreign page, or lies about where from.

Floods go to the strict door: SIXPENCE_LIMIT_FACTOR=1.
"""

import asyncio
import time
from collections import Counter

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from mock_mobile_client.api import encode
from mock_mobile_client.errors import SocketClosed, Unreachable
from mock_mobile_client.lines import line
from mock_mobile_client.phone import Phone
from mock_mobile_client.wire import Wire, handshake
from tests.attacks.thief import ME, post, proof_for
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

STATUS = encode("{ serviceStatus { component state } }", {})
BEGIN = encode("mutation { loginStart(input: {}) { challenge { id } } }", {})
FLOOD, AT_ONCE = 5_000, 50  # a slow machine sends no more than what is refilled soon
A_MINUTE = 600  # requests that an address without a proven key has answered
ANONYMOUS_MOST = 50


def socket_of(door: str) -> str:
    return "ws" + door.removeprefix("http") + "/graphql"


async def knock(door: str, origin: str | None) -> bool:
    """Tell whether a page of this origin gets a socket at all."""
    try:
        connection = await handshake(socket_of(door), origin)
    except Unreachable as no:
        if "HTTP 403" not in str(no):
            raise
        return False
    await connection.close()
    return True


async def until_closed(connection: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed) as end:
        await asyncio.wait_for(connection.recv(), 10)
    return end.value.rcvd.code if end.value.rcvd else None


@pytest.mark.attack("foreign page and init flood")
async def test_a_page_of_somebody_else_gets_no_socket(attacked: BankProcess) -> None:
    own = attacked.url
    foreign = (
        *("https://evil.example", f"{own}.evil.example", "null", "file://"),
        *(f"http://localhost:{attacked.port + 1}", "http://localhost", "x"),
    )

    welcome = [await knock(own, origin) for origin in (None, own)]
    turned_away = [await knock(own, origin) for origin in foreign]

    assert welcome == [True, True]
    assert turned_away == [False] * len(foreign)


@pytest.mark.attack("foreign page and init flood")
async def test_a_page_of_somebody_else_reads_no_answer(asha: Phone) -> None:
    async with line(asha.handset.bank, 10) as client:
        preflight = await client.options(
            asha.handset.api.endpoint,
            headers={
                "origin": "https://evil.example",
                "access-control-request-method": "POST",
                "access-control-request-headers": "dpop, authorization",
            },
        )
        simple = await client.post(
            asha.handset.api.endpoint,
            content=STATUS,
            headers={"origin": "https://evil.example", "content-type": "text/plain"},
        )

    assert preflight.status_code >= 400
    assert "access-control-allow-origin" not in preflight.headers
    assert simple.status_code == 415
    assert "access-control-allow-origin" not in simple.headers


@pytest.mark.attack("foreign page and init flood")
async def test_sockets_that_say_nothing_are_closed(strict: str) -> None:
    mute = [await handshake(socket_of(strict)) for _ in range(20)]

    codes = await asyncio.gather(*(until_closed(one) for one in mute))

    assert set(codes) == {4408}


@pytest.mark.attack("foreign page and init flood")
async def test_an_address_gets_fifty_sockets_of_nobody_and_a_phone_still_one(
    asha: Phone, strict: str
) -> None:
    strangers: list[Wire] = []
    try:
        for _ in range(ANONYMOUS_MOST):
            strangers.append(await Wire.open(socket_of(strict), {}))  # noqa: PERF401  -- closed in any case
        with pytest.raises(SocketClosed) as end:
            await Wire.open(socket_of(strict), {})
        phone = await Wire.open(socket_of(strict), asha.init_payload())
        await phone.close()
    finally:
        for one in strangers:
            await one.close()

    assert end.value.code == 4413


async def flood(door: str, *headers: dict[str, str]) -> Counter[int]:
    """Send requests of nobody until some are refused; gives how they were answered.

    One line, fifty requests at a time without waiting: the bank is what is slow here.
    """
    host, _, port = door.rpartition("/")[2].partition(":")
    sent = {"host": host, "content-type": "application/json"}
    sent |= {"content-length": str(len(STATUS))}
    statuses: Counter[int] = Counter()
    reader, writer = await asyncio.open_connection(host, int(port))
    for start in range(0, FLOOD, AT_ONCE):
        for number in range(start, start + AT_ONCE):
            lines = sent | headers[number % len(headers)]
            text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            writer.write(f"POST /graphql HTTP/1.1\r\n{text}\r\n".encode() + STATUS)
        await writer.drain()
        statuses.update([await status_of(reader) for _ in range(AT_ONCE)])
        if statuses[429] >= AT_ONCE:
            break
    writer.close()
    await writer.wait_closed()
    return statuses


async def status_of(reader: asyncio.StreamReader) -> int:
    """Read one answer to its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, _, length = head.partition(b"content-length: ")
    await reader.readexactly(int(length.split()[0]))
    return int(head.split()[1])


@pytest.mark.attack("spoofed address")
@pytest.mark.attack("one address for a town")
async def test_a_flood_of_nobody_stops_itself_and_no_phone_behind_its_address(
    asha: Phone, strict: str
) -> None:
    """With an invented address in each request: the header counts for nothing."""
    invented = [
        {"x-forwarded-for": f"203.0.113.{n}", "forwarded": f"for=198.51.100.{n}"}
        for n in range(250)
    ]

    began = time.monotonic()
    statuses = await flood(strict, *invented)
    refilled = A_MINUTE / 60 * (time.monotonic() - began) + 1
    token = asha.handset.token
    phone = await post(strict, ME, token, proof_for(asha, ME, token))
    sign_in = await post(strict, BEGIN, proof=proof_for(asha, BEGIN))

    assert set(statuses) == {200, 429}
    assert statuses[200] <= A_MINUTE + refilled
    assert phone.json()["data"]["me"]["id"]
    assert sign_in.json()["data"]["loginStart"]["challenge"]["id"]
