"""The phone signs what the person asked for, and nothing else."""

from dataclasses import replace

import pytest

from mock_mobile_client.enums import ChallengePurpose
from mock_mobile_client.errors import NotAsIntended
from mock_mobile_client.intents import (
    Intent,
    PaymentIntent,
    SignInIntent,
    StepUpIntent,
    VouchIntent,
    check,
    last_digits,
)
from mock_mobile_client.money import money
from mock_mobile_client.signing import b64url, jcs, sha256
from mock_mobile_client.values import ChallengeValue, JsonObject

DEVICE = "dev_1"
PAYMENT: JsonObject = {
    "v": 1,
    "challengeId": "chl_1",
    "deviceId": DEVICE,
    "paymentId": "pay_1",
    "from": "acc_1",
    "amount": {"currency": "INR", "exponent": 2, "minorUnits": "25000"},
    "fee": {"currency": "INR", "exponent": 2, "minorUnits": "0"},
    "payee": {"address": "50100000002001", "name": "Ben", "scheme": "INTERNAL"},
    "executeOn": None,
    "summary": "Pay ₹250.00 to Ben",
}
TO_BEN = PaymentIntent("pay_1", money("250.00 INR"), "acc_1", "Ben", "2001")
TO_SAVINGS = PaymentIntent("pay_1", money("250.00 INR"), "acc_1", None, "acc_2")
OWN = {"address": "acc_2", "name": "Savings", "scheme": "OWN"}
INPUT: JsonObject = {
    "nickname": "Ben",
    "payee": {"account": {"accountNumber": "50100000002001"}},
}
SAVE_BEN = StepUpIntent("beneficiaryCreate", INPUT)
STEP_UP: JsonObject = {
    "v": 1,
    "challengeId": "chl_1",
    "deviceId": DEVICE,
    "operation": "beneficiaryCreate",
    "input": INPUT,
}


def challenge(purpose: ChallengePurpose, payload: JsonObject) -> ChallengeValue:
    text = jcs(payload)
    return ChallengeValue(
        id="chl_1",
        purpose=purpose,
        nonce=b64url(bytes(32)),
        payload=text.decode(),
        binding_hash=b64url(sha256(text)),
        allowed=(),
        attempts_left=3,
        expires_at="",
    )


def payment(**changes: object) -> ChallengeValue:
    return challenge(ChallengePurpose.PAYMENT, {**PAYMENT, **changes})


def test_a_payment_as_intended_is_signed() -> None:
    check(payment(), TO_BEN, DEVICE)
    check(payment(payee=OWN), TO_SAVINGS, DEVICE)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": {"currency": "INR", "exponent": 2, "minorUnits": "250000"}},
        {"amount": {"currency": "INR", "exponent": 1, "minorUnits": "25000"}},
        {"amount": {"currency": "EUR", "exponent": 2, "minorUnits": "25000"}},
        {"fee": {"currency": "INR", "exponent": 2, "minorUnits": "100"}},
        {"payee": {"address": "50100000009999", "name": "Ben", "scheme": "INTERNAL"}},
        {"payee": {"address": "50100000002001", "name": "Eve", "scheme": "INTERNAL"}},
        {"payee": None},
        {"from": "acc_9"},
        {"paymentId": "pay_9"},
        {"deviceId": "dev_9"},
        {"challengeId": "chl_9"},
        {"v": 2},
    ],
)
def test_a_payment_that_differs_in_one_fact_is_not_signed(
    changes: dict[str, object],
) -> None:
    with pytest.raises(NotAsIntended):
        check(payment(**changes), TO_BEN, DEVICE)


@pytest.mark.parametrize(
    "payee", [{**OWN, "address": "acc_3"}, {**OWN, "scheme": "INTERNAL"}]
)
def test_a_transfer_to_another_account_is_not_signed(payee: JsonObject) -> None:
    with pytest.raises(NotAsIntended):
        check(payment(payee=payee), TO_SAVINGS, DEVICE)


@pytest.mark.parametrize("intent", [SignInIntent(), SAVE_BEN])
def test_a_payment_is_never_signed_as_something_else(intent: Intent) -> None:
    with pytest.raises(NotAsIntended, match="is for PAYMENT"):
        check(payment(), intent, DEVICE)


def test_a_text_whose_hash_is_another_is_not_signed() -> None:
    odd = replace(payment(), binding_hash=b64url(bytes(32)))

    with pytest.raises(NotAsIntended, match="hash"):
        check(odd, TO_BEN, DEVICE)


def test_a_step_up_is_signed_with_fields_that_are_null_or_missing() -> None:
    account = {"accountNumber": "50100000002001", "bankCode": None}
    seen = {**INPUT, "payee": {"account": account, "vpa": None}}

    payload = {**STEP_UP, "input": seen}

    check(challenge(ChallengePurpose.STEP_UP, payload), SAVE_BEN, DEVICE)


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": "deviceRevoke"},
        {"input": {**INPUT, "nickname": "Eve"}},
        {"input": {**INPUT, "payee": {"account": {"accountNumber": "1"}}}},
        {"input": {**INPUT, "more": True}},
        {"input": None},
    ],
)
def test_a_step_up_for_another_call_is_not_signed(changes: dict[str, object]) -> None:
    payload = {**STEP_UP, **changes}

    with pytest.raises(NotAsIntended):
        check(challenge(ChallengePurpose.STEP_UP, payload), SAVE_BEN, DEVICE)


@pytest.mark.parametrize("name", ["phoneModel", "platform", "network", "deviceId"])
def test_only_the_new_phone_that_was_shown_is_vouched_for(name: str) -> None:
    intent = VouchIntent("Pixel 9", "ANDROID", "203.0.113.7")
    payload: JsonObject = {
        "v": 1,
        "challengeId": "chl_1",
        "enrolmentId": b64url(bytes(32)),
        "deviceId": DEVICE,
        "phoneModel": "Pixel 9",
        "platform": "ANDROID",
        "network": "203.0.113.7",
        "summary": "Let a new phone in",
    }
    purpose = ChallengePurpose.LOGIN_APPROVAL

    check(challenge(purpose, payload), intent, DEVICE)
    other = challenge(purpose, {**payload, name: "another"})
    with pytest.raises(NotAsIntended, match=name):
        check(other, intent, DEVICE)


def test_a_sign_in_holds_nothing_besides_the_sign_in() -> None:
    plain: JsonObject = {"v": 1, "challengeId": "chl_1", "deviceId": DEVICE}

    check(challenge(ChallengePurpose.LOGIN, plain), SignInIntent(), DEVICE)
    more = challenge(ChallengePurpose.LOGIN, {**plain, "amount": "1"})
    with pytest.raises(NotAsIntended, match="more"):
        check(more, SignInIntent(), DEVICE)


def test_the_readable_end_of_a_masked_number_is_compared() -> None:
    assert last_digits("••••2001") == "2001"
    assert last_digits("XXXX 2001") == "2001"
    assert last_digits(None) == ""
