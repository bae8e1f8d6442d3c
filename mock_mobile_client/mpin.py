"""Another mPIN on a phone that has one, or had one: by step-up (auth.md §2.6, §3.9)."""

import asyncio

from mock_mobile_client.enrolment import make_blob
from mock_mobile_client.enums import FactorKind, Platform
from mock_mobile_client.pin import PinBlob
from mock_mobile_client.session import Session
from mock_mobile_client.signing import b64url, unb64url


async def change(
    session: Session,
    platform: Platform,
    pin: str,
    factor: FactorKind = FactorKind.MPIN,
) -> None:
    """Give the bank a fresh secret and mask it with the new PIN.

    The former blob stays until the bank has answered. After a lost answer the same
    secret is sent again.

    Args:
        session: Who is signed in.
        platform: What kind of phone this is.
        pin: The new mPIN.
        factor: What approves it. Approved by a passkey alone, the new mPIN is young
            for a day: it signs in, and approves nothing sensitive.

    Raises:
        BadEntry: the PIN is weak.
        Refused: the approval was.
    """
    handset = session.handset
    noted, hardware = handset.state.blob_next, handset.state.hardware_key
    if noted is None:
        blob, secret = await make_blob(handset, platform, pin)
    else:
        blob = PinBlob.parse(unb64url(noted))
        key = None if hardware is None else unb64url(hardware)
        secret = await asyncio.to_thread(blob.open, pin, key)
    given = {"pinSecret": b64url(secret), "kdf": blob.kdf}
    await session.step_up("mpin_set", "mpinSet", given, factor)
    handset.keep(blob=b64url(blob.packed()), blob_next=None)
    session.pin = pin
