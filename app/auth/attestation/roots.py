"""The vendors' roots, pinned by public key, and the way a chain leads to one.

All are public certificates. Google's two are published at
https://android.googleapis.com/attestation/root and were copied from the bundle of the
package `webauthn`; the RSA root was issued several times over one key, and the issue
that lasts longest stands here. Apple's is published at
https://www.apple.com/certificateauthority/Apple_App_Attestation_Root_CA.pem, its
SHA-256 is 1CB9823BA28BA6AD2D33A006941DE2AE4F513EF1D4E831B9F7E0FA7B6242C932; the bundle
of `webauthn` holds Apple's root for passkeys only, which is another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.auth.attestation import Fault, Rejected
from app.auth.keys import Jwk

_Read = TypeVar("_Read")

_GOOGLE_RSA = b"""\
-----BEGIN CERTIFICATE-----
MIIFHDCCAwSgAwIBAgIJAPHBcqaZ6vUdMA0GCSqGSIb3DQEBCwUAMBsxGTAXBgNV
BAUTEGY5MjAwOWU4NTNiNmIwNDUwHhcNMjIwMzIwMTgwNzQ4WhcNNDIwMzE1MTgw
NzQ4WjAbMRkwFwYDVQQFExBmOTIwMDllODUzYjZiMDQ1MIICIjANBgkqhkiG9w0B
AQEFAAOCAg8AMIICCgKCAgEAr7bHgiuxpwHsK7Qui8xUFmOr75gvMsd/dTEDDJdS
Sxtf6An7xyqpRR90PL2abxM1dEqlXnf2tqw1Ne4Xwl5jlRfdnJLmN0pTy/4lj4/7
tv0Sk3iiKkypnEUtR6WfMgH0QZfKHM1+di+y9TFRtv6y//0rb+T+W8a9nsNL/ggj
nar86461qO0rOs2cXjp3kOG1FEJ5MVmFmBGtnrKpa73XpXyTqRxB/M0n1n/W9nGq
C4FSYa04T6N5RIZGBN2z2MT5IKGbFlbC8UrW0DxW7AYImQQcHtGl/m00QLVWutHQ
oVJYnFPlXTcHYvASLu+RhhsbDmxMgJJ0mcDpvsC4PjvB+TxywElgS70vE0XmLD+O
JtvsBslHZvPBKCOdT0MS+tgSOIfga+z1Z1g7+DVagf7quvmag8jfPioyKvxnK/Eg
sTUVi2ghzq8wm27ud/mIM7AY2qEORR8Go3TVB4HzWQgpZrt3i5MIlCaY504LzSRi
igHCzAPlHws+W0rB5N+er5/2pJKnfBSDiCiFAVtCLOZ7gLiMm0jhO2B6tUXHI/+M
RPjy02i59lINMRRev56GKtcd9qO/0kUJWdZTdA2XoS82ixPvZtXQpUpuL12ab+9E
aDK8Z4RHJYYfCT3Q5vNAXaiWQ+8PTWm2QgBR/bkwSWc+NpUFgNPN9PvQi8WEg5Um
AGMCAwEAAaNjMGEwHQYDVR0OBBYEFDZh4QB8iAUJUYtEbEf/GkzJ6k8SMB8GA1Ud
IwQYMBaAFDZh4QB8iAUJUYtEbEf/GkzJ6k8SMA8GA1UdEwEB/wQFMAMBAf8wDgYD
VR0PAQH/BAQDAgIEMA0GCSqGSIb3DQEBCwUAA4ICAQB8cMqTllHc8U+qCrOlg3H7
174lmaCsbo/bJ0C17JEgMLb4kvrqsXZs01U3mB/qABg/1t5Pd5AORHARs1hhqGIC
W/nKMav574f9rZN4PC2ZlufGXb7sIdJpGiO9ctRhiLuYuly10JccUZGEHpHSYM2G
tkgYbZba6lsCPYAAP83cyDV+1aOkTf1RCp/lM0PKvmxYN10RYsK631jrleGdcdkx
oSK//mSQbgcWnmAEZrzHoF1/0gso1HZgIn0YLzVhLSA/iXCX4QT2h3J5z3znluKG
1nv8NQdxei2DIIhASWfu804CA96cQKTTlaae2fweqXjdN1/v2nqOhngNyz1361mF
mr4XmaKH/ItTwOe72NI9ZcwS1lVaCvsIkTDCEXdm9rCNPAY10iTunIHFXRh+7KPz
lHGewCq/8TOohBRn0/NNfh7uRslOSZ/xKbN9tMBtw37Z8d2vvnXq/YWdsm1+JLVw
n6yYD/yacNJBlwpddla8eaVMjsF6nBnIgQOf9zKSe06nSTqvgwUHosgOECZJZ1Eu
zbH4yswbt02tKtKEFhx+v+OTge/06V+jGsqTWLsfrOCNLuA8H++z+pUENmpqnnHo
vaI47gC+TNpkgYGkkBT6B/m/U01BuOBBTzhIlMEZq9qkDWuM2cA5kW5V3FJUcfHn
w1IdYIg2Wxg7yHcQZemFQg==
-----END CERTIFICATE-----
"""

_GOOGLE_P384 = b"""\
-----BEGIN CERTIFICATE-----
MIICIjCCAaigAwIBAgIRAISp0Cl7DrWK5/8OgN52BgUwCgYIKoZIzj0EAwMwUjEc
MBoGA1UEAwwTS2V5IEF0dGVzdGF0aW9uIENBMTEQMA4GA1UECwwHQW5kcm9pZDET
MBEGA1UECgwKR29vZ2xlIExMQzELMAkGA1UEBhMCVVMwHhcNMjUwNzE3MjIzMjE4
WhcNMzUwNzE1MjIzMjE4WjBSMRwwGgYDVQQDDBNLZXkgQXR0ZXN0YXRpb24gQ0Ex
MRAwDgYDVQQLDAdBbmRyb2lkMRMwEQYDVQQKDApHb29nbGUgTExDMQswCQYDVQQG
EwJVUzB2MBAGByqGSM49AgEGBSuBBAAiA2IABCPaI3FO3z5bBQo8cuiEas4HjqCt
G/mLFfRT0MsIssPBEEU5Cfbt6sH5yOAxqEi5QagpU1yX4HwnGb7OtBYpDTB57uH5
Eczm34A5FNijV3s0/f0UPl7zbJcTx6xwqMIRq6NCMEAwDwYDVR0TAQH/BAUwAwEB
/zAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0OBBYEFFIyuyz7RkOb3NaBqQ5lZuA0QepA
MAoGCCqGSM49BAMDA2gAMGUCMETfjPO/HwqReR2CS7p0ZWoD/LHs6hDi422opifH
EUaYLxwGlT9SLdjkVpz0UUOR5wIxAIoGyxGKRHVTpqpGRFiJtQEOOTp/+s1GcxeY
uR2zh/80lQyu9vAFCj6E4AXc+osmRg==
-----END CERTIFICATE-----
"""

_APPLE_APP_ATTEST = b"""\
-----BEGIN CERTIFICATE-----
MIICITCCAaegAwIBAgIQC/O+DvHN0uD7jG5yH2IXmDAKBggqhkjOPQQDAzBSMSYw
JAYDVQQDDB1BcHBsZSBBcHAgQXR0ZXN0YXRpb24gUm9vdCBDQTETMBEGA1UECgwK
QXBwbGUgSW5jLjETMBEGA1UECAwKQ2FsaWZvcm5pYTAeFw0yMDAzMTgxODMyNTNa
Fw00NTAzMTUwMDAwMDBaMFIxJjAkBgNVBAMMHUFwcGxlIEFwcCBBdHRlc3RhdGlv
biBSb290IENBMRMwEQYDVQQKDApBcHBsZSBJbmMuMRMwEQYDVQQIDApDYWxpZm9y
bmlhMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAERTHhmLW07ATaFQIEVwTtT4dyctdh
NbJhFs/Ii2FdCgAHGbpphY3+d8qjuDngIN3WVhQUBHAoMeQ/cLiP1sOUtgjqK9au
Yen1mMEvRq9Sk3Jm5X8U62H+xTD3FE9TgS41o0IwQDAPBgNVHRMBAf8EBTADAQH/
MB0GA1UdDgQWBBSskRBTM72+aEH/pwyp5frq5eWKoTAOBgNVHQ8BAf8EBAMCAQYw
CgYIKoZIzj0EAwMDaAAwZQIwQgFGnByvsiVbpTKwSga0kP0e8EeDS4+sQmTvb7vn
53O5+FRXgeLhpJ06ysC5PrOyAjEAp5U4xDgEgllF7En3VcE3iexZZtKeYnpqtijV
oyFraWVIyd/dganmrduC1bmTBGwD
-----END CERTIFICATE-----
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """Whom a chain must lead to."""

    android: tuple[x509.Certificate, ...]
    apple: tuple[x509.Certificate, ...]


