"""Device keys: names, signatures, storage."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from mock_mobile_client.errors import NotReady
from mock_mobile_client.keys import DeviceKey, thumbprint
from mock_mobile_client.signing import b64url
from tests.phone.fake_parts import verified


def test_the_thumbprint_is_that_of_rfc_9449() -> None:
    """The key of RFC 9449 figure 2 has the jkt of its section 6.1."""
    x = "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"
    y = "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"

    assert thumbprint(x, y) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_a_signature_has_64_raw_bytes_and_verifies() -> None:
    key = DeviceKey.generate()

    signature = key.sign(b"message")

    assert len(signature) == 64
    assert verified(key.jwk, b64url(signature), b"message")
    assert not verified(key.jwk, b64url(signature), b"massage")


def test_a_stored_key_is_the_same_key() -> None:
    key = DeviceKey.generate()

    again = DeviceKey.from_pem(key.pem)

    assert again.jkt == key.jkt
    assert again.jwk == key.jwk
    assert set(key.jwk) == {"kty", "crv", "x", "y"}


def test_a_stored_key_of_another_kind_is_refused() -> None:
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )

    with pytest.raises(NotReady, match="P-256"):
        DeviceKey.from_pem(other.decode())
