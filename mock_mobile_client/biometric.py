"""The biometric key as a factor: made on the phone, told to the bank (auth.md §2.7)."""

from mock_mobile_client import fingers
from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import BadEntry, NotReady
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.session import Session
from mock_mobile_client.signing import b64url, biometric_message, unb64url
from mock_mobile_client.values import JsonObject

ATTESTATION = {"none": {"reason": "software key of a mock phone"}}


def is_set(session: Session) -> bool:
    """Whether this phone holds a biometric key."""
    return session.handset.state.bio_pem is not None


async def register(session: Session, factor: FactorKind = FactorKind.MPIN) -> None:
    """Make `K_bio` behind the owner's finger and give its public key to the bank.

    The first finger of a new phone is enrolled on the way.

    Args:
        session: Who is signed in.
        factor: What approves it, where a factor exists already.

    Raises:
        FingerRefused: the finger on the sensor is not the owner's.
        Refused: ATTESTATION_REJECTED, CHALLENGE_FAILED, COOLING_PERIOD.
    """
    handset = session.handset
    if session.finger is None:
        raise BadEntry("no finger lies on the sensor")
    if not handset.state.fingers:
        fingers.add(handset, session.finger)
    fingers.touch(handset, session.finger)
    key = DeviceKey.generate()
    nonce = await _server_nonce(session)
    message = biometric_message(unb64url(nonce), handset.key.jkt, key.jkt)
    given: JsonObject = {
        "jwk": key.jwk,
        "nonce": nonce,
        "signature": b64url(key.sign(message)),
        "attestation": ATTESTATION,
    }
    await session.step_up("biometric_key_set", "biometricKeySet", given, factor)
    handset.keep(bio_pem=key.pem)


async def remove(session: Session, factor: FactorKind = FactorKind.MPIN) -> None:
    """Take the biometric key back, by step-up.

    Raises:
        Refused: NOT_ALLOWED when it is the last factor of this phone.
    """
    await session.step_up("biometric_key_remove", "biometricKeyRemove", None, factor)
    session.handset.keep(bio_pem=None)


async def _server_nonce(session: Session) -> str:
    """A value of `DPoP-Nonce` that is surely still good; asks for one if need be."""
    if session.handset.api.nonce is None:
        await session.call("devices", {})
    nonce = session.handset.api.nonce
    if nonce is None:
        raise NotReady("the bank sent no DPoP-Nonce")
    return nonce
