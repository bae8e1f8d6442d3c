"""Biometric keys and removed factors over GraphQL: every word a phone gets back."""

from typing import Any

import pytest

from app import database
from app.auth.challenge import Challenge
from app.auth.errors import StepUpRequired
from app.errors import Forbidden
from app.ids import ChallengeId
from tests.auth.authenticator_app import cooled
from tests.auth.finger import Finger, a_finger
from tests.auth.room import Person, Phone, Room
from tests.auth.test_factor_changes import full
from tests.auth.test_login import sessions_made
from tests.auth.test_passkey_contract import ERRORS, LOGIN_FINISH, LOGIN_START, sent
from tests.auth.test_passkeys import approve, bound

FACTORS = "factors { kind state attemptsLeft lockedUntil setAt }"
SET = (
    "mutation Set($input: BiometricKeySetInput!) { biometricKeySet(input: $input) "
    f"{{ device {{ id {FACTORS} }} {ERRORS} }} }}"
)
OFF = f"mutation {{ biometricKeyRemove {{ device {{ {FACTORS} }} {ERRORS} }} }}"
NO_PIN = f"mutation {{ mpinRemove {{ device {{ {FACTORS} }} {ERRORS} }} }}"
RENAME = (
    "mutation Rename($input: PasskeyRenameInput!) { passkeyRename(input: $input) "
    f"{{ passkey {{ label }} {ERRORS} }} }}"
)
REMOVE = (
    "mutation Remove($input: PasskeyRemoveInput!) { passkeyRemove(input: $input) "
    f"{{ removedPasskeyId {ERRORS} }} }}"
)
ME = f"{{ me {{ {FACTORS} devices {{ {FACTORS} }} }} }}"
AT = "2026-11-21T09:30:00.000Z"
NOT_SET = {"state": "NOT_SET", "attemptsLeft": None, "lockedUntil": None, "setAt": None}
ACTIVE = {"state": "ACTIVE", "attemptsLeft": 5, "lockedUntil": None, "setAt": AT}


def given(finger: Finger, **changed: Any) -> dict[str, Any]:
    """Write the input down as a phone sends it."""
    request = finger.request()
    whole: dict[str, Any] = {
        "jwk": finger.jwk,
        "nonce": request.nonce,
        "signature": request.signature,
        "attestation": {"none": {"reason": "an old phone"}},
    }
    return whole | changed


async def test_a_phone_sets_its_finger_and_sees_it(room: Room, asha: Person) -> None:
    finger = Finger(await bound(room, asha))
    actor = await finger.phone.as_device()

    answer = await sent(room, actor, SET, input=given(finger))
    again = await sent(room, actor, SET, input=given(finger))

    assert answer["userErrors"] == []
    assert answer["device"]["factors"] == [
        {"kind": "MPIN", **NOT_SET},
        {"kind": "BIOMETRIC", **ACTIVE},
    ]
    assert again == answer


async def test_a_phone_signs_in_by_finger(room: Room, asha: Person) -> None:
    finger = await a_finger(room, asha)
    phone = finger.phone
    started = await sent(room, await phone.as_device(), LOGIN_START)
    shown = started["challenge"]
    found = await room.challenges.find(
        await phone.as_device(), ChallengeId.parse(shown["id"])
    )
    assert found is not None
    signature, response = finger.answer(found)
    answered = {
        "challengeId": shown["id"],
        "deviceSignature": signature,
        "response": {"deviceSignature": response.device_signature},
    }

    answer = await sent(room, await phone.as_device(), LOGIN_FINISH, input=answered)

    assert shown["allowed"] == ["BIOMETRIC"]
    assert answer["userErrors"] == []
    assert answer["tokens"] == {"expiresAt": "2026-11-21T09:35:00.000Z"}
    assert await sessions_made() == 1


async def test_the_approval_shows_the_whole_input(room: Room, phone: Phone) -> None:
    await phone.login()
    finger = Finger(phone)
    wish = given(finger)

    asked = await sent(room, await phone.as_login(), SET, input=wish)

    (error,) = asked["userErrors"]
    assert error["code"] == "STEP_UP_REQUIRED"
    assert error["challenge"]["action"] == "biometricKeySet"
    with pytest.raises(StepUpRequired) as required:
        await room.biometrics.set(
            await phone.as_login(),
            finger.request(
                nonce=wish["nonce"], signature=wish["signature"], coerced=wish
            ),
        )
    assert dict(required.value.challenge.display().lines) == {
        "jwk.kty": "EC",
        "jwk.crv": "P-256",
        "jwk.x": finger.jwk["x"],
        "jwk.y": finger.jwk["y"],
        "nonce": wish["nonce"],
        "signature": wish["signature"],
        "attestation.none.reason": "an old phone",
    }
    await approve(phone, required.value)
    answer = await sent(room, await phone.as_login(), SET, input=wish)
    assert answer["userErrors"] == []


