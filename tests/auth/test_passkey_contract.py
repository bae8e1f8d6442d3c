"""Passkeys over GraphQL: what a phone sends, and every word it gets back."""

from typing import Any, cast

import pytest

from app.auth.actor import Actor
from app.bank import Bank
from app.errors import Forbidden
from app.ids import ChallengeId
from app.schema import guards
from app.schema.context import Context
from app.schema.guards import AuthLevel
from app.schema.root import SCHEMA
from tests.auth.authenticator import BE, BS, UP, UV, Authenticator
from tests.auth.passkey_holder import Holder
from tests.auth.room import Person, Phone, Room, a_customer, b64u
from tests.auth.test_login import count, sessions_made
from tests.auth.test_passkeys import bound, registered_by_approval

ERRORS = """userErrors { __typename code message field
  ... on CoolingPeriodError { endsAt allowedNow { minorUnits } }
  ... on CredentialError { attemptsLeft lockedUntil }
  ... on StepUpRequiredError { challenge { action allowed webauthnOptions } } }"""
START = f"mutation {{ passkeyRegisterStart {{ registrationId options {ERRORS} }} }}"
FINISH = (
    "mutation Finish($input: PasskeyRegisterFinishInput!) "
    "{ passkeyRegisterFinish(input: $input) { passkey "
    f"{{ id label createdAt lastUsedAt backedUp }} {ERRORS} }} }}"
)
LOGIN_START = """mutation { loginStart(input: {}) { challenge {
  id nonce payload allowed attemptsLeft webauthnOptions } } }"""
LOGIN_FINISH = (
    "mutation Login($input: LoginFinishInput!) { loginFinish(input: $input) { "
    f"tokens {{ expiresAt }} me {{ passkeys {{ label lastUsedAt }} }} {ERRORS} }} }}"
)
NODE = "query Node($id: ID!) { node(id: $id) { id ... on Passkey { label } } }"


async def sent(
    room: Room, actor: Actor, document: str, **variables: Any
) -> dict[str, Any]:
    """Send a document and give its data."""
    context = Context(bank=cast("Bank", room), actor=actor, request_id="request")
    result = await SCHEMA.execute(
        document, variable_values=variables, context_value=context
    )
    if result.errors:
        raise result.errors[0].original_error or result.errors[0]
    assert result.data is not None
    return cast("dict[str, Any]", next(iter(result.data.values())))


def finishing(opened: dict[str, Any], made: object, **rest: Any) -> dict[str, Any]:
    return {"registrationId": opened["registrationId"], "credential": made, **rest}


async def test_a_phone_registers_a_passkey_and_sees_it(
    room: Room, asha: Person
) -> None:
    phone = await bound(room, asha)
    authenticator = Authenticator(flags=UP | UV | BE | BS)
    actor = await phone.as_device()

    opened = await sent(room, actor, START)
    made = authenticator.create(opened["options"])
    wish = finishing(opened, made, label="My phone")
    answer = await sent(room, actor, FINISH, input=wish)

    assert opened["userErrors"] == answer["userErrors"] == []
    assert opened["options"]["rp"] == {"id": "localhost", "name": "Sixpence"}
    assert opened["options"]["user"]["displayName"] == "Asha Rao"
    passkey = answer["passkey"]
    assert passkey.pop("id").startswith("pky_")
    assert passkey == {
        "label": "My phone",
        "createdAt": "2026-11-21T09:30:00.000Z",
        "lastUsedAt": None,
        "backedUp": True,
    }
    again = await sent(room, actor, FINISH, input=wish)
    assert again["passkey"]["label"] == "My phone"
    assert await count("SELECT count(*) AS n FROM passkey") == 1


async def test_a_phone_signs_in_by_passkey(room: Room, holder: Holder) -> None:
    phone = holder.phone
    started = await sent(room, await phone.as_device(), LOGIN_START)
    shown = started["challenge"]
    room_sees = await room.challenges.find(
        await phone.as_device(), ChallengeId.parse(shown["id"])
    )
    assert room_sees is not None

    assert shown["allowed"] == ["WEBAUTHN"]
    assert shown["webauthnOptions"]["challenge"] == b64u(room_sees.digest)
    assert shown["webauthnOptions"]["userVerification"] == "required"
    assertion = holder.authenticator.get(shown["webauthnOptions"])
    given = {
        "challengeId": shown["id"],
        "deviceSignature": phone.sign(phone.message(room_sees)),
        "response": {"webauthn": assertion},
    }
    answer = await sent(room, await phone.as_device(), LOGIN_FINISH, input=given)

    assert answer["userErrors"] == []
    assert answer["tokens"] == {"expiresAt": "2026-11-21T09:35:00.000Z"}
    assert answer["me"]["passkeys"] == [
        {"label": "Asha's phone", "lastUsedAt": "2026-11-21T09:30:00.000Z"}
    ]


