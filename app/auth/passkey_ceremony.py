"""Passkey ceremonies: the one file that speaks to the library `webauthn`.

`finish_registration` and `check_assertion` close what the library leaves open (auth.md
4; WebAuthn Level 3, 7.1 and 7.2): frames of other sites, user verification, backup
flags, foreign user handles, lax base64 and keys nobody looked at. Whatever the library
raises becomes one refusal and is logged by its class alone. Counters are compared by
the caller, after the signature.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from uuid import UUID

import orjson

from app import telemetry
from app.auth import cose, signing
from app.auth.errors import InvalidCredential, PasskeyRejected
from app.settings import Settings

TIMEOUT_MS = 300_000
_BANK = "Sixpence"
_JSON_MAX = 16_384
_ID_MAX = 1_023
_FLAGS_AT = 32
_BE, _BS = 0x08, 0x10
_TRANSPORTS = ("ble", "hybrid", "internal", "nfc", "smart-card", "usb")


class CeremonyFault(Exception):
    """Something in the bytes does not fit; never leaves this file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """Who asks for passkeys.

    Args:
        id: the domain passkeys belong to.
        origins: exact origins a ceremony may have run in.
    """

    id: str
    origins: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> "RelyingParty":
        """Read it from the settings.

        Our apps follow from ANDROID_APPS and IOS_APPS: an Android app names the
        certificate that signs it as its origin, an iOS app the domain itself.
        """
        origins = settings.webauthn_origins or (settings.public_url,)
        apps = [
            f"android:apk-key-hash:{signing.b64u(app.digest)}"
            for app in settings.android_apps
        ]
        if settings.ios_apps:
            apps.append(f"https://{settings.webauthn_rp_id}")
        return cls(
            id=settings.webauthn_rp_id, origins=tuple(dict.fromkeys([*origins, *apps]))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A verified new passkey. Its attestation format is no proof of anything."""

    credential_id: bytes
    cose_key: bytes
    sign_count: int
    aaguid: UUID
    be: bool
    bs: bool
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A passkey as it was registered, and the handle of its customer."""

    credential_id: bytes
    cose_key: bytes
    be: bool
    handle: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asserted:
    """A verified assertion, in the words with which it is kept as evidence."""

    sign_count: int
    bs: bool
    authenticator_data: str
    client_data: str
    signature: str


# ------------------------------------------------------------------ what is asked


def creation_options(
    party: RelyingParty,
    challenge: bytes,
    user: tuple[bytes, str],
    exclude: Sequence[Mapping[str, object]],
) -> Mapping[str, object]:
    """Write PublicKeyCredentialCreationOptions as JSON.

    Args:
        party: who asks.
        challenge: 32 bytes of this registration.
        user: the customer's handle, and the name an authenticator shows.
        exclude: descriptors of the passkeys the customer has.
    """
    handle, name = user
    return {
        "rp": {"id": party.id, "name": _BANK},
        "user": {"id": signing.b64u(handle), "name": name, "displayName": name},
        "challenge": signing.b64u(challenge),
        "pubKeyCredParams": [
            {"type": "public-key", "alg": algorithm} for algorithm in cose.ALGORITHMS
        ],
        "timeout": TIMEOUT_MS,
        "excludeCredentials": list(exclude),
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
    }


def request_options(
    party: RelyingParty, allow: Sequence[Mapping[str, object]]
) -> Mapping[str, object]:
    """Write PublicKeyCredentialRequestOptions without their challenge (2.5)."""
    return {
        "rpId": party.id,
        "allowCredentials": list(allow),
        "userVerification": "required",
        "timeout": TIMEOUT_MS,
    }


# ------------------------------------------------------------------ what is answered


async def ready() -> None:
    """Load the library beside the event loop; the first time takes half a second."""
    if not _library.cache_info().currsize:
        await asyncio.to_thread(_library)


def finish_registration(
    party: RelyingParty, given: object, challenge: bytes
) -> Registered:
    """Verify a new passkey: PublicKeyCredential.toJSON() of a creation.

    Raises:
        PasskeyRejected: whatever does not fit.
    """
    try:
        return _registered(party, given, challenge)
    except Exception as fault:  # noqa: BLE001  -- the library leaks any type
        _tell("registration", fault)
        raise PasskeyRejected from None


def check_assertion(
    party: RelyingParty, given: object, challenge: bytes, key: KnownKey
) -> Asserted:
    """Verify an assertion: PublicKeyCredential.toJSON() of a request.

    Raises:
        InvalidCredential: whatever does not fit.
    """
    try:
        return _asserted(party, given, challenge, key)
    except Exception as fault:  # noqa: BLE001  -- the library leaks any type
        _tell("assertion", fault)
        raise InvalidCredential from None


def credential_id_of(given: object) -> bytes | None:
    """Read which passkey answers; None when that cannot be read."""
    try:
        return _named(_sized(given))[1]
    except (CeremonyFault, signing.MalformedText):
        return None


# ------------------------------------------------------------------ inside


def _registered(party: RelyingParty, given: object, challenge: bytes) -> Registered:
    whole = _sized(given)
    text, name = _named(whole)
    response = _member(whole, "response")
    client = _client_data(party, response, "webauthn.create", challenge)
    statement = _strict(response, "attestationObject")
    verified = _library().verify_registration_response(
        credential=_credential(
            text, clientDataJSON=client, attestationObject=statement
        ),
        expected_challenge=challenge,
        expected_rp_id=party.id,
        expected_origin=list(party.origins),
        require_user_verification=True,
        supported_pub_key_algs=list(cose.ALGORITHMS),
    )
    if verified.credential_id != name:
        raise CeremonyFault("the credential names another one")
    cose.require_key(verified.credential_public_key)
    be = verified.credential_device_type.value == "multi_device"
    return Registered(
        credential_id=name,
        cose_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        aaguid=UUID(verified.aaguid),
        be=be,
        bs=_backed_up(be=be, bs=verified.credential_backed_up),
        transports=_transports(response.get("transports")),
    )


def _asserted(
    party: RelyingParty, given: object, challenge: bytes, key: KnownKey
) -> Asserted:
    whole = _sized(given)
    text, name = _named(whole)
    if name != key.credential_id:
        raise CeremonyFault("another passkey")
    response = _member(whole, "response")
    _require_handle(response.get("userHandle"), key.handle)
    client = _client_data(party, response, "webauthn.get", challenge)
    data, signature = (
        _strict(response, part) for part in ("authenticatorData", "signature")
    )
    verified = _library().verify_authentication_response(
        credential=_credential(
            text, clientDataJSON=client, authenticatorData=data, signature=signature
        ),
        expected_challenge=challenge,
        expected_rp_id=party.id,
        expected_origin=list(party.origins),
        credential_public_key=key.cose_key,
        credential_current_sign_count=0,  # compared by ourselves, after the signature
        require_user_verification=True,
    )
    flags = signing.unb64u(data)[_FLAGS_AT]
    if bool(flags & _BE) is not key.be:
        raise CeremonyFault("backup eligibility changed")
    return Asserted(
        sign_count=verified.new_sign_count,
        bs=_backed_up(be=key.be, bs=bool(flags & _BS)),
        authenticator_data=data,
        client_data=client,
        signature=signature,
    )


@cache
def _library() -> ModuleType:
    """Import the library at its first use: a bank starts without it."""
    import webauthn  # noqa: PLC0415  -- half a second no start shall pay

    return webauthn


def _client_data(
    party: RelyingParty, response: Mapping[str, object], kind: str, challenge: bytes
) -> str:
    """Read clientDataJSON ourselves; gives its text as it came."""
    text = _strict(response, "clientDataJSON")
    found = json.loads(
        signing.unb64u(text).decode("utf-8"), object_pairs_hook=_once_each
    )
    expected = {"type": kind, "challenge": signing.b64u(challenge)}
    if not isinstance(found, dict):
        raise CeremonyFault("client data is no object")
    if any(found.get(name) != value for name, value in expected.items()):
        raise CeremonyFault("another ceremony")
    if found.get("origin") not in party.origins:
        raise CeremonyFault("another origin")
    if found.get("crossOrigin", False) is not False or "topOrigin" in found:
        raise CeremonyFault("inside a frame of another site")
    return text


def _once_each(pairs: Sequence[tuple[str, object]]) -> Mapping[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise CeremonyFault("a member twice")
    return found


def _sized(given: object) -> Mapping[str, object]:
    """Look at the size before anything is parsed."""
    if not isinstance(given, dict):
        raise CeremonyFault("no object")
    try:
        size = len(orjson.dumps(given))
    except (TypeError, RecursionError):
        raise CeremonyFault("not JSON") from None
    if size > _JSON_MAX:
        raise CeremonyFault("too large")
    return given


def _named(whole: Mapping[str, object]) -> tuple[str, bytes]:
    """Read the id of the credential, as text and as bytes."""
    text = whole.get("id")
    if not isinstance(text, str) or text != whole.get("rawId"):
        raise CeremonyFault("two names")
    name = signing.unb64u(text)
    if not 0 < len(name) <= _ID_MAX:
        raise CeremonyFault("a name of the wrong size")
    if whole.get("type") != "public-key":
        raise CeremonyFault("another type")
    return text, name


def _member(whole: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = whole.get(name)
    if not isinstance(found, dict):
        raise CeremonyFault("a member is missing")
    return found


def _strict(response: Mapping[str, object], name: str) -> str:
    """Read a member that is base64url without padding, and nothing laxer."""
    found = response.get(name)
    if not isinstance(found, str):
        raise CeremonyFault("a member is missing")
    signing.unb64u(found)
    return found


def _credential(name: str, **response: str) -> Mapping[str, object]:
    """Rebuild a credential from what was read, and nothing else."""
    whole = {"id": name, "rawId": name, "type": "public-key"}
    return whole | {"response": response}


def _require_handle(given: object, handle: bytes) -> None:
    if given is None:
        return
    if not isinstance(given, str) or not signing.same(signing.unb64u(given), handle):
        raise CeremonyFault("another person's handle")


def _backed_up(*, be: bool, bs: bool) -> bool:
    if bs and not be:
        raise CeremonyFault("backed up though it cannot be")
    return bs


def _transports(given: object) -> tuple[str, ...]:
    named = given if isinstance(given, list) else []
    return tuple(one for one in _TRANSPORTS if one in named)


def _tell(ceremony: str, fault: Exception) -> None:
    telemetry.log.warning(
        "passkey_refused", ceremony=ceremony, cause=type(fault).__name__
    )