@cache
def vendors() -> Roots:
    """Give Google's RSA 4096 and P-384 "Key Attestation CA1", and Apple's one."""
    return Roots(
        android=(_read(_GOOGLE_RSA), _read(_GOOGLE_P384)),
        apple=(_read(_APPLE_APP_ATTEST),),
    )


def _read(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def load(raw: Sequence[bytes]) -> list[x509.Certificate]:
    """Read certificates, leaf first.

    Raises:
        Rejected: one is no certificate.
    """
    return _reading(
        lambda: [x509.load_der_x509_certificate(one) for one in raw], Fault.CHAIN
    )


def require_signatures(chain: Sequence[x509.Certificate]) -> None:
    """Demand that each certificate names and is signed by the next.

    Raises:
        Rejected: one is not.
    """
    for child, parent in pairwise(chain):
        if not _issued(child, parent):
            raise Rejected(Fault.SIGNATURE)


def anchored(
    chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]
) -> list[x509.Certificate]:
    """Give the part of a chain that stands below a pinned root.

    The last certificate may hold a root's key, whatever else it says, or be signed by
    a root that was left out: newer phones leave it out.

    Raises:
        Rejected: it leads to no root.
    """
    last = _key_bytes(chain[-1])
    if any(_key_bytes(root) == last for root in roots):
        return list(chain[:-1])
    if any(_issued(chain[-1], root) for root in roots):
        return list(chain)
    raise Rejected(Fault.ROOT)


