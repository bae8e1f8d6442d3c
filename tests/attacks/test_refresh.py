"""Copied, replayed and forged refresh tokens, and sockets that outlive a session.

Two web processes serve one bank: what ends in one must end in the other. The second
one runs with the rates of production (SIXPENCE_LIMIT_FACTOR=1).
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mock_mobile_client.api import Credentials, encode
from mock_mobile_client.errors import SocketClosed
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.lines import line
from mock_mobile_client.phone import Phone
from mock_mobile_client.wire import Wire
from tests.attacks.conftest import setting
from tests.attacks.thief import ME, TIMEOUT_S, post, proof_for
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WITHIN_S = 1.5  # an end in another process, without a hint (auth.md 3.8)
REFRESH = """mutation Refresh($token: String!) {
  tokenRefresh(input: { refreshToken: $token }) {
    tokens { accessToken refreshToken } userErrors { code }
  }
}"""


@dataclass
class Two:
    """One bank behind two doors."""

    bank: BankProcess
    second: str
    phones: Path

    @property
    def doors(self) -> tuple[str, str]:
        return self.bank.url, self.second

    def alerts(self) -> int:
        sql = "SELECT count(*) FROM customer_event WHERE type = 'SecurityEvent'"
        return int(self.bank.books.one(sql))

    def audited(self, action: str) -> int:
        sql = f"SELECT count(*) FROM audit_entry WHERE action = '{action}'"  # noqa: S608  -- our own words
        return int(self.bank.books.one(sql))


@pytest.fixture(scope="module")
def two(attacked: BankProcess, strict: str, phones_folder: Path) -> Two:
    return Two(attacked, strict, phones_folder)


@asynccontextmanager
async def signed_in(two: Two, name: str) -> AsyncIterator[Phone]:
    world = (two.bank.url, two.bank.sandbox, setting(two.phones))
    async with Phone(name, *world) as phone:
        await phone.start()
        yield phone


async def shown(
    door: str, phone: Phone, token: str, key: DeviceKey | None = None
) -> dict[str, Any]:
    """Show a refresh token at a door, under the phone's key or another."""
    body = encode(REFRESH, {"token": token})
    proof = proof_for(phone, body, key=key)
    answer = await post(door, body, proof=proof)
    found: dict[str, Any] = answer.json()["data"]["tokenRefresh"]
    return found


async def code(
    door: str, phone: Phone, token: str, key: DeviceKey | None = None
) -> str | None:
    answer = await shown(door, phone, token, key)
    assert (answer["tokens"] is None) == bool(answer["userErrors"])
    return answer["userErrors"][0]["code"] if answer["userErrors"] else None


async def next_of(door: str, phone: Phone, token: str) -> str:
    tokens = (await shown(door, phone, token))["tokens"]
    return str(tokens["refreshToken"])


async def works(phone: Phone, door: str, token: str) -> bool:
    """Tell whether an access token opens the books."""
    answer = await post(door, ME, token, proof_for(phone, ME, token))
    return "data" in answer.json()


@asynccontextmanager
async def a_socket(two: Two, phone: Phone) -> AsyncIterator[Wire]:
    """Hold a socket at the second door."""
    url = two.second.replace("http", "ws", 1) + "/graphql"
    wire = await Wire.open(url, phone.handset.init_payload())
    try:
        yield wire
    finally:
        await wire.close()


async def _drained(wire: Wire) -> None:
    async for _frame in wire.frames():
        continue


async def closing(wire: Wire) -> tuple[int, float]:
    """Wait for the bank to end a socket; gives the code, and how long it took."""
    began = time.monotonic()
    with pytest.raises(SocketClosed) as end:
        await asyncio.wait_for(_drained(wire), 5)
    return end.value.code, time.monotonic() - began


@pytest.mark.attack("stolen refresh token")
async def test_a_copied_refresh_token_is_useless_under_another_key(
    two: Two, asha: Phone
) -> None:
    token = (await asha.login()).refresh_token
    async with signed_in(two, "ben") as ben:
        alerts, noted = two.alerts(), two.audited("session.key_mismatch")

        answers = [
            await code(door, asha, token, key)
            for door in two.doors
            for key in (DeviceKey.generate(), ben.handset.key)
        ]

    assert answers == ["INVALID_CREDENTIAL"] * 4
    assert two.alerts() == alerts + 1
    assert two.audited("session.key_mismatch") == noted + 4
    assert await code(two.second, asha, token) is None


