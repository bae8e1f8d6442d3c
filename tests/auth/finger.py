"""A phone that also holds a key only its owner's finger opens."""

from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from app.auth.actor import Actor
from app.auth.biometric import KeyRequest
from app.auth.challenge import Challenge, FactorResponse
from app.auth.device import Device
from app.auth.errors import StepUpRequired
from app.auth.keys import read_jwk
from app.auth.login import SignedIn
from tests.auth.room import Person, Phone, Room, b64u


@dataclass
class Finger:
    """A phone and the second key in it."""

    phone: Phone
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def room(self) -> Room:
        return self.phone.room

    @property
    def as_phone(self) -> Phone:
        """Give a phone whose device key is this one: it makes JWK and signatures."""
        return replace(self.phone, key=self.key)

    @property
    def jwk(self) -> dict[str, str]:
        return self.as_phone.jwk

    @property
    def jkt(self) -> str:
        return self.as_phone.jkt

    def sign(self, message: bytes) -> str:
        der = self.key.sign(message, ec.ECDSA(SHA256()))
        r, s = utils.decode_dss_signature(der)
        return b64u(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    def request(self, **changed: Any) -> KeyRequest:
        """Write down what the phone sends; `device_jkt` changes what is signed."""
        nonce = changed.pop("nonce", self.room.proofs.nonce())
        vouched = changed.pop("device_jkt", self.phone.jkt)
        label = changed.pop("label", b"sixpence/bio/v1")
        raw = self.nonce_bytes(nonce)
        message = label + b"\0" + raw + vouched.encode() + self.jkt.encode()
        parts: dict[str, Any] = {
            "jwk": read_jwk(self.jwk),
            "nonce": nonce,
            "signature": self.sign(message),
            "attestation": None,
            "coerced": {"jwk": self.jwk, "nonce": nonce},
        }
        return KeyRequest(**(parts | changed))

    def nonce_bytes(self, nonce: str) -> bytes:
        from app.auth.signing import MalformedText, unb64u  # noqa: PLC0415  -- strict

        try:
            return unb64u(nonce)
        except MalformedText:
            return bytes(32)

    async def set(self, actor: Actor | None = None, **changed: Any) -> Device:
        """Register the key, by default without a session, as a first factor."""
        caller = actor or await self.phone.as_device()
        return await self.room.biometrics.set(caller, self.request(**changed))

    async def set_by(self, answer: Any) -> Device:
        """Register the key in a session; `answer` approves it."""
        request = self.request()
        try:
            return await self.room.biometrics.set(await self.phone.as_login(), request)
        except StepUpRequired as required:
            challenge = required.challenge
        signature, response = answer(challenge)
        actor = await self.phone.as_login()
        await self.room.step_ups.answer(actor, challenge.id, signature, response)
        return await self.room.biometrics.set(await self.phone.as_login(), request)

    def answer(self, challenge: Challenge, **wrong: Any) -> tuple[str, FactorResponse]:
        """Sign a challenge with both keys."""
        message = self.phone.message(challenge)
        given = wrong.get("given", self.sign(wrong.get("message", message)))
        return self.phone.sign(message), FactorResponse(device_signature=given)

    async def login(self, **wrong: Any) -> SignedIn:
        """Sign in by finger."""
        challenge = await self.room.logins.start(await self.phone.as_device())
        signature, response = self.answer(challenge, **wrong)
        signed_in = await self.room.logins.finish(
            await self.phone.as_device(), challenge.id, signature, response
        )
        self.phone.token = signed_in.tokens.access_token
        return signed_in


async def a_finger(room: Room, person: Person) -> Finger:
    """Give a phone whose one factor is a biometric key."""
    phone = Phone(room)
    await phone.bind(await phone.prove(person))
    finger = Finger(phone)
    await finger.set()
    return finger
