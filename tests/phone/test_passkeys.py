"""A passkey of the person: registered by step-up, then for signing in and paying."""

import cbor2
import pytest

from mock_mobile_client import passkeys
from mock_mobile_client.api import Credentials, Reply
from mock_mobile_client.enums import FactorKind, PaymentStatus
from mock_mobile_client.errors import (
    BadEntry,
    NotAsIntended,
    NotReady,
    PasskeyRefused,
    Refused,
    Unreachable,
)
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from mock_mobile_client.store import MemoryStore
from tests.phone.conftest import Fake
from tests.phone.fake_parts import Challenge

PASSKEY = FactorKind.WEBAUTHN
FIVE = money("5.00 INR")


async def holder(fake: Fake, name: str = "Asha-1") -> Phone:
    """A signed-in phone with a passkey."""
    phone = fake.phone(name)
    await phone.start()
    await phone.register_passkey()
    return phone


async def test_a_passkey_is_registered_by_step_up_and_signs_in(fake: Fake) -> None:
    async with await holder(fake) as phone:
        assert fake.bank.calls.count("ChallengeRespond") == 1

        await phone.login(PASSKEY)

        (passkey,) = fake.bank.passkeys
        assert passkey.owner.name == "Asha"
        assert passkey.label == "Asha-1"
        assert (await phone.home()).display_name == "Asha"


async def test_a_registered_passkey_serves_again(fake: Fake) -> None:
    async with await holder(fake) as phone:
        first = await phone.register_passkey()

        await phone.restart()
        await phone.login()

        assert await phone.register_passkey() == first
        assert len(fake.bank.passkeys) == 1


async def test_a_second_passkey_of_the_same_phone_is_excluded(fake: Fake) -> None:
    async with await holder(fake) as phone:
        with pytest.raises(PasskeyRefused, match="InvalidStateError"):
            await passkeys.register(phone.session)

        assert len(phone.handset.state.passkeys) == 1


async def test_a_passkey_whose_registration_lost_its_answer_is_sent_again(
    fake: Fake,
) -> None:
    async with fake.phone("Asha-1") as phone:
        await phone.start()
        send, finishes = phone.handset.api.send, list[bytes]()

        async def losing(body: bytes, credentials: Credentials) -> Reply:
            if b"passkeyRegisterFinish" in body:
                finishes.append(body)
            if len(finishes) == 1:
                raise Unreachable("the answer was lost on the way", sent=True)
            return await send(body, credentials)

        phone.handset.api.send = losing  # type: ignore[method-assign]  # a line that breaks

        await phone.register_passkey()

        assert len(finishes) == 2
        assert finishes[0] == finishes[1]
        assert len(fake.bank.passkeys) == 1


async def test_a_passkey_approves_a_payment(fake: Fake) -> None:
    async with await holder(fake) as phone:
        paid = await phone.pay("Savings", FIVE, PASSKEY, source="Everyday")

        assert paid.status is PaymentStatus.SETTLED
        assert fake.bank.customers[0].accounts[0].minor == 4_825_000 - 500


async def test_a_passkey_approves_a_step_up(fake: Fake) -> None:
    async with await holder(fake) as phone:
        given = {"nickname": "Ben", "name": "Ben", "payee": payee(fake)}

        saved = await phone.session.step_up(
            "beneficiary_create", "beneficiaryCreate", given, PASSKEY
        )

        assert saved["beneficiary"]["nickname"] == "Ben"
        assert fake.bank.passkeys[0].counter == 0


async def test_a_signed_in_passkey_signs_in_again_by_itself(fake: Fake) -> None:
    async with await holder(fake) as phone:
        await phone.login(PASSKEY)
        (device,) = fake.bank.devices.values()
        fake.bank.end(device, 4401)

        await phone.home()

        used = [c.answer for c in fake.bank.challenges.values() if c.answer]
        assert "webauthn" in used[-1]["response"]


async def test_a_synced_passkey_signs_in_on_the_persons_other_phone(fake: Fake) -> None:
    async with await holder(fake) as first, fake.phone("Asha-2") as second:
        await second.enrol()

        assert passkeys.sync(first.handset, second.handset) == 1
        await second.login(PASSKEY)

        assert (await second.home()).display_name == "Asha"
        assert fake.bank.passkeys[0].backed_up


async def test_a_passkey_of_one_phone_is_not_synced(fake: Fake) -> None:
    async with fake.phone("Asha-1") as first, fake.phone("Asha-2") as second:
        await first.start()
        await passkeys.register(first.session, synced=False)

        with pytest.raises(NotReady, match="no passkey"):
            passkeys.sync(first.handset, second.handset)

        await first.login(PASSKEY)
        await first.login(PASSKEY)
        assert fake.bank.passkeys[0].counter == 2


async def test_a_passkey_outlives_the_binding_of_its_phone(fake: Fake) -> None:
    async with await holder(fake) as phone:
        fake.bank.devices.clear()

        await phone.enrol()
        await phone.login(PASSKEY)

        assert (await phone.home()).display_name == "Asha"


async def test_another_digest_than_the_payloads_is_never_signed(fake: Fake) -> None:
    async with await holder(fake) as phone:
        make = fake.bank.challenge

        def swapped(*given: object) -> Challenge:
            made = make(*given)  # type: ignore[arg-type]  # handed on as it came
            other = fake.bank.request_options(made.device.owner, bytes(32))
            made.options = other
            return made

        fake.bank.challenge = swapped  # type: ignore[method-assign,assignment]  # a false bank

        with pytest.raises(NotAsIntended, match="something else"):
            await phone.login(PASSKEY)

        assert fake.bank.calls.count("LoginFinish") == 1


async def test_a_foreign_party_gets_no_assertion(fake: Fake) -> None:
    async with await holder(fake) as phone:
        make = fake.bank.challenge

        def foreign(*given: object) -> Challenge:
            made = make(*given)  # type: ignore[arg-type]  # handed on as it came
            made.options = {**(made.options or {}), "rpId": "elsewhere.example"}
            return made

        fake.bank.challenge = foreign  # type: ignore[method-assign,assignment]  # a false bank

        with pytest.raises(PasskeyRefused, match="SecurityError"):
            await phone.login(PASSKEY)


async def test_a_bank_that_made_another_passkey_refuses_this_one(fake: Fake) -> None:
    async with await holder(fake) as phone:
        fake.bank.passkeys[0].public_key = other_key()

        with pytest.raises(Refused) as told:
            await phone.login(PASSKEY)

        assert told.value.code == "INVALID_CREDENTIAL"


async def test_a_phone_without_a_passkey_asks_the_bank_nothing(fake: Fake) -> None:
    async with fake.phone("asha", MemoryStore()) as phone:
        await phone.start()
        before = len(fake.bank.calls)

        with pytest.raises(BadEntry, match="WEBAUTHN"):
            await phone.login(PASSKEY)

        assert len(fake.bank.calls) == before


def payee(fake: Fake) -> dict[str, object]:
    (bens,) = fake.bank.customers[1].accounts
    return {"account": {"accountNumber": bens.number}}


def other_key() -> bytes:
    """A COSE key nobody holds: the base point of P-256."""
    x = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
    y = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
    point = {-2: x.to_bytes(32, "big"), -3: y.to_bytes(32, "big")}
    return cbor2.dumps({1: 2, 3: -7, -1: 1, **point})
