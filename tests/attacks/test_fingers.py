"""Biometric keys that are borrowed, bent and replayed, on the wire."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from mock_mobile_client.enums import ChallengePurpose, PaymentStatus
from mock_mobile_client.handset import Level
from mock_mobile_client.intents import StepUpIntent
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone, introduce
from mock_mobile_client.signing import (
    b64url,
    challenge_message,
    unb64url,
)
from mock_mobile_client.values import ChallengeValue, JsonObject, PaymentValue
from tests.attacks.conftest import figures, setting
from tests.attacks.test_approvals import VOID, refused
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SET = """mutation($input: BiometricKeySetInput!) { biometricKeySet(input: $input) {
  device { factors { kind state } } userErrors { code
  ... on StepUpRequiredError { challenge { id purpose state nonce payload bindingHash
    action allowed attemptsLeft expiresAt webauthnOptions } } } } }"""


@dataclass
class Duel:
    """Two people who each hold a phone with a finger on it."""

    phone: Phone
    finger: DeviceKey
    other: Phone
    others: DeviceKey


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def duel(attacked: BankProcess, phones_folder: Path) -> AsyncIterator[Duel]:
    """Give Ben's and Asha's phones, signed in, each with a biometric key."""
    world = (attacked.url, attacked.sandbox, setting(phones_folder))
    async with Phone("ben", *world) as ben, Phone("asha", *world) as asha:
        await ben.start()
        await asha.start()
        await introduce(ben, asha)
        keys = [await with_a_finger(phone) for phone in (ben, asha)]
        yield Duel(ben, keys[0], asha, keys[1])


async def request(
    phone: Phone, key: DeviceKey, vouches: str | None = None
) -> JsonObject:
    """Write down how a key is set; `vouches` names another device key."""
    await phone.ask("{ me { id } }", {}, Level.LOGIN)  # a nonce comes with any answer
    nonce = phone.handset.api.nonce
    assert nonce is not None
    vouched = vouches or phone.handset.key.jkt
    parts = (b"sixpence/bio/v1\0", unb64url(nonce), vouched.encode(), key.jkt.encode())
    return {
        "jwk": key.jwk,
        "nonce": nonce,
        "signature": b64url(key.sign(b"".join(parts))),
        "attestation": {"none": {"reason": "an old phone"}},
    }


async def tried(phone: Phone, given: JsonObject, level: Level = Level.LOGIN) -> str:
    """Try to set a key; gives the code of the refusal, or what went through."""
    told = await phone.ask(SET, {"input": given}, level)
    if told.data is None:
        return "FORBIDDEN" if "FORBIDDEN" in str(told) else "refused"
    errors = told.data["biometricKeySet"]["userErrors"]
    return str(errors[0]["code"]) if errors else "set"


async def with_a_finger(phone: Phone) -> DeviceKey:
    """Set a biometric key, approved with the PIN."""
    key = DeviceKey.generate()
    given = await request(phone, key)
    told = await phone.ask(SET, {"input": given}, Level.LOGIN)
    assert told.data is not None
    (error,) = told.data["biometricKeySet"]["userErrors"]
    asked = ChallengeValue.read(error["challenge"])
    signed = await phone.session.answer(asked, StepUpIntent("biometricKeySet", given))
    await phone.handset.call("challenge_respond", {"input": signed})
    assert await tried(phone, given) == "set"
    return key


def signed(
    phone: Phone,
    asked: ChallengeValue,
    finger: DeviceKey,
    purpose: ChallengePurpose = ChallengePurpose.PAYMENT,
) -> JsonObject:
    """Answer with the phone's own key and a finger; `purpose` is what it signs for."""
    right = challenge_message(ChallengePurpose.PAYMENT, asked.nonce, asked.payload)
    bent = challenge_message(purpose, asked.nonce, asked.payload)
    return {
        "challengeId": asked.id,
        "deviceSignature": b64url(phone.handset.key.sign(right)),
        "response": {"deviceSignature": b64url(finger.sign(bent))},
    }


async def asked_to_pay(phone: Phone) -> tuple[PaymentValue, ChallengeValue]:
    order = await phone.order("Asha", money("1.00 INR"))
    payment = await phone.payments.create(order)
    assert payment.challenge is not None
    return payment, payment.challenge


