"""Another mPIN on a phone that has one; and whoever shows a code before the SMS."""

from pathlib import Path

import pytest

from mock_mobile_client import mpin, passkeys
from mock_mobile_client.api import Credentials, Reply
from mock_mobile_client.enums import FactorKind, Platform
from mock_mobile_client.errors import BadEntry, NotAsIntended, Refused, Unreachable
from mock_mobile_client.intents import StepUpIntent
from mock_mobile_client.signing import b64url, sha256
from tests.phone.conftest import Fake
from tests.phone.test_commands import run

NEW, OTHER = "739216", "628153"


@pytest.mark.parametrize("name", ["Asha-1", "Ben-1"])
async def test_another_mpin_signs_in_and_the_former_one_does_not(
    fake: Fake, name: str
) -> None:
    async with fake.phone(name) as phone:
        await phone.start()
        former, hardware = phone.handset.state.blob, phone.handset.state.hardware_key

        await phone.change_mpin(NEW)

        await phone.login()
        with pytest.raises(Refused, match="INVALID_CREDENTIAL"):
            await phone.login(pin=phone.owner.pin)
        assert phone.handset.state.blob != former
        assert phone.handset.state.hardware_key == hardware
        (bound,) = fake.bank.devices.values()
        assert NEW.encode() not in (bound.secret or b"")


async def test_a_forgotten_mpin_is_changed_by_passkey(fake: Fake) -> None:
    async with fake.phone("Asha-1") as phone:
        await phone.start()
        await phone.register_passkey()
        phone.session.pin = None

        await phone.login(FactorKind.WEBAUTHN)
        await phone.change_mpin(NEW, FactorKind.WEBAUTHN)

        await phone.login()
        assert phone.session.pin == NEW


async def test_a_change_whose_answer_was_lost_sends_the_same_secret_again(
    fake: Fake,
) -> None:
    async with fake.phone("Asha-1") as phone:
        await phone.start()
        send, sent = phone.handset.api.send, list[bytes]()

        async def losing(body: bytes, credentials: Credentials) -> Reply:
            if b"mpinSet" not in body:
                return await send(body, credentials)
            sent.append(body)
            if len(sent) == 2:
                raise Unreachable("the answer was lost on the way", sent=True)
            return await send(body, credentials)

        phone.handset.api.send = losing  # type: ignore[method-assign]  # a line that breaks
        former = phone.handset.state.blob

        with pytest.raises(Unreachable):
            await phone.change_mpin(NEW)
        await phone.login()
        assert phone.handset.state.blob == former
        await phone.change_mpin(NEW)

        assert sent[0] == sent[1] == sent[2]
        await phone.login(pin=NEW)


async def test_a_weak_mpin_is_refused_before_anything_is_sent(fake: Fake) -> None:
    async with fake.phone("Asha-1") as phone:
        await phone.start()
        before = list(fake.bank.calls)

        with pytest.raises(BadEntry):
            await mpin.change(phone.session, Platform.ANDROID, "123456")

        assert fake.bank.calls == before


def test_a_secret_stands_in_a_payload_as_its_hash_and_as_no_other() -> None:
    intent = StepUpIntent("mpinSet", {"pinSecret": "abc", "kdf": "v=01"})
    hashed = {"sha256": b64url(sha256(b"abc"))}

    intent.check_input({"pinSecret": hashed, "kdf": "v=01"})

    for wrong in ("abc", {"sha256": b64url(sha256(b"abd"))}):
        with pytest.raises(NotAsIntended, match="another input"):
            intent.check_input({"pinSecret": wrong, "kdf": "v=01"})


async def test_a_passkey_is_taken_back_by_step_up(fake: Fake) -> None:
    async with fake.phone("Asha-1") as phone:
        await phone.start()
        known = await phone.register_passkey()

        await passkeys.remove(phone.session, known.id)

        assert await passkeys.listed(phone.session) == []
        assert fake.bank.passkeys == []


async def test_the_code_goes_first_where_it_is_asked_for(fake: Fake) -> None:
    async with fake.phone("Asha-1") as phone, fake.phone("Ben-1") as other:
        await phone.bind_anew(code_first=True)
        await other.bind_anew()

    owner = phone.owner
    shown = {"customerNumber": owner.number, "activationCode": owner.code}
    assert fake.bank.shown_first == [shown]


async def test_the_commands_change_an_mpin_and_take_a_passkey_back(
    fake: Fake, tmp_path: Path
) -> None:
    words = [
        ("enrol", "asha", "--passkey"),
        ("mpin", NEW, "--approve", "passkey"),
        ("--pin", NEW, "login"),
        ("--pin", NEW, "passkeys"),
        ("--pin", NEW, "passkeys", "--remove", "Asha-1"),
        ("again", "Asha-1", "--code", "7Q2M-K9XT-4HWA", "--code-first"),
    ]

    printed = [await run(fake, tmp_path, *each) for each in words]

    assert [ran.exit_code for ran in printed] == [0] * len(words), printed[-1].output
    assert NEW not in printed[1].output
    assert "Asha-1" in printed[3].output
    assert "Asha-1" not in printed[4].output
    assert fake.bank.passkeys == []
    assert len(fake.bank.shown_first) == 1


async def test_what_does_not_fit_together_is_said_before_anything_is_sent(
    fake: Fake, tmp_path: Path
) -> None:
    await run(fake, tmp_path, "enrol", "asha")
    before = len(fake.bank.calls)

    code = await run(fake, tmp_path, "again", "asha", "--by", "totp", "--code-first")
    factor = await run(fake, tmp_path, "mpin", NEW, "--approve", "sms")

    assert (code.exit_code, factor.exit_code) == (2, 2)
    assert len(fake.bank.calls) == before


async def test_a_passkey_nobody_has_is_not_taken_back(
    fake: Fake, tmp_path: Path
) -> None:
    await run(fake, tmp_path, "enrol", "asha")
    await run(fake, tmp_path, "login")

    ran = await run(fake, tmp_path, "passkeys", "--remove", "Tablet")

    assert ran.exit_code == 2
    assert "known: none" in ran.output
