"""Public keys of phones (JWK, thumbprint) and the ring that signs our own tokens.

Only P-256 is taken: the one curve both phone key stores offer (auth.md 2.1, 2.9).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app import database
from app.auth import signing
from app.clock import Clock
from app.vault import Vault

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


class SigningRing:
    """The keys that sign our access tokens; private halves are sealed in the table.

    Args:
        clock: the bank's clock.
        vault: seals the private halves.
    """

    def __init__(self, clock: Clock, vault: Vault) -> None:
        self._clock = clock
        self._vault = vault
        self._current: tuple[str, ec.EllipticCurvePrivateKey] | None = None
        self._public: dict[str, Jwk] = {}

    async def open(self) -> None:
        """Read the ring; the very first start makes its first key."""
        rows = await database.read(_READ)
        if not rows:
            await self._make_first()
            rows = await database.read(_READ)
        for row in rows:
            kid = row.get("kid", str)
            self._public[kid] = read_jwk(row.get("public_jwk", dict))
            if row.get("state", str) == "CURRENT":
                sealed = row.get("sealed_private", bytes)
                private = self._vault.open("signing_key", kid, sealed)
                self._current = kid, _private(private)

    @property
    def current(self) -> tuple[str, ec.EllipticCurvePrivateKey]:
        """Key id and private key that sign new tokens."""
        if self._current is None:
            raise RuntimeError("the signing ring is not open")
        return self._current

    def find(self, kid: str) -> Jwk | None:
        """Give the public key of one of our own ids, current or retired."""
        return self._public.get(kid)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Give the public keys as a JWK set for `/.well-known/jwks.json`."""
        return {"keys": [_published(kid, jwk) for kid, jwk in self._public.items()]}

    async def _make_first(self) -> None:
        kid = secrets.token_hex(8)
        private = ec.generate_private_key(ec.SECP256R1())
        raw = private.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        sealed = self._vault.seal("signing_key", kid, raw)
        public = jwk_of(private.public_key()).text

        async def work(tx: database.Tx) -> None:
            # Two processes may start at once: the unique CURRENT row decides.
            await tx.rows(_INSERT, kid, sealed, public, self._clock.now())

        await database.transaction(work, name="auth.signing_key")


_READ = """
    SELECT kid, sealed_private, public_jwk, state FROM signing_key
    WHERE state IN ('CURRENT', 'RETIRED') ORDER BY made_at DESC
"""
_INSERT = """
    INSERT INTO signing_key (kid, sealed_private, public_jwk, state, made_at)
    VALUES ($1, $2, $3, 'CURRENT', $4) ON CONFLICT DO NOTHING RETURNING kid
"""


def _private(raw: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_der_private_key(raw, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101  -- we made it
    return key


def _published(kid: str, jwk: Jwk) -> dict[str, str]:
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": jwk.x,
        "y": jwk.y,
        "kid": kid,
        "alg": "ES256",
        "use": "sig",
    }
