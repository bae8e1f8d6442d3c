"""Access tokens: every way to forge one."""

import hashlib
import hmac
import json
import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from app.auth import signing
from app.errors import Unauthenticated
from tests.auth.room import Phone, Room, b64u


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    head, body, signature = token.split(".")
    return (
        json.loads(signing.unb64u(head)),
        json.loads(signing.unb64u(body)),
        signature,
    )


def packed(header: dict[str, Any], body: dict[str, Any]) -> str:
    return f"{b64u(json.dumps(header).encode())}.{b64u(json.dumps(body).encode())}"


def signed(key: ec.EllipticCurvePrivateKey, text: str) -> str:
    r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(SHA256())))
    return f"{text}.{b64u(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


async def token_of(phone: Phone) -> str:
    await phone.login()
    assert phone.token is not None
    return phone.token


def refused(room: Room, token: str) -> str:
    with pytest.raises(Unauthenticated) as no:
        room.tokens.verify(token)
    return no.value.reason


async def test_a_token_says_who_and_how(room: Room, phone: Phone) -> None:
    token = await token_of(phone)

    header, body, _ = parts_of(token)

    assert header == {"typ": "at+jwt", "alg": "ES256", "kid": room.ring.current[0]}
    assert body["cnf"] == {"jkt": phone.jkt}
    assert (body["acr"], body["amr"], body["ver"]) == ("LOGIN", ["mpin"], 1)
    assert body["exp"] - body["iat"] == 300
    assert len(token) < 700
    claims = room.tokens.verify(token)
    assert room.tokens.verify(token) is claims


@pytest.mark.parametrize(
    "forged",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"typ": "JWT"},
        {"kid": "../../etc/passwd"},
        {"kid": None},
        {"jwk": {"kty": "EC"}},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/x5"},
        {"x5c": ["AA"]},
        {"crit": ["exp"]},
    ],
)
async def test_a_forged_header_is_refused(
    room: Room, phone: Phone, forged: dict[str, Any]
) -> None:
    header, body, signature = parts_of(await token_of(phone))
    text = packed(header | forged, body)
    own = room.ring.current[1]

    assert refused(room, f"{text}.{signature}") == "TOKEN_INVALID"
    assert refused(room, f"{text}.") == "TOKEN_INVALID"
    assert refused(room, signed(own, text)) == "TOKEN_INVALID"


async def test_a_mac_under_the_public_key_is_refused(room: Room, phone: Phone) -> None:
    header, body, _ = parts_of(await token_of(phone))
    text = packed(header | {"alg": "HS256"}, body)
    public = room.ring.find(header["kid"])
    assert public is not None
    mac = hmac.digest(public.text.encode(), text.encode(), hashlib.sha256)

    assert refused(room, f"{text}.{b64u(mac)}") == "TOKEN_INVALID"


async def test_a_key_of_somebody_else_is_refused(room: Room, phone: Phone) -> None:
    header, body, _ = parts_of(await token_of(phone))
    stranger = ec.generate_private_key(ec.SECP256R1())

    assert refused(room, signed(stranger, packed(header, body))) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"aud": "other"},
        {"iat": 4_000_000_000},
        {"iat": "now"},
        {"sub": "cus_1"},
        {"sid": None},
        {"did": "ses_" + "0" * 32},
        {"cnf": None},
        {"cnf": {}},
        {"amr": []},
        {"amr": "mpin"},
        {"exp": "never"},
        {"exp": None},
    ],
)
async def test_wrong_claims_under_our_own_key_are_refused(
    room: Room, phone: Phone, changed: dict[str, Any]
) -> None:
    header, body, _ = parts_of(await token_of(phone))

    token = signed(room.ring.current[1], packed(header, body | changed))

    assert refused(room, token) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "token", ["", "a", "a.b.c", "a.b.c.d", "W10.W10.AA", "x" * 3000, "..", "é.é.é"]
)
async def test_what_is_no_token_is_refused(room: Room, token: str) -> None:
    assert refused(room, token) == "TOKEN_INVALID"


async def test_a_token_ends_by_itself_also_from_the_cache(
    room: Room, phone: Phone
) -> None:
    token = await token_of(phone)
    room.tokens.verify(token)

    room.clock.move(seconds=300)

    assert refused(room, token) == "TOKEN_EXPIRED"
    assert refused(room, token) == "TOKEN_EXPIRED"


async def test_the_cache_is_bounded_by_what_it_keeps(room: Room) -> None:
    for _ in range(3):
        assert refused(room, os.urandom(8).hex()) == "TOKEN_INVALID"

    assert len(room.tokens._kept) == 0  # noqa: SLF001  -- the cache is looked into