async def test_a_wrong_assertion_says_how_many_tries_are_left(
    room: Room, holder: Holder
) -> None:
    challenge = await room.logins.start(await holder.phone.as_device())
    signature, response = holder.answer(challenge, flags=UP)
    given = {
        "challengeId": str(challenge.id),
        "deviceSignature": signature,
        "response": {"webauthn": response.webauthn},
    }

    answer = await sent(room, await holder.phone.as_device(), LOGIN_FINISH, input=given)

    assert answer["tokens"] is None
    assert answer["me"] is None
    assert answer["userErrors"] == [
        {
            "__typename": "CredentialError",
            "code": "INVALID_CREDENTIAL",
            "message": "That is not right.",
            "field": None,
            "attemptsLeft": 4,
            "lockedUntil": None,
        }
    ]
    assert await sessions_made() == 0


async def test_with_a_factor_a_phone_without_a_session_is_forbidden(
    room: Room, phone: Phone
) -> None:
    with pytest.raises(Forbidden) as refused:
        await sent(room, await phone.as_device(), START)

    assert refused.value.facts == {"requiredLevel": "LOGIN"}


async def test_with_a_session_the_field_asks_for_an_approval(
    room: Room, phone: Phone
) -> None:
    await phone.login()

    answer = await sent(room, await phone.as_login(), START)

    (error,) = answer["userErrors"]
    assert (answer["registrationId"], answer["options"]) == (None, None)
    assert (error["__typename"], error["code"]) == (
        "StepUpRequiredError",
        "STEP_UP_REQUIRED",
    )
    assert error["challenge"] == {
        "action": "passkeyRegisterStart",
        "allowed": ["MPIN"],
        "webauthnOptions": None,
    }


async def test_a_cooling_phone_is_told_until_when(room: Room, phone: Phone) -> None:
    await phone.login()
    await registered_by_approval(Holder(phone))

    answer = await sent(room, await phone.as_login(), START)

    assert answer["userErrors"] == [
        {
            "__typename": "CoolingPeriodError",
            "code": "COOLING_PERIOD",
            "message": "This is possible after the waiting time.",
            "field": None,
            "endsAt": "2026-11-22T09:30:00.000Z",
            "allowedNow": None,
        }
    ]


@pytest.mark.parametrize("registration", ["", "reg_1", "chl_" + "0" * 32])
async def test_what_was_never_opened_is_expired(
    room: Room, asha: Person, registration: str
) -> None:
    phone = await bound(room, asha)
    given = {"registrationId": registration, "credential": {}}

    answer = await sent(room, await phone.as_device(), FINISH, input=given)

    assert answer["passkey"] is None
    assert [error["code"] for error in answer["userErrors"]] == ["CHALLENGE_EXPIRED"]


@pytest.mark.parametrize(
    "wrong", [{"flags": UP}, {"client": {"origin": "https://evil.example"}}, {"fmt": 1}]
)
async def test_a_misfit_is_one_code_and_one_sentence(
    room: Room, asha: Person, wrong: dict[str, Any]
) -> None:
    phone = await bound(room, asha)
    actor = await phone.as_device()
    opened = await sent(room, actor, START)
    made = Authenticator().create(opened["options"], **wrong)

    answer = await sent(room, actor, FINISH, input=finishing(opened, made))

    assert answer["passkey"] is None
    assert answer["userErrors"] == [
        {
            "__typename": "GenericError",
            "code": "PASSKEY_REJECTED",
            "message": "This passkey cannot be used.",
            "field": None,
        }
    ]
    assert await count("SELECT count(*) AS n FROM passkey") == 0


async def test_a_passkey_is_read_by_its_owner_alone(room: Room, holder: Holder) -> None:
    await holder.login()
    mine = await holder.phone.as_login()
    (listed,) = await room.passkeys.of_customer(mine)
    ben = await a_customer(room, number="100000002", phone="+919876543211", name="Ben")
    other = Phone(room)
    await other.enrol(ben)
    await other.login()

    found = await sent(room, mine, NODE, id=str(listed.id))

    assert found == {"id": str(listed.id), "label": "Asha's phone"}
    assert await sent(room, await other.as_login(), NODE, id=str(listed.id)) is None


@pytest.mark.parametrize(
    ("name", "weight"), [("passkeyRegisterStart", 100), ("passkeyRegisterFinish", 500)]
)
def test_both_faces_carry_the_lower_level(name: str, weight: int) -> None:
    mutation = SCHEMA._schema.mutation_type  # noqa: SLF001  -- the marks stand there
    assert mutation is not None

    mark = guards.mark_of(mutation.fields[name])

    assert mark is not None
    assert (mark.level, mark.scope, mark.weight) == (AuthLevel.DEVICE, None, weight)
