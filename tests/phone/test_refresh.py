"""New tokens by the refresh token, and what follows when that is over."""

import asyncio
import dataclasses
from pathlib import Path

import pytest

from mock_mobile_client.api import Credentials, Reply
from mock_mobile_client.errors import NotReady, Refused, Unreachable
from mock_mobile_client.phone import Phone
from mock_mobile_client.store import FileStore
from tests.phone.conftest import Fake
from tests.phone.fake_sign_in import FakeSession


def session_of(fake: Fake) -> FakeSession:
    (session,) = (one for one in fake.bank.sessions.values() if not one.ended)
    return session


def losing_answers(phone: Phone, count: int) -> None:
    """Let the bank act on the next calls, and the answers be lost on the way."""
    send, left = phone.handset.api.send, [count]

    async def losing(body: bytes, credentials: Credentials) -> Reply:
        reply = await send(body, credentials)
        if left[0] > 0:
            left[0] -= 1
            raise Unreachable("the answer was lost on the way", sent=True)
        return reply

    phone.handset.api.send = losing  # type: ignore[method-assign]  # a line that breaks


async def test_a_refresh_gives_new_tokens_without_a_sign_in(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        first = phone.handset.state

        tokens = await phone.session.refresh()

        assert phone.handset.state.token == tokens.access_token != first.token
        assert phone.handset.state.refresh_token == tokens.refresh_token
        assert tokens.refresh_token == session_of(fake).refresh_token
        assert fake.bank.calls.count("LoginFinish") == 1


async def test_a_refresh_shows_the_key_and_the_body_but_no_token(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()

        await phone.session.refresh()

        claims = fake.edge.proofs[-1]
        assert "ath" not in claims
        assert "bh" in claims


async def test_an_expired_token_is_refreshed_by_itself_also_without_a_person(
    fake: Fake,
) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        phone.session.pin = None
        fake.bank.expired.add(phone.handset.token)

        home = await phone.home()

        assert home.display_name == "Asha"
        assert len(fake.bank.refreshes) == 1


async def test_twenty_calls_with_an_expired_token_refresh_once(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        fake.bank.expired.add(phone.handset.token)

        await asyncio.gather(*(phone.home() for _ in range(20)))

        assert len(fake.bank.refreshes) == 1


async def test_after_a_lost_answer_the_same_token_goes_out_again(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        old = phone.handset.state.refresh_token
        losing_answers(phone, 1)

        tokens = await phone.session.refresh()

        assert fake.bank.refreshes == [old, old]
        assert session_of(fake).generation == 1
        assert tokens.refresh_token == session_of(fake).refresh_token


async def test_a_phone_started_anew_after_lost_answers_has_the_old_token(
    fake: Fake, tmp_path: Path
) -> None:
    async with fake.phone("asha", FileStore(tmp_path)) as phone:
        await phone.start()
        old = phone.handset.state.refresh_token
        losing_answers(phone, 2)
        with pytest.raises(Unreachable):
            await phone.session.refresh()

        await phone.restart()
        await phone.session.refresh()

        assert fake.bank.refreshes == [old] * 3
        assert (await phone.home()).display_name == "Asha"


async def test_an_idle_session_asks_for_the_person(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        fake.bank.expired.add(phone.handset.token)
        fake.bank.idle = True

        home = await phone.home()

        assert home.display_name == "Asha"
        assert fake.bank.calls.count("LoginFinish") == 2


async def test_without_a_person_an_idle_session_stays_locked(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        phone.session.pin = None
        fake.bank.expired.add(phone.handset.token)
        fake.bank.idle = True

        with pytest.raises(Refused) as told:
            await phone.home()

        assert told.value.code == "SESSION_LOCKED"
        assert fake.bank.calls.count("LoginFinish") == 1


async def test_an_ended_session_is_not_refreshed_but_signed_in_anew(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        (device,) = fake.bank.devices.values()
        fake.bank.end(device, 4401)

        await phone.home()

        assert fake.bank.refreshes == []
        assert fake.bank.calls.count("LoginFinish") == 2


async def test_a_token_about_to_end_is_refreshed_ahead_of_time(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        phone.handset.keep(token_expires_at="2026-11-21T10:00:00.000Z")
        setting = phone.handset.setting
        near = 1_795_255_200.0 - 29
        phone.handset.setting = dataclasses.replace(setting, clock=lambda: near)

        await phone.session.freshen()

        assert len(fake.bank.refreshes) == 1


async def test_a_token_with_time_left_is_kept(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        phone.handset.keep(token_expires_at="2026-11-21T10:00:00.000Z")
        setting = phone.handset.setting
        early = 1_795_255_200.0 - 31
        phone.handset.setting = dataclasses.replace(setting, clock=lambda: early)

        await phone.session.freshen()

        assert fake.bank.refreshes == []


async def test_a_live_stream_goes_on_over_the_end_of_its_token(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        async with phone.live() as live:
            used = phone.handset.token
            fake.bank.expired.add(used)
            fake.edge.close(used, 4419)

            await live.until(lambda: live.connections == 2, "the second socket")

        assert phone.handset.token != used
        assert fake.bank.calls.count("LoginFinish") == 1
        assert [closed.code for closed in live.closings] == [4419]


async def test_a_stream_begins_with_a_token_that_lasts(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()
        phone.handset.keep(token_expires_at="2026-11-21T10:00:00.000Z")

        async with phone.live() as live:
            assert live.is_ready()

        assert len(fake.bank.refreshes) == 1
        assert live.connections == 1


async def test_signing_out_forgets_the_refresh_token(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        await phone.start()

        await phone.logout()

        assert phone.handset.state.refresh_token is None
        with pytest.raises(NotReady):
            await phone.session.refresh()
