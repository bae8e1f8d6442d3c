"""Stolen tokens, replayed proofs, altered bodies, guessed codes and PINs."""

import asyncio
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from mock_mobile_client import documents
from mock_mobile_client.api import encode
from mock_mobile_client.enrolment import APP_VERSION
from mock_mobile_client.errors import Refused
from mock_mobile_client.handset import Level
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.money import money
from mock_mobile_client.notifications import Inbox
from mock_mobile_client.phone import Phone
from tests.attacks.conftest import figures, setting
from tests.attacks.thief import code_of, post, proof_for
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

QUERY = "{ me { id } }"


async def send(phone: Phone, body: bytes, proof: str | None) -> httpx.Response:
    """Send bytes with the phone's token."""
    return await post(phone.handset.bank, body, phone.handset.token, proof)


@pytest.mark.attack("stolen access token")
async def test_a_stolen_token_is_useless_under_another_key(asha: Phone) -> None:
    body = encode(QUERY, {})

    proof = proof_for(asha, body, asha.handset.token, DeviceKey.generate())
    answer = await send(asha, body, proof)

    assert (answer.status_code, code_of(answer)) == (401, "DPOP_INVALID")
    assert "data" not in answer.json()


@pytest.mark.attack("replayed request")
async def test_a_proof_is_good_for_one_request(asha: Phone) -> None:
    body = encode(QUERY, {})
    proof = proof_for(asha, body, asha.handset.token)

    first = await send(asha, body, proof)
    second = await send(asha, body, proof)

    assert first.json()["data"]["me"]["id"]
    assert (second.status_code, code_of(second)) == (401, "DPOP_REPLAYED")


@pytest.mark.attack("swapped body")
async def test_an_altered_body_does_not_pass_under_the_same_proof(asha: Phone) -> None:
    order = await asha.order("Ben", money("1.00 INR"))
    document = documents.load("payment_create")
    signed = encode(document.text, order.variables(), document.name)
    altered = signed.replace(b'"minorUnits":"100"', b'"minorUnits":"900"')
    assert altered != signed
    before = await figures(asha)

    proof = proof_for(asha, signed, asha.handset.token)
    answer = await send(asha, altered, proof)

    assert (answer.status_code, code_of(answer)) == (401, "DPOP_INVALID")
    assert await asha.payments.by_key(order.key) is None
    assert await figures(asha) == before


@pytest.mark.attack("stolen access token")
async def test_a_token_without_a_proof_is_refused(asha: Phone) -> None:
    answer = await send(asha, encode(QUERY, {}), None)

    assert (answer.status_code, code_of(answer)) == (401, "DPOP_REQUIRED")


@pytest.mark.attack("OTP guessing and SMS bombing")
async def test_three_wrong_codes_end_an_enrolment_and_nothing_is_bound(
    asha: Phone, attacked: BankProcess
) -> None:
    devices = await asha.ask("{ me { devices { id } } }", {}, Level.LOGIN)
    inbox = Inbox(attacked.sandbox, asha.owner.phone)
    await inbox.skip()
    given = {
        "phone": asha.owner.phone,
        "platform": "ANDROID",
        "appVersion": APP_VERSION,
        "model": "Pixel 9",
    }
    started = await asha.handset.call(
        "enrolment_start", {"input": given}, Level.ANONYMOUS
    )
    right = await inbox.otp()
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"

    codes = []
    for otp in (wrong, wrong, wrong, right):
        typed = {"enrolmentId": started["enrolmentId"], "otp": otp}
        with pytest.raises(Refused) as refused:
            await asha.handset.call(
                "enrolment_verify_otp", {"input": typed}, Level.ANONYMOUS
            )
        codes.append(refused.value.code)

    assert codes[:2] == ["INVALID_CREDENTIAL", "INVALID_CREDENTIAL"]
    assert codes[3] == "ENROLMENT_EXPIRED"
    after = await asha.ask("{ me { devices { id } } }", {}, Level.LOGIN)
    assert after.data == devices.data


@pytest.mark.attack("mPIN guessing on the phone")
async def test_five_wrong_pins_lock_this_phone_and_no_other(
    asha: Phone, attacked: BankProcess, phones_folder: Path
) -> None:
    async with Phone(
        "asha-2", attacked.url, attacked.sandbox, setting(phones_folder)
    ) as second:
        await second.start()
        seen = []
        for guess in ("111222", "333444", "555666", "777888", "999000"):
            with pytest.raises(Refused) as refused:
                await second.login(pin=guess)
            seen.append((refused.value.code, refused.value.facts.get("attemptsLeft")))

        with pytest.raises(Refused) as right_but_late:
            await second.login(pin=second.owner.pin)

    assert seen[:4] == [("INVALID_CREDENTIAL", left) for left in (4, 3, 2, 1)]
    assert seen[4][0] == "CREDENTIAL_LOCKED"
    assert right_but_late.value.code == "CREDENTIAL_LOCKED"
    await asha.login()


async def test_garbage_frames_close_their_socket_and_nothing_else(
    asha: Phone, attacked: BankProcess
) -> None:
    url = asha.socket_url
    closed = []
    for frame in ("[]", "null", "7", '"x"', "{", '{"type": 1}', b"\x00\x01"):
        async with connect(
            url, subprotocols=[Subprotocol("graphql-transport-ws")]
        ) as socket:
            await socket.send(frame)
            with pytest.raises(ConnectionClosed) as end:
                await asyncio.wait_for(socket.recv(), 5)
            closed.append(end.value.rcvd.code if end.value.rcvd else None)

    assert closed == [4400] * 7
    assert (await asha.ask(QUERY, {}, Level.LOGIN)).data
