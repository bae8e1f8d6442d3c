"""The examples of WebAuthn Level 3, section 16, as far as they hold our formats.

They were made for passkeys, with certificates of a test root that is not published as a
certificate: what can be checked is that the two extensions are read as they were meant.
"""

import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography import x509

from app.auth import signing
from app.auth.attestation import Rejected, key_description, roots
from app.auth.attestation.apple import ApplePolicy, verify
from app.auth.attestation.key_description import SecurityLevel
from app.clock import StoppedClock
from tests.conftest import NOON

FILE = Path(__file__).resolve().parents[2] / "data/webauthn_l3_vectors.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text())
ANDROID = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
APPLE = x509.ObjectIdentifier("1.2.840.113635.100.8.2")


def opened(name: str) -> tuple[x509.Certificate, bytes, bytes]:
    """Give leaf, authenticator data and client hash of a registration."""
    made = VECTORS[name]["registration"]
    whole = cbor2.loads(bytes.fromhex(made["attestationObject"]))
    leaf = x509.load_der_x509_certificate(whole["attStmt"]["x5c"][0])
    client = signing.sha256(bytes.fromhex(made["clientDataJSON"]))
    return leaf, whole["authData"], client


def test_the_published_key_description_is_read() -> None:
    leaf, _, client_hash = opened("android-key-es256")

    found = key_description.read(roots.extension(leaf, ANDROID) or b"")

    assert found.challenge == client_hash
    assert found.level is SecurityLevel.SOFTWARE
    assert (found.software, found.hardware) == ({}, {})


def test_the_published_apple_nonce_has_the_strict_form() -> None:
    leaf, data, client_hash = opened("apple-es256")

    stated = roots.extension(leaf, APPLE)

    nonce = signing.sha256(data + client_hash)
    assert stated == bytes.fromhex("3024a1220420") + nonce


def test_a_passkeys_statement_is_not_one_of_app_attest() -> None:
    raw = bytes.fromhex(VECTORS["apple-es256"]["registration"]["attestationObject"])
    policy = ApplePolicy(apps=(), development=True, roots=roots.vendors().apple)

    with pytest.raises(Rejected) as refused:
        verify(raw, "", bytes(32), policy, StoppedClock(NOON))

    assert refused.value.fault == "FORMAT"
