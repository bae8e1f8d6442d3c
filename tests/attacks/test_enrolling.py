"""Strangers who enrol: with a stolen number, a stolen SMS, a stolen or guessed code.

What is counted is counted at the strict door: SIXPENCE_LIMIT_FACTOR=1.
"""

import asyncio
import secrets
import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from mock_mobile_client import documents
from mock_mobile_client.api import encode
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.notifications import Inbox
from mock_mobile_client.people import DEMO, Person
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import b64url, bind_message, sha256, unb64url
from mock_mobile_client.values import JsonObject
from tests.attacks.thief import code_of, post, proof_for
from tests.auth.attestation.foundry import KeyStore, der, description
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ASHA, BEN = DEMO
NOBODY = "+9155599999"
APP = {"platform": "ANDROID", "appVersion": "1.0.0", "model": "Pixel 9"}
WRONG = "ZZZZ-ZZZZ-ZZZZ"
PAIRS = 60
Attest = Callable[[bytes, DeviceKey], JsonObject]


def own_root(nonce: bytes, key: DeviceKey) -> JsonObject:
    """Attest like a good phone, under a root that is no vendor's."""
    challenge = sha256(b"sixpence/attest/v1\x00" + nonce)
    chain = KeyStore().chain(key.private.public_key(), description(challenge))
    return {"androidKey": {"chain": [b64url(one) for one in der(chain)]}}


FORGED: dict[str, Attest] = {
    "a root of his own": own_root,
    "a chain of nothing": lambda _nonce, _key: {"androidKey": {"chain": []}},
    "a chain of noise": lambda _nonce, _key: {
        "androidKey": {"chain": [b64url(secrets.token_bytes(600)) for _ in range(3)]}
    },
    "the other vendor's": lambda _nonce, _key: {
        "appAttest": {
            "keyId": b64url(bytes(32)),
            "attestationObject": b64url(secrets.token_bytes(600)),
        }
    },
}


async def call(door: str, operation: str, given: JsonObject, **sent: Any) -> JsonObject:
    """Send a shipped operation without a phone; gives the payload or the error."""
    document = documents.load(operation)
    body = encode(document.text, {"input": given}, document.name)
    proof = sent["phone"] and proof_for(sent["phone"], body, key=sent["key"])
    answer = await post(door, body, proof=proof or None)
    if code_of(answer) is not None:
        return {"userErrors": answer.json()["errors"]}
    payload: JsonObject = answer.json()["data"][document.field]
    return payload


async def ask(door: str, operation: str, **given: Any) -> JsonObject:
    return await call(door, operation, given, phone=None, key=None)


async def start(door: str, phone: str, **more: Any) -> JsonObject:
    return await ask(door, "enrolment_start", **APP, phone=phone, **more)


def no(payload: JsonObject) -> str | None:
    """Read why it was refused; None where it was not."""
    errors = payload["userErrors"]
    return str(errors[0]["code"]) if errors else None


async def proven(bank: BankProcess, number: str) -> str:
    """Begin an enrolment and show the code of the SMS; gives its id."""
    inbox = Inbox(bank.sandbox, number)
    await inbox.skip()
    begun = str((await start(bank.url, number))["enrolmentId"])
    shown = await ask(
        bank.url, "enrolment_verify_otp", enrolmentId=begun, otp=await inbox.otp()
    )
    assert no(shown) is None
    return begun


async def prove(
    bank: BankProcess, enrolment: str, number: str, code: str
) -> JsonObject:
    return await ask(
        bank.url,
        "enrolment_prove_identity",
        enrolmentId=enrolment,
        customerNumber=number,
        proof={"activationCode": code},
    )


async def bind(
    door: str, nonce: str, phone: Phone, attested: Attest | None = None
) -> str | None:
    """Bind a fresh key; `phone` only knows the bank's public address."""
    key = DeviceKey.generate()
    signature = b64url(key.sign(bind_message(unb64url(nonce), key.jkt)))
    none = {"none": {"reason": "none"}}
    given = {
        "bindingNonce": nonce,
        "name": "thief",
        "jwk": key.jwk,
        "signature": signature,
        "attestation": none if attested is None else attested(unb64url(nonce), key),
    }
    return no(await call(door, "device_bind", given, phone=phone, key=key))


