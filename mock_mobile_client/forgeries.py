"""Answers to a challenge that somebody changed on the way; every one must fail."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from mock_mobile_client.enums import ChallengePurpose, FactorKind
from mock_mobile_client.factors import Hand, respond
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import (
    b64url,
    challenge_message,
    jcs,
    read_canonical,
    sha256,
)
from mock_mobile_client.values import ChallengeValue, JsonObject

MINOR_UNITS = "minorUnits"


@dataclass(frozen=True, slots=True)
class Forgery:
    """One change of what is signed.

    Attributes:
        name: As the proof tells it.
        changed: Makes another payload of the bank's.
        purpose: What the signature claims to be for.
    """

    name: str
    changed: Callable[[JsonObject], JsonObject] = lambda payload: payload
    purpose: ChallengePurpose = ChallengePurpose.PAYMENT


def _amount(payload: JsonObject) -> JsonObject:
    """Ten times as much."""
    tenfold = str(int(payload["amount"][MINOR_UNITS]) * 10)
    return {**payload, "amount": {**payload["amount"], MINOR_UNITS: tenfold}}


def _payee(payload: JsonObject) -> JsonObject:
    """Somebody else's account at the same bank."""
    other = {"address": "50100000009009", "name": "Eve"}
    return {**payload, "payee": {**payload["payee"], **other}}


def _currency(payload: JsonObject) -> JsonObject:
    """The same number in another currency."""
    return {**payload, "amount": {**payload["amount"], "currency": "USD"}}


FORGERIES = (
    Forgery("ten times the amount", _amount),
    Forgery("another payee", _payee),
    Forgery("another currency", _currency),
    Forgery("purpose step-up", purpose=ChallengePurpose.STEP_UP),
)


async def answer(
    phone: Phone,
    challenge: ChallengeValue,
    forgery: Forgery,
    factor: FactorKind,
    key: DeviceKey | None = None,
) -> JsonObject:
    """Sign the forgery whole, with key and factor: the input of challengeRespond.

    Args:
        phone: Whose person answers.
        challenge: What the bank asked.
        forgery: What is signed instead.
        factor: The person's factor; it covers the forgery, too.
        key: Another device's key in place of this phone's.
    """
    payload = dict(read_canonical(challenge.payload))
    text = jcs(forgery.changed(payload)).decode()
    message = challenge_message(forgery.purpose, challenge.nonce, text)
    digest = sha256(message)
    options = {**(challenge.webauthn_options or {}), "challenge": b64url(digest)}
    forged = replace(challenge, webauthn_options=options)
    hand = Hand(phone.session.pin, phone.session.finger)
    signer = key or phone.handset.key
    return {
        "challengeId": challenge.id,
        "deviceSignature": b64url(signer.sign(message)),
        "response": await respond(phone.handset, factor, forged, message, hand),
    }
