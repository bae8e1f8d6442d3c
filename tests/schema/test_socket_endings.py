"""How a socket ends: silence, expiry, revocation, shutdown; nothing is left."""

import asyncio
from datetime import timedelta

import pytest
from websockets.exceptions import InvalidStatus

from app.clock import Clock
from app.ids import CustomerId, DeviceId
from app.schema.transport.codes import MEANING, Close
from tests.realtime.patience import until
from tests.schema.line import Line, ask, closed, heard, init, say

ANN = CustomerId.new()


@pytest.mark.parametrize("chosen", [{"socket_ping_s": 0.2, "socket_pong_s": 0.3}])
async def test_a_silent_phone_is_pinged_and_a_dead_one_closed_4499(line: Line) -> None:
    async with line.signed_in() as alive, line.signed_in() as dead:
        assert (await heard(dead))["type"] == "ping"
        for _ in range(4):
            assert (await heard(alive))["type"] == "ping"
            await say(alive, {"type": "pong"})

        assert (await closed(dead))[0] == 4499


@pytest.mark.parametrize("chosen", [{"socket_ping_s": 0.4, "socket_pong_s": 0.4}])
async def test_the_socket_ends_4419_when_the_token_does(line: Line) -> None:
    line.callers.phone("ann", customer=ANN)
    line.callers.expires_at = Clock().now() + timedelta(seconds=0.3)

    async with line.signed_in("ann") as client:
        await ask(client, "a", "wait")

        assert (await closed(client))[0] == 4419


async def test_a_revoked_session_loses_its_sockets_at_once(line: Line) -> None:
    ann = line.callers.phone("ann", customer=ANN)
    other = line.callers.phone("other", customer=ANN)
    began = asyncio.get_running_loop().time()

    async with line.signed_in("ann") as client, line.signed_in("other") as stays:
        await ask(client, "a", "wait")
        await heard(client)
        line.sockets.close(ann.known_session, 4401)
        assert (await closed(client))[0] == 4401
        took_s = asyncio.get_running_loop().time() - began
        await say(stays, {"type": "ping"})
        assert (await heard(stays))["type"] == "pong"
        line.sockets.close(other.known_session, 4419)
        assert (await closed(stays))[0] == 4419

    assert took_s < 1.0
    assert line.operations.running == 0


async def test_a_session_that_ended_during_the_init_gets_no_seat(line: Line) -> None:
    ann = line.callers.phone("ann", customer=ANN)
    line.sockets.close(ann.known_session, 4401)

    async with line.open() as client:
        await init(client, "ann")

        assert (await closed(client))[0] == 4401


async def test_a_device_and_a_customer_can_be_closed_as_a_whole(line: Line) -> None:
    device = DeviceId.new()
    line.callers.phone("ann", customer=ANN, device=device)
    line.callers.phone("tablet", customer=ANN)

    async with line.signed_in("ann") as phone, line.signed_in("tablet") as tablet:
        line.sockets.close_device(device, 4401)
        assert (await closed(phone))[0] == 4401
        line.sockets.close_customer(ANN, 4401)
        assert (await closed(tablet))[0] == 4401


async def test_closing_all_admits_none_any_more(line: Line) -> None:
    async with line.signed_in() as client:
        line.sockets.close_all(1012, '{"retryAfterMs":5}')
        assert await closed(client) == (1012, '{"retryAfterMs":5}')
    with pytest.raises(InvalidStatus) as refused:
        async with line.open():
            pass

    assert refused.value.response.status_code == 503


async def test_sockets_that_come_and_go_leave_nothing(line: Line) -> None:
    line.callers.phone("ann", customer=ANN)
    async with line.signed_in("ann"):
        pass
    await until(lambda: len(line.sockets) == 0)
    before = len(asyncio.all_tasks())

    for number in range(100):
        async with line.signed_in("ann") as client:
            if number % 2:
                await ask(client, "a", "wait")
                await heard(client)
    for number in range(30):
        async with line.signed_in("ann") as client:
            await ask(client, "a", "wait")
            if number % 3:
                await heard(client)
            client.transport.abort()

    await until(lambda: len(line.sockets) == 0 and line.operations.running == 0)
    await until(lambda: len(asyncio.all_tasks()) <= before)


def test_every_close_code_has_its_meaning() -> None:
    assert set(MEANING) == set(Close)
    assert not {1006, 1011, 4500} & {code.value for code in Close}