@pytest.mark.attack("refresh replay and race")
async def test_twenty_four_refreshes_at_two_doors_rotate_once(
    two: Two, asha: Phone
) -> None:
    token = (await asha.login()).refresh_token
    rotations = two.audited("session.refreshed")

    answers = await asyncio.gather(
        *(shown(two.doors[number % 2], asha, token) for number in range(24))
    )

    assert len({answer["tokens"]["refreshToken"] for answer in answers}) == 1
    assert two.audited("session.refreshed") == rotations + 1
    assert await works(asha, two.second, answers[0]["tokens"]["accessToken"])


@pytest.mark.attack("refresh replay and race")
async def test_a_replayed_refresh_token_ends_the_session_everywhere(
    two: Two, asha: Phone
) -> None:
    signed = await asha.login()
    second = await next_of(two.bank.url, asha, signed.refresh_token)
    third = await next_of(two.second, asha, second)
    alerts = two.alerts()

    async with a_socket(two, asha) as wire:
        replayed = await code(two.bank.url, asha, signed.refresh_token)
        told, took_s = await closing(wire)

    assert replayed == "SESSION_ENDED"
    assert (told, took_s < WITHIN_S) == (4401, True)
    assert two.alerts() == alerts + 1
    for door in two.doors:
        assert await code(door, asha, third) == "SESSION_ENDED"
        assert not await works(asha, door, signed.access_token)


@pytest.mark.attack("forged token")
async def test_a_forged_refresh_token_changes_nothing(two: Two, asha: Phone) -> None:
    token = (await asha.login()).refresh_token
    head, session, generation, mac = token.split(".")
    turned = ("B" if mac[0] == "A" else "A") + mac[1:]
    before = two.alerts(), two.audited("session.refreshed")

    forged = [
        ".".join(parts)
        for parts in (
            (head, session, generation, turned),
            (head, session, "1", mac),
            (head, session, f"0{generation}", mac),
            (head, f"ses_{'0' * 32}", generation, mac),
            (head, session, generation),
            ("rt2", session, generation, mac),
        )
    ]
    answers = [await code(two.bank.url, asha, text) for text in forged]

    assert answers == ["INVALID_CREDENTIAL"] * 6
    assert (two.alerts(), two.audited("session.refreshed")) == before
    assert await code(two.bank.url, asha, token) is None


async def test_the_limit_counts_keys_and_not_addresses(two: Two) -> None:
    async with signed_in(two, "ben") as phone, signed_in(two, "asha") as other:
        token = (await phone.login()).refresh_token
        others = (await other.login()).refresh_token

        began = time.monotonic()
        answers = await asyncio.gather(
            *(code(two.second, phone, token) for _ in range(60))
        )
        refilled = 1 + (time.monotonic() - began) / 2  # 30 a minute

        assert set(answers) == {None, "RATE_LIMITED"}
        # What signing in took may not be back yet.
        assert 28 <= answers.count(None) <= 30 + refilled
        assert await code(two.second, other, others) is None
        assert await code(two.bank.url, phone, token) is None


@pytest.mark.attack("session fixation")
async def test_a_sign_in_and_a_sign_out_at_one_door_close_sockets_at_the_other(
    two: Two, asha: Phone
) -> None:
    first = await asha.login()
    async with a_socket(two, asha) as wire:
        await asha.login()
        superseded, took_s = await closing(wire)
    assert (superseded, took_s < WITHIN_S) == (4419, True)

    async with a_socket(two, asha) as wire:
        await asha.logout()
        ended, took_s = await closing(wire)
    assert (ended, took_s < WITHIN_S) == (4401, True)
    for door in two.doors:
        assert not await works(asha, door, first.access_token)


@pytest.mark.attack("ended session lives on")
async def test_a_moved_clock_neither_keeps_a_socket_nor_hides_an_end(
    two: Two, asha: Phone
) -> None:
    token = (await asha.login()).refresh_token
    async with a_socket(two, asha) as wire:
        await move(two, 301)
        told, took_s = await closing(wire)
    assert (told, took_s < WITHIN_S) == (4419, True)
    body = encode(REFRESH, {"token": token})
    idle = await asha.handset.api.send(body, Credentials(asha.handset.key))
    assert idle.data is not None
    assert idle.data["tokenRefresh"]["userErrors"] == [{"code": "SESSION_LOCKED"}]

    await asha.login()
    await move(two, 0)
    try:
        await asha.login()
        async with a_socket(two, asha) as wire:
            await asha.logout()
            told, took_s = await closing(wire)
    finally:
        await move(two, 0)
    assert (told, took_s < WITHIN_S) == (4401, True)


async def move(two: Two, offset_s: int) -> None:
    """Move the clock of the bank, as people do in a demonstration."""
    async with line(two.bank.sandbox, TIMEOUT_S) as client:
        moved = await client.put(
            f"{two.bank.sandbox}/_clock", json={"offset_s": offset_s}
        )
    assert moved.status_code == 200
    await asyncio.sleep(0.5)  # a process looks at the file four times a second
