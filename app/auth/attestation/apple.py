"""App Attest: Apple says that a key lives in an iPhone and belongs to our app.

The order and the values are those of Apple's "Validating apps that connect to your
server"; what is stricter here stands in auth.md 5.2. The attested key cannot sign what
a phone wants to sign, so it vouches for the device key, whose name is inside the hash.
"""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.auth import signing
from app.auth.actor import AttestationGrade
from app.auth.attestation import Attested, Fault, Rejected, Summary, roots
from app.auth.keys import jwk_of
from app.clock import Clock

STATEMENT_BYTES_MAX = 32_768
_CHAIN = 2
_NONCE = x509.ObjectIdentifier("1.2.840.113635.100.8.2")
_NONCE_HEAD = bytes.fromhex("3024a1220420")
_PRODUCTION = b"appattest" + bytes(7)
_DEVELOPMENT = b"appattestdevelop"
_FLAGS_AT, _COUNTER_AT, _AAGUID_AT, _LENGTH_AT, _ID_AT = 32, 33, 37, 53, 55
_HASH_BYTES = 32
_ATTESTED, _EXTENDED = 0x40, 0x80
_KEY_AT = _ID_AT + _HASH_BYTES
_DEPTH_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplePolicy:
    """What this bank takes.

    Args:
        apps: TEAM.bundle of each of our apps.
        development: whether builds that never saw the store count, then as BASIC.
        roots: certificates that end a chain.
    """

    apps: tuple[str, ...]
    development: bool
    roots: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class _Parts:
    """An attestation object, opened."""

    chain: tuple[bytes, ...]
    data: bytes


def verify(
    statement: bytes, key_id: str, client_hash: bytes, policy: ApplePolicy, clock: Clock
) -> Attested:
    """Judge an attestation object; takes milliseconds: call it in a thread.

    Args:
        statement: CBOR as iOS made it.
        key_id: the name iOS gave the key, in base64 or base64url.
        client_hash: 32 bytes the phone had to have attested.
        policy: what is taken.
        clock: both certificates must be valid now.

    Raises:
        Rejected: anything does not fit; `fault` names the check.
    """
    parts = _opened(statement)
    leaf = _leaf(parts.chain, policy, clock)
    nonce = signing.sha256(parts.data + client_hash)
    if roots.extension(leaf, _NONCE) != _NONCE_HEAD + nonce:
        raise Rejected(Fault.NONCE)
    key = roots.p256(leaf)
    _require_key(parts.data, key, key_id)
    app = _app(parts.data, policy)
    if parts.data[_COUNTER_AT:_AAGUID_AT] != bytes(4):
        raise Rejected(Fault.COUNTER)
    level = _level(parts.data, policy)
    store = level is AttestationGrade.STRONG
    summary: Summary = {"format": "apple-appattest", "app": app, "store": store}
    return Attested(level=level, summary=summary, key=jwk_of(key), counter=0)


# ------------------------------------------------------------------ inside


def _opened(statement: bytes) -> _Parts:
    found, end = _decoded(statement)
    if end != len(statement) or not isinstance(found, Mapping):
        raise Rejected(Fault.FORMAT)
    stated, data = found.get("attStmt"), found.get("authData")
    if found.get("fmt") != "apple-appattest" or not isinstance(stated, Mapping):
        raise Rejected(Fault.FORMAT)
    chain = stated.get("x5c")
    if not isinstance(chain, list) or len(chain) != _CHAIN:
        raise Rejected(Fault.CHAIN)
    if not all(isinstance(one, bytes) for one in chain):
        raise Rejected(Fault.CHAIN)
    if not isinstance(data, bytes) or len(data) < _KEY_AT:
        raise Rejected(Fault.FORMAT)
    return _Parts(tuple(chain), data)


def _leaf(
    chain: tuple[bytes, ...], policy: ApplePolicy, clock: Clock
) -> x509.Certificate:
    certificates = roots.load(chain)
    roots.require_signatures(certificates)
    below = roots.anchored(certificates, policy.roots)
    if len(below) != _CHAIN:  # the root itself stood in the place of the intermediate
        raise Rejected(Fault.ROOT)
    if not roots.in_time(below, clock.now()):
        raise Rejected(Fault.DATES)
    return certificates[0]


def _require_key(data: bytes, key: ec.EllipticCurvePublicKey, key_id: str) -> None:
    """Demand that certificate, name, credential and COSE key are of one key."""
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    name = signing.sha256(point)
    if key_id not in {signing.b64u(name), base64.b64encode(name).decode()}:
        raise Rejected(Fault.KEY)
    length = _HASH_BYTES.to_bytes(2, "big")
    if data[_LENGTH_AT:_KEY_AT] != length + name:
        raise Rejected(Fault.KEY)
    cose = _cose(point)
    if not data.startswith(cose, _KEY_AT):
        raise Rejected(Fault.KEY)
    flags, tail = data[_FLAGS_AT], data[_KEY_AT + len(cose) :]
    if not flags & _ATTESTED or (flags & _EXTENDED and not tail):
        raise Rejected(Fault.FORMAT)
    if tail:
        _require_one_map(tail)


def _cose(point: bytes) -> bytes:
    """Write an ES256 key as CTAP2 does: one form, so comparing bytes is enough."""
    x, y = point[1:33], point[33:]
    head, middle = "a5010203262001215820", "225820"
    return bytes.fromhex(head) + x + bytes.fromhex(middle) + y


def _require_one_map(tail: bytes) -> None:
    """Newer iOS appends one map, whatever its flags say; nothing reads it."""
    found, end = _decoded(tail)
    if end != len(tail) or not isinstance(found, Mapping):
        raise Rejected(Fault.FORMAT)


def _app(data: bytes, policy: ApplePolicy) -> str:
    for app in policy.apps:
        if signing.sha256(app.encode()) == data[:_HASH_BYTES]:
            return app
    raise Rejected(Fault.APP)


def _level(data: bytes, policy: ApplePolicy) -> AttestationGrade:
    aaguid = data[_AAGUID_AT:_LENGTH_AT]
    if aaguid == _PRODUCTION:
        return AttestationGrade.STRONG
    if aaguid == _DEVELOPMENT and policy.development:
        return AttestationGrade.BASIC
    raise Rejected(Fault.ENVIRONMENT)


def _decoded(data: bytes) -> tuple[object, int]:
    """Read one CBOR value; gives it and where it ends."""
    import cbor2  # noqa: PLC0415  -- a bank starts without it

    if len(data) > STATEMENT_BYTES_MAX:
        raise Rejected(Fault.FORMAT)
    stream = io.BytesIO(data)
    decoder = cbor2.CBORDecoder(
        stream, max_depth=_DEPTH_MAX, allow_duplicate_keys=False
    )
    try:
        found: object = decoder.decode()
    except Exception:  # noqa: BLE001  -- a foreign decoder fed by strangers: see below
        # Tags make it build dates, patterns, addresses: each has errors of its own.
        raise Rejected(Fault.FORMAT) from None
    return found, stream.tell()
