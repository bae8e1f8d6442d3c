"""Every byte string the phone signs or hashes (auth.md §2); pure."""

import base64
import binascii
import hashlib
import hmac
import json
import re

from mock_mobile_client.enums import ChallengePurpose
from mock_mobile_client.errors import NotAsIntended

INTEGER_MAX = 2**53 - 1
NONCE_BYTES = 32
B64URL = re.compile(r"[A-Za-z0-9_-]*")


def b64url(raw: bytes) -> str:
    """Encode as base64url without padding (RFC 4648 §5)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    """Decode strictly: no padding, no foreign character, no stray bits.

    Raises:
        NotAsIntended: the text is not the one canonical encoding.
    """
    if not B64URL.fullmatch(text):
        raise NotAsIntended("the bank sent a value that is not base64url")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise NotAsIntended("the bank sent a value that is not base64url") from error
    if b64url(raw) != text:
        raise NotAsIntended("the bank sent a value with stray bits in base64url")
    return raw


def sha256(raw: bytes) -> bytes:
    """SHA-256 of the bytes."""
    return hashlib.sha256(raw).digest()


def jcs(value: object) -> bytes:
    """Canonical JSON (RFC 8785) of the restricted values of auth.md §2.4.

    Raises:
        NotAsIntended: a float, an integer beyond 2^53-1, a key that is not ASCII,
            or a lone surrogate.
    """
    _require_plain(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise NotAsIntended("a lone surrogate cannot be signed") from error


def _require_plain(value: object) -> None:
    """Refuse whatever could be written in two ways."""
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise NotAsIntended("a key that is not ASCII cannot be signed")
            _require_plain(member)
    elif isinstance(value, list):
        for member in value:
            _require_plain(member)
    elif value is not None and not isinstance(value, str | int):
        raise NotAsIntended(f"a {type(value).__name__} cannot be signed")
    elif isinstance(value, int) and abs(value) > INTEGER_MAX:
        raise NotAsIntended("an integer beyond 2^53-1 cannot be signed")


def read_canonical(text: str) -> dict[str, object]:
    """Parse a payload that must already be in canonical form.

    Raises:
        NotAsIntended: not JSON, not an object, or not canonical: what is shown and
            what is hashed could then differ.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise NotAsIntended("the payload is not JSON") from error
    if not isinstance(value, dict) or jcs(value) != text.encode():
        raise NotAsIntended("the payload is not in canonical form (RFC 8785)")
    return value


def bind_message(binding_nonce: bytes, jkt: str) -> bytes:
    """B of auth.md §2.2: what a new device key signs, 92 bytes."""
    return b"sixpence/bind/v1\x00" + binding_nonce + jkt.encode()


def biometric_message(server_nonce: bytes, device_jkt: str, bio_jkt: str) -> bytes:
    """What a new biometric key signs: it names itself and its phone (auth.md §2.7)."""
    names = device_jkt.encode() + bio_jkt.encode()
    return b"sixpence/bio/v1\x00" + server_nonce + names


def challenge_message(purpose: ChallengePurpose, nonce: str, payload: str) -> bytes:
    """M of auth.md §2.3, over the text itself and never over a received hash."""
    raw_nonce = unb64url(nonce)
    if len(raw_nonce) != NONCE_BYTES:
        raise NotAsIntended("the nonce of the challenge is not 32 bytes")
    label = f"sixpence/{purpose.label}/v1".encode()
    return label + b"\x00" + raw_nonce + sha256(payload.encode())


def mpin_proof(pin_secret: bytes, device_id: str, digest: bytes) -> bytes:
    """The mPIN's answer to the challenge digest c (auth.md §2.6)."""
    message = b"sixpence/mpin/v1" + device_id.encode() + digest
    return hmac.digest(pin_secret, message, "sha256")