def devices(bank: BankProcess) -> int:
    return int(bank.books.one("SELECT count(*) FROM device"))


# ------------------------------------------------------------------ without the code


@pytest.mark.attack("SIM swap")
async def test_a_stolen_sim_alone_reads_nothing_and_binds_nothing(
    attacked: BankProcess, ben: Phone
) -> None:
    before = devices(attacked)
    enrolment = await proven(attacked, BEN.phone)

    tries = [await prove(attacked, enrolment, BEN.number, WRONG) for _ in range(3)]
    after = await prove(attacked, enrolment, BEN.number, BEN.code)
    bound = await bind(attacked.url, b64url(secrets.token_bytes(32)), ben)

    assert [no(one) for one in tries] == ["INVALID_CREDENTIAL"] * 3
    assert no(after) == "ENROLMENT_EXPIRED"
    assert all(one["bindingNonce"] is None for one in (*tries, after))
    assert bound == "ENROLMENT_EXPIRED"
    assert devices(attacked) == before


@pytest.mark.attack("SIM swap")
async def test_the_code_of_one_customer_is_worth_nothing_with_the_sim_of_another(
    attacked: BankProcess,
) -> None:
    enrolment = await proven(attacked, BEN.phone)

    mixed = await prove(attacked, enrolment, ASHA.number, ASHA.code)

    assert no(mixed) == "INVALID_CREDENTIAL"
    assert mixed["bindingNonce"] is None


@pytest.mark.attack("OTP guessing and SMS bombing")
async def test_a_code_of_one_enrolment_opens_no_other(attacked: BankProcess) -> None:
    inbox = Inbox(attacked.sandbox, ASHA.phone)
    await inbox.skip()
    first = await start(attacked.url, ASHA.phone)
    code = await inbox.otp()
    second = await start(attacked.url, ASHA.phone)
    newer = await inbox.otp()
    # One in a million: both codes are the same.
    assert newer != code

    crossed = await ask(
        attacked.url,
        "enrolment_verify_otp",
        enrolmentId=second["enrolmentId"],
        otp=code,
    )

    assert no(crossed) == "INVALID_CREDENTIAL"
    assert first["enrolmentId"] != second["enrolmentId"]


@pytest.mark.attack("OTP guessing and SMS bombing")
async def test_who_uses_up_a_number_does_not_lock_its_owner_out(
    attacked: BankProcess, strict: str
) -> None:
    inbox = Inbox(attacked.sandbox, BEN.phone)
    await inbox.skip()

    bombs = [await start(strict, BEN.phone) for _ in range(6)]
    known = {"customerNumber": BEN.number, "activationCode": BEN.code}
    owner = await start(strict, BEN.phone, activation=known)

    assert [no(one) for one in bombs] == [None] + ["RATE_LIMITED"] * 5
    assert no(owner) is None
    texts = await inbox.arrivals(2)
    if len(texts) < 2:
        texts += await inbox.arrivals(5)
    assert len(texts) == 2


@pytest.mark.attack("activation code")
async def test_wrong_codes_shown_first_burn_no_try(
    attacked: BankProcess, strict: str
) -> None:
    sql = "SELECT sum(tries) FROM activation_code"
    before = attacked.books.one(sql)
    wrong = {"customerNumber": ASHA.number, "activationCode": WRONG}

    begun = [await start(strict, ASHA.phone, activation=wrong) for _ in range(100)]

    assert Counter(no(one) for one in begun) == {None: 100}
    assert attacked.books.one(sql) == before


# ------------------------------------------------------------------ who is a customer


@pytest.mark.attack("user enumeration")
async def test_a_number_of_nobody_gets_the_same_answers_to_the_last_byte_of_shape(
    attacked: BankProcess,
) -> None:
    shapes: list[object] = []
    for number in (ASHA.phone, NOBODY):
        begun = await start(attacked.url, number)
        enrolment = {"enrolmentId": begun["enrolmentId"]}
        resent = await ask(attacked.url, "enrolment_resend_otp", **enrolment)
        wrong = [
            await ask(attacked.url, "enrolment_verify_otp", **enrolment, otp="000000")
            for _ in range(4)
        ]
        early = await prove(attacked, enrolment["enrolmentId"], ASHA.number, WRONG)
        said = orjson.dumps([begun, resent, *wrong, early]).decode()
        shapes.append("".join("0" if one.isalnum() else one for one in said))
        shapes.append([no(one) for one in (begun, resent, *wrong, early)])

    assert shapes[:2] == shapes[2:]


