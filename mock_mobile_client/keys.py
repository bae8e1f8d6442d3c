"""The device key of a phone: P-256, made here, never leaving its store."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from mock_mobile_client.errors import NotReady
from mock_mobile_client.signing import b64url, sha256

COORDINATE_BYTES = 32


def thumbprint(x: str, y: str) -> str:
    """RFC 7638 thumbprint of a P-256 key: 43 characters, the key's name (§2.1)."""
    text = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
    return b64url(sha256(text.encode()))


@dataclass(frozen=True)
class DeviceKey:
    """`K_dev`: signs every request, sign-in and approval of one phone."""

    private: ec.EllipticCurvePrivateKey

    @classmethod
    def generate(cls) -> Self:
        """Make a fresh key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_pem(cls, text: str) -> Self:
        """Read a stored key.

        Raises:
            NotReady: the stored text is no P-256 key.
        """
        key = serialization.load_pem_private_key(text.encode(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise NotReady("the stored device key is not a P-256 key: enrol again")
        return cls(key)

    @property
    def pem(self) -> str:
        """The key as it lies in the phone's store (PKCS 8)."""
        raw = self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return raw.decode()

    @cached_property
    def jwk(self) -> dict[str, str]:
        """The public key as a JWK."""
        point = self.private.public_key().public_numbers()
        return {
            "kty": "EC",
            "crv": "P-256",
            "x": b64url(point.x.to_bytes(COORDINATE_BYTES, "big")),
            "y": b64url(point.y.to_bytes(COORDINATE_BYTES, "big")),
        }

    @cached_property
    def jkt(self) -> str:
        """The name of the key everywhere."""
        return thumbprint(self.jwk["x"], self.jwk["y"])

    def sign(self, message: bytes) -> bytes:
        """ECDSA with SHA-256 as raw r‖s, exactly 64 bytes (auth.md §2)."""
        der = self.private.sign(message, ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(der)
        return r.to_bytes(COORDINATE_BYTES, "big") + s.to_bytes(COORDINATE_BYTES, "big")
