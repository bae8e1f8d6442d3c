"""Known answers of auth.md 2.12 and of RFC 8785; every byte string of section 2."""

import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from app.auth import signing
from app.auth.signing import MalformedText, Purpose
from app.vault import Ring, Vault, subkey

NONCE = bytes(range(0x20))
PIN_SECRET = bytes(range(0x20, 0x40))
SEED = bytes(range(0x40, 0x60))
PEPPER = bytes(range(0x60, 0x80))
SEALING = bytes(range(0xA0, 0xC0))
DEVICE = "dev_0193f0a1c2d37e4f8a5b6c7d8e9fa0b1"
VAULT = Vault(sealing=Ring({1: SEALING}), pepper=Ring({1: PEPPER}))

LOGIN = {"v": 1, "challengeId": "chl_1", "deviceId": DEVICE}
PAYMENT = {
    "v": 1,
    "challengeId": "chl_2",
    "deviceId": DEVICE,
    "paymentId": "pay_1",
    "from": "acc_1",
    "amount": {"currency": "INR", "exponent": 2, "minorUnits": "250000"},
    "fee": {"currency": "INR", "exponent": 2, "minorUnits": "0"},
    "payee": {
        "scheme": "IMPS",
        "name": "Asha Rao",
        "bankCode": "HDFC0001234",
        "address": "50100012345678",
    },
    "executeOn": None,
    "expiresAt": "2026-11-21T10:05:00.000Z",
    "summary": "Pay ₹2,500.00 to Asha Rao",
}
STEP_UP = {
    "v": 1,
    "challengeId": "chl_3",
    "deviceId": DEVICE,
    "operation": "deviceRevoke",
    "input": {"id": "dev_2"},
    "summary": "Remove phone Asha-2",
    "expiresAt": "2026-11-21T10:05:00.000Z",
}


def digest(purpose: Purpose, payload: object) -> str:
    text = signing.jcs(payload)
    return signing.sha256(signing.challenge_message(purpose, NONCE, text)).hex()


def test_the_binding_message_has_its_known_digest() -> None:
    message = signing.binding_message(NONCE, "A" * 43)

    assert len(message) == 92
    assert (
        signing.sha256(message).hex()
        == "1c7322c06452c2787db47849dd93b4262c0286badbbd281caf36d06a04b26bf2"
    )


def test_the_biometric_message_names_nonce_and_both_keys() -> None:
    message = signing.biometric_message(NONCE, "A" * 43, "B" * 43)

    assert message == b"sixpence/bio/v1\x00" + NONCE + b"A" * 43 + b"B" * 43
    assert len(message) == 134


def test_the_attestation_challenge_covers_the_binding_nonce_alone() -> None:
    label = b"sixpence/attest/v1\x00"

    made = signing.attestation_challenge(NONCE)

    assert made == hashlib.sha256(label + NONCE).digest()
    assert made.hex() == (
        "0293b1e12aa0573cab5e16c1901067887347d3fe50a0f7b637a79670ffa40bd4"
    )


@pytest.mark.parametrize(
    ("purpose", "payload", "known"),
    [
        (
            Purpose.LOGIN,
            LOGIN,
            "bc80c6157e9caf3507407bf1f9b61a8a6f02d4cc6fd5295ad8902801c1c4f62b",
        ),
        (
            Purpose.PAYMENT,
            PAYMENT,
            "f3d146d4619c6fe1b6e18410d9fa7ecfbea17b6b4cf4e7ee6545ef88f1664bd4",
        ),
        (
            Purpose.STEP_UP,
            STEP_UP,
            "b9aace7a1d0ef56148c69351f424bef996219e811c62695088cef4bdb4fc9e00",
        ),
    ],
)
def test_challenge_digests_are_the_known_ones(
    purpose: Purpose, payload: object, known: str
) -> None:
    assert digest(purpose, payload) == known


def test_payload_hashes_are_the_known_ones() -> None:
    hashes = [
        hashlib.sha256(signing.jcs(one).encode()).hexdigest()
        for one in (PAYMENT, STEP_UP)
    ]

    assert hashes == [
        "2a525774650a52093883b34871d18a1d401895d6a6e9c81c5946c9fdde556512",
        "aec96d8afa09624857435768161fb40888e3cc616c796f2ba4c093adb01ddb28",
    ]


def test_the_mpin_proof_is_the_known_one() -> None:
    text = signing.jcs(LOGIN)
    c = signing.sha256(signing.challenge_message(Purpose.LOGIN, NONCE, text))

    assert (
        signing.mpin_proof(PIN_SECRET, DEVICE, c).hex()
        == "054f007c45559dc5f9f902240e42073c3ce08ce95d2a1e53c6ebf9d71fe50bf0"
    )


def test_the_intent_hash_is_the_known_one() -> None:
    assert (
        signing.intent_hash("deviceRevoke", {"id": "dev_2"}).hex()
        == "47afcb7928151591e172a4c846f86dcbd479b0b86da340259715bc771cd241c5"
    )


def test_subkeys_are_the_known_ones() -> None:
    assert (
        subkey(PEPPER, "mac/refresh").hex()
        == "75ccfc0450e22769bbbc218c0aabaf799bb0ba42ac662ad405008549aff991f3"
    )
    assert (
        subkey(SEALING, "seal/mpin_secret").hex()
        == "037bcf3835bc704a7219f94078e966e66978d2a164cb1eb600ec965523fe47b3"
    )


