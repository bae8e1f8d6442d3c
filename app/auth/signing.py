"""Every byte string that is signed or MACed, as pure functions (auth.md section 2).

Labels hold `/v1` and a NUL, and a JWS starts with `eyJ`, so no message of one kind can
be read as another. Our own signatures are ECDSA P-256 with SHA-256 as raw `r || s`.
"""

import hashlib
import hmac
import json
import unicodedata
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

NONCE_BYTES = 32
SECRET_BYTES = 32
SIGNATURE_BYTES = 64
_SAFE_INTEGER_MAX = 2**53 - 1
_ES256 = ec.ECDSA(SHA256())
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


class MalformedText(ValueError):
    """A text is not base64url, or a value cannot stand in canonical JSON."""


class Purpose(StrEnum):
    """What a challenge is for; the name inside the signed bytes."""

    LOGIN = "login"
    PAYMENT = "payment"
    STEP_UP = "step-up"
    LOGIN_APPROVAL = "login-approval"


# ------------------------------------------------------------------ texts


def b64u(value: bytes) -> str:
    """Write bytes as base64url without padding (RFC 4648 section 5)."""
    return b2a_base64(value, newline=False).translate(_TO_URL).rstrip(b"=").decode()


def unb64u(text: str, length: int | None = None) -> bytes:
    """Read base64url strictly: no padding, no other letters, no loose last bits.

    Args:
        text: what was sent.
        length: bytes that must come out.

    Raises:
        MalformedText: anything else.
    """
    try:
        padded = f"{text}{'=' * (-len(text) % 4)}".encode("ascii")
        value = a2b_base64(padded.translate(_FROM_URL))
    except ValueError:
        raise MalformedText("not base64url") from None
    if b64u(value) != text or length not in {None, len(value)}:
        raise MalformedText("not base64url of the right length")
    return value


def jcs(value: object) -> str:
    """Write canonical JSON (RFC 8785) of the values a payload may hold.

    Objects with ASCII keys, arrays, well-formed strings (stored as NFC), booleans, null
    and integers within 2^53: within these limits sorted compact JSON is the same text.

    Raises:
        MalformedText: a float, a lone surrogate, another key or another type.
    """
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= _SAFE_INTEGER_MAX:
        return value
    if isinstance(value, str):
        return _well_formed(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(found) for key, found in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(found) for found in value]
    raise MalformedText(f"{type(value).__name__} cannot be signed")


def _well_formed(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise MalformedText("a lone surrogate cannot be signed") from None
    return unicodedata.normalize("NFC", text)


def _key(key: Any) -> str:  # noqa: ANN401  -- whatever a caller put there
    if not isinstance(key, str) or not key.isascii():
        raise MalformedText("a key that is not ASCII cannot be signed")
    return key


# ------------------------------------------------------------------ digests


def sha256(value: bytes) -> bytes:
    """Hash bytes with SHA-256."""
    return hashlib.sha256(value).digest()


def same(one: bytes, other: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one, other)


def binding_message(nonce: bytes, jkt: str) -> bytes:
    """Give `B`, which a new device key signs to be bound (2.2)."""
    return b"sixpence/bind/v1\0" + nonce + jkt.encode()


def attestation_challenge(nonce: bytes) -> bytes:
    """Give `A`, the challenge an Android key has to be made with (2.2)."""
    return sha256(b"sixpence/attest/v1\0" + nonce)


def biometric_message(nonce: bytes, device_jkt: str, key_jkt: str) -> bytes:
    """Give what a new biometric key signs to be registered (2.7).

    Args:
        nonce: 32 bytes of a current `DPoP-Nonce`.
        device_jkt: thumbprint of the device key, which vouches by the request's proof.
        key_jkt: thumbprint of the new key itself.
    """
    return b"sixpence/bio/v1\0" + nonce + device_jkt.encode() + key_jkt.encode()


def challenge_message(purpose: Purpose, nonce: bytes, payload: str) -> bytes:
    """Give `M` of a challenge: what the device key signs (2.3).

    Args:
        purpose: what the challenge is for.
        nonce: its 32 bytes.
        payload: the canonical JSON text as stored; hashed here, never taken as a hash.
    """
    label = f"sixpence/{purpose.value}/v1".encode()
    return label + b"\0" + nonce + sha256(payload.encode())


def mpin_proof(pin_secret: bytes, device: str, digest: bytes) -> bytes:
    """Give the proof a phone makes with the secret its PIN unmasks (2.6).

    Args:
        pin_secret: 32 bytes that only the right PIN yields on the phone.
        device: outside form of the device id.
        digest: `c`, SHA-256 of `M`.
    """
    message = b"sixpence/mpin/v1" + device.encode() + digest
    return hmac.digest(pin_secret, message, hashlib.sha256)


def intent_hash(operation: str, coerced: Mapping[str, object]) -> bytes:
    """Name one call of a step-up field with one input (3.9)."""
    return sha256(jcs({"operation": operation, "input": coerced}).encode())


def answer_hash(response: Mapping[str, object], device_signature: str) -> bytes:
    """Name one answer to a challenge, byte for byte (3.3)."""
    whole = {"response": response, "deviceSignature": device_signature}
    return sha256(jcs(whole).encode())


# ------------------------------------------------------------------ peppered messages


def refresh_message(seed: bytes, session: str, generation: int) -> bytes:
    """Give what the MAC of a refresh token covers (2.10)."""
    tail = f"|{session}|{generation}".encode()
    return b"sixpence/refresh/v1\0" + seed + tail


def otp_message(enrolment: str, code: str) -> bytes:
    """Give what the stored MAC of a one-time code covers (2.11)."""
    return b"sixpence/otp/v1\0" + f"{enrolment}|{code}".encode()


def recovery_message(customer: str, code: str) -> bytes:
    """Give what the stored MAC of a recovery code covers (2.11)."""
    return b"sixpence/recovery/v1\0" + f"{customer}|{code}".encode()


def server_nonce_message(window: int) -> bytes:
    """Give what the DPoP nonce of one 120-second window is made of (2.8)."""
    return b"sixpence/nonce/v1\0" + window.to_bytes(8, "big")


def decoy_message(kind: str, milliseconds: int, jkt: str) -> bytes:
    """Give what a part of a decoy (`decoy`, `decoy-nonce`) is made of (3.3)."""
    label = f"sixpence/{kind}/v1".encode()
    return label + b"\0" + milliseconds.to_bytes(8, "big") + jkt.encode()


# ------------------------------------------------------------------ signatures


def is_signed(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """Tell whether 64 raw bytes `r || s` are the key's signature over the message."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    half = SIGNATURE_BYTES // 2
    r, s = (
        int.from_bytes(part, "big") for part in (signature[:half], signature[half:])
    )
    try:
        key.verify(utils.encode_dss_signature(r, s), message, _ES256)
    except InvalidSignature:
        return False
    return True


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Sign with one of our own keys; gives 64 raw bytes `r || s`."""
    r, s = utils.decode_dss_signature(key.sign(message, _ES256))
    half = SIGNATURE_BYTES // 2
    return r.to_bytes(half, "big") + s.to_bytes(half, "big")
