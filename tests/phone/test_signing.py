"""Known answers of auth.md §2.12, and what the phone refuses to sign."""

import hashlib
import json

import pytest

from mock_mobile_client.enums import ChallengePurpose
from mock_mobile_client.errors import NotAsIntended
from mock_mobile_client.signing import (
    b64url,
    bind_message,
    challenge_message,
    jcs,
    mpin_proof,
    read_canonical,
    sha256,
    unb64url,
)

NONCE = bytes(range(0x20))
PIN_SECRET = bytes(range(0x20, 0x40))
DEVICE = "dev_0193f0a1c2d37e4f8a5b6c7d8e9fa0b1"
LOGIN: dict[str, object] = {"v": 1, "challengeId": "chl_1", "deviceId": DEVICE}
PAYMENT: dict[str, object] = {
    "amount": {"currency": "INR", "exponent": 2, "minorUnits": "250000"},
    "challengeId": "chl_2",
    "deviceId": DEVICE,
    "executeOn": None,
    "expiresAt": "2026-11-21T10:05:00.000Z",
    "fee": {"currency": "INR", "exponent": 2, "minorUnits": "0"},
    "from": "acc_1",
    "payee": {
        "address": "50100012345678",
        "bankCode": "HDFC0001234",
        "name": "Asha Rao",
        "scheme": "IMPS",
    },
    "paymentId": "pay_1",
    "summary": "Pay ₹2,500.00 to Asha Rao",
    "v": 1,
}
STEP_UP: dict[str, object] = {
    "v": 1,
    "challengeId": "chl_3",
    "deviceId": DEVICE,
    "operation": "deviceRevoke",
    "input": {"id": "dev_2"},
    "summary": "Remove phone Asha-2",
    "expiresAt": "2026-11-21T10:05:00.000Z",
}


def digest(purpose: ChallengePurpose, payload: dict[str, object]) -> str:
    text = jcs(payload).decode()
    return sha256(challenge_message(purpose, b64url(NONCE), text)).hex()


def test_the_bind_message_is_the_known_answer() -> None:
    message = bind_message(NONCE, "A" * 43)

    assert len(message) == 92
    assert (
        hashlib.sha256(message).hexdigest()
        == "1c7322c06452c2787db47849dd93b4262c0286badbbd281caf36d06a04b26bf2"
    )


def test_the_digest_of_a_sign_in_is_the_known_answer() -> None:
    assert (
        digest(ChallengePurpose.LOGIN, LOGIN)
        == "bc80c6157e9caf3507407bf1f9b61a8a6f02d4cc6fd5295ad8902801c1c4f62b"
    )


def test_the_digest_of_a_payment_is_the_known_answer() -> None:
    assert (
        sha256(jcs(PAYMENT)).hex()
        == "2a525774650a52093883b34871d18a1d401895d6a6e9c81c5946c9fdde556512"
    )
    assert (
        digest(ChallengePurpose.PAYMENT, PAYMENT)
        == "f3d146d4619c6fe1b6e18410d9fa7ecfbea17b6b4cf4e7ee6545ef88f1664bd4"
    )


def test_the_digest_of_a_step_up_is_the_known_answer() -> None:
    assert (
        sha256(jcs(STEP_UP)).hex()
        == "aec96d8afa09624857435768161fb40888e3cc616c796f2ba4c093adb01ddb28"
    )
    assert (
        digest(ChallengePurpose.STEP_UP, STEP_UP)
        == "b9aace7a1d0ef56148c69351f424bef996219e811c62695088cef4bdb4fc9e00"
    )


def test_the_mpin_proof_is_the_known_answer() -> None:
    c = bytes.fromhex(
        "bc80c6157e9caf3507407bf1f9b61a8a6f02d4cc6fd5295ad8902801c1c4f62b"
    )

    assert (
        mpin_proof(PIN_SECRET, DEVICE, c).hex()
        == "054f007c45559dc5f9f902240e42073c3ce08ce95d2a1e53c6ebf9d71fe50bf0"
    )


def test_the_body_hash_is_the_known_answer() -> None:
    body = b'{"documentId":"sha256:00","variables":{}}'

    assert b64url(sha256(body)) == "UA9HIPFBXNTJ5btW0ZZv8OMLu8sxXc1rMrey8vmbs48"


@pytest.mark.parametrize(
    "value", [1.5, 2**53, {"é": 1}, "\ud800", {"a": [float("nan")]}, b"bytes"]
)
def test_what_can_be_written_in_two_ways_is_not_signed(value: object) -> None:
    with pytest.raises(NotAsIntended):
        jcs(value)


@pytest.mark.parametrize(
    "text", ["no json", "[]", '{"b":1,"a":2}', '{"a": 1}', '{"a":1,"a":1}', '{"a":1.0}']
)
def test_a_payload_that_is_not_canonical_is_not_read(text: str) -> None:
    with pytest.raises(NotAsIntended):
        read_canonical(text)


def test_a_canonical_payload_is_read_whole() -> None:
    assert read_canonical(jcs(PAYMENT).decode()) == json.loads(json.dumps(PAYMENT))


@pytest.mark.parametrize("text", ["YQ==", "YR", "Y", "a+b", "a b", "é"])
def test_only_the_one_encoding_of_base64url_is_taken(text: str) -> None:
    with pytest.raises(NotAsIntended):
        unb64url(text)


def test_a_short_nonce_is_not_signed() -> None:
    with pytest.raises(NotAsIntended, match="32 bytes"):
        challenge_message(ChallengePurpose.LOGIN, b64url(NONCE[:31]), "{}")


def test_a_message_of_one_purpose_is_not_one_of_another() -> None:
    nonce = b64url(NONCE)

    made = {challenge_message(purpose, nonce, "{}") for purpose in ChallengePurpose}

    assert len(made) == 4
    assert all(b"sixpence/" in message for message in made)
