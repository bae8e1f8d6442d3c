"""Binding a phone: SMS code, activation code, device key, mPIN (auth.md §3.1)."""

import asyncio
import secrets

from mock_mobile_client.enums import Platform
from mock_mobile_client.errors import Refused
from mock_mobile_client.handset import Handset, Level
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.notifications import Inbox
from mock_mobile_client.people import Person
from mock_mobile_client.pin import SALT_BYTES, SECRET_BYTES, PinBlob
from mock_mobile_client.signing import b64url, bind_message, unb64url
from mock_mobile_client.values import DeviceValue

APP_VERSION = "1.0.0"
HARDWARE_KEY_BYTES = 32
UNKNOWN_PHONE = frozenset({"DEVICE_UNKNOWN"})


async def is_bound(handset: Handset) -> bool:
    """Ask the bank whether it still knows this phone's key.

    Asks by signing out: a DEVICE call that needs no person and takes no try.
    """
    if handset.state.key_pem is None or handset.state.device_id is None:
        return False
    try:
        await handset.call("logout", {}, Level.DEVICE)
    except Refused as refused:
        if refused.reason in UNKNOWN_PHONE or refused.code == "DEVICE_BLOCKED":
            return False
        raise
    handset.keep(token=None, token_expires_at=None, refresh_token=None)
    return True


async def bind(
    handset: Handset, person: Person, inbox: Inbox, code: str
) -> DeviceValue:
    """Enrol by SMS and activation code, and bind a fresh device key.

    Raises:
        Refused: INVALID_CREDENTIAL for a wrong code; TOO_MANY_DEVICES when three
            phones are bound already.
        Unreachable: no SMS came.
    """
    await inbox.skip()
    started = await handset.call(
        "enrolment_start",
        {
            "input": {
                "phone": person.phone,
                "platform": person.platform,
                "appVersion": APP_VERSION,
                "model": person.model,
            }
        },
        Level.ANONYMOUS,
    )
    enrolment = {"enrolmentId": started["enrolmentId"]}
    typed = {"input": {**enrolment, "otp": await inbox.otp()}}
    await handset.call("enrolment_verify_otp", typed, Level.ANONYMOUS)
    proof = {"customerNumber": person.number, "proof": {"activationCode": code}}
    proven = await handset.call(
        "enrolment_prove_identity", {"input": {**enrolment, **proof}}, Level.ANONYMOUS
    )
    return await _bind_key(handset, proven["bindingNonce"])


async def _bind_key(handset: Handset, nonce: str) -> DeviceValue:
    """Make the key, sign B with it, and register it."""
    key = DeviceKey.generate()
    handset.keep(
        key_pem=key.pem,
        device_id=None,
        blob=None,
        blob_next=None,
        hardware_key=None,
        token=None,
        token_expires_at=None,
        refresh_token=None,
        cursor=None,
        shown={},
        unanswered=(),
    )
    signature = key.sign(bind_message(unb64url(nonce), key.jkt))
    given = {
        "bindingNonce": nonce,
        "name": handset.name,
        "jwk": key.jwk,
        "signature": b64url(signature),
        "attestation": {"none": {"reason": "software key of a mock phone"}},
    }
    try:
        answer = await handset.call("device_bind", {"input": given}, Level.DEVICE)
    except Refused as refused:
        if refused.code != "TOO_MANY_DEVICES":
            raise
        raise Refused(
            refused.code,
            f"{refused.message} The bank still holds phones whose files are gone "
            "here: run `make clean`, then `make run`, and try again.",
            refused.facts,
            refused.request_id,
        ) from refused
    device = DeviceValue.read(answer["device"])
    handset.keep(device_id=device.id)
    return device


async def set_mpin(handset: Handset, platform: Platform, pin: str) -> None:
    """Choose the first mPIN: the secret goes to the bank once, the PIN never.

    After a lost answer the same secret is sent again; FORBIDDEN then says that the
    first send had arrived.

    Raises:
        BadEntry: the PIN is weak.
        Refused: FORBIDDEN when a factor exists already and nobody is signed in.
    """
    noted = handset.state.blob_next
    if noted is None:
        blob, secret = await _make_blob(handset, platform, pin)
    else:
        blob = PinBlob.parse(unb64url(noted))
        hardware = handset.state.hardware_key
        key = None if hardware is None else unb64url(hardware)
        secret = await asyncio.to_thread(blob.open, pin, key)
    given = {"input": {"pinSecret": b64url(secret), "kdf": blob.kdf}}
    try:
        await handset.call("mpin_set", given, Level.DEVICE)
    except Refused as refused:
        if noted is None or refused.code != "FORBIDDEN":
            raise
    handset.keep(blob=b64url(blob.packed()), blob_next=None)


async def _make_blob(
    handset: Handset, platform: Platform, pin: str
) -> tuple[PinBlob, bytes]:
    """Mask a fresh secret and note the blob, before anything is sent."""
    holds_keys = platform is Platform.ANDROID
    hardware = secrets.token_bytes(HARDWARE_KEY_BYTES) if holds_keys else None
    secret, salt = secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(SALT_BYTES)
    rounds = handset.setting.iterations
    blob = await asyncio.to_thread(PinBlob.seal, pin, secret, salt, rounds, hardware)
    handset.keep(
        blob_next=b64url(blob.packed()),
        hardware_key=None if hardware is None else b64url(hardware),
    )
    return blob, secret
