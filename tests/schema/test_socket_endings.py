"""How a socket ends: silence, expiry, revocation, shutdown; nothing is left."""

import asyncio
from datetime import timedelta

import orjson
import pytest
from websockets.exceptions import InvalidStatus

from app.clock import Clock
from app.ids import CustomerId, DeviceId
from app.realtime.sockets import Sockets
from app.schema.transport.codes import MEANING, Close
from app.settings import Settings
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

        assert await closed(client) == (4401, "SESSION_ENDED")


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


async def test_a_shutdown_tells_every_phone_when_to_come_back(line: Line) -> None:
    line.callers.phone("ann", customer=ANN)

    async with line.signed_in("ann") as client, line.open() as silent:
        await line.sockets.send_away()
        told = [await closed(client), await closed(silent)]
    with pytest.raises(InvalidStatus) as refused:
        async with line.open():
            pass

    assert [code for code, _ in told] == [1012, 1012]
    waits = [orjson.loads(reason)["retryAfterMs"] for _, reason in told]
    assert all(500 <= wait <= 501 for wait in waits)
    assert refused.value.response.status_code == 503


class Told:
    """A link that keeps what it is closed with, and when."""

    def __init__(self) -> None:
        self.ends: list[tuple[int, str]] = []
        self.at: float | None = None

    def ping(self) -> None:
        raise AssertionError("nobody is silent here")

    def close(self, code: int, reason: str = "") -> None:
        self.at = self.at or asyncio.get_running_loop().time()
        self.ends.append((code, reason))


@pytest.mark.parametrize("hurried", [False, True])
async def test_many_phones_go_and_come_back_one_after_the_other(
    settings: Settings, *, hurried: bool
) -> None:
    chosen = {"socket_admit_per_s": 1, "shutdown_jitter_s": 0.3}
    sockets = Sockets(settings.model_copy(update=chosen), Clock())
    links = [Told() for _ in range(200)]
    for link in links:
        sockets.open(link, "192.0.2.1")

    await sockets.send_away(lambda: hurried)

    waits = [orjson.loads(link.ends[0][1])["retryAfterMs"] for link in links]
    assert all(500 <= wait <= 800 for wait in waits)
    assert len({wait // 50 for wait in waits}) >= 5
    took_s = (links[-1].at or 0) - (links[0].at or 0)
    assert hurried or took_s > 0.25


@pytest.mark.parametrize("chosen", [{"limit_factor": 1000}])
@pytest.mark.parametrize(
    "times", [1, pytest.param(10, marks=pytest.mark.chaos)], ids=["130", "1300"]
)
async def test_sockets_that_come_and_go_leave_nothing(line: Line, times: int) -> None:
    line.callers.phone("ann", customer=ANN)
    async with line.signed_in("ann"):
        pass
    await until(lambda: len(line.sockets) == 0)
    before = len(asyncio.all_tasks())

    for number in range(100 * times):
        async with line.signed_in("ann") as client:
            if number % 2:
                await ask(client, "a", "wait")
                await heard(client)
    for number in range(30 * times):
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
