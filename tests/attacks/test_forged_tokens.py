"""Tokens and proofs that were made and not given; requests changed on their way."""

import hmac
from collections.abc import Callable

import pytest

from mock_mobile_client import documents
from mock_mobile_client.api import encode
from mock_mobile_client.dpop import Covered, make_proof
from mock_mobile_client.errors import SocketClosed
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.lines import line
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import b64url
from mock_mobile_client.values import JsonObject
from mock_mobile_client.wire import Wire
from tests.attacks.conftest import figures
from tests.attacks.thief import ME, TIMEOUT_S, code_of, part, post, proof_for, written

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

THIEF = DeviceKey.generate()
Forger = Callable[[JsonObject, JsonObject, JsonObject], str]


def signed(header: JsonObject, claims: JsonObject, key: DeviceKey) -> str:
    message = f"{written(header)}.{written(claims)}"
    return f"{message}.{b64url(key.sign(message.encode()))}"


def maced(header: JsonObject, claims: JsonObject, secret: str) -> str:
    message = f"{written(header | {'alg': 'HS256'})}.{written(claims)}"
    mac = hmac.digest(secret.encode(), message.encode(), "sha256")
    return f"{message}.{b64url(mac)}"


def unsigned(header: JsonObject, claims: JsonObject, alg: str) -> str:
    return f"{written(header | {'alg': alg})}.{written(claims)}."


# Each gets the header and the claims of a good token, and the bank's public key.
FORGERS: dict[str, Forger] = {
    "no algorithm": lambda head, body, _: unsigned(head, body, "none"),
    "no algorithm, shouted": lambda head, body, _: unsigned(head, body, "NONE"),
    "a MAC under the public key": lambda head, body, jwk: maced(head, body, jwk["x"]),
    "a MAC under the written key": lambda head, body, jwk: maced(
        head, body, written(jwk)
    ),
    "our kid, the thief's key": lambda head, body, _: signed(head, body, THIEF),
    "the thief's jwk": lambda head, body, _: signed(
        head | {"jwk": THIEF.jwk}, body, THIEF
    ),
    "the thief's jku": lambda head, body, _: signed(
        head | {"jku": "https://evil.example/keys"}, body, THIEF
    ),
    "a kid that is a path": lambda head, body, _: signed(
        head | {"kid": "../../../../dev/null"}, body, THIEF
    ),
    "a kid that is a query": lambda head, body, _: signed(
        head | {"kid": "x' UNION SELECT 1 --"}, body, THIEF
    ),
    "no kid": lambda head, body, _: signed(
        {name: value for name, value in head.items() if name != "kid"}, body, THIEF
    ),
    "another issuer": lambda head, body, _: signed(
        head, body | {"iss": "https://evil.example"}, THIEF
    ),
    "another audience": lambda head, body, _: signed(
        head, body | {"aud": "https://evil.example"}, THIEF
    ),
    "another kind": lambda head, body, _: signed(head | {"typ": "JWT"}, body, THIEF),
}


async def bank_key(phone: Phone) -> JsonObject:
    """Read the public key anybody may read."""
    async with line(phone.handset.bank, TIMEOUT_S) as client:
        shown = await client.get(f"{phone.handset.bank}/.well-known/jwks.json")
    key: JsonObject = shown.json()["keys"][0]
    return key


@pytest.mark.attack("forged token")
@pytest.mark.parametrize("name", FORGERS)
@pytest.mark.parametrize("bound_to", ["the owner's key", "the thief's key"])
async def test_a_token_that_was_made_opens_nothing(
    asha: Phone, name: str, bound_to: str
) -> None:
    """Whoever holds the key it is bound to: only the bank's own signature counts."""
    head, body, _ = asha.handset.token.split(".")
    key = THIEF if bound_to == "the thief's key" else asha.handset.key
    claims = part(body) | {"cnf": {"jkt": key.jkt}}
    forged = FORGERS[name](part(head), claims, await bank_key(asha))

    answer = await post(asha.handset.bank, ME, forged, proof_for(asha, ME, forged, key))

    assert (answer.status_code, code_of(answer)) == (401, "UNAUTHENTICATED")
    assert "data" not in answer.json()


@pytest.mark.attack("forged token")
async def test_a_changed_claim_breaks_the_banks_signature(asha: Phone) -> None:
    head, body, signature = asha.handset.token.split(".")
    changes = (
        {"exp": part(body)["exp"] + 86_400},
        {"sub": f"cus_{'0' * 32}"},
        {"scope": "everything"},
        {"cnf": {"jkt": THIEF.jkt}},
    )

    codes = []
    for change in changes:
        forged = f"{head}.{written(part(body) | change)}.{signature}"
        key = THIEF if "cnf" in change else asha.handset.key
        proof = proof_for(asha, ME, forged, key)
        codes.append(code_of(await post(asha.handset.bank, ME, forged, proof)))

    assert codes == ["UNAUTHENTICATED"] * len(changes)


