"""A vendor of our own: roots, certificates, and Android key stores with one defect."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.auth.attestation.der_maker import (
    boolean,
    by_tag,
    enumerated,
    integer,
    octets,
    sequence,
    set_of,
)

Key = ec.EllipticCurvePrivateKey
EXTENSION = "1.3.6.1.4.1.11129.2.1.17"
PACKAGE = "bank.sixpence.app"
DIGEST = hashlib.sha256(b"our signing certificate").digest()
EARLY = datetime(2020, 1, 1, tzinfo=UTC)
LATE = datetime(2040, 1, 1, tzinfo=UTC)
PURPOSE, ALGORITHM, KEY_SIZE, CURVE = 1, 2, 3, 10
NO_AUTH, USER_AUTH, AUTH_TIMEOUT, ALL_APPS = 503, 504, 505, 600
ORIGIN, ROOT_OF_TRUST, PATCH, APP = 702, 704, 706, 709


def new_key(curve: ec.EllipticCurve | None = None) -> Key:
    return ec.generate_private_key(curve or ec.SECP256R1())


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Issuer:
    """Somebody who signs certificates."""

    name: str
    key: Key = field(default_factory=new_key)
    made: int = 0

    def issue(
        self,
        name: str,
        public: Any,
        extensions: Mapping[str, bytes] | None = None,
        dates: tuple[datetime, datetime] = (EARLY, LATE),
    ) -> x509.Certificate:
        self.made += 1
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(self.name))
            .public_key(public)
            .serial_number(1000 + self.made)
            .not_valid_before(dates[0])
            .not_valid_after(dates[1])
        )
        for oid, value in (extensions or {}).items():
            unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
            builder = builder.add_extension(unknown, critical=False)
        return builder.sign(self.key, SHA256())

    def certificate(
        self, dates: tuple[datetime, datetime] = (EARLY, LATE)
    ) -> x509.Certificate:
        """Sign itself: a root."""
        return self.issue(self.name, self.key.public_key(), dates=dates)


def der(chain: Sequence[x509.Certificate]) -> list[bytes]:
    return [one.public_bytes(Encoding.DER) for one in chain]


def root_of_trust(locked: bytes = b"\xff", state: int = 0, tail: bytes = b"") -> bytes:
    whole = (octets(bytes(32)), boolean(locked), enumerated(state), octets(bytes(32)))
    return sequence(*whole, *([tail] if tail else []))


def calling_app(package: str = PACKAGE, digest: bytes = DIGEST) -> bytes:
    packages = set_of(sequence(octets(package.encode()), integer(7)))
    return octets(sequence(packages, set_of(octets(digest))))


HARDWARE: dict[int, bytes | None] = {
    PURPOSE: set_of(integer(2)),
    ALGORITHM: integer(3),
    KEY_SIZE: integer(256),
    CURVE: integer(1),
    ORIGIN: integer(0),
    ROOT_OF_TRUST: root_of_trust(),
    PATCH: integer(202609),
}
SOFTWARE: dict[int, bytes | None] = {APP: calling_app()}


def description(
    challenge: bytes,
    *,
    levels: tuple[int, int] = (1, 1),
    hardware: Mapping[int, bytes | None] | None = None,
    software: Mapping[int, bytes | None] | None = None,
    more: bytes = b"",
) -> bytes:
    """Write the extension of a good phone, with the given tags changed."""
    members = (
        integer(400),
        enumerated(levels[0]),
        integer(400),
        enumerated(levels[1]),
        octets(challenge),
        octets(b""),
        by_tag({**SOFTWARE, **(software or {})}),
        by_tag({**HARDWARE, **(hardware or {})}),
    )
    return sequence(*members, more)


@dataclass
class KeyStore:
    """An Android phone: a root, a provisioned key and what it attests with that."""

    root: Issuer = field(
        default_factory=lambda: Issuer("Root", new_key(ec.SECP384R1()))
    )
    store: Issuer = field(default_factory=lambda: Issuer("Key store"))

    def chain(
        self,
        public: Any,
        extension: bytes | None,
        *,
        above: Mapping[str, bytes] | None = None,
        dates: Mapping[str, tuple[datetime, datetime]] | None = None,
        with_root: bool = True,
    ) -> list[x509.Certificate]:
        """Attest a key; `dates` are of `leaf`, `store` or `root`."""
        when = {"leaf": (EARLY, LATE), "store": (EARLY, LATE), "root": (EARLY, LATE)}
        when |= dates or {}
        stated = {} if extension is None else {EXTENSION: extension}
        leaf = self.store.issue("Key", public, stated, when["leaf"])
        middle = self.root.issue(
            self.store.name, self.store.key.public_key(), above, when["store"]
        )
        last = [self.root.certificate(when["root"])] if with_root else []
        return [leaf, middle, *last]