def test_the_refresh_token_has_its_known_mac() -> None:
    message = signing.refresh_message(SEED, "ses_1", 7)

    mac = signing.b64u(VAULT.mac("mac/refresh", message))
    assert mac == "hUST2bI7eeRZM0zakwE_XzisPWys_KdoyHJ60MdK02g"


def test_the_otp_has_its_known_mac() -> None:
    message = signing.otp_message("enr_1", "482913")

    assert (
        VAULT.mac("mac/otp", message).hex()
        == "5fd1b36b301020fbc6e4db79ce13f33b3a5228cbde0c90cb262edda264835904"
    )


def test_a_recovery_code_is_bound_to_its_customer_and_is_no_otp() -> None:
    message = signing.recovery_message("cus_1", "7K2M")

    assert message == b"sixpence/recovery/v1\x00cus_1|7K2M"
    assert message != signing.recovery_message("cus_2", "7K2M")
    assert message != signing.otp_message("cus_1", "7K2M")


def test_the_server_nonce_of_a_window_is_the_known_one() -> None:
    message = signing.server_nonce_message(14_000_000)

    nonce = signing.b64u(VAULT.mac("mac/nonce", message))
    assert nonce == "-r1UcsripTCfa90e7RgBKADxP0YvhB6KYcIeERPSh7o"


def test_the_body_hash_is_the_known_one() -> None:
    body = b'{"documentId":"sha256:00","variables":{}}'

    assert len(body) == 41
    assert (
        signing.b64u(signing.sha256(body))
        == "UA9HIPFBXNTJ5btW0ZZv8OMLu8sxXc1rMrey8vmbs48"
    )


def test_a_decoy_depends_on_kind_instant_and_key() -> None:
    base = signing.decoy_message("decoy", 1, "A" * 43)

    assert base == b"sixpence/decoy/v1\x00" + bytes(7) + b"\x01" + b"A" * 43
    others = {
        signing.decoy_message("decoy-nonce", 1, "A" * 43),
        signing.decoy_message("decoy", 2, "A" * 43),
        signing.decoy_message("decoy", 1, "B" * 43),
    }
    assert len(others) == 3
    assert base not in others


def test_the_answer_hash_covers_response_and_signature() -> None:
    one = signing.answer_hash({"mpinProof": "a"}, "s")

    assert one == signing.answer_hash({"mpinProof": "a"}, "s")
    assert one != signing.answer_hash({"mpinProof": "b"}, "s")
    assert one != signing.answer_hash({"mpinProof": "a"}, "t")


@pytest.mark.parametrize("text", ["a", "YQ==", "YQ=", "Y+", "YR", "é", "YQ\n", "Y Q"])
def test_base64url_is_read_strictly(text: str) -> None:
    with pytest.raises(MalformedText):
        signing.unb64u(text)


def test_base64url_of_another_length_is_refused() -> None:
    assert signing.unb64u("YQ", 1) == b"a"
    with pytest.raises(MalformedText):
        signing.unb64u("YQ", 2)


@pytest.mark.parametrize(
    "value", [1.5, {"k": 2**53}, {"ü": 1}, {1: "k"}, "\ud800", b"x", {"a": [object()]}]
)
def test_what_cannot_be_signed_is_refused(value: object) -> None:
    with pytest.raises(MalformedText):
        signing.jcs(value)


def test_canonical_json_sorts_keys_and_keeps_unicode() -> None:
    # RFC 8785 section 3.2.2, its strings and literals without the numbers we refuse.
    value = {"string": '€$\x0f\nA\'B"\\\\"/', "literals": [None, True, False]}

    assert (
        signing.jcs(value)
        == '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_text_is_stored_composed() -> None:
    assert signing.jcs("e\u0301") == '"\u00e9"'


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="ascii")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_VALUES)
def test_canonical_json_reads_back_and_is_its_own_canon(value: object) -> None:
    text = signing.jcs(value)

    assert signing.jcs(json.loads(text)) == text


def test_a_signature_is_64_raw_bytes_of_the_key() -> None:
    key, stranger = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    signature = signing.sign(key, b"message")

    assert len(signature) == 64
    assert signing.is_signed(key.public_key(), signature, b"message")
    assert not signing.is_signed(key.public_key(), signature, b"other")
    assert not signing.is_signed(stranger.public_key(), signature, b"message")
    assert not signing.is_signed(key.public_key(), signature[:-1], b"message")
    assert not signing.is_signed(key.public_key(), bytes(64), b"message")


def test_comparing_tells_equal_from_other() -> None:
    assert signing.same(b"a", b"a")
    assert not signing.same(b"a", b"b")


@pytest.mark.parametrize("field", ["amount", "payee", "from", "summary", "expiresAt"])
def test_a_changed_field_changes_the_digest(field: str) -> None:
    changed = PAYMENT | {field: "other"}

    assert digest(Purpose.PAYMENT, changed) != digest(Purpose.PAYMENT, PAYMENT)
    assert digest(Purpose.LOGIN, PAYMENT) != digest(Purpose.PAYMENT, PAYMENT)
