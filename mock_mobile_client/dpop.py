"""DPoP proofs (RFC 9449) for requests and for `connection_init` (auth.md §2.8)."""

import secrets
from dataclasses import dataclass

import orjson

from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.signing import b64url, sha256

JTI_BYTES = 24


@dataclass(frozen=True, slots=True)
class Covered:
    """What one proof speaks for.

    Attributes:
        method: `POST`, or `GET` inside `connection_init`.
        url: The bank's public address of `/graphql`; `ws` form for a socket.
        body: The bytes that are sent; the proof then carries `bh`.
        token: The access token that goes along; the proof then carries `ath`.
        nonce: The newest `DPoP-Nonce`, if one is known.
    """

    method: str
    url: str
    body: bytes | None = None
    token: str | None = None
    nonce: str | None = None


def make_proof(key: DeviceKey, covered: Covered, now_s: float) -> str:
    """Sign one proof; a proof is used once, so each send makes its own."""
    claims: dict[str, object] = {
        "jti": b64url(secrets.token_bytes(JTI_BYTES)),
        "htm": covered.method,
        "htu": covered.url,
        "iat": int(now_s),
    }
    if covered.body is not None:
        claims["bh"] = b64url(sha256(covered.body))
    if covered.token is not None:
        claims["ath"] = b64url(sha256(covered.token.encode()))
    if covered.nonce is not None:
        claims["nonce"] = covered.nonce
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk}
    signed = f"{b64url(orjson.dumps(header))}.{b64url(orjson.dumps(claims))}"
    return f"{signed}.{b64url(key.sign(signed.encode()))}"
