"""The pinned roots are those the vendors publish."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import known_root_certs as bundle

from app.auth.attestation import roots

RSA_2042 = "cedb1cb6dc896ae5ec797348bce9286753c2b38ee71ce0fbe34a9a1248800dfc"
P384_2035 = "6d9db4ce6c5c0b293166d08986e05774a8776ceb525d9e4329520de12ba4bcc0"
APP_ATTEST = "1cb9823ba28ba6ad2d33a006941de2ae4f513ef1d4e831b9f7e0fa7b6242c932"


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA256()).hex()


def test_androids_two_roots_are_pinned() -> None:
    first, second = roots.vendors().android

    assert (fingerprint(first), fingerprint(second)) == (RSA_2042, P384_2035)
    for one in (first, second):
        one.verify_directly_issued_by(one)
    keys = (first.public_key(), second.public_key())
    assert isinstance(keys[0], rsa.RSAPublicKey)
    assert isinstance(keys[1], ec.EllipticCurvePublicKey)
    assert (keys[0].key_size, keys[1].curve.name) == (4096, "secp384r1")


def test_every_issue_of_androids_roots_in_the_bundle_holds_a_pinned_key() -> None:
    pinned = [one.public_key() for one in roots.vendors().android]
    names = [name for name in dir(bundle) if name.startswith("google_hardware")]

    issues = [x509.load_pem_x509_certificate(getattr(bundle, name)) for name in names]

    assert len(issues) >= 4
    assert all(one.public_key() in pinned for one in issues)


def test_apples_root_is_the_one_of_app_attest_and_not_the_one_of_passkeys() -> None:
    (root,) = roots.vendors().apple

    root.verify_directly_issued_by(root)
    assert fingerprint(root) == APP_ATTEST
    assert root.subject.rfc4514_string() == (
        "ST=California,O=Apple Inc.,CN=Apple App Attestation Root CA"
    )
    other = x509.load_pem_x509_certificate(bundle.apple_webauthn_root_ca)
    assert root.public_key() != other.public_key()