@pytest.mark.attack("challenge used elsewhere")
@pytest.mark.parametrize(
    "who", ["the device key", "another customer's finger", "a finger nobody set"]
)
async def test_only_the_finger_of_this_phone_approves(duel: Duel, who: str) -> None:
    payment, asked = await asked_to_pay(duel.phone)
    before = await figures(duel.phone)
    foreign = {
        "the device key": duel.phone.handset.key,
        "another customer's finger": duel.others,
        "a finger nobody set": DeviceKey.generate(),
    }[who]

    code = await refused(
        duel.phone, "challenge_respond", signed(duel.phone, asked, foreign)
    )

    assert code == "INVALID_CREDENTIAL"
    assert await figures(duel.phone) == before
    await paid(duel, payment, asked)


@pytest.mark.attack("challenge used elsewhere")
@pytest.mark.parametrize("purpose", [ChallengePurpose.LOGIN, ChallengePurpose.STEP_UP])
async def test_a_finger_that_signed_for_something_else_approves_nothing(
    duel: Duel, purpose: ChallengePurpose
) -> None:
    payment, asked = await asked_to_pay(duel.phone)
    before = await figures(duel.phone)

    bent = signed(duel.phone, asked, duel.finger, purpose)
    code = await refused(duel.phone, "challenge_respond", bent)

    assert code in VOID
    assert await figures(duel.phone) == before
    await paid(duel, payment, asked)


@pytest.mark.attack("challenge used elsewhere")
async def test_a_sign_in_by_finger_pays_nothing(duel: Duel) -> None:
    payment, asked = await asked_to_pay(duel.phone)
    begun = await duel.phone.handset.call("login_start", {"input": {}}, Level.DEVICE)
    sign_in = ChallengeValue.read(begun["challenge"])
    message = challenge_message(ChallengePurpose.LOGIN, sign_in.nonce, sign_in.payload)
    given = {
        "deviceSignature": b64url(duel.phone.handset.key.sign(message)),
        "response": {"deviceSignature": b64url(duel.finger.sign(message))},
    }
    before = await figures(duel.phone)

    codes = [
        await refused(duel.phone, "challenge_respond", given | {"challengeId": name})
        for name in (sign_in.id, asked.id)
    ]

    assert codes[0] == "CHALLENGE_EXPIRED"
    assert codes[1] in VOID
    assert await figures(duel.phone) == before
    await paid(duel, payment, asked)


@pytest.mark.attack("approved twice")
async def test_an_approval_by_finger_again_is_one_debit(duel: Duel) -> None:
    payment, asked = await asked_to_pay(duel.phone)

    await paid(duel, payment, asked)


async def paid(duel: Duel, payment: PaymentValue, asked: ChallengeValue) -> None:
    """Approve by finger, and replay the very bytes: the money leaves once."""
    before = await figures(duel.phone)
    right = signed(duel.phone, asked, duel.finger)
    answer = await duel.phone.handset.call("challenge_respond", {"input": right})
    done = await duel.phone.payments.final(duel.phone.payments.read_answer(answer))
    assert done.status is PaymentStatus.SETTLED
    after = await figures(duel.phone)
    assert after != before

    again = await duel.phone.handset.call("challenge_respond", {"input": right})
    code = await refused(duel.other, "challenge_respond", right)

    assert again["payment"]["id"] == payment.id
    assert code == "CHALLENGE_EXPIRED"
    assert await figures(duel.phone) == after


# ------------------------------------------------------------------ setting a key


@pytest.mark.attack("challenge used elsewhere")
async def test_a_key_comes_only_with_the_phone_it_signed_for(duel: Duel) -> None:
    thief = DeviceKey.generate()
    for_ben = await request(duel.phone, thief)
    of_ashas = await request(duel.other, duel.finger)
    for_another = await request(duel.phone, thief, duel.other.handset.key.jkt)
    old = for_ben | {"nonce": b64url(bytes(32))}

    codes = {
        "replayed by another phone": await tried(duel.other, for_ben),
        "a key of another phone": await tried(duel.other, of_ashas),
        "signed for another phone": await tried(duel.phone, for_another),
        "an old nonce": await tried(duel.phone, old),
    }

    assert set(codes.values()) == {"CHALLENGE_FAILED"}, codes


@pytest.mark.attack("approved twice")
async def test_without_a_session_a_phone_with_a_factor_gets_no_second_key(
    duel: Duel,
) -> None:
    given = await request(duel.phone, DeviceKey.generate())

    told = await tried(duel.phone, given, Level.DEVICE)

    assert told == "FORBIDDEN"
