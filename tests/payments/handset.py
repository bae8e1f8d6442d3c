"""A phone of the payments' tests: it signs what it is shown, rightly or wrongly."""

import secrets
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric import ec

from app.auth import signing
from app.auth.actor import Actor
from app.auth.challenge import Challenge, FactorResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A bound phone whose customer is signed in."""

    actor: Actor
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    secret: bytes = field(repr=False)

    def answer(self, challenge: Challenge) -> tuple[str, FactorResponse]:
        """Sign what the bank stores, and prove the person."""
        return self.answer_to(challenge.message)

    def answer_to(self, message: bytes) -> tuple[str, FactorResponse]:
        """Sign any bytes, as a phone that was shown something else would."""
        signature = signing.b64u(signing.sign(self.key, message))
        digest = signing.sha256(message)
        proof = signing.mpin_proof(self.secret, str(self.actor.device), digest)
        return signature, FactorResponse(mpin_proof=signing.b64u(proof))

    def with_wrong_pin(self, challenge: Challenge) -> tuple[str, FactorResponse]:
        """Sign rightly, and type another PIN."""
        stranger = replace(self, secret=secrets.token_bytes(32))
        proof = stranger.answer(challenge)[1]
        return self.answer(challenge)[0], proof
