"""Nothing of a person's books is read or changed by less than a sign-in."""

import asyncio

import pytest

from mock_mobile_client.api import encode
from mock_mobile_client.documents import Document
from mock_mobile_client.dpop import Covered, make_proof
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.phone import Phone
from mock_mobile_client.values import JsonObject
from mock_mobile_client.wire import Wire
from tests.attacks.shortest import behind_sign_in
from tests.attacks.thief import post, proof_for
from tests.attacks.untouched import rows
from tests.journeys.bank_process import BankProcess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.attack("reading below LOGIN"),
    pytest.mark.asyncio(loop_scope="module"),
]

DOCUMENTS = behind_sign_in()
STREAMS = [name for name in DOCUMENTS if name.startswith("Subscription.")]
CALLS = [name for name in DOCUMENTS if name not in STREAMS]
SHUT = {"UNAUTHENTICATED", "FORBIDDEN"}


@pytest.mark.parametrize("name", CALLS)
async def test_a_field_behind_the_sign_in_stays_shut(
    asha: Phone, attacked: BankProcess, name: str
) -> None:
    body = encode(DOCUMENTS[name], {})
    before = rows(attacked.books)

    shown = {
        "nothing": None,
        "a stranger's key": proof_for(asha, body, key=DeviceKey.generate()),
        "the phone's key": proof_for(asha, body),
    }
    answers = {
        who: (await post(attacked.url, body, proof=proof)).json()
        for who, proof in shown.items()
    }

    for who, answer in answers.items():
        assert answer.get("data") is None, who
        assert answer["errors"][0]["extensions"]["code"] in SHUT, who
    assert rows(attacked.books) == before


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("who", ["nobody", "the phone alone"])
async def test_a_stream_behind_the_sign_in_stays_shut(
    asha: Phone, name: str, who: str
) -> None:
    covered = Covered("GET", asha.socket_url)
    proof = make_proof(asha.handset.key, covered, asha.now())
    init: JsonObject = {} if who == "nobody" else {"dpop": proof}
    wire = await Wire.open(asha.socket_url, init)
    text = DOCUMENTS[name].replace("subscription {", "subscription Stream {", 1)

    await wire.subscribe("1", Document("Stream", "subscription", "", text), {})
    async with asyncio.timeout(5):
        frame = await anext(wire.frames())
    await wire.close()

    assert frame.kind == "error"
    assert isinstance(frame.payload, list)
    assert frame.payload[0]["extensions"]["code"] in SHUT