async def test_with_a_factor_a_phone_without_a_session_is_forbidden(
    room: Room, phone: Phone
) -> None:
    with pytest.raises(Forbidden) as refused:
        await sent(room, await phone.as_device(), SET, input=given(Finger(phone)))

    assert refused.value.facts == {"requiredLevel": "LOGIN"}


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"nonce": "AA"}, "CHALLENGE_FAILED", ["nonce"]),
        ({"signature": "AA"}, "CHALLENGE_FAILED", ["signature"]),
        ({"jwk": {"x": "AA", "y": "AA"}}, "CHALLENGE_FAILED", ["jwk"]),
        (
            {"attestation": {"androidKey": {"chain": ["AA"]}}},
            "ATTESTATION_REJECTED",
            None,
        ),
        (
            {"attestation": {"appAttest": {"keyId": "x", "attestationObject": "AA"}}},
            "ATTESTATION_REJECTED",
            None,
        ),
    ],
)
async def test_what_does_not_fit_is_refused_in_words(
    room: Room,
    asha: Person,
    changed: dict[str, Any],
    code: str,
    field: list[str] | None,
) -> None:
    finger = Finger(await bound(room, asha))
    wish = given(finger, **changed)

    answer = await sent(room, await finger.phone.as_device(), SET, input=wish)

    assert answer["device"] is None
    assert [(one["code"], one["field"]) for one in answer["userErrors"]] == [
        (code, field)
    ]


async def test_factors_are_removed_and_a_lost_answer_is_told_again(
    room: Room, asha: Person
) -> None:
    finger, _ = await full(room, asha)
    phone = finger.phone
    (passkey,) = await room.passkeys.of_customer(await phone.as_login())
    name = str(passkey.id)
    renamed = await sent(
        room, await phone.as_login(), RENAME, input={"id": name, "label": "Laptop"}
    )
    assert renamed == {"passkey": {"label": "Laptop"}, "userErrors": []}

    gone = await removed(room, phone, REMOVE, input={"id": name})
    off = await removed(room, phone, OFF)

    assert gone == {"removedPasskeyId": name, "userErrors": []}
    assert off["userErrors"] == []
    assert [one["state"] for one in off["device"]["factors"]] == ["ACTIVE", "NOT_SET"]
    last = await sent(room, await phone.as_login(), NO_PIN)
    assert (last["device"], last["userErrors"]) == (
        None,
        [
            {
                "__typename": "GenericError",
                "code": "NOT_ALLOWED",
                "message": last["userErrors"][0]["message"],
                "field": None,
            }
        ],
    )


async def removed(room: Room, phone: Phone, document: str, **given: Any) -> Any:
    """Ask, approve, ask again, and once more as after a lost answer."""
    asked = await sent(room, await phone.as_login(), document, **given)
    (error,) = asked["userErrors"]
    assert error["code"] == "STEP_UP_REQUIRED"
    rows = await pending(room, phone)
    signature, response = phone.answer(rows)
    await room.step_ups.answer(await phone.as_login(), rows.id, signature, response)
    first = await sent(room, await phone.as_login(), document, **given)
    again = await sent(room, await phone.as_login(), document, **given)
    assert again == first
    return first


async def pending(room: Room, phone: Phone) -> Challenge:
    """Find what the phone was asked last."""
    row = await database.read_one("SELECT id FROM challenge WHERE state = 'PENDING'")
    assert row is not None
    found = await room.challenges.find(
        await phone.as_login(), row.get("id", ChallengeId)
    )
    assert found is not None
    return found


async def test_a_customer_sees_all_factors(room: Room, asha: Person) -> None:
    phone = await cooled(room, asha)
    at = "2026-11-22T09:30:00.000Z"
    await Finger(phone).set_by(phone.answer)

    answer = await sent(room, await phone.as_login(), ME)

    assert answer == {
        "factors": [
            {"kind": "WEBAUTHN", **NOT_SET},
            {"kind": "TOTP", **NOT_SET},
            {"kind": "RECOVERY_CODE", **NOT_SET},
        ],
        "devices": [
            {
                "factors": [
                    {"kind": "MPIN", **ACTIVE},
                    {"kind": "BIOMETRIC", **ACTIVE, "setAt": at},
                ]
            }
        ],
    }
