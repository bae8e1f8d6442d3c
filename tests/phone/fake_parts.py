"""What the fake bank is made of: customers, accounts, devices, challenges.

It shares no code with the phone or the product: every byte is checked here anew, so
that a mistake in the phone cannot agree with itself.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

Node = dict[str, Any]
NOW = "2026-11-21T10:00:00.000Z"


def b64u(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64u(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(16)}"


def verified(jwk: Node, signature: str, message: bytes) -> bool:
    raw = unb64u(signature)
    x, y = (int.from_bytes(unb64u(jwk[axis]), "big") for axis in "xy")
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    try:
        der = encode_dss_signature(r, s)
        key.verify(der, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return len(raw) == 64


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Fault(Exception):
    """A top-level error."""

    def __init__(self, code: str, status: int, **extensions: object) -> None:
        super().__init__(code)
        self.code, self.status, self.extensions = code, status, extensions


def refusal(code: str, kind: str = "GenericError", **facts: object) -> Node:
    error = {"__typename": kind, "code": code, "message": f"no: {code}", **facts}
    return {"userErrors": [error], "replayed": False, "approved": False}


def amount(minor: int) -> Node:
    text = f"{minor / 100:,.2f} INR"
    return {
        "minorUnits": str(minor),
        "currency": "INR",
        "exponent": 2,
        "formatted": text,
    }


@dataclass
class Account:
    name: str
    number: str
    minor: int
    id: str = field(default_factory=lambda: new_id("acc"))
    version: int = 1
    rows: list[Node] = field(default_factory=list)

    def balance(self) -> Node:
        figure = amount(self.minor)
        return {
            "available": figure,
            "booked": figure,
            "held": amount(0),
            "asOf": NOW,
            "stale": False,
            "version": str(self.version),
        }

    def node(self) -> Node:
        return {
            "__typename": "Account",
            "id": self.id,
            "name": self.name,
            "kind": "CURRENT",
            "number": self.number,
            "maskedNumber": "••••" + self.number[-4:],
            "currency": "INR",
            "balance": self.balance(),
            "transactions": {"nodes": self.rows},
        }


@dataclass
class Customer:
    name: str
    number: str
    phone: str
    code: str
    accounts: list[Account]
    payees: list[Node] = field(default_factory=list)
    events: list[Node] = field(default_factory=list)
    sms: list[Node] = field(default_factory=list)
    limit: int = 50_000_000
    pending: int | None = None

    def cursor(self, seq: int) -> str:
        return f"ec1.{self.number}.{seq}.20261121"


@dataclass
class Device:
    owner: Customer
    jwk: Node
    id: str = field(default_factory=lambda: new_id("dev"))
    secret: bytes | None = None
    failed: int = 0
    token: str | None = None
    name: str = "a phone"
    state: str = "COOLING"
    bound_s: int = 0
    bio: Node | None = None


@dataclass
class Challenge:
    purpose: str
    device: Device
    payload: str
    subject: str
    id: str
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    state: str = "PENDING"
    answer: Node | None = None
    options: Node | None = None
    made_at_s: int = 0
    wrong: int = 0

    def node(self) -> Node:
        digest = hashlib.sha256(self.payload.encode()).digest()
        return {
            "__typename": "Challenge",
            "id": self.id,
            "purpose": self.purpose,
            "state": self.state,
            "nonce": b64u(self.nonce),
            "payload": self.payload,
            "bindingHash": b64u(digest),
            "allowed": self.allowed(),
            "attemptsLeft": 3,
            "expiresAt": NOW,
            "webauthnOptions": self.options,
        }

    def allowed(self) -> list[str]:
        passkey = ["WEBAUTHN"] if self.options else []
        return ["MPIN", *passkey, *(["BIOMETRIC"] if self.device.bio else [])]

    def digest(self) -> bytes:
        return hashlib.sha256(self.message()).digest()

    def message(self) -> bytes:
        label = self.purpose.lower().replace("_", "-")
        digest = hashlib.sha256(self.payload.encode()).digest()
        return f"sixpence/{label}/v1".encode() + b"\0" + self.nonce + digest


@dataclass(frozen=True)
class Caller:
    """Who asks, as far as the edge could prove it."""

    jkt: str | None = None
    token: str | None = None
