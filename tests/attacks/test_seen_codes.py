"""Codes of an authenticator app that somebody saw: each half-minute counts once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from mock_mobile_client import devices, totp
from mock_mobile_client.enums import FactorKind
from mock_mobile_client.handset import Level
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import b64url, challenge_message
from mock_mobile_client.values import ChallengeValue, JsonObject
from tests.attacks.aged import Aged
from tests.attacks.conftest import CLARA
from tests.attacks.test_enrolling import ask, bind, no, proven
from tests.attacks.test_enrolling import devices as bound
from tests.attacks.ways import begun

pytestmark = [
    pytest.mark.slow,
    pytest.mark.attack("TOTP replay"),
    pytest.mark.asyncio(loop_scope="module"),
]

FINISH = """mutation($input: LoginFinishInput!) { loginFinish(input: $input) {
  tokens { expiresAt } challenge { id purpose state nonce payload bindingHash action
  allowed attemptsLeft expiresAt webauthnOptions } userErrors { code } } }"""


@dataclass
class Seen:
    """Clara's phone, and what whoever looked over her shoulder could have seen."""

    bank: Aged
    phone: Phone
    seed: str

    def code(self, ago: int = 0) -> str:
        """Give the code of a half-minute ago, or of this one."""
        return totp.code_at(self.seed, int(self.bank.clock()) // totp.STEP_S - ago)

    async def next_code(self) -> str:
        """Wait for a code nobody used."""
        await self.bank.move(2 * totp.STEP_S)
        return self.code()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen(aged: Aged) -> AsyncIterator[Seen]:
    async with aged.phone("clara", CLARA) as phone:
        await phone.start()
        await aged.grow_up(phone)
        await totp.enrol(phone.session)
        seed = phone.handset.state.totp_secret
        assert seed is not None
        yield Seen(aged, phone, seed)
        await totp.remove(phone.session)
        await devices.revoke_others(phone.session)


async def prove(seen: Seen, enrolment: str, code: str) -> JsonObject:
    """Show a code in an enrolment whose SMS was shown."""
    return await ask(
        seen.bank.bank.url,
        "enrolment_prove_identity",
        enrolmentId=enrolment,
        customerNumber=CLARA.number,
        proof={"totp": code},
    )


async def test_a_code_is_good_for_one_phone_and_never_again(seen: Seen) -> None:
    door, bank = seen.bank.bank.url, seen.bank.bank
    before = bound(bank)
    first, *others = [await proven(bank, CLARA.phone) for _ in range(4)]
    switched_on = await prove(seen, first, seen.code())
    assert no(switched_on) == "INVALID_CREDENTIAL"

    code = await seen.next_code()
    both = [await prove(seen, one, code) for one in others[:2]]
    ends = await asyncio.gather(
        *(bind(door, str(one["bindingNonce"]), seen.phone) for one in both)
    )
    assert sorted(map(str, ends)) == ["ENROLMENT_EXPIRED", "None"]
    assert bound(bank) == before + 1

    late = [await prove(seen, first, code), await prove(seen, first, seen.code(10))]
    late.append(await prove(seen, others[2], seen.code(-10)))
    await seen.bank.move(-300)
    late.append(await prove(seen, others[2], seen.code()))
    await seen.bank.move(300)

    assert [no(one) for one in late] == ["INVALID_CREDENTIAL"] * 4
    assert bound(bank) == before + 1


async def test_a_code_is_good_for_one_sign_in(seen: Seen, aged_door: str) -> None:
    async with seen.bank.phone("clara", CLARA, aged_door) as phone:
        code = await seen.next_code()
        asked = [await person_proven(phone) for _ in range(3)]

        ends = await asyncio.gather(*(finished(phone, one, code) for one in asked[:2]))
        late = await finished(phone, asked[2], code)

    assert sorted(ends) == ["INVALID_CREDENTIAL", "in"]
    assert late == "INVALID_CREDENTIAL"
    await seen.phone.login()


async def person_proven(phone: Phone) -> ChallengeValue:
    """Answer a sign-in with the mPIN; gives what asks for the code."""
    answer = await begun(phone, FactorKind.MPIN)
    told = await phone.ask(FINISH, {"input": answer}, Level.DEVICE)
    assert told.data is not None
    finish = told.data["loginFinish"]
    assert (finish["tokens"], finish["userErrors"]) == (None, [])
    asked = ChallengeValue.read(finish["challenge"])
    assert asked.allowed == (FactorKind.TOTP,)
    return asked


async def finished(phone: Phone, asked: ChallengeValue, code: str) -> str:
    """Show the code; says how it ended."""
    message = challenge_message(asked.purpose, asked.nonce, asked.payload)
    given = {
        "challengeId": asked.id,
        "deviceSignature": b64url(phone.handset.key.sign(message)),
        "response": {"totp": code},
    }
    told = await phone.ask(FINISH, {"input": given}, Level.DEVICE)
    assert told.data is not None
    finish = told.data["loginFinish"]
    assert bool(finish["tokens"]) != bool(finish["userErrors"])
    return "in" if finish["tokens"] else str(finish["userErrors"][0]["code"])
