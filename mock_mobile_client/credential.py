"""The bytes and JSON forms of a passkey's answers (WebAuthn Level 3); pure."""

from enum import IntFlag

import cbor2
import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mock_mobile_client.keys import COORDINATE_BYTES, DeviceKey
from mock_mobile_client.signing import b64url, sha256, unb64url
from mock_mobile_client.store import StoredPasskey
from mock_mobile_client.values import JsonObject

ES256 = -7
PUBLIC_KEY = "public-key"
AAGUID = bytes(16)  # no model is named, as with attestation `none`
COUNTER_BYTES = 4
TRANSPORTS = ("hybrid", "internal")


class Flag(IntFlag):
    """Bits of the flags byte (WebAuthn §6.1)."""

    PRESENT = 0x01
    VERIFIED = 0x04
    BACKUP_ELIGIBLE = 0x08
    BACKED_UP = 0x10
    ATTESTED_DATA = 0x40


def registration(
    made: StoredPasskey, key: DeviceKey, client_data: bytes, person: Flag
) -> JsonObject:
    """RegistrationResponseJSON of a new passkey (§5.1.8)."""
    point = key.private.public_key().public_numbers()
    x = point.x.to_bytes(COORDINATE_BYTES, "big")
    y = point.y.to_bytes(COORDINATE_BYTES, "big")
    # kty EC2, alg ES256, crv P-256 (RFC 9053 §7.1)
    cose = cbor2.dumps({1: 2, 3: ES256, -1: 1, -2: x, -3: y}, canonical=True)
    raw_id = unb64url(made.id)
    attested = AAGUID + len(raw_id).to_bytes(2, "big") + raw_id + cose
    data = _authenticator_data(made, person, attested)
    statement = {"fmt": "none", "attStmt": {}, "authData": data}
    spki = key.private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return _credential(
        made,
        {
            "clientDataJSON": b64url(client_data),
            "attestationObject": b64url(cbor2.dumps(statement, canonical=True)),
            "authenticatorData": b64url(data),
            "publicKey": b64url(spki),
            "publicKeyAlgorithm": ES256,
            "transports": list(TRANSPORTS),
        },
    )


def assertion(used: StoredPasskey, client_data: bytes, person: Flag) -> JsonObject:
    """AuthenticationResponseJSON (§5.1.9); the signature is DER (§6.5.5)."""
    data = _authenticator_data(used, person)
    private = DeviceKey.from_pem(used.key_pem).private
    signed = private.sign(data + sha256(client_data), ec.ECDSA(hashes.SHA256()))
    return _credential(
        used,
        {
            "clientDataJSON": b64url(client_data),
            "authenticatorData": b64url(data),
            "signature": b64url(signed),
            "userHandle": used.user_handle,
        },
    )


def _credential(passkey: StoredPasskey, response: JsonObject) -> JsonObject:
    """What both JSON forms share."""
    return {
        "id": passkey.id,
        "rawId": passkey.id,
        "type": PUBLIC_KEY,
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
        "response": response,
    }


def _authenticator_data(
    passkey: StoredPasskey, person: Flag, attested: bytes = b""
) -> bytes:
    """Lay out authenticator data (§6.1): hash of rpId, flags, counter, key."""
    flags = person
    flags |= Flag.BACKUP_ELIGIBLE if passkey.eligible else Flag(0)
    flags |= Flag.BACKED_UP if passkey.backed_up else Flag(0)
    flags |= Flag.ATTESTED_DATA if attested else Flag(0)
    counter = passkey.counter.to_bytes(COUNTER_BYTES, "big")
    return sha256(passkey.rp_id.encode()) + bytes([flags]) + counter + attested


def client_data(kind: str, challenge: str, origin: str) -> bytes:
    """Serialise clientDataJSON; the order of the members is fixed (§5.8.1.1)."""
    return orjson.dumps(
        {
            "type": f"webauthn.{kind}",
            "challenge": challenge,
            "origin": origin,
            "crossOrigin": False,
        }
    )