def in_time(chain: Sequence[x509.Certificate], at: datetime) -> bool:
    """Tell whether every certificate is valid at an instant.

    Raises:
        Rejected: its dates cannot be read.
    """
    dates = _reading(
        lambda: [(one.not_valid_before_utc, one.not_valid_after_utc) for one in chain],
        Fault.DATES,
    )
    return all(first <= at <= last for first, last in dates)


def extension(
    certificate: x509.Certificate, oid: x509.ObjectIdentifier
) -> bytes | None:
    """Give the bytes of an extension this library does not know, or None.

    Raises:
        Rejected: the extensions cannot be read, or one stands there twice.
    """
    found = _reading(
        lambda: [one.value for one in certificate.extensions if one.oid == oid],
        Fault.EXTENSION,
    )
    if not found:
        return None
    assert isinstance(found[0], x509.UnrecognizedExtension)  # noqa: S101  -- both vendors' own
    return found[0].value


def is_key_of(certificate: x509.Certificate, jwk: Jwk) -> bool:
    """Tell whether a certificate speaks of one of our keys.

    Raises:
        Rejected: its key is not one on P-256.
    """
    return p256(certificate).public_numbers() == jwk.public.public_numbers()


def p256(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """Give a certificate's key, which must be one on P-256.

    Raises:
        Rejected: it is another.
    """
    key = _reading(certificate.public_key, Fault.KEY)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(
        key.curve, ec.SECP256R1
    ):
        return key
    raise Rejected(Fault.KEY)


def _issued(child: x509.Certificate, parent: x509.Certificate) -> bool:
    try:
        child.verify_directly_issued_by(parent)
    except Exception:  # noqa: BLE001  -- unknown kinds of keys and names have errors of their own
        return False
    return True


def _key_bytes(certificate: x509.Certificate) -> bytes:
    key = _reading(certificate.public_key, Fault.CHAIN)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _reading(read: Callable[[], _Read], fault: Fault) -> _Read:
    """Call the library on what strangers wrote: whatever it raises is a refusal."""
    try:
        return read()
    except Exception:  # noqa: BLE001  -- its errors have no common parent
        raise Rejected(fault) from None