@pytest.mark.attack("user enumeration")
async def test_a_wrong_number_and_a_wrong_code_are_one_answer(
    attacked: BankProcess,
) -> None:
    answers = []
    for number, code in (
        (BEN.number, WRONG),
        ("99999999", WRONG),
        (ASHA.number, WRONG),
    ):
        enrolment = await proven(attacked, BEN.phone)
        answers.append(await prove(attacked, enrolment, number, code))

    assert answers[0] == answers[1] == answers[2]
    assert no(answers[0]) == "INVALID_CREDENTIAL"


@pytest.mark.attack("user enumeration")
async def test_the_time_of_an_answer_does_not_tell_a_customer(
    attacked: BankProcess,
) -> None:
    """In pairs, so that a busy machine slows both; an oracle wins nearly all pairs."""
    slower, gaps = 0, []
    for turn in range(PAIRS):
        took = {}
        numbers = (BEN.phone, NOBODY) if turn % 2 else (NOBODY, BEN.phone)
        for number in numbers:
            began = time.perf_counter()
            await start(attacked.url, number)
            took[number] = time.perf_counter() - began
        slower += took[BEN.phone] > took[NOBODY]
        gaps.append(took[BEN.phone] - took[NOBODY])

    assert PAIRS * 0.15 < slower < PAIRS * 0.85, statistics.median(gaps)


@pytest.mark.attack("user enumeration")
async def test_sign_ins_of_unknown_keys_leave_no_row(
    attacked: BankProcess, asha: Phone
) -> None:
    sql = "SELECT count(*) FROM challenge"
    shape = await call(
        attacked.url, "login_start", {}, phone=asha, key=asha.handset.key
    )
    before = attacked.books.one(sql)

    answers = [
        await call(
            attacked.url, "login_start", {}, phone=asha, key=DeviceKey.generate()
        )
        for _ in range(200)
    ]

    assert attacked.books.one(sql) == before
    assert {tuple(one["challenge"]) for one in answers} == {tuple(shape["challenge"])}
    assert {no(one) for one in answers} == {None}
    payload = orjson.loads(shape["challenge"]["payload"])
    assert {tuple(orjson.loads(one["challenge"]["payload"])) for one in answers} == {
        tuple(payload)
    }


# ------------------------------------------------------------------ with the code


@pytest.mark.attack("forged attestation")
async def test_an_attestation_that_was_made_binds_nothing(
    attacked: BankProcess, ben: Phone
) -> None:
    before, ends = devices(attacked), {}
    for name, attested in FORGED.items():
        enrolment = await proven(attacked, BEN.phone)
        shown = await prove(attacked, enrolment, BEN.number, BEN.code)
        nonce = shown["bindingNonce"]
        ends[name] = await bind(attacked.url, nonce, ben, attested)

    assert ends == dict.fromkeys(FORGED, "ATTESTATION_REJECTED")
    assert devices(attacked) == before


@pytest.mark.attack("activation code")
async def test_two_thieves_race_with_one_code_and_one_phone_is_bound(
    attacked: BankProcess, strict: str, ben: Phone, newcomer: Person
) -> None:
    enrolments = [await proven(attacked, newcomer.phone) for _ in range(2)]
    nonces = [
        (await prove(attacked, one, newcomer.number, newcomer.code))["bindingNonce"]
        for one in enrolments
    ]
    before = devices(attacked)

    ends = await asyncio.gather(*(bind(strict, nonce, ben) for nonce in nonces))
    late = await bind(strict, nonces[0], ben)

    assert sorted(map(str, ends)) == ["ENROLMENT_EXPIRED", "None"]
    assert late == "ENROLMENT_EXPIRED"
    assert devices(attacked) == before + 1
