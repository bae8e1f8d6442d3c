"""The auth room opened by hand, and a phone that talks to it without a wire.

The phone makes every byte with its own code, from the byte formats of the design: what
it signs is not made by the functions under test.
"""

import base64
import hashlib
import hmac
import json
import os
import re
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from app.auth.actor import Actor, Origin, Platform
from app.auth.applicant import Activation, StartRequest
from app.auth.binding import BindRequest
from app.auth.biometric import Biometrics
from app.auth.bound import BoundDevices
from app.auth.caller import Callers
from app.auth.challenge import Challenge, FactorResponse
from app.auth.challenges import Challenges
from app.auth.customer_factors import CustomerFactors
from app.auth.device import Device
from app.auth.device_changes import DeviceChanges
from app.auth.device_moves import DeviceMoves
from app.auth.devices import Devices
from app.auth.dpop import Proofs
from app.auth.enrolment import Enrolments
from app.auth.factor_changes import FactorChanges
from app.auth.jobs import send_due_sms
from app.auth.keys import read_jwk
from app.auth.login import Logins, SignedIn
from app.auth.mpin import Mpins
from app.auth.otp import EnrolmentId
from app.auth.outbox import Outbox
from app.auth.passkeys import Passkeys
from app.auth.recovery import RecoveryCodes
from app.auth.refresh import Refreshes
from app.auth.revocations import Revocations
from app.auth.sessions import Sessions
from app.auth.signing_ring import SigningRing
from app.auth.standing import Customers, NewCustomer, Staff
from app.auth.step_up import StepUps
from app.auth.tokens import AccessTokens
from app.auth.totp import Totps
from app.auth.vouching import Vouching
from app.clock import StoppedClock
from app.ids import CustomerId
from app.integrations.counters.memory import MemoryCounters
from app.integrations.outcome import Ok, OpRef, Outcome
from app.settings import Settings
from app.vault import Vault

STAFF = Staff(name="Meera", reason="opened at the branch")
KDF = "v=01;PBKDF2-HMAC-SHA256;i=600000;s=16"
PHONE = "+919876543210"
URL = "http://localhost:8000/graphql"
BODY = b'{"query":"mutation { anything }"}'


