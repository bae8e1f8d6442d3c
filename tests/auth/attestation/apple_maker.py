"""App Attest made by a vendor of our own, with one defect where a test wants it."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.auth.attestation.foundry import EARLY, LATE, Issuer, Key, der, new_key

NONCE = "1.2.840.113635.100.8.2"
TEAM_APP = "ABCDE12345.bank.sixpence.app"
PRODUCTION = b"appattest" + bytes(7)
DEVELOPMENT = b"appattestdevelop"
AT, ED = 0x40, 0x80


def sha256(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def point_of(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def cose_of(key: Key) -> bytes:
    point = point_of(key)
    return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})


def changed(wrong: Mapping[str, Any], name: str, good: Any) -> Any:
    """Give a part, or what a test puts in its place, or makes of it."""
    found = wrong.get(name, good)
    return found(good) if callable(found) else found


@dataclass
class Vendor:
    """Apple's part: a root and an intermediate."""

    root: Issuer = field(
        default_factory=lambda: Issuer("Root", new_key(ec.SECP384R1()))
    )
    middle: Issuer = field(
        default_factory=lambda: Issuer("App Attestation CA", new_key(ec.SECP384R1()))
    )
    dates: Mapping[str, tuple[datetime, datetime]] = field(default_factory=dict)

    def chain(self, public: Any, nonce: bytes | None) -> list[x509.Certificate]:
        stated = {} if nonce is None else {NONCE: nonce}
        leaf = self.middle.issue(
            "Key", public, stated, self.dates.get("leaf", (EARLY, LATE))
        )
        above = self.root.issue(
            self.middle.name,
            self.middle.key.public_key(),
            None,
            self.dates.get("middle", (EARLY, LATE)),
        )
        return [leaf, above]


@dataclass
class Phone:
    """An iPhone with an App Attest key."""

    vendor: Vendor = field(default_factory=Vendor)
    key: Key = field(default_factory=new_key)

    @property
    def key_id(self) -> str:
        return base64.b64encode(sha256(point_of(self.key))).decode()

    def data(self, **wrong: Any) -> bytes:
        """Write authenticator data."""
        name = wrong.get("credential_id", sha256(point_of(self.key)))
        return b"".join(
            (
                sha256(wrong.get("app", TEAM_APP).encode()),
                bytes([wrong.get("flags", AT)]),
                wrong.get("counter", 0).to_bytes(4, "big"),
                wrong.get("aaguid", PRODUCTION),
                wrong.get("length", len(name)).to_bytes(2, "big"),
                name,
                wrong.get("cose", cose_of(self.key)),
                wrong.get("tail", b""),
            )
        )

    def attest(self, client_hash: bytes, **wrong: Any) -> bytes:
        """Make the attestation object."""
        data = self.data(**wrong)
        nonce = sha256(data + client_hash)
        stated = bytes.fromhex("3024a1220420") + nonce
        key = wrong.get("certified", self.key)
        chain = self.vendor.chain(key.public_key(), changed(wrong, "extension", stated))
        statement = {
            "x5c": changed(wrong, "x5c", der(chain)),
            "receipt": b"",
        }
        whole = {"fmt": "apple-appattest", "attStmt": statement, "authData": data}
        return cbor2.dumps(changed(wrong, "whole", whole))
