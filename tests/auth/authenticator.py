"""A software authenticator, written from WebAuthn Level 3: sections 5.8, 6.1 and 6.5.

It makes every byte itself. Each defect a test needs is one argument, so that whatever
else stands in an answer is right.
"""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.auth.room import b64u

ORIGIN = "http://localhost:8000"
RP_ID = "localhost"
ES256, EDDSA, RS256 = -7, -8, -257
UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40
Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def made(algorithm: int) -> Key:
    """Make a key pair of an algorithm."""
    if algorithm == EDDSA:
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == RS256:
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def cose(key: Key) -> dict[int, Any]:
    """Write a public key as a COSE map (RFC 9053)."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes_raw()
        return {1: 1, 3: EDDSA, -1: 6, -2: raw}
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_numbers()
        size = (public.n.bit_length() + 7) // 8
        modulus = public.n.to_bytes(size, "big")
        return {1: 3, 3: RS256, -1: modulus, -2: public.e.to_bytes(3, "big")}
    point = key.public_key().public_numbers()
    x, y = (part.to_bytes(32, "big") for part in (point.x, point.y))
    return {1: 2, 3: ES256, -1: 1, -2: x, -3: y}


@dataclass
class Authenticator:
    """One credential of one person, in a phone or in a key.

    `flags` are those of a whole, verified answer; a synced passkey has BE and BS too.
    A counter of None never counts, as that of synced passkeys.
    """

    algorithm: int = ES256
    flags: int = UP | UV
    count: int | None = None
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    handle: bytes | None = None
    key: Key = field(init=False)

    def __post_init__(self) -> None:
        self.key = made(self.algorithm)

    # ------------------------------------------------------------------ ceremonies

    def create(self, options: Mapping[str, Any], **wrong: Any) -> dict[str, Any]:
        """Answer navigator.credentials.create(); gives its toJSON()."""
        self.handle = unb64u(options["user"]["id"])
        client = self.client_data("webauthn.create", options["challenge"], wrong)
        data = self.data(wrong, self.attested(wrong))
        statement = wrong.get("statement", self.statement(data, client, wrong))
        whole = {
            "fmt": wrong.get("fmt", "none"),
            "attStmt": statement,
            "authData": data,
        }
        attestation = wrong.get("attestation_object", cbor2.dumps(whole))
        response = {
            "clientDataJSON": b64u(client),
            "attestationObject": b64u(attestation),
            "transports": wrong.get("transports", ["internal", "hybrid", "smoke"]),
        }
        return self.credential(response, wrong)

    def get(self, options: Mapping[str, Any], **wrong: Any) -> dict[str, Any]:
        """Answer navigator.credentials.get(); gives its toJSON()."""
        if self.count is not None and "count" not in wrong:
            self.count += 1
        client = self.client_data("webauthn.get", options["challenge"], wrong)
        data = self.data(wrong)
        signed = wrong.get("signed", data + hashlib.sha256(client).digest())
        response = {
            "clientDataJSON": b64u(client),
            "authenticatorData": b64u(data),
            "signature": b64u(wrong.get("signature", self.sign(signed))),
            "userHandle": b64u(self.handle) if self.handle else None,
        }
        response |= wrong.get("response", {})
        return self.credential(response, wrong)

    # ------------------------------------------------------------------ parts

    def client_data(self, kind: str, challenge: str, wrong: Mapping[str, Any]) -> bytes:
        if "client_data" in wrong:
            raw: bytes = wrong["client_data"]
            return raw
        found = {
            "type": kind,
            "challenge": challenge,
            "origin": ORIGIN,
            "crossOrigin": False,
        }
        return json.dumps(found | wrong.get("client", {})).encode()

    def data(self, wrong: Mapping[str, Any], attested: bytes = b"") -> bytes:
        flags = wrong.get("flags", self.flags) | (AT if attested else 0)
        count = wrong.get("count", self.count or 0)
        name = hashlib.sha256(wrong.get("rp_id", RP_ID).encode()).digest()
        parts = (name, bytes([flags]), count.to_bytes(4, "big"), attested)
        whole: bytes = b"".join(parts) + wrong.get("tail", b"")
        return whole

    def attested(self, wrong: Mapping[str, Any]) -> bytes:
        name = wrong.get("attested_id", self.credential_id)
        key = wrong.get("cose", cose(self.key))
        encoded = key if isinstance(key, bytes) else cbor2.dumps(key)
        whole: bytes = bytes(16) + len(name).to_bytes(2, "big") + name + encoded
        return whole

    def statement(
        self, data: bytes, client: bytes, wrong: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Attest to itself where a format is asked for."""
        if wrong.get("fmt", "none") != "packed":
            return {}
        signature = self.sign(data + hashlib.sha256(client).digest())
        return {"alg": self.algorithm, "sig": signature}

    def credential(
        self, response: Mapping[str, Any], wrong: Mapping[str, Any]
    ) -> dict[str, Any]:
        name = b64u(wrong.get("credential_id", self.credential_id))
        found = {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": dict(response),
        }
        whole: dict[str, Any] = found | wrong.get("credential", {})
        return whole

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(message, padding.PKCS1v15(), SHA256())
        return self.key.sign(message, ec.ECDSA(SHA256()))


def unb64u(text: str) -> bytes:

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
