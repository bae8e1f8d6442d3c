"""Signing in, approving, and coming back when a token has ended."""

import pytest

from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import BadEntry, NotAsIntended, NotReady, Refused
from tests.phone.conftest import Fake


async def test_a_wrong_pin_costs_a_try_and_the_right_one_gives_it_back(
    fake: Fake,
) -> None:
    async with fake.phone("asha") as phone:
        await phone.enrol()
        with pytest.raises(Refused) as told:
            await phone.login(pin="508143")
        (device,) = fake.bank.devices.values()
        assert (told.value.attempts_left, device.failed) == (4, 1)

        await phone.login(pin="480257")

        assert device.failed == 0


async def test_nobody_is_signed_in_after_a_wrong_pin(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.enrol()
        with pytest.raises(Refused):
            await phone.login(pin="508143")

        with pytest.raises(NotReady, match="log in"):
            await phone.home()


async def test_an_ended_token_is_replaced_and_the_call_sent_again(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        (device,) = fake.bank.devices.values()
        fake.bank.end(device, 4401)

        home = await phone.home()

        assert home.display_name == "Asha"
        assert phone.handset.token == device.token


async def test_without_a_person_an_ended_session_stays_ended(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        phone.session.pin = None
        (device,) = fake.bank.devices.values()
        fake.bank.end(device, 4401)

        with pytest.raises(Refused) as told:
            await phone.home()

        assert told.value.reason == "SESSION_ENDED"


async def test_a_phone_started_anew_still_has_its_session(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        signed_in = fake.bank.calls.count("LoginFinish")

        await phone.restart()

        assert (await phone.home()).display_name == "Asha"
        assert fake.bank.calls.count("LoginFinish") == signed_in


async def test_a_sign_in_that_hides_a_payment_is_not_signed(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.enrol()
        fake.bank.tamper = lambda payload: {**payload, "amount": "1"}

        with pytest.raises(NotAsIntended):
            await phone.login()

    assert "LoginFinish" not in fake.bank.calls


async def test_a_factor_this_phone_lacks_is_refused_at_once(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        with pytest.raises(BadEntry, match="WEBAUTHN"):
            await phone.login(FactorKind.WEBAUTHN)

    assert fake.bank.calls == []


async def test_a_phone_that_was_never_enrolled_says_so(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        with pytest.raises(NotReady, match="enrol"):
            await phone.login()
