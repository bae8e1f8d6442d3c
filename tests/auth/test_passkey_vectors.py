"""The published examples of WebAuthn Level 3, section 16, against our wrapper.

Most were made without user verification, which we demand: those are refused for that
one bit, and their signatures are checked here by hand, so that a wrong copy of a value
cannot look like a refusal.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from app.auth.errors import InvalidCredential, PasskeyRejected
from app.auth.passkey_ceremony import (
    KnownKey,
    RelyingParty,
    check_assertion,
    finish_registration,
)
from tests.auth.authenticator import BE, UV
from tests.auth.room import b64u

FILE = Path(__file__).resolve().parents[1] / "data/webauthn_l3_vectors.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text())
PARTY = RelyingParty(id="example.org", origins=("https://example.org",))
FLAGS_AT, KEY_AT = 32, 55

# What our policy makes of each: registration, sign-in. UV: the user was not verified;
# FRAME: crossOrigin or topOrigin; KEY: an algorithm we do not take; ATTESTATION: its
# chain ends in no root the library knows.
VERDICTS = {
    "none-es256": ("UV", "UV"),
    "packed-self-es256": ("OK", "UV"),
    "none-es256-crossOrigin": ("FRAME", "FRAME"),
    "none-es256-topOrigin": ("FRAME", "FRAME"),
    "none-es256-long-credential-id": ("UV", "OK"),
    "packed-es256": ("OK", "OK"),
    "packed-es384": ("UV", "KEY"),
    "packed-es512": ("KEY", "UV"),
    "packed-rs256": ("OK", "UV"),
    "packed-eddsa": ("UV", "UV"),
    "packed-ed448": ("UV", "KEY"),
    "tpm-es256": ("ATTESTATION", "OK"),
    "android-key-es256": ("ATTESTATION", "UV"),
    "apple-es256": ("UV", "UV"),
    "fido-u2f-es256": ("UV", "UV"),
}


def b64u_of(text: str) -> str:
    return b64u(bytes.fromhex(text))


def attested(name: str) -> tuple[bytes, bytes]:
    """Give authenticator data and COSE key of a registration."""
    made = VECTORS[name]["registration"]
    data: bytes = cbor2.loads(bytes.fromhex(made["attestationObject"]))["authData"]
    return data, data[KEY_AT + len(bytes.fromhex(made["credential_id"])) :]


def credential(name: str, **response: str) -> dict[str, Any]:
    shown = b64u_of(VECTORS[name]["registration"]["credential_id"])
    whole = {"id": shown, "rawId": shown, "type": "public-key"}
    return whole | {"response": response}


def registered(name: str, statement: bytes | None = None) -> bytes:
    made = VECTORS[name]["registration"]
    raw = statement or bytes.fromhex(made["attestationObject"])
    given = credential(
        name,
        clientDataJSON=b64u_of(made["clientDataJSON"]),
        attestationObject=b64u(raw),
    )
    challenge = bytes.fromhex(made["challenge"])
    return finish_registration(PARTY, given, challenge).credential_id


def asserted(name: str) -> int:
    made = VECTORS[name]["authentication"]
    parts = ("clientDataJSON", "authenticatorData", "signature")
    given = credential(name, **{part: b64u_of(made[part]) for part in parts})
    data, key = attested(name)
    known = KnownKey(
        credential_id=bytes.fromhex(VECTORS[name]["registration"]["credential_id"]),
        cose_key=key,
        be=bool(data[FLAGS_AT] & BE),
        handle=bytes(32),
    )
    challenge = bytes.fromhex(made["challenge"])
    return check_assertion(PARTY, given, challenge, known).sign_count


def test_every_published_pair_has_its_verdict() -> None:
    assert VERDICTS.keys() == VECTORS.keys()


@pytest.mark.parametrize("name", VERDICTS)
def test_a_published_registration_is_judged_as_our_policy_says(name: str) -> None:
    verdict, _ = VERDICTS[name]
    data, _ = attested(name)
    if verdict == "UV":
        assert not data[FLAGS_AT] & UV

    if verdict == "OK":
        shown = VECTORS[name]["registration"]["credential_id"]
        assert registered(name).hex() == shown
    else:
        with pytest.raises(PasskeyRejected):
            registered(name)


@pytest.mark.parametrize("name", VERDICTS)
def test_a_published_sign_in_is_judged_as_our_policy_says(name: str) -> None:
    _, verdict = VERDICTS[name]
    data = bytes.fromhex(VECTORS[name]["authentication"]["authenticatorData"])
    if verdict == "UV":
        assert not data[FLAGS_AT] & UV

    if verdict == "OK":
        assert asserted(name) == 0
    else:
        with pytest.raises(InvalidCredential):
            asserted(name)


@pytest.mark.parametrize("name", ["none-es256", "none-es256-long-credential-id"])
def test_the_bit_of_user_verification_alone_decides(name: str) -> None:
    raw = bytes.fromhex(VECTORS[name]["registration"]["attestationObject"])
    whole = cbor2.loads(raw)
    data = bytearray(whole["authData"])

    data[FLAGS_AT] |= UV
    made = registered(name, cbor2.dumps(whole | {"authData": bytes(data)}))

    assert made.hex() == VECTORS[name]["registration"]["credential_id"]


@pytest.mark.parametrize("name", [one for one in VERDICTS if one.endswith("es256")])
def test_the_copy_of_a_published_sign_in_is_sound(name: str) -> None:
    made = VECTORS[name]["authentication"]
    _, raw = attested(name)
    key = cbor2.loads(raw)
    x, y = (int.from_bytes(key[part], "big") for part in (-2, -3))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    client = hashlib.sha256(bytes.fromhex(made["clientDataJSON"])).digest()
    message = bytes.fromhex(made["authenticatorData"]) + client

    verdict = public.verify(
        bytes.fromhex(made["signature"]), message, ec.ECDSA(SHA256())
    )

    assert verdict is None
