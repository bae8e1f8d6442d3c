"""What proves the person beside the device key: mPIN or passkey (auth.md §2.5)."""

import asyncio

from mock_mobile_client.authenticator import Authenticator, origin_of
from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import BadEntry, NotAsIntended, NotReady
from mock_mobile_client.handset import Handset
from mock_mobile_client.pin import PinBlob
from mock_mobile_client.signing import b64url, mpin_proof, unb64url
from mock_mobile_client.values import ChallengeValue, JsonObject


def require_held(handset: Handset, factor: FactorKind) -> None:
    """Refuse a factor this phone cannot show, before anything is sent.

    Raises:
        BadEntry: the phone has no such factor.
    """
    passkey = factor is FactorKind.WEBAUTHN and bool(handset.state.passkeys)
    if factor is not FactorKind.MPIN and not passkey:
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
    digest: bytes,
    pin: str | None,
) -> JsonObject:
    """The FactorResponse over a digest the phone built from the payload it shows.

    Raises:
        BadEntry: no PIN was typed, or the phone has no such factor.
        NotReady: the phone has no mPIN, or no passkey may answer.
        NotAsIntended: the passkey was to sign another digest.
        PasskeyRefused: no passkey of this phone fits.
    """
    if factor is FactorKind.WEBAUTHN:
        return {"webauthn": _assertion(handset, challenge, digest)}
    if factor is not FactorKind.MPIN:
        raise BadEntry(f"this phone has no {factor}; it has MPIN and WEBAUTHN")
    secret = await _secret(handset, pin)
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
