"""Passkeys used by the wrong site, the wrong person, the wrong phone, or twice."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from mock_mobile_client import devices, passkeys
from mock_mobile_client.credential import Flag, assertion, client_data
from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import BadEntry, Refused
from mock_mobile_client.handset import Level
from mock_mobile_client.intents import SignInIntent
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import b64url, sha256
from mock_mobile_client.store import StoredPasskey
from mock_mobile_client.values import ChallengeValue, JsonObject
from tests.attacks.conftest import figures, setting
from tests.attacks.untouched import as_hex
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PERSON = Flag.PRESENT | Flag.VERIFIED


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def holder(asha: Phone) -> Phone:
    """Give Asha's phone with a passkey."""
    if await passkeys.held(asha.session) is None:
        await asha.register_passkey()
    return asha


async def ceremony(phone: Phone) -> tuple[ChallengeValue, JsonObject]:
    """Give a sign-in challenge and the whole right answer by passkey."""
    started = await phone.handset.call("login_start", {"input": {}}, Level.DEVICE)
    challenge = ChallengeValue.read(started["challenge"])
    answer = await phone.session.answer(
        challenge, SignInIntent(), None, FactorKind.WEBAUTHN
    )
    return challenge, answer


async def refused(phone: Phone, answer: JsonObject) -> str:
    with pytest.raises(Refused) as no:
        await phone.handset.call("login_finish", {"input": answer}, Level.DEVICE)
    return no.value.code


def held(phone: Phone) -> StoredPasskey:
    return phone.handset.state.passkeys[-1]


def said(challenge: str, phone: Phone, **changed: object) -> bytes:
    """Write client data of this bank with something changed."""
    parsed = orjson.loads(client_data("get", challenge, phone.handset.bank))
    return orjson.dumps(parsed | changed)


Forgery = Callable[[Phone, str], JsonObject]
FORGERIES: dict[str, Forgery] = {
    "another site": lambda phone, asked: assertion(
        held(phone), said(asked, phone, origin="https://bank.evil.example"), PERSON
    ),
    "another domain": lambda phone, asked: assertion(
        replace(held(phone), rp_id="evil.example"), said(asked, phone), PERSON
    ),
    "a frame": lambda phone, asked: assertion(
        held(phone), said(asked, phone, crossOrigin=True), PERSON
    ),
    "a frame's top": lambda phone, asked: assertion(
        held(phone), said(asked, phone, topOrigin="https://evil.example"), PERSON
    ),
    "nobody verified": lambda phone, asked: assertion(
        held(phone), said(asked, phone), Flag.PRESENT
    ),
    "another person's handle": lambda phone, asked: assertion(
        replace(held(phone), user_handle=b64url(bytes(32))), said(asked, phone), PERSON
    ),
    "a key that cannot be copied": lambda phone, asked: assertion(
        replace(held(phone), eligible=False, backed_up=False),
        said(asked, phone),
        PERSON,
    ),
    "another challenge": lambda phone, _asked: assertion(
        held(phone), said(b64url(sha256(b"another")), phone), PERSON
    ),
    "seventeen kilobytes": lambda phone, asked: (
        assertion(held(phone), said(asked, phone), PERSON) | {"extra": "x" * 17_000}
    ),
    "nothing at all": lambda _phone, _asked: {"id": "AA", "type": "public-key"},
}


@pytest.mark.attack("passkey of another site")
@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_assertion_signs_nobody_in(holder: Phone, name: str) -> None:
    before = await figures(holder)
    challenge, answer = await ceremony(holder)
    options = challenge.webauthn_options
    assert options is not None
    forged = FORGERIES[name](holder, options["challenge"])

    code = await refused(holder, answer | {"response": {"webauthn": forged}})

    assert code == "INVALID_CREDENTIAL"
    assert await figures(holder) == before
    await holder.login(FactorKind.WEBAUTHN)


@pytest.mark.attack("challenge used elsewhere")
async def test_an_assertion_is_good_for_its_own_challenge_alone(
    holder: Phone,
) -> None:
    _, used = await ceremony(holder)
    _, waiting = await ceremony(holder)
    await holder.handset.call("login_finish", {"input": used}, Level.DEVICE)

    replayed = waiting | {"response": used["response"]}
    codes = [
        await refused(holder, replayed),
        await refused(holder, used | {"challengeId": waiting["challengeId"]}),
    ]

    assert codes == ["INVALID_CREDENTIAL", "INVALID_CREDENTIAL"]
    await holder.login(FactorKind.WEBAUTHN)


@pytest.mark.attack("broken passkey")
async def test_the_passkey_of_one_customer_is_no_factor_of_another(
    holder: Phone, ben: Phone
) -> None:
    """Ben stole the passkey itself, but not the phone."""
    ben.handset.keep(passkeys=(held(holder),))
    started = await ben.handset.call("login_start", {"input": {}}, Level.DEVICE)
    challenge = ChallengeValue.read(started["challenge"])
    answer = await ben.session.answer(
        challenge, SignInIntent(), ben.owner.pin, FactorKind.MPIN
    )
    stolen = assertion(held(holder), said(b64url(bytes(32)), ben), PERSON)

    code = await refused(ben, answer | {"response": {"webauthn": stolen}})

    assert code == "INVALID_CREDENTIAL"
    ben.handset.keep(passkeys=())
    await ben.login()


@pytest.mark.attack("broken passkey")
async def test_a_copied_passkey_locks_itself_when_its_counter_goes_back(
    attacked: BankProcess, phones_folder: Path
) -> None:
    world = (attacked.url, attacked.sandbox, setting(phones_folder))
    async with Phone("ben-3", *world) as phone:
        await phone.start()
        made = await passkeys.register(phone.session, synced=False)
        copy = phone.handset.state.passkeys
        for _ in range(2):
            await phone.login(FactorKind.WEBAUTHN)
        own, before = phone.handset.state.passkeys, await figures(phone)

        phone.handset.keep(passkeys=copy)
        _, answer = await ceremony(phone)
        copied = await refused(phone, answer)
        phone.handset.keep(passkeys=own)
        with pytest.raises((Refused, BadEntry)):
            await phone.login(FactorKind.WEBAUTHN)

        assert copied == "CREDENTIAL_LOCKED"
        assert await figures(phone) == before
        states = attacked.books.read("SELECT id, state FROM passkey")
        named = {as_hex(name): state for name, state in states}
        assert named[made.id.partition("_")[2]] == "LOCKED"
        await phone.login()
        await devices.forget(phone.handset)


@pytest.mark.attack("ids of another customer")
async def test_a_foreign_registration_and_a_foreign_passkey_do_not_exist(
    holder: Phone, ben: Phone
) -> None:
    mine = await passkeys.held(holder.session)
    assert mine is not None
    node = "query Node($id: ID!) { node(id: $id) { id } }"
    given = {
        "registrationId": "reg_" + mine.id.partition("_")[2],
        "credential": {"id": "AA"},
        "label": "mine now",
    }

    seen = await ben.ask(node, {"id": mine.id}, Level.LOGIN)
    with pytest.raises(Refused) as no:
        await ben.session.call("passkey_register_finish", {"input": given})

    assert seen.data == {"node": None}
    assert no.value.code == "CHALLENGE_EXPIRED"
    assert [one.id for one in await passkeys.listed(holder.session)] == [mine.id]
    assert await passkeys.listed(ben.session) == []
