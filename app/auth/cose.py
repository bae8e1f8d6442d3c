"""Public keys of passkeys, in COSE form (RFC 9053): read strictly, three kinds only.

A registration with attestation `none` proves nothing about its key, so a key that is
off its curve, short or labelled with a foreign algorithm is refused before it is kept.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ES256 = -7
EDDSA = -8
RS256 = -257
ALGORITHMS = (ES256, EDDSA, RS256)

_KTY, _ALG, _CRV, _X, _Y = 1, 3, -1, -2, -3
_N, _E = -1, -2
_OKP, _EC2, _RSA = 1, 2, 3
_P256, _ED25519 = 1, 6
_COORDINATE_BYTES = 32
_RSA_BITS_MIN, _RSA_BITS_MAX = 2048, 4096
_EXPONENT_MAX = 2**31


class MalformedKey(ValueError):
    """The bytes are not one of the three kinds of keys."""


def require_key(key: bytes) -> None:
    """Demand a whole ES256, EdDSA or RS256 key.

    Raises:
        MalformedKey: anything else.
    """
    import cbor2  # noqa: PLC0415  -- a bank starts without it

    try:
        found = cbor2.loads(key)
        if not isinstance(found, dict):
            raise MalformedKey("not a map")
        _CHECKS[found.get(_ALG)](found)
    except (KeyError, TypeError, ValueError, cbor2.CBORDecodeError):
        raise MalformedKey("not a key of a kind we take") from None


def _es256(key: Mapping[int, object]) -> None:
    _require(key, {_KTY: _EC2, _ALG: ES256, _CRV: _P256}, 5)
    x, y = (_bytes(key[name], _COORDINATE_BYTES) for name in (_X, _Y))
    point = ec.EllipticCurvePublicNumbers(
        int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()
    )
    point.public_key()


def _eddsa(key: Mapping[int, object]) -> None:
    _require(key, {_KTY: _OKP, _ALG: EDDSA, _CRV: _ED25519}, 4)
    ed25519.Ed25519PublicKey.from_public_bytes(_bytes(key[_X], _COORDINATE_BYTES))


def _rs256(key: Mapping[int, object]) -> None:
    _require(key, {_KTY: _RSA, _ALG: RS256}, 4)
    modulus, exponent = (
        int.from_bytes(_bytes(key[name], None), "big") for name in (_N, _E)
    )
    if not _RSA_BITS_MIN <= modulus.bit_length() <= _RSA_BITS_MAX:
        raise MalformedKey("an RSA key of another size")
    if exponent >= _EXPONENT_MAX:
        raise MalformedKey("an exponent nobody uses")
    rsa.RSAPublicNumbers(exponent, modulus).public_key()


_CHECKS: Mapping[object, Callable[[Mapping[int, object]], None]] = MappingProxyType(
    {ES256: _es256, EDDSA: _eddsa, RS256: _rs256}
)


def _require(key: Mapping[int, object], facts: Mapping[int, int], size: int) -> None:
    if len(key) != size:
        raise MalformedKey("members too few or too many")
    for name, value in facts.items():
        if type(key[name]) is not int or key[name] != value:
            raise MalformedKey("members that do not fit together")


def _bytes(value: object, length: int | None) -> bytes:
    if not isinstance(value, bytes) or length not in {None, len(value)}:
        raise MalformedKey("a part that is not bytes of its length")
    return value