@pytest.mark.attack("forged token")
async def test_what_was_signed_for_something_else_is_no_access_token(
    asha: Phone,
) -> None:
    refresh = asha.handset.state.refresh_token
    assert refresh is not None
    others = [proof_for(asha, ME), refresh, f"{asha.handset.token}=", "x"]

    codes = [
        code_of(await post(asha.handset.bank, ME, one, proof_for(asha, ME, one)))
        for one in others
    ]

    assert set(codes) <= {"UNAUTHENTICATED", "DPOP_INVALID"}
    assert None not in codes


@pytest.mark.attack("forged token")
async def test_a_forged_token_opens_no_socket(asha: Phone) -> None:
    head, body, _ = asha.handset.token.split(".")
    claims = part(body) | {"cnf": {"jkt": THIEF.jkt}}
    forged = signed(part(head), claims, THIEF)
    covered = Covered("GET", asha.socket_url, None, forged)
    proof = make_proof(THIEF, covered, asha.now())

    with pytest.raises(SocketClosed) as end:
        await Wire.open(asha.socket_url, {"accessToken": forged, "dpop": proof})

    assert end.value.code == 4403


# ------------------------------------------------------------------ on the way


@pytest.mark.attack("swapped body")
async def test_only_the_very_bytes_that_were_signed_are_taken(asha: Phone) -> None:
    order = await asha.order("Ben", money("1.00 INR"))
    document = documents.load("payment_create")
    body = encode(document.text, order.variables(), document.name)
    other = encode(document.text, order.variables(), "Other")
    token, before = asha.handset.token, await figures(asha)
    covered = Covered("POST", asha.handset.api.endpoint, None, token)
    silent = make_proof(asha.handset.key, covered, asha.now())
    swaps = {
        "a space": (body + b" ", proof_for(asha, body, token)),
        "one byte": (body.replace(b'"100"', b'"101"'), proof_for(asha, body, token)),
        "another name": (other, proof_for(asha, body, token)),
        "no body hash": (body, silent),
    }

    codes = {
        name: code_of(await post(asha.handset.bank, sent, token, proof))
        for name, (sent, proof) in swaps.items()
    }

    assert codes == dict.fromkeys(swaps, "DPOP_INVALID")
    assert await asha.payments.by_key(order.key) is None
    assert await figures(asha) == before


@pytest.mark.attack("replayed request")
async def test_a_proof_speaks_for_one_method_address_token_and_minute(
    asha: Phone,
) -> None:
    token, url, now = asha.handset.token, asha.handset.api.endpoint, asha.now()
    key = asha.handset.key
    others = {
        "a socket's": (Covered("GET", asha.socket_url, ME, token), now),
        "another method": (Covered("GET", url, ME, token), now),
        "another bank": (
            Covered("POST", "https://evil.example/graphql", ME, token),
            now,
        ),
        "another token": (Covered("POST", url, ME, token[:-1]), now),
        "no token": (Covered("POST", url, ME), now),
        "two minutes ago": (Covered("POST", url, ME, token), now - 120),
        "a nonce of nobody": (Covered("POST", url, ME, token, b64url(bytes(32))), now),
    }

    codes = {}
    for name, (covered, at) in others.items():
        answer = await post(asha.handset.bank, ME, token, make_proof(key, covered, at))
        codes[name] = code_of(answer)

    late = {"two minutes ago", "a nonce of nobody"}
    assert codes == {
        name: "USE_DPOP_NONCE" if name in late else "DPOP_INVALID" for name in others
    }


@pytest.mark.attack("replayed request")
async def test_the_first_message_of_a_socket_opens_one_socket(asha: Phone) -> None:
    init = asha.init_payload()

    first = await Wire.open(asha.socket_url, init)
    with pytest.raises(SocketClosed) as second:
        await Wire.open(asha.socket_url, init)
    await first.close()

    assert second.value.code == 4403


@pytest.mark.attack("wrong phone clock")
@pytest.mark.parametrize("wrong_s", [-3600, 3600])
async def test_a_phone_an_hour_off_is_asked_once_and_then_served(
    asha: Phone, wrong_s: int
) -> None:
    token, key = asha.handset.token, asha.handset.key
    url, at = asha.handset.api.endpoint, asha.now() + wrong_s

    first = await post(
        asha.handset.bank,
        ME,
        token,
        make_proof(key, Covered("POST", url, ME, token), at),
    )
    nonce = first.headers["dpop-nonce"]
    proof = make_proof(key, Covered("POST", url, ME, token, nonce), at)
    second = await post(asha.handset.bank, ME, token, proof)
    third = await post(asha.handset.bank, ME, token, proof)

    assert (first.status_code, code_of(first)) == (401, "USE_DPOP_NONCE")
    assert second.json()["data"]["me"]["id"]
    assert code_of(third) == "DPOP_REPLAYED"
