"""Proofs: exactly the claims that were covered, and never twice the same."""

import json

from mock_mobile_client.dpop import Covered, make_proof
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.signing import b64url, sha256, unb64url
from tests.phone.fake_parts import verified

URL = "http://localhost:8000/graphql"


def parts(proof: str) -> tuple[dict[str, object], dict[str, object]]:
    header, claims, _ = proof.split(".")
    return json.loads(unb64url(header)), json.loads(unb64url(claims))


def test_a_proof_covers_method_address_body_token_and_nonce() -> None:
    key = DeviceKey.generate()

    proof = make_proof(key, Covered("POST", URL, b"body", "token", "n-1"), 1000.9)

    header, claims = parts(proof)
    assert header == {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk}
    jti = claims.pop("jti")
    assert isinstance(jti, str)
    assert 16 <= len(jti) <= 64
    assert claims == {
        "htm": "POST",
        "htu": URL,
        "iat": 1000,
        "bh": b64url(sha256(b"body")),
        "ath": b64url(sha256(b"token")),
        "nonce": "n-1",
    }


def test_a_proof_verifies_under_its_own_key_and_fits_the_header() -> None:
    key = DeviceKey.generate()

    proof = make_proof(key, Covered("POST", URL, b"body", "t" * 600, "n" * 43), 1.0)

    signed, _, signature = proof.rpartition(".")
    assert verified(key.jwk, signature, signed.encode())
    assert len(proof) < 2048


def test_a_bare_proof_has_no_further_claims_and_is_never_the_same() -> None:
    key = DeviceKey.generate()
    covered = Covered("GET", "ws://localhost:8000/graphql")

    made = [parts(make_proof(key, covered, 1.0))[1] for _ in range(2)]

    assert all(set(claims) == {"jti", "htm", "htu", "iat"} for claims in made)
    assert made[0]["jti"] != made[1]["jti"]
