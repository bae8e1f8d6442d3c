"""300 lines cut in mid-mutation: the trap that wedged a server after at most 40."""

import asyncio
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from mock_mobile_client import documents
from mock_mobile_client.api import INTERNAL, encode
from mock_mobile_client.enums import PaymentStatus
from mock_mobile_client.errors import Refused
from mock_mobile_client.handset import Level, Setting
from mock_mobile_client.money import money
from mock_mobile_client.payments import Order, new_key
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.stage import everyday
from mock_mobile_client.store import FileStore
from mock_mobile_client.values import BalanceValue
from tests.journeys.bank_process import BankProcess
from tests.journeys.warm import LOG

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("books_balance")]

AT_ONCE = 30
DRAINED_S = 20
ANSWERS_WITHIN_S = 30


@pytest.mark.parametrize("aborts", [30, pytest.param(300, marks=pytest.mark.twice)])
async def test_lines_cut_in_mid_mutation_leave_the_bank_answering(
    demo_bank: BankProcess, phones: Path, aborts: int
) -> None:
    setting = Setting(store=FileStore(phones), iterations=ITERATIONS_MIN)
    log = demo_bank.folder / LOG
    said = log.stat().st_size
    async with Phone("asha", demo_bank.url, demo_bank.sandbox, setting) as asha:
        await asha.start()
        order = await asha.order("Savings", money("1.00 INR"))
        before = await everyday(asha)

        for _ in range(aborts // AT_ONCE):
            await asyncio.gather(*(_cut(asha, order) for _ in range(AT_ONCE)))

        # What was cut is still carried out, all of it by one customer: that may last.
        async with asyncio.timeout(DRAINED_S), httpx.AsyncClient() as client:
            while (await client.get(f"{demo_bank.url}/readyz")).is_error:
                await asyncio.sleep(0.1)
        assert (await _settled(asha)).available == before.available
        paid = await asha.pay("Savings", money("1.00 INR"))
        assert paid.status is PaymentStatus.SETTLED
        await asha.pay("Everyday", money("1.00 INR"), source="Savings")
    assert b"operation_failed" not in log.read_bytes()[said:]


@pytest.mark.only("sqlite")
def test_a_line_that_idles_six_seconds_is_not_cut(demo_bank: BankProcess) -> None:
    """The server's own default would cut it at five, with a request under way."""
    ask = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", demo_bank.port), timeout=6) as line:
        line.sendall(ask)
        first = _all_that_comes(line)

        line.sendall(ask)
        assert [first[:12], line.recv(4096)[:12]] == [b"HTTP/1.1 200"] * 2


async def _settled(asha: Phone) -> BalanceValue:
    """Read the balance once nobody waits for the database any more.

    Until then a query may meet the time limit of that wait, which the phone sees as
    INTERNAL and the log as an outage.
    """
    async with asyncio.timeout(ANSWERS_WITHIN_S):
        while True:
            try:
                return await everyday(asha)
            except Refused as refused:
                if refused.code != INTERNAL:
                    raise


async def _cut(asha: Phone, order: Order) -> None:
    """Send a paymentCreate of its own and close the line right after the last byte."""
    document = documents.load("payment_create")
    variables = replace(order, key=new_key()).variables()
    body = encode(document.text, variables, document.name)
    credentials = asha.handset.credentials(Level.LOGIN)
    await asha.handset.api.send_losing_reply(body, credentials)


def _all_that_comes(line: socket.socket) -> bytes:
    """Read until the line has been silent for its time-out; a cut ends it as well."""
    came = b""
    with suppress(TimeoutError):
        while more := line.recv(4096):
            came += more
    return came
