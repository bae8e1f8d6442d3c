"""`K_bio` in the phone's key store: a finger for each use (auth.md §2.7).

The sensor of the phone knows the fingers that its owner enrolled. The key store opens
the key to one of them, for one signature, and destroys it when a finger is added: a
stranger who knows the screen-lock code adds his own finger and finds no key.
"""

from mock_mobile_client.errors import BadEntry, FingerRefused, NotReady
from mock_mobile_client.handset import Handset
from mock_mobile_client.keys import DeviceKey


def add(handset: Handset, finger: str) -> bool:
    """Enrol a finger in the phone's settings; True where that destroyed the key."""
    if finger in handset.state.fingers:
        return False
    destroyed = handset.state.bio_pem is not None
    handset.keep(fingers=(*handset.state.fingers, finger), bio_pem=None)
    return destroyed


def touch(handset: Handset, finger: str | None) -> None:
    """Lay a finger on the sensor.

    Raises:
        BadEntry: nobody did.
        FingerRefused: the sensor does not know this one.
    """
    if finger is None:
        raise BadEntry("no finger lies on the sensor")
    if finger not in handset.state.fingers:
        raise FingerRefused(f"the sensor of {handset.name} does not know this finger")


def open_key(handset: Handset, finger: str | None) -> DeviceKey:
    """Open the biometric key for one signature.

    Raises:
        NotReady: there is none, or an added finger destroyed it.
        BadEntry, FingerRefused: as `touch`.
    """
    touch(handset, finger)
    if handset.state.bio_pem is None:
        raise NotReady(
            f"{handset.name} has no biometric key; an added finger destroys it: set it"
        )
    return DeviceKey.from_pem(handset.state.bio_pem)
