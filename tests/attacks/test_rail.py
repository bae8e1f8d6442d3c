"""Somebody plays the rail, or bends what the bank promised about it; nothing moves."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from dataclasses import replace

import httpx
import pytest

from mock_mobile_client import abroad
from mock_mobile_client.errors import Refused
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from tests.attacks.conftest import figures
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
KEPT = "SELECT count(*) FROM inbound_event"


def key_of(bank: BankProcess) -> bytes:
    """Read what bank and rail share; the attacker has another one."""
    text = (bank.folder / ".sixpence/imps.key").read_text().strip()
    return base64.b64decode(text.removeprefix("whsec_"))


def a_call(key: bytes, *, age_s: int = 0) -> tuple[dict[str, str], bytes]:
    """Write a call as the rail writes it: an order settled."""
    data = {
        "id": str(uuid.uuid4()),
        "status": "SETTLED",
        "rrn": "632612000001",
        "at": "2026-11-21T09:30:00.000Z",
        "amount": 1.5,
        "currency": "INR",
    }
    body = json.dumps({"type": "payment.updated", "data": data}).encode()
    event, stamp = f"evt_{uuid.uuid4()}", str(int(time.time()) - age_s)
    mac = hmac.digest(key, f"{event}.{stamp}.".encode() + body, hashlib.sha256)
    headers = {
        "webhook-id": event,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }
    return headers, body


async def knock(bank: BankProcess, headers: dict[str, str], body: bytes) -> int:
    """Call the bank from outside, as anybody can."""
    async with httpx.AsyncClient(base_url=bank.url) as line:
        url = "/callbacks/imps"
        return (await line.post(url, headers=headers, content=body)).status_code


@pytest.mark.attack("forged callback")
async def test_who_does_not_have_the_key_says_nothing_to_the_bank(
    attacked: BankProcess, asha: Phone
) -> None:
    before, kept = await figures(asha), attacked.books.one(KEPT)
    headers, body = a_call(bytes(32))
    right, other = a_call(key_of(attacked))

    answers = [
        await knock(attacked, headers, body),
        await knock(attacked, {}, body),
        await knock(attacked, right, other.replace(b"1.5", b"9.5")),
        await knock(attacked, right | {"webhook-id": "evt_2"}, other),
        await knock(attacked, right, other + b" " * 70_000),
    ]

    assert answers == [401, 401, 401, 401, 413]
    assert attacked.books.one(KEPT) == kept
    assert await figures(asha) == before


@pytest.mark.attack("replayed callback")
async def test_a_call_that_was_overheard_counts_once_and_not_for_long(
    attacked: BankProcess, asha: Phone
) -> None:
    before, kept = await figures(asha), int(attacked.books.one(KEPT))
    key = key_of(attacked)
    heard, old = a_call(key), a_call(key, age_s=400)

    answers = [await knock(attacked, *heard) for _ in range(3)]
    late = await knock(attacked, *old)

    assert (answers, late) == ([202, 202, 202], 401)
    assert int(attacked.books.one(KEPT)) == kept + 1
    assert await figures(asha) == before


@pytest.mark.attack("tampered quote")
async def test_a_quote_that_was_bent_is_none(asha: Phone) -> None:
    order = await asha.order("Ben", money("1.00 INR"))
    quoted = await abroad.quote(asha.session, order)
    middle = len(quoted.id) // 2
    letter = "A" if quoted.id[middle] != "A" else "B"
    bent = quoted.id[:middle] + letter + quoted.id[middle + 1 :]
    before = await figures(asha)

    with pytest.raises(Refused) as refused:
        await asha.payments.create(replace(order, quote=bent))

    assert refused.value.code == "NOT_FOUND"
    assert await asha.payments.by_key(order.key) is None
    assert await figures(asha) == before


@pytest.mark.attack("foreign quote")
async def test_the_quote_of_somebody_else_is_none(asha: Phone, ben: Phone) -> None:
    order = await asha.order("Ben", money("1.00 INR"))
    quoted = await abroad.quote(asha.session, order)
    before, before_ben = await figures(asha), await figures(ben)

    with pytest.raises(Refused) as refused:
        await ben.payments.create(replace(order, quote=quoted.id))

    assert refused.value.code == "NOT_FOUND"
    assert await ben.payments.by_key(order.key) is None
    assert (await figures(asha), await figures(ben)) == (before, before_ben)
