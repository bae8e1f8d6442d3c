"""Authenticator and recovery codes over GraphQL: every word a phone sends and gets."""

import base64
from typing import Any

import pytest

from app.auth.actor import Actor
from app.clock import StoppedClock
from app.errors import BadRequest
from app.ids import ChallengeId
from app.settings import Settings
from app.vault import Vault
from tests.auth.authenticator_app import App, Owner, an_owner, cooled
from tests.auth.room import Person, Phone, Room, origin
from tests.auth.test_passkey_contract import LOGIN_START, sent
from tests.auth.wiring import open_room

ERRORS = """userErrors { code message
  ... on CoolingPeriodError { endsAt }
  ... on CredentialError { attemptsLeft lockedUntil }
  ... on StepUpRequiredError { challenge { id action allowed } } }"""
START = f"mutation {{ totpEnrolStart {{ otpauthUri secret {ERRORS} }} }}"
FINISH = (
    "mutation($code: String!) { totpEnrolFinish(input: { code: $code }) { "
    f"factor {{ kind state attemptsLeft setAt }} recoveryCodes {ERRORS} }} }}"
)
REMOVE = f"mutation {{ totpRemove {{ factor {{ kind state }} {ERRORS} }} }}"
AGAIN = f"mutation {{ recoveryCodesRegenerate {{ codes {ERRORS} }} }}"
LEFT = "query { me { recoveryCodesLeft } }"
PROVE = (
    "mutation($input: EnrolmentProveIdentityInput!) "
    "{ enrolmentProveIdentity(input: $input) { bindingNonce boundDevices { name } "
    f"{ERRORS} }} }}"
)
LOGIN = (
    "mutation($input: LoginFinishInput!) { loginFinish(input: $input) { "
    "tokens { expiresAt } me { displayName } "
    f"challenge {{ id allowed attemptsLeft webauthnOptions }} {ERRORS} }} }}"
)
ANYBODY = Actor(origin=origin())


@pytest.fixture
async def room(bank_database: Settings, clock: StoppedClock, vault: Vault) -> Room:
    """Give a bank that asks for the code at every sign-in."""
    changed: dict[str, Any] = {"activation_reusable": False, "totp_at_login": "ALWAYS"}
    return await open_room(bank_database.model_copy(update=changed), clock, vault)


@pytest.fixture
async def owner(room: Room, asha: Person) -> Owner:
    """Give Asha an authenticator; its newest step is used."""
    found = await an_owner(room, asha)
    room.clock.move(seconds=60)
    return found


async def through(phone: Phone, document: str) -> dict[str, Any]:
    """Send a step-up field, approve it by mPIN, send it again."""
    bank = phone.room
    asked = await sent(bank, await phone.as_login(), document)
    shown = asked["userErrors"][0]["challenge"]
    assert shown["allowed"] == ["MPIN"]
    actor = await phone.as_login()
    challenge = await bank.challenges.find(actor, ChallengeId.parse(shown["id"]))
    assert challenge is not None
    await bank.step_ups.answer(actor, challenge.id, *phone.answer(challenge))
    return await sent(bank, await phone.as_login(), document)


async def test_a_phone_switches_it_on_and_off(room: Room, asha: Person) -> None:
    phone = await cooled(room, asha)

    opened = await through(phone, START)
    app = App(room.clock, base64.b32decode(opened["secret"]))
    assert opened["secret"] in opened["otpauthUri"]
    wrong = await sent(room, await phone.as_login(), FINISH, code=app.wrong())
    done = await sent(room, await phone.as_login(), FINISH, code=app.code())

    assert wrong["factor"] is wrong["recoveryCodes"] is None
    assert wrong["userErrors"][0]["code"] == "INVALID_CREDENTIAL"
    assert wrong["userErrors"][0]["attemptsLeft"] == 4
    assert done["userErrors"] == []
    assert done["factor"] == {
        "kind": "TOTP",
        "state": "ACTIVE",
        "attemptsLeft": 5,
        "setAt": "2026-11-22T09:30:00.000Z",
    }
    assert len(done["recoveryCodes"]) == 10
    me = await sent(room, await phone.as_login(), LEFT)
    assert me == {"recoveryCodesLeft": 10}
    fresh = await through(phone, AGAIN)
    assert not set(fresh["codes"]) & set(done["recoveryCodes"])
    removed = await through(phone, REMOVE)
    assert removed["factor"] == {"kind": "TOTP", "state": "NOT_SET"}


async def test_a_cooling_phone_hears_until_when(room: Room, phone: Phone) -> None:
    await phone.login()

    for document in (START, REMOVE, AGAIN):
        answer = await sent(room, await phone.as_login(), document)
        no = answer["userErrors"][0]
        assert (no["code"], no["endsAt"]) == (
            "COOLING_PERIOD",
            "2026-11-22T09:30:00.000Z",
        )


async def test_both_proofs_bind_and_an_empty_one_is_no_proof(
    room: Room,
    owner: Owner,
) -> None:
    number = owner.person.number
    proofs = ({"totp": owner.app.code()}, {"recoveryCode": owner.codes[0]})
    for proof in proofs:
        enrolment = await Phone(room).verified(owner.person)
        given = {"enrolmentId": str(enrolment), "customerNumber": number}
        answer = await sent(room, ANYBODY, PROVE, input=given | {"proof": proof})
        assert answer["userErrors"] == []
        assert answer["boundDevices"] == [{"name": "Asha's phone"}]
        with pytest.raises(BadRequest):
            await sent(room, ANYBODY, PROVE, input=given | {"proof": {"totp": ""}})


async def test_a_sign_in_asks_for_the_code_without_tokens_and_without_me(
    room: Room,
    owner: Owner,
) -> None:
    phone = owner.phone
    started = await sent(room, await phone.as_device(), LOGIN_START)
    name = started["challenge"]["id"]
    seen = await room.challenges.find(await phone.as_device(), ChallengeId.parse(name))
    assert seen is not None
    signature, response = phone.answer(seen)
    given = {"challengeId": name, "deviceSignature": signature}
    pin = {"response": {"mpinProof": response.mpin_proof}}

    asked = await sent(room, await phone.as_device(), LOGIN, input=given | pin)
    code = {"response": {"totp": owner.app.code()}}
    done = await sent(room, await phone.as_device(), LOGIN, input=given | code)

    assert asked == {
        "tokens": None,
        "me": None,
        "challenge": {
            "id": name,
            "allowed": ["TOTP"],
            "attemptsLeft": 3,
            "webauthnOptions": None,
        },
        "userErrors": [],
    }
    assert done["userErrors"] == []
    assert done["challenge"] is None
    assert done["me"] == {"displayName": "Asha Rao"}
