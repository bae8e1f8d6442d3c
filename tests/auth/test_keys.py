"""Public keys of phones and the ring of our own."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from app import database
from app.auth import signing
from app.auth.keys import KeyRefused, jwk_of, read_jwk
from app.auth.signing_ring import SigningRing
from app.clock import StoppedClock
from app.settings import Settings
from app.vault import Vault

# RFC 9449 section 4.1: the key of its example proofs, and section 6.1 its thumbprint.
RFC9449 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
    "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
}
RFC9449_JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_the_thumbprint_of_the_rfc_key_is_the_known_one() -> None:
    assert read_jwk(RFC9449).thumbprint == RFC9449_JKT


def test_other_members_do_not_change_the_name() -> None:
    assert read_jwk(RFC9449 | {"use": "sig", "kid": "1"}).thumbprint == RFC9449_JKT


def test_a_key_is_written_and_read_back() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()

    jwk = jwk_of(key)

    assert read_jwk({"kty": "EC", "crv": "P-256", "x": jwk.x, "y": jwk.y}) == jwk
    assert jwk.public.public_numbers() == key.public_numbers()


@pytest.mark.parametrize(
    "changed",
    [
        {"kty": "OKP"},
        {"crv": "P-384"},
        {"d": "AA"},
        {"x": None},
        {"y": 7},
        {"x": RFC9449["x"] + "A"},
        {"x": RFC9449["x"][:-1]},
        {"x": RFC9449["x"] + "="},
        {"y": RFC9449["x"]},
        {"x": signing.b64u(bytes(32)), "y": signing.b64u(bytes(32))},
        {"x": signing.b64u(b"\xff" * 32)},
    ],
)
def test_a_key_that_is_not_ours_to_take_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(KeyRefused):
        read_jwk(RFC9449 | changed)


async def test_the_first_start_makes_the_signing_key_and_later_ones_read_it(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    first, second = SigningRing(clock, vault), SigningRing(clock, vault)

    await first.open()
    await second.open()

    assert first.current[0] == second.current[0]
    assert first.jwks() == second.jwks()
    published = [key["kid"] for key in first.jwks()["keys"]]
    assert len(published) == 2  # the one that signs, and the next
    assert first.current[0] in published
    assert all("d" not in key for key in first.jwks()["keys"])
    found = second.find(first.current[0])
    assert found == jwk_of(first.current[1].public_key())
    assert second.find("unknown") is None


async def test_the_private_half_is_sealed_and_a_retired_key_still_verifies(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    ring = SigningRing(clock, vault)
    await ring.open()
    kid, private = ring.current
    number = private.private_numbers().private_value.to_bytes(32, "big")
    for row in await database.read("SELECT sealed_private FROM signing_key"):
        assert number not in row.get("sealed_private", bytes)

    async def retire(tx: database.Tx) -> None:
        await tx.rows("UPDATE signing_key SET state = 'RETIRED' RETURNING kid")

    await database.transaction(retire, name="test.retire")
    later = SigningRing(clock, vault)
    await later.open()

    assert later.find(kid) == jwk_of(private.public_key())
    with pytest.raises(RuntimeError, match="not open"):
        _ = later.current
