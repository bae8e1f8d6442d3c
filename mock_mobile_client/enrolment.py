"""Binding a phone: SMS code, activation code, device key, mPIN (auth.md §3.1)."""

import asyncio
import secrets

from mock_mobile_client.enums import Platform
from mock_mobile_client.errors import NotSeen, Refused
from mock_mobile_client.handset import Handset, Level
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.notifications import Inbox
from mock_mobile_client.people import Person
from mock_mobile_client.pin import SALT_BYTES, SECRET_BYTES, PinBlob
from mock_mobile_client.signing import b64url, bind_message, unb64url
from mock_mobile_client.values import DeviceValue, JsonObject

APP_VERSION = "1.0.0"
HARDWARE_KEY_BYTES = 32
ANSWER_S, PAUSE_S = 300.0, 1.0  # how long another phone may take, how often to ask
LOCKED = "DEVICE_LOCKED"
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
        if LOCKED not in {refused.reason, refused.code}:
            raise
    handset.keep(token=None, token_expires_at=None, refresh_token=None)
    return True


async def bind(
    handset: Handset,
    person: Person,
    inbox: Inbox,
    proof: JsonObject,
    gone: frozenset[str] = frozenset(),
    *,
    code_first: bool = False,
) -> DeviceValue:
    """Enrol by SMS and a proof of identity, and bind a fresh device key.

    The phone takes its own former place: that of its stored id, or of a phone of its
    name whose file is gone.

    Args:
        handset: The phone.
        person: Who holds it.
        inbox: Where the SMS comes.
        proof: One member of IdentityProofInput.
        gone: Names of further phones whose place it takes.
        code_first: Show the activation code before the SMS: who has used up the
            number's quota of SMS has not used up the code's.

    Raises:
        Refused: INVALID_CREDENTIAL for a wrong proof; TOO_MANY_DEVICES when three
            other phones are bound; RATE_LIMITED.
        Unreachable: no SMS came.
        NotSeen: the other phone did not answer.
    """
    await inbox.skip()
    asked: JsonObject = {
        "phone": person.phone,
        "platform": person.platform,
        "appVersion": APP_VERSION,
        "model": person.model,
    }
    if code_first:
        asked["activation"] = {"customerNumber": person.number, **proof}
    started = await handset.call("enrolment_start", {"input": asked}, Level.ANONYMOUS)
    enrolment = {"enrolmentId": started["enrolmentId"]}
    typed = {"input": {**enrolment, "otp": await inbox.otp()}}
    await handset.call("enrolment_verify_otp", typed, Level.ANONYMOUS)
    told = {**enrolment, "customerNumber": person.number, "proof": proof}
    proven = await _proven(handset, told)
    return await _bind_key(
        handset, proven["bindingNonce"], _replaced(handset, proven, gone)
    )


async def _proven(handset: Handset, told: JsonObject) -> JsonObject:
    """Prove who asks; where another phone is asked, again until it has answered."""
    loop = asyncio.get_running_loop()
    end = loop.time() + ANSWER_S
    while True:
        proven = await handset.call(
            "enrolment_prove_identity", {"input": told}, Level.ANONYMOUS
        )
        if proven["bindingNonce"] is not None:
            return proven
        if loop.time() > end:
            raise NotSeen(f"the other phone did not answer within {ANSWER_S:.0f} s")
        await asyncio.sleep(PAUSE_S)


def _replaced(handset: Handset, proven: JsonObject, gone: frozenset[str]) -> list[str]:
    """Ids of the bound phones whose place this one takes."""
    names = {name.casefold() for name in gone} | {handset.name.casefold()}
    former = handset.state.device_id
    return [
        one["id"]
        for one in proven["boundDevices"] or ()
        if one["id"] == former or one["name"].casefold() in names
    ]


async def _bind_key(handset: Handset, nonce: str, replaced: list[str]) -> DeviceValue:
    """Make the key, sign B with it, and register it."""
    key = DeviceKey.generate()
    handset.unbind()
    handset.keep(key_pem=key.pem)
    signature = key.sign(bind_message(unb64url(nonce), key.jkt))
    given: JsonObject = {
        "bindingNonce": nonce,
        "name": handset.name,
        "jwk": key.jwk,
        "signature": b64url(signature),
        "attestation": {"none": {"reason": "software key of a mock phone"}},
    }
    if replaced:
        given["replaceDeviceIds"] = replaced
    try:
        answer = await handset.call("device_bind", {"input": given}, Level.DEVICE)
    except Refused as refused:
        if refused.code != "TOO_MANY_DEVICES":
            raise
        hint = f"name one: `again {handset.name} --replace NAME`"
        text = f"{refused.message} To take the place of a phone, {hint}."
        facts, request_id = refused.facts, refused.request_id
        raise Refused(refused.code, text, facts, request_id) from refused
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
        blob, secret = await make_blob(handset, platform, pin)
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


async def make_blob(
    handset: Handset, platform: Platform, pin: str
) -> tuple[PinBlob, bytes]:
    """Mask a fresh secret and note the blob, before anything is sent.

    The key store's HMAC key stays: the blob of before is opened until the bank has
    taken the new secret.
    """
    hardware = None
    if handset.state.hardware_key is not None:
        hardware = unb64url(handset.state.hardware_key)
    elif platform is Platform.ANDROID:
        hardware = secrets.token_bytes(HARDWARE_KEY_BYTES)
    secret, salt = secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(SALT_BYTES)
    rounds = handset.setting.iterations
    blob = await asyncio.to_thread(PinBlob.seal, pin, secret, salt, rounds, hardware)
    handset.keep(
        blob_next=b64url(blob.packed()),
        hardware_key=None if hardware is None else b64url(hardware),
    )
    return blob, secret
