"""What it costs to recognise a caller: token and DPoP proof, without the network.

Measured in this process on the bank's own `Callers`, as processor time: every request
carries a proof of its own, as the replay store demands.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from app import settings as app_settings
from app import upgrade
from app.auth import signing
from app.auth.actor import Origin
from app.auth.keys import read_jwk
from app.auth.tokens import AccessTokens, Claims
from app.bank import Bank, open_bank
from app.ids import CustomerId, DeviceId, SessionId
from mock_mobile_client.dpop import Covered, make_proof
from mock_mobile_client.keys import DeviceKey, thumbprint

ORIGIN = Origin(request_id="bench", address="127.0.0.1")
BODY = b'{"query":"{me{id}}","variables":{}}'
PHONES = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """What one request shows: its token and a proof that is good once."""

    token: str
    proof: str


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor microseconds per request, in one turn.

    Args:
        first: the first request of each phone: nothing of it is kept yet.
        whole: later requests: token and header from the caches, proof verified.
        token: the token alone, from the cache.
        curve: nothing but verifying the proof's signature.
    """

    first: float
    whole: float
    token: float
    curve: float

    @property
    def proof(self) -> float:
        """What the proof adds."""
        return self.whole - self.token


async def costs(folder: Path, turns: int, requests: int) -> Sequence[Cost]:
    """Measure so many turns of so many requests on an empty bank."""
    file = folder / "verifying.db"
    chosen = app_settings.load(env="test", database_url=f"sqlite://{file}")
    await upgrade.migrate(chosen)
    async with open_bank(chosen) as bank:
        return [await _turn(bank, requests) for _ in range(turns)]


async def _turn(bank: Bank, requests: int) -> Cost:
    """Let new phones come once, then again and again; then look at tokens alone."""
    tokens = AccessTokens(clock=bank.clock, settings=bank.settings, ring=bank.ring)
    phones = [_phone(bank, tokens) for _ in range(PHONES)]
    first = [_sent(bank, key, token) for key, token in phones]
    later = [_sent(bank, *phones[turn % PHONES]) for turn in range(requests)]
    for _, token in phones:
        tokens.verify(token)
    return Cost(
        first=await _recognised(bank, first),
        whole=await _recognised(bank, later),
        token=_verified(tokens, later),
        curve=_signatures(later),
    )


def _phone(bank: Bank, tokens: AccessTokens) -> tuple[DeviceKey, str]:
    """Make a key, and a token bound to it."""
    key, now = DeviceKey.generate(), bank.clock.now()
    token = tokens.sign(
        Claims(
            customer=CustomerId.new(),
            session=SessionId.new(),
            device=DeviceId.new(),
            jkt=thumbprint(key.jwk["x"], key.jwk["y"]),
            signed_in_at=now,
            expires_at=now + timedelta(minutes=5),
            factor="mpin",
        )
    )
    return key, token


def _sent(bank: Bank, key: DeviceKey, token: str) -> Sent:
    url = f"{bank.settings.public_url}/graphql"
    covered = Covered("POST", url, BODY, token, bank.callers.nonce())
    return Sent(token, make_proof(key, covered, bank.clock.now().timestamp()))


async def _recognised(bank: Bank, sent: Sequence[Sent]) -> float:
    began = time.process_time_ns()
    for one in sent:
        await bank.callers.http(ORIGIN, f"DPoP {one.token}", [one.proof], BODY)
    return _each(began, len(sent))


def _verified(tokens: AccessTokens, sent: Sequence[Sent]) -> float:
    began = time.process_time_ns()
    for one in sent:
        tokens.verify(one.token)
    return _each(began, len(sent))


def _signatures(sent: Sequence[Sent]) -> float:
    parts = [one.proof.rsplit(".", 1) for one in sent]
    made = [(text.encode(), signing.unb64u(signature)) for text, signature in parts]
    keys = {text.split(b".")[0]: _key(text) for text, _ in made}
    asked = [(keys[text.split(b".")[0]], mark, text) for text, mark in made]
    began = time.process_time_ns()
    for key, mark, text in asked:
        signing.is_signed(key, mark, text)
    return _each(began, len(sent))


def _key(text: bytes) -> EllipticCurvePublicKey:
    header = orjson.loads(signing.unb64u(text.split(b".")[0].decode()))
    return read_jwk(header["jwk"]).public


def _each(began: int, count: int) -> float:
    return (time.process_time_ns() - began) / 1000 / count
