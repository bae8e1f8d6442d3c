"""Limits of a socket: messages, operations, seats, readers who do not read."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from websockets.exceptions import InvalidStatus

from app.ids import CustomerId
from app.written import Rate
from tests.realtime.patience import until
from tests.schema.line import Line, ask, closed, heard, init, say

ANN = CustomerId.new()


async def test_more_messages_than_the_rate_close_4429(line: Line) -> None:
    async with line.signed_in() as client:
        for _ in range(20):
            await say(client, {"type": "ping"})

        assert (await closed(client))[0] == 4429


async def test_pongs_are_free(line: Line) -> None:
    async with line.signed_in() as client:
        for _ in range(100):
            await say(client, {"type": "pong"})
        await say(client, {"type": "ping"})

        assert (await heard(client))["type"] == "pong"


async def test_the_eleventh_operation_is_rate_limited_and_the_socket_stays(
    line: Line,
) -> None:
    async with line.signed_in() as client:
        for number in range(10):
            await ask(client, str(number), "wait")
            await heard(client)
        await ask(client, "eleven", "wait")
        error = await heard(client)
        await say(client, {"id": "3", "type": "complete"})
        await ask(client, "twelve", "one")
        answer = await heard(client)

    assert error["type"] == "error"
    assert error["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert answer["id"] == "twelve"


async def test_the_third_socket_of_a_device_replaces_the_one_silent_longest(
    line: Line,
) -> None:
    line.callers.phone("ann", customer=ANN)

    async with line.signed_in("ann") as old, line.signed_in("ann") as newer:
        await say(old, {"type": "ping"})
        await heard(old)
        async with line.signed_in("ann") as newest:
            assert await closed(newer) == (4413, "REPLACED")
            await ask(newest, "a", "one")
            assert (await heard(newest))["type"] == "next"
            await say(old, {"type": "ping"})
            assert (await heard(old))["type"] == "pong"


async def test_the_sixth_socket_of_a_customer_is_closed_4413(line: Line) -> None:
    for number in range(6):
        line.callers.phone(f"phone {number}", customer=ANN)

    async with AsyncExitStack() as stack:
        for number in range(5):
            await stack.enter_async_context(line.signed_in(f"phone {number}"))
        sixth = await stack.enter_async_context(line.open())
        await init(sixth, "phone 5")
        code, _reason = await closed(sixth)
        assert len(line.sockets) == 5

    assert code == 4413


@pytest.mark.parametrize("chosen", [{"limit_address_sockets": 2}])
async def test_anonymous_sockets_are_counted_per_address(line: Line) -> None:
    line.callers.phone("ann", customer=ANN)

    async with line.signed_in(), line.signed_in(), line.open() as third:
        await init(third)
        assert (await closed(third))[0] == 4413
        async with line.signed_in("ann") as known:
            await ask(known, "a", "one")
            assert (await heard(known))["type"] == "next"


@pytest.mark.parametrize("chosen", [{"sockets_max": 1}])
async def test_a_full_process_answers_503_with_retry_after(line: Line) -> None:
    async with line.signed_in():
        with pytest.raises(InvalidStatus) as refused:
            async with line.open():
                pass

    response = refused.value.response
    assert response.status_code == 503
    assert 2 <= int(response.headers["Retry-After"]) <= 20


@pytest.mark.parametrize("chosen", [{"limit_address_handshakes": Rate(2, 600)}])
async def test_an_address_that_connects_too_often_gets_429(line: Line) -> None:
    for _ in range(2):
        async with line.open():
            pass
    with pytest.raises(InvalidStatus) as refused:
        async with line.open():
            pass

    assert refused.value.response.status_code == 429
    assert int(refused.value.response.headers["Retry-After"]) >= 300


async def test_an_operation_too_far_behind_closes_4410(line: Line) -> None:
    async with line.signed_in() as client:
        await ask(client, "a", "lags")

        assert (await closed(client))[0] == 4410


@pytest.mark.parametrize("chosen", [{"socket_stall_s": 0.3}])
async def test_a_reader_who_does_not_read_is_cut_and_costs_little_memory(
    line: Line,
) -> None:
    async with line.open(max_queue=1, close_timeout=0.1) as client:
        await init(client)
        await heard(client)
        await ask(client, "a", "floods")
        await until(lambda: len(line.sockets) == 0, seconds=5)
        sent = line.operations.sent
        await asyncio.sleep(0.2)

        assert line.operations.sent == sent
        assert line.operations.running == 0
        client.transport.abort()

    assert sent * 10_000 < 12 * 2**20  # kernel buffers of both ends and 64 KiB of ours


@pytest.mark.parametrize("chosen", [{"sockets_anonymous_max": 1}])
async def test_those_who_have_not_signed_in_leave_room_for_those_who_have(
    line: Line,
) -> None:
    line.callers.phone("ann", customer=ANN)

    async with line.signed_in("ann"), line.signed_in():
        with pytest.raises(InvalidStatus) as refused:
            async with line.open():
                pass

    assert refused.value.response.status_code == 503