def b64u(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


class KeptSms:
    """A gateway that keeps what it got."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    async def send(self, op: OpRef, to: str, text: str) -> Outcome[str]:
        self.texts.append((to, text))
        return Ok(str(op.id))


@dataclass
class Room:
    """Every service of the room, wired as the bank wires them."""

    settings: Settings
    clock: StoppedClock
    vault: Vault
    sms: KeptSms
    closed: list[tuple[Any, int]]
    counters: MemoryCounters
    tokens: AccessTokens
    proofs: Proofs
    bound: BoundDevices
    revocations: Revocations
    sessions: Sessions
    refreshes: Refreshes
    callers: Callers
    challenges: Challenges
    step_ups: StepUps
    mpins: Mpins
    biometrics: Biometrics
    factor_changes: FactorChanges
    customer_factors: CustomerFactors
    passkeys: Passkeys
    totps: Totps
    recovery: RecoveryCodes
    logins: Logins
    enrolments: Enrolments
    vouching: Vouching
    devices: Devices
    device_changes: DeviceChanges
    moves: DeviceMoves
    customers: Customers
    outbox: Outbox
    ring: SigningRing

    async def deliver(self) -> None:
        """Send what is due, as the worker does."""
        await send_due_sms(clock=self.clock, vault=self.vault, sms=self.sms)

    def last_code(self) -> str:
        """Read the newest code that arrived by SMS."""
        found = [re.search(r"\b(\d{6})\b", text) for _, text in self.sms.texts]
        return next(match[1] for match in reversed(found) if match)


@dataclass
class Person:
    """A customer with a printed activation code."""

    id: CustomerId
    number: str
    phone: str
    code: str


async def a_customer(
    room: Room, *, number: str = "100000001", phone: str = PHONE, name: str = "Asha Rao"
) -> Person:
    new = NewCustomer(name=name, phone=phone, number=number)
    added = await room.customers.add(STAFF, new)
    code = await room.customers.code(STAFF, number)
    return Person(added.id, added.number, phone, code)


def origin(address: str = "203.0.113.7") -> Origin:
    return Origin(request_id=os.urandom(8).hex(), address=address)


@dataclass
class Phone:
    """A phone: a device key, a PIN secret, and the bytes of the design."""

    room: Room
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    secret: bytes = field(default_factory=lambda: os.urandom(32))
    device: Device | None = None
    token: str | None = None
    address: str = "203.0.113.7"
    platform: Platform = Platform.ANDROID

    @property
    def jwk(self) -> dict[str, str]:
        numbers = self.key.public_key().public_numbers()
        x, y = (n.to_bytes(32, "big") for n in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": b64u(x), "y": b64u(y)}

    @property
    def jkt(self) -> str:
        text = json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
        return b64u(hashlib.sha256(text.encode()).digest())

    def sign(self, message: bytes) -> str:
        der = self.key.sign(message, ec.ECDSA(SHA256()))
        r, s = utils.decode_dss_signature(der)
        return b64u(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    def proof(
        self, body: bytes | None = BODY, token: str | None = None, **changed: Any
    ) -> str:
        """Make a DPoP proof; `header_*` arguments change the header."""
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk}
        claims: dict[str, Any] = {
            "htm": "POST",
            "htu": URL,
            "iat": int(self.room.clock.now().timestamp()),
            "jti": os.urandom(12).hex(),
        }
        if token is not None:
            claims["ath"] = b64u(hashlib.sha256(token.encode()).digest())
        if body is not None:
            claims["bh"] = b64u(hashlib.sha256(body).digest())
        for name, value in changed.items():
            target = header if name.startswith("header_") else claims
            target[name.removeprefix("header_")] = value
        parts = ".".join(b64u(json.dumps(part).encode()) for part in (header, claims))
        return f"{parts}.{self.sign(parts.encode())}"

    async def as_device(self) -> Actor:
        """Call without a token."""
        return await self.room.callers.http(
            origin(self.address), None, [self.proof()], BODY
        )

    async def as_login(self) -> Actor:
        """Call with the token of the last sign-in."""
        assert self.token is not None
        return await self.room.callers.http(
            origin(self.address),
            f"DPoP {self.token}",
            [self.proof(token=self.token)],
            BODY,
        )

    async def prove(self, person: Person) -> bytes:
        """Walk enrolment to its binding nonce."""
        enrolment = await self.verified(person)
        anonymous = Actor(origin=origin(self.address))
        given = Activation(customer_number=person.number, code=person.code)
        proven = await self.room.enrolments.prove(anonymous, enrolment, given)
        return proven.binding_nonce

    async def verified(self, person: Person) -> EnrolmentId:
        """Walk enrolment until the number is proven."""
        anonymous = Actor(origin=origin(self.address))
        sent = await self.room.enrolments.start(
            anonymous,
            StartRequest(
                phone=person.phone,
                platform=self.platform,
                app_version="1.0.0",
                model="Pixel 9",
            ),
        )
        await self.room.deliver()
        code = self.room.last_code()
        await self.room.enrolments.verify(anonymous, sent.enrolment, code)
        return sent.enrolment

    def bind_request(self, nonce: bytes, **changed: Any) -> BindRequest:
        message = b"sixpence/bind/v1\x00" + nonce + self.jkt.encode()
        parts: dict[str, Any] = {
            "binding_nonce": nonce,
            "name": "Asha's phone",
            "jwk": read_jwk(self.jwk),
            "signature": self.sign(message),
            "attestation": None,
        }
        return BindRequest(**(parts | changed))

    async def bind(self, nonce: bytes) -> Device:
        request = self.bind_request(nonce)
        self.device = await self.room.devices.bind(await self.as_device(), request)
        return self.device

    async def enrol(self, person: Person) -> Device:
        """Enrol, bind and set the mPIN."""
        await self.bind(await self.prove(person))
        return await self.room.mpins.set(await self.as_device(), b64u(self.secret), KDF)

    def message(self, challenge: Challenge, label: str | None = None) -> bytes:
        hashed = hashlib.sha256(challenge.payload.encode()).digest()
        name = label or f"sixpence/{challenge.purpose.value}/v1"
        return name.encode() + b"\x00" + challenge.nonce + hashed

    def answer(
        self, challenge: Challenge, secret: bytes | None = None
    ) -> tuple[str, FactorResponse]:
        """Sign a challenge and prove the PIN."""
        message = self.message(challenge)
        digest = hashlib.sha256(message).digest()
        name = str(challenge.device).encode()
        text = b"sixpence/mpin/v1" + name + digest
        proof = hmac.digest(secret or self.secret, text, hashlib.sha256)
        return self.sign(message), FactorResponse(mpin_proof=b64u(proof))

    async def login(self, secret: bytes | None = None) -> SignedIn:
        challenge = await self.room.logins.start(await self.as_device())
        signature, response = self.answer(challenge, secret)
        signed_in = await self.room.logins.finish(
            await self.as_device(), challenge.id, signature, response
        )
        self.token = signed_in.tokens.access_token
        return signed_in
