"""A stranger with SIM and customer number asks the owner's phone to let his own in.

The bank's time moves, because only a phone whose waiting time is over is asked. That
one phone asks at a time is no rate: it holds whatever SIXPENCE_LIMIT_FACTOR is.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from io import StringIO

import pytest
import pytest_asyncio

from mock_mobile_client import devices, vouching
from mock_mobile_client.commands import DONE
from mock_mobile_client.commands_devices import AllCommands
from mock_mobile_client.enums import FactorKind, Platform
from mock_mobile_client.errors import BadEntry, NotAsIntended, NotSeen, Refused
from mock_mobile_client.people import Person
from mock_mobile_client.phone import Phone
from mock_mobile_client.screen import Screen
from mock_mobile_client.signing import b64url
from mock_mobile_client.values import JsonObject
from tests.attacks.aged import Aged
from tests.attacks.conftest import CODE
from tests.attacks.test_enrolling import ask, no, proven
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ASKED_S = 5
QUESTIONS = "SELECT count(*) FROM challenge WHERE purpose = 'login-approval'"
PHONES = "SELECT count(*) FROM device WHERE state <> 'REVOKED'"


def dora_of(bank: BankProcess) -> Person:
    """Let the desk add a customer whom no other test knows."""
    by = ("--by", "desk", "--reason", "a test")
    number, phone = "30000001", "+9177700001"
    who = ("--name", "Dora New", "--phone", phone, "--number", number)
    account = ("--account", "CURRENT:Everyday:INR")
    added = bank.command("app", "customers", "add", *who, *account, *by)
    told = bank.command("app", "customers", "code", number, *by)
    code = CODE.search(told.stdout)
    assert code is not None, added.stderr + told.stderr
    model, pin = "Pixel 9", "739216"
    return Person("Dora", number, phone, code[0], pin, Platform.ANDROID, model)


async def says(phone: Phone, given: JsonObject) -> str:
    """Send an answer that shall not pass; gives why not."""
    with pytest.raises(Refused) as refused:
        await phone.session.call("challenge_respond", {"input": given})
    return refused.value.code


@dataclass
class House:
    """Dora's one phone, somebody else's, and the bank."""

    bank: BankProcess
    dora: Person
    old: Phone
    asha: Phone

    async def asks(self, enrolment: str) -> JsonObject:
        """Ask, or ask whether there is an answer."""
        return await ask(
            self.bank.url,
            "enrolment_prove_identity",
            enrolmentId=enrolment,
            customerNumber=self.dora.number,
            proof={"otherDevice": True},
        )

    async def begun(self) -> str:
        """Have a foreign phone's number proven: he holds the SIM."""
        return await proven(self.bank, self.dora.phone)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(aged: Aged) -> AsyncIterator[House]:
    dora = dora_of(aged.bank)
    async with aged.phone("dora-1", dora) as old, aged.phone("asha") as asha:
        await asha.start()
        await old.start()
        yield House(aged.bank, dora, old, asha)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def grown(aged: Aged, house: House) -> House:
    """Let Dora's phone outgrow its waiting time."""
    await aged.grow_up(house.old)
    return house


async def test_a_phone_that_still_waits_itself_is_not_asked(house: House) -> None:
    assert no(await house.asks(await house.begun())) == "INVALID_CREDENTIAL"
    assert house.bank.books.one(QUESTIONS) == 0


@pytest.mark.attack("tricked approval of a foreign phone")
async def test_one_foreign_phone_at_a_time_is_shown_for_what_it_is_and_refused(
    grown: House,
) -> None:
    house, old, books = grown, grown.old, grown.bank.books
    phones = books.one(PHONES)
    first, second = [await house.begun() for _ in range(2)]

    waits = await house.asks(first)
    again = [no(await house.asks(second)) for _ in range(4)]
    shown = await vouching.waiting(old.handset, ASKED_S)
    with pytest.raises(NotSeen):
        await vouching.waiting(house.asha.handset, 0.3)
    await vouching.refuse(old.session, shown)

    assert no(waits) is waits["bindingNonce"] is waits["boundDevices"] is None
    assert again == ["RATE_LIMITED"] * 4
    assert (shown.model, shown.platform) == ("Pixel 9", "ANDROID")
    assert shown.address == "127.0.0.1"
    assert books.one(QUESTIONS) == 1
    assert [no(await house.asks(first)) for _ in range(2)] == ["INVALID_CREDENTIAL"] * 2
    assert books.one(PHONES) == phones


@pytest.mark.attack("tricked approval of a foreign phone")
async def test_nothing_less_than_the_pin_on_that_phone_lets_it_in(grown: House) -> None:
    house = grown
    old, asha = house.old, house.asha
    await old.register_passkey()
    foreign = await house.begun()
    await house.asks(foreign)
    shown = await vouching.waiting(old.handset, ASKED_S)
    right = await old.session.answer(shown.challenge, shown.intent)
    node = {"id": shown.challenge.id}
    refusal = {"challengeId": shown.challenge.id, "approve": False}

    with pytest.raises(NotAsIntended, match="phoneModel"):
        await vouching.approve(old.session, replace(shown, model="Pixel 8"))
    with pytest.raises(BadEntry, match="may not answer"):
        await vouching.approve(old.session, shown, FactorKind.WEBAUTHN)
    passkey = right | {"response": {"webauthn": {"id": "AA"}}}
    unsigned = right | {"deviceSignature": b64url(bytes(64))}
    codes = [await says(old, passkey), await says(old, unsigned)]
    others = [await says(asha, right), await says(asha, refusal)]

    assert shown.challenge.allowed == (FactorKind.MPIN,)
    assert codes == ["INVALID_CREDENTIAL", "CHALLENGE_FAILED"]
    assert others == ["CHALLENGE_EXPIRED"] * 2
    assert await asha.session.call("challenge", node) == {}
    assert (await house.asks(foreign))["bindingNonce"] is None
    await vouching.refuse(old.session, shown)
    assert await says(old, right) == "CHALLENGE_EXPIRED"
    assert no(await house.asks(foreign)) == "INVALID_CREDENTIAL"


async def test_the_owners_own_new_phone_is_let_in_and_waits(
    aged: Aged, grown: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = grown
    phones = house.bank.books.one(PHONES)
    monkeypatch.setattr("mock_mobile_client.phone.person", lambda _name: house.dora)

    assert await by_commands(aged) == [DONE, DONE]

    assert house.bank.books.one(PHONES) == phones + 1
    async with aged.phone("dora-2", house.dora) as newcomer:
        assert aged.standing(newcomer)[0] == "COOLING"
        await newcomer.login()
        with pytest.raises(Refused) as no_change:
            await devices.revoke(newcomer.session, house.old.handset.device_id)
        assert no_change.value.code == "COOLING_PERIOD"


async def by_commands(aged: Aged) -> list[int]:
    """Let a second phone ask and the first approve, as a developer types it."""
    bank = aged.bank
    folder = bank.folder / "phones"
    commands = AllCommands(bank.url, bank.sandbox, folder, None, Screen.of(StringIO()))
    return list(
        await asyncio.gather(
            commands.come_back("dora-2", "phone", frozenset()),
            commands.approve("dora-1", ASKED_S, yes=True),
        )
    )
