"""A phone that is locked, or a session that is over, gets in by no other way."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from mock_mobile_client import devices, passkeys
from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import BadEntry, NotReady, Refused, SocketClosed
from mock_mobile_client.handset import Level
from mock_mobile_client.intents import SignInIntent, StepUpIntent
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import b64url
from mock_mobile_client.values import ChallengeValue, JsonObject
from mock_mobile_client.wire import Wire
from tests.attacks.aged import Aged
from tests.attacks.conftest import CLARA, setting
from tests.attacks.test_approvals import a_payee, asked_to_approve
from tests.attacks.ways import FIRST_PIN, keep, new_ways, until_closed
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WRONG = ("111222", "333444", "555666", "777888", "999000")
ASHAS = {"account": {"accountNumber": "50101000000101"}}
PAUSE_S = 15 * 60 + 5
LOCKED = {"DEVICE_LOCKED", "NOT_OFFERED", "UNAUTHENTICATED", "SESSION_ENDED"}


@pytest_asyncio.fixture(loop_scope="module")
async def robbed(attacked: BankProcess, phones_folder: Path) -> AsyncIterator[Phone]:
    """Give a phone with mPIN and passkey that somebody else holds now."""
    world = (attacked.url, attacked.sandbox, setting(phones_folder))
    async with Phone("clara-2", *world, owner=CLARA) as phone:
        await phone.start()
        await phone.register_passkey()
        yield phone


async def by_passkey(phone: Phone) -> JsonObject:
    """Begin a sign-in and answer it by passkey."""
    begun = await phone.handset.call("login_start", {"input": {}}, Level.DEVICE)
    asked = ChallengeValue.read(begun["challenge"])
    return await phone.session.answer(asked, SignInIntent(), None, FactorKind.WEBAUTHN)


async def refused(phone: Phone, answer: JsonObject) -> str:
    with pytest.raises(Refused) as no:
        await phone.handset.call("login_finish", {"input": answer}, Level.DEVICE)
    return no.value.code


def spoilt(answer: JsonObject) -> JsonObject:
    """Break the passkey's signature and nothing else."""
    webauthn = answer["response"]["webauthn"]
    inner = webauthn["response"] | {"signature": b64url(bytes(70))}
    return answer | {"response": {"webauthn": webauthn | {"response": inner}}}


@pytest.mark.attack("locked signs in another way")
async def test_a_phone_that_guessed_ten_times_is_shut_for_every_factor_and_token(
    attacked: BankProcess, robbed: Phone
) -> None:
    locked = "SELECT count(*) FROM device WHERE state = 'LOCKED'"
    before = attacked.books.one(locked)  # other attacks on this bank lock phones, too
    prepared = await by_passkey(robbed)
    assert (await passkeys.held(robbed.session)) is not None
    token, refresh = robbed.handset.token, robbed.handset.state.refresh_token
    wire = await Wire.open(robbed.socket_url, robbed.init_payload())

    for guess in WRONG:
        with pytest.raises(Refused):
            await robbed.login(pin=guess)
    for _ in WRONG:
        await refused(robbed, spoilt(await by_passkey(robbed)))
    told = await until_closed(wire)

    ways = {"a passkey challenge from before": await refused(robbed, prepared)}
    with pytest.raises((Refused, NotReady)) as pin:
        await robbed.login(pin=CLARA.pin)
    ways["the right PIN"] = getattr(pin.value, "code", "")
    ways["a new passkey answer"] = await _way(robbed, "login_finish", None)
    ways["the refresh token"] = await _way(
        robbed, "token_refresh", {"refreshToken": refresh}
    )
    ways["a new first factor"] = await _way(robbed, "mpin_set", FIRST_PIN)
    robbed.handset.keep(token=token)
    with pytest.raises(Refused) as home:
        await robbed.handset.call("home", {})
    ways["the access token"] = home.value.code
    with pytest.raises(SocketClosed) as shut:
        await Wire.open(robbed.socket_url, robbed.init_payload())

    assert told in {4401, 4403}
    assert shut.value.code in {4401, 4403}
    assert set(ways.values()) <= LOCKED
    assert attacked.books.one(locked) == before + 1


async def _way(phone: Phone, operation: str, given: JsonObject | None) -> str:
    try:
        answer = await by_passkey(phone) if given is None else given
        await phone.handset.call(operation, {"input": answer}, Level.DEVICE)
    except Refused as no:
        return no.code
    except BadEntry:
        return "NOT_OFFERED"
    return "in"


async def guess(phone: Phone, times: int) -> None:
    """Guess the PIN and spoil the passkey in turn, so that neither is used up."""
    for turn in range(times):
        if turn % 2:
            with pytest.raises(Refused):
                await phone.login(pin=WRONG[0])
        else:
            await refused(phone, spoilt(await by_passkey(phone)))


@pytest.mark.attack("locked signs in another way")
async def test_a_customer_two_of_whose_phones_guess_has_no_way_in_for_a_while(
    aged: Aged,
) -> None:
    async with AsyncExitStack() as stack:
        names = ("clara", "clara-2", "clara-3")
        phones = [
            await stack.enter_async_context(aged.phone(name, CLARA)) for name in names
        ]
        one, other, further = phones
        kept = []
        for phone in (one, other):
            await phone.start()
            await phone.register_passkey()
            kept.append(await keep(phone, FactorKind.MPIN, FactorKind.WEBAUTHN))
            stack.push_async_callback(kept[-1].wire.close)
        given = a_payee("Mule") | {"name": "Asha Rao", "payee": ASHAS}
        wanted = await asked_to_approve(one, given)
        signed = await one.session.answer(
            wanted, StepUpIntent("beneficiaryCreate", given)
        )

        await guess(one, 8)
        await guess(other, 7)

        ways = [
            await new_ways(phone, was)
            for phone, was in zip(phones[:2], kept, strict=True)
        ]
        with pytest.raises(Refused) as approved:
            await one.handset.call("challenge_respond", {"input": signed})
        await further.bind_anew()
        await further.set_mpin()
        with pytest.raises(Refused) as enrolled:
            await further.login()

        for found in ways:
            assert found.pop("another first factor") == "FORBIDDEN"
            assert found.pop("first passkey") == "FORBIDDEN"
            assert set(found.values()) == {"CREDENTIAL_LOCKED"}, found
        assert approved.value.code == enrolled.value.code == "CREDENTIAL_LOCKED"
        await aged.move(PAUSE_S)
        for phone in phones:
            await phone.login()
        for phone in (other, further):
            await devices.forget(phone.handset)
