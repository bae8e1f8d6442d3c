"""What proves the person beside the device key: PIN, passkey, finger (auth.md §2.5)."""

import asyncio
from dataclasses import dataclass, field

from mock_mobile_client import fingers
from mock_mobile_client.authenticator import Authenticator, origin_of
from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import BadEntry, NotAsIntended, NotReady
from mock_mobile_client.handset import Handset
from mock_mobile_client.pin import PinBlob
from mock_mobile_client.signing import b64url, mpin_proof, sha256, unb64url
from mock_mobile_client.values import ChallengeValue, JsonObject


@dataclass(frozen=True, slots=True)
class Hand:
    """What the person does when the phone asks.

    Attributes:
        pin: What is typed; None while nobody types.
        finger: What lies on the sensor; None while nothing does.
    """

    pin: str | None = field(default=None, repr=False)
    finger: str | None = None


def require_held(handset: Handset, factor: FactorKind) -> None:
    """Refuse a factor this phone cannot show, before anything is sent.

    Raises:
        BadEntry: the phone has no such factor.
    """
    state = handset.state
    held = {
        FactorKind.MPIN: True,
        FactorKind.WEBAUTHN: bool(state.passkeys),
        FactorKind.BIOMETRIC: state.bio_pem is not None,
    }
    if not held.get(factor, False):
        raise BadEntry(f"this phone has no {factor}; it has an mPIN")


def authenticator_of(handset: Handset) -> Authenticator:
    """The phone's own authenticator; it stores what it holds with the phone."""
    return Authenticator(
        handset.state.passkeys, lambda passkeys: handset.keep(passkeys=passkeys)
    )


async def respond(
    handset: Handset,
    factor: FactorKind,
    challenge: ChallengeValue,
    message: bytes,
    hand: Hand,
) -> JsonObject:
    """The FactorResponse over a message the phone built from the payload it shows.

    Raises:
        BadEntry: no PIN was typed, no finger was laid, or there is no such factor.
        NotReady: the phone has no mPIN or biometric key, or no passkey may answer.
        NotAsIntended: the passkey was to sign another digest.
        PasskeyRefused: no passkey of this phone fits.
        FingerRefused: the finger is not the owner's.
    """
    digest = sha256(message)
    if factor is FactorKind.WEBAUTHN:
        return {"webauthn": _assertion(handset, challenge, digest)}
    if factor is FactorKind.BIOMETRIC:
        key = fingers.open_key(handset, hand.finger)
        return {"deviceSignature": b64url(key.sign(message))}
    if factor is not FactorKind.MPIN:
        raise BadEntry(f"{factor} answers no challenge of a phone")
    secret = await _secret(handset, hand.pin)
    return {"mpinProof": b64url(mpin_proof(secret, handset.device_id, digest))}


def _assertion(
    handset: Handset, challenge: ChallengeValue, digest: bytes
) -> JsonObject:
    """Sign with a passkey, if the challenge it is given is the phone's own digest."""
    options = challenge.webauthn_options
    if options is None:
        raise NotReady("the bank sent no options for a passkey")
    if options.get("challenge") != b64url(digest):
        raise NotAsIntended("the passkey was to sign something else than the payload")
    return authenticator_of(handset).get(options, origin_of(handset.bank))


async def _secret(handset: Handset, pin: str | None) -> bytes:
    """Unmask the pinSecret; a wrong PIN gives a wrong secret."""
    state = handset.state
    if pin is None:
        raise BadEntry("no mPIN was typed")
    if state.blob is None:
        raise NotReady(f"{handset.name} has no mPIN: enrol it first")
    blob = PinBlob.parse(unb64url(state.blob))
    hardware = state.hardware_key
    key = None if hardware is None else unb64url(hardware)
    return await asyncio.to_thread(blob.open, pin, key)
