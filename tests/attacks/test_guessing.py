"""Codes and PINs that are guessed: in parallel, in bulk, from afar, by a stranger."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from mock_mobile_client.api import encode
from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import Refused
from mock_mobile_client.handset import Level
from mock_mobile_client.intents import SignInIntent
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import b64url, challenge_message
from mock_mobile_client.values import ChallengeValue, JsonObject
from tests.attacks.conftest import CLARA, setting
from tests.attacks.thief import code_of, post, proof_for
from tests.attacks.untouched import as_hex
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

GUESSES = 200
FINISH = """mutation Finish($input: LoginFinishInput!) {
  loginFinish(input: $input) { tokens { expiresAt } userErrors { code } }
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def clara(attacked: BankProcess, phones_folder: Path) -> AsyncIterator[Phone]:
    """Give Clara's phone, signed in: its secret may be lost here."""
    world = (attacked.url, attacked.sandbox, setting(phones_folder))
    async with Phone("clara", *world, owner=CLARA) as phone:
        await phone.start()
        yield phone


async def sign_in(phone: Phone) -> tuple[str, JsonObject]:
    """Begin a sign-in; gives its challenge and an answer with the right signature."""
    started = await phone.handset.call("login_start", {"input": {}}, Level.DEVICE)
    challenge = ChallengeValue.read(started["challenge"])
    answer = await phone.session.answer(
        challenge, SignInIntent(), phone.owner.pin, FactorKind.MPIN
    )
    return challenge.id, answer


async def signed(phone: Phone) -> JsonObject:
    """Begin a sign-in; gives an answer with the phone's signature and no factor."""
    started = await phone.handset.call("login_start", {"input": {}}, Level.DEVICE)
    asked = ChallengeValue.read(started["challenge"])
    message = challenge_message(asked.purpose, asked.nonce, asked.payload)
    signature = b64url(phone.handset.key.sign(message))
    return {"challengeId": asked.id, "deviceSignature": signature}


def guessed(answer: JsonObject, **changed: str) -> JsonObject:
    """Put another secret's proof into an answer."""
    response = {"mpinProof": b64url(secrets.token_bytes(32))}
    return answer | {"response": response} | changed


async def refusal(phone: Phone, answer: JsonObject, key: DeviceKey) -> str:
    """Send an answer to a sign-in as somebody who holds a key."""
    body = encode(FINISH, {"input": answer})
    proof = proof_for(phone, body, key=key)
    said = (await post(phone.handset.bank, body, proof=proof)).json()
    errors = said.get("errors")
    if errors:
        return str(errors[0]["extensions"]["code"])
    assert said["data"]["loginFinish"]["tokens"] is None
    return str(said["data"]["loginFinish"]["userErrors"][0]["code"])


def counted(bank: BankProcess, phone: Phone) -> tuple[object, ...]:
    """Read every counter a guess can move on a phone."""
    device = phone.handset.device_id.partition("_")[2]
    sql = (
        "SELECT d.id, d.failed, d.state, m.failed, m.state "
        "FROM device d JOIN mpin_secret m ON m.device_id = d.id"
    )
    (found,) = [row for row in bank.books.read(sql) if as_hex(row[0]) == device]
    return tuple(found[1:])


@pytest.mark.attack("guessing from afar")
async def test_without_the_phones_key_no_try_is_counted(
    attacked: BankProcess, asha: Phone
) -> None:
    _, answer = await sign_in(asha)
    thief, before = DeviceKey.generate(), counted(attacked, asha)
    unsigned = b64url(thief.sign(b"anything"))

    afar = [await refusal(asha, guessed(answer), thief) for _ in range(GUESSES // 4)]
    without = [
        await refusal(asha, guessed(answer, deviceSignature=unsigned), asha.handset.key)
        for _ in range(GUESSES // 4)
    ]

    assert Counter(afar) == {"CHALLENGE_EXPIRED": GUESSES // 4}
    assert Counter(without) == {"INVALID_CREDENTIAL": GUESSES // 4}
    assert counted(attacked, asha) == before
    await asha.login()


@pytest.mark.attack("batched guesses")
async def test_a_document_tries_one_secret(attacked: BankProcess, asha: Phone) -> None:
    _, answer = await sign_in(asha)
    before, key = counted(attacked, asha), asha.handset.key
    given = {f"g{n}": guessed(answer) for n in range(100)}
    declared = " ".join(f"${name}: LoginFinishInput!" for name in given)
    field = "loginFinish(input: ${0}) {{ userErrors {{ code }} }}"
    aliased = " ".join(f"{name}: {field.format(name)}" for name in given)
    two = " ".join(f"{name}: {field.format(name)}" for name in ("g0", "g1"))
    spread = "fragment F on Mutation { " + two + " }"
    array = orjson.dumps(
        [{"query": FINISH, "variables": {"input": one}} for one in given.values()]
    )
    bodies = {
        "100 aliases": encode(f"mutation({declared}) {{ {aliased} }}", given),
        "two fields": encode(
            f"mutation($g0: LoginFinishInput! $g1: LoginFinishInput!) {{ {two} }}",
            {name: given[name] for name in ("g0", "g1")},
        ),
        "two in a fragment": encode(
            "mutation($g0: LoginFinishInput! $g1: LoginFinishInput!) { ...F } "
            + spread,
            {name: given[name] for name in ("g0", "g1")},
        ),
        "an array of documents": array,
        "two operations": encode(
            f"{FINISH} mutation B {{ logout {{ loggedOut }} }}", {}
        ),
    }

    codes = {}
    for name, body in bodies.items():
        said = await post(attacked.url, body, proof=proof_for(asha, body, key=key))
        codes[name] = code_of(said)
        assert said.json().get("data") is None

    assert codes.pop("100 aliases") in {"TOO_COMPLEX", "BAD_REQUEST"}
    assert set(codes.values()) == {"BAD_REQUEST"}
    assert counted(attacked, asha) == before
    await asha.login()


@pytest.mark.attack("mPIN guessing on the phone")
async def test_two_hundred_guesses_at_once_get_five_comparisons(
    attacked: BankProcess, clara: Phone
) -> None:
    """Even whoever holds phone and key compares five times, whatever comes at once."""
    begun = [await signed(clara) for _ in range(GUESSES // 4)]
    _, right = await sign_in(clara)
    sql = "SELECT count(*) FROM audit_entry WHERE action = 'mpin.failed'"
    before = int(attacked.books.one(sql))

    codes = Counter(
        await asyncio.gather(
            *(
                refusal(clara, guessed(begun[n % len(begun)]), clara.handset.key)
                for n in range(GUESSES)
            )
        )
    )
    late = await refusal(clara, right, clara.handset.key)
    with pytest.raises(Refused) as again:
        await clara.login(pin=clara.owner.pin)

    assert codes["INVALID_CREDENTIAL"] <= 5
    assert int(attacked.books.one(sql)) - before <= 5
    assert codes["CREDENTIAL_LOCKED"] > 0
    assert late == again.value.code == "CREDENTIAL_LOCKED"
    assert counted(attacked, clara)[2:] == (5, "LOCKED")
    sealed = "SELECT count(*) FROM mpin_secret WHERE failed >= 5 AND sealed IS NOT NULL"
    assert attacked.books.one(sealed) == 0
