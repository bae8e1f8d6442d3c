"""Public keys as phones send them: JWK and thumbprint.

Only P-256 is taken: the one curve both phone key stores offer (auth.md 2.1, 2.9).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec

from app.auth import signing

_COORDINATE_BYTES = 32


class KeyRefused(ValueError):
    """A JWK is not a canonical public P-256 key."""


@dataclass(frozen=True, slots=True)
class Jwk:
    """A public P-256 key, its coordinates in canonical base64url."""

    x: str
    y: str

    @property
    def thumbprint(self) -> str:
        """Name of the key: its RFC 7638 thumbprint, 43 characters."""
        return signing.b64u(signing.sha256(self.text.encode()))

    @property
    def text(self) -> str:
        """Canonical JSON of the required members, as RFC 7638 hashes it."""
        return f'{{"crv":"P-256","kty":"EC","x":"{self.x}","y":"{self.y}"}}'

    @property
    def public(self) -> ec.EllipticCurvePublicKey:
        """The key, ready to verify with."""
        return _point(self)


@lru_cache(maxsize=10_000)
def _point(jwk: Jwk) -> ec.EllipticCurvePublicKey:
    x, y = (
        int.from_bytes(signing.unb64u(text, _COORDINATE_BYTES), "big")
        for text in (jwk.x, jwk.y)
    )
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def read_jwk(members: Mapping[str, object]) -> Jwk:
    """Read a phone's public key.

    Raises:
        KeyRefused: another kind or curve, a private key, coordinates that are not 32
            bytes in canonical base64url, or a point off the curve.
    """
    x, y = members.get("x"), members.get("y")
    if members.get("kty") != "EC" or members.get("crv") != "P-256" or "d" in members:
        raise KeyRefused("only public EC keys on P-256")
    if not isinstance(x, str) or not isinstance(y, str):
        raise KeyRefused("coordinates are missing")
    jwk = Jwk(x, y)
    try:
        _point(jwk)
    except ValueError:
        raise KeyRefused("not a point of the curve") from None
    return jwk


def jwk_of(key: ec.EllipticCurvePublicKey) -> Jwk:
    """Write a key as a JWK."""
    numbers = key.public_numbers()
    x, y = (n.to_bytes(_COORDINATE_BYTES, "big") for n in (numbers.x, numbers.y))
    return Jwk(signing.b64u(x), signing.b64u(y))
