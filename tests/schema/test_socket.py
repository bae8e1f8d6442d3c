"""graphql-transport-ws over real sockets: messages, close codes, limits, no leaks."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.types import Message
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from app import settings as app_settings
from app.auth.actor import Origin
from app.clock import Clock
from app.ids import CustomerId, DeviceId
from app.schema.transport import socket as transport
from app.schema.transport.codes import MEANING, Close
from app.schema.transport.handshake import PROTOCOL, is_welcome
from app.schema.transport.socket import Connection
from app.settings import Settings
from tests.realtime.patience import until, within
from tests.schema.line import Line, ask, closed, heard, init, say, serving

ANN = CustomerId.new()


@pytest.fixture
def chosen() -> dict[str, Any]:
    return {}


@pytest.fixture
def of_test(chosen: dict[str, Any]) -> Settings:
    return app_settings.load(env="test").model_copy(
        update={"limit_factor": 1, "socket_admit_per_s": 10_000, **chosen}
    )


@pytest.fixture
async def line(of_test: Settings) -> AsyncIterator[Line]:
    async with serving(of_test) as running:
        yield running


# ------------------------------------------------------------------ messages


async def test_the_ack_tells_pings_expiry_and_the_longest_replay(line: Line) -> None:
    line.callers.phone("ann", customer=ANN)
    line.callers.expires_at = Clock().now() + timedelta(minutes=5)

    async with line.open() as client:
        await init(client, "ann")
        ack = await heard(client)

    payload = ack["payload"]
    assert ack["type"] == "connection_ack"
    assert payload["pingIntervalMs"] == 25_000
    assert payload["pingTimeoutMs"] == 20_000
    assert payload["replayMax"] == 500
    assert payload["expiresAt"].endswith("Z")
    assert payload["serverTime"] < payload["expiresAt"]


async def test_a_null_payload_of_the_init_is_an_empty_one(line: Line) -> None:
    async with line.open() as client:
        await say(client, {"type": "connection_init", "payload": None})
        ack = await heard(client)

    assert ack["payload"]["expiresAt"] is None


MALFORMED: list[str | bytes] = [
    "",
    "not json",
    "[]",
    "null",
    "17",
    '"x"',
    "{}",
    '{"type":5}',
    '{"type":["ping"]}',
    '{"type":"nonsense"}',
    '{"type":"next","id":"1"}',
    '{"type":"connection_ack"}',
    '{"type":"ping","payload":[]}',
    '{"type":"pong","payload":"x"}',
    '{"type":"complete"}',
    '{"type":"complete","id":7}',
    '{"type":"subscribe","id":"1"}',
    '{"type":"subscribe","id":"1","payload":null}',
    '{"type":"subscribe","id":"1","payload":[]}',
    '{"type":"subscribe","id":"1","payload":{}}',
    '{"type":"subscribe","id":"1","payload":{"query":7}}',
    '{"type":"subscribe","id":"1","payload":{"query":null}}',
    '{"type":"subscribe","id":"1","payload":{"query":"one","variables":[]}}',
    '{"type":"subscribe","id":"1","payload":{"query":"one","operationName":1}}',
    '{"type":"subscribe","id":"1","payload":{"query":"one","extensions":"x"}}',
    '{"type":"subscribe","id":1,"payload":{"query":"one"}}',
    '{"type":"subscribe","id":"","payload":{"query":"one"}}',
    '{"type":"subscribe","id":["1"],"payload":{"query":"one"}}',
    '{"type":"subscribe","id":"' + "x" * 129 + '","payload":{"query":"one"}}',
    '{"type":"subscribe","payload":{"query":"one"}}',
    b'{"type":"ping"}',
    b"",
]


@pytest.mark.parametrize("frame", MALFORMED, ids=range(len(MALFORMED)))
async def test_a_malformed_frame_closes_4400(line: Line, frame: str | bytes) -> None:
    async with line.signed_in() as client:
        await client.send(frame)
        code, reason = await closed(client)

    assert code == 4400
    assert "secret" not in reason


async def test_an_init_whose_payload_is_no_object_closes_4400(line: Line) -> None:
    async with line.open() as client:
        await say(client, {"type": "connection_init", "payload": "x"})

        assert (await closed(client))[0] == 4400


async def test_a_query_answers_next_and_complete(line: Line) -> None:
    line.callers.phone("ann", customer=ANN)

    async with line.signed_in("ann") as client:
        await ask(client, "q", "one")
        answer, end = await heard(client), await heard(client)

    assert answer == {
        "id": "q",
        "type": "next",
        "payload": {"data": {"who": str(ANN)}},
    }
    assert end == {"id": "q", "type": "complete"}


async def test_an_operation_that_is_refused_gets_error_and_the_socket_stays(
    line: Line,
) -> None:
    async with line.signed_in() as client:
        await ask(client, "a", "wait")
        await heard(client)
        await ask(client, "b", "refused")
        error = await heard(client)
        await ask(client, "b", "one")
        answer = await heard(client)

    assert error["type"] == "error"
    assert error["id"] == "b"
    assert error["payload"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert answer["type"] == "next"


async def test_an_operation_that_breaks_gets_error_internal_without_internals(
    line: Line,
) -> None:
    async with line.signed_in() as client:
        await ask(client, "a", "breaks")
        await heard(client)
        error = await heard(client)
        await ask(client, "a", "one")
        answer = await heard(client)

    assert error["type"] == "error"
    assert error["payload"][0]["extensions"]["code"] == "INTERNAL"
    assert len(error["payload"][0]["extensions"]["requestId"]) == 16
    assert "secret" not in str(error)
    assert answer["type"] == "next"


async def test_a_ping_is_answered_with_its_own_payload(line: Line) -> None:
    async with line.open() as client:
        await say(client, {"type": "ping"})
        bare = await heard(client)
        await say(client, {"type": "ping", "payload": {"n": 1}})
        full = await heard(client)

    assert bare == {"type": "pong"}
    assert full == {"type": "pong", "payload": {"n": 1}}


async def test_complete_ends_an_operation_and_frees_its_id(line: Line) -> None:
    async with line.signed_in() as client:
        await ask(client, "a", "wait")
        await heard(client)
        await say(client, {"id": "a", "type": "complete"})
        await say(client, {"id": "unknown", "type": "complete"})
        await ask(client, "a", "one")
        answer = await heard(client)
        await until(lambda: line.operations.running == 0)

    assert answer["payload"] == {"data": {"who": "None"}}


# ------------------------------------------------------------------ order of messages


async def test_subscribe_before_the_ack_closes_4401(line: Line) -> None:
    async with line.open() as client:
        await ask(client, "a", "one")

        assert (await closed(client))[0] == 4401


async def test_a_second_init_closes_4429(line: Line) -> None:
    async with line.signed_in() as client:
        await init(client)

        assert (await closed(client))[0] == 4429


@pytest.mark.parametrize("chosen", [{"socket_init_s": 0.1}])
async def test_no_init_in_time_closes_4408(line: Line) -> None:
    async with line.open() as client:
        await say(client, {"type": "ping"})

        assert (await closed(client))[0] == 4408


async def test_an_id_in_use_closes_4409_and_ends_the_other_operations(
    line: Line,
) -> None:
    async with line.signed_in() as client:
        await ask(client, "a", "wait")
        await ask(client, "a", "wait")

        assert (await closed(client))[0] == 4409

    await until(lambda: line.operations.running == 0)


async def test_the_subprotocol_must_be_ours(line: Line) -> None:
    async with line.open(subprotocol="graphql-ws") as client:
        assert (await closed(client))[0] == 4406


async def test_a_frame_over_64_kib_closes_1009(line: Line) -> None:
    async with line.signed_in() as client:
        await client.send("x" * 65_537)

        assert (await closed(client))[0] == 1009


async def test_a_line_the_server_cut_under_a_running_stream_is_no_error_of_ours(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [
        {"type": "connection_init"},
        {"type": "subscribe", "id": "a", "payload": {"query": "floods"}},
    ]
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    incoming.put_nowait({"type": "websocket.connect"})
    for frame in frames:
        text = orjson.dumps(frame).decode()
        incoming.put_nowait({"type": "websocket.receive", "text": text})

    async def send(message: Message) -> None:
        if '"next"' in message.get("text", ""):
            raise RuntimeError("Unexpected ASGI message, after sending 'close'")

    scope = {"type": "websocket", "headers": [], "subprotocols": [PROTOCOL]}
    websocket = WebSocket(scope, incoming.get, send)
    await websocket.accept(PROTOCOL)
    origin = Origin(request_id="r", address="192.0.2.1")

    await within(Connection(websocket, line.desk, origin).run())

    told = capsys.readouterr()
    assert "failed" not in told.out + told.err
    assert len(line.sockets) == 0
    assert line.operations.running == 0


# ------------------------------------------------------------------ limits


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


@pytest.mark.parametrize(
    "chosen", [{"limit_address_handshakes": app_settings.Rate(2, 600)}]
)
async def test_an_address_that_connects_too_often_gets_429(line: Line) -> None:
    for _ in range(2):
        async with line.open():
            pass
    with pytest.raises(InvalidStatus) as refused:
        async with line.open():
            pass

    assert refused.value.response.status_code == 429
    assert int(refused.value.response.headers["Retry-After"]) >= 300


# ------------------------------------------------------------------ who may come in


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [
        (None, True),
        ("https://bank.example", True),
        ("wss://bank.example", True),
        ("https://bank.example:443", True),
        ("wss://BANK.example", True),
        ("https://app.partner.example", True),
        ("http://bank.example", False),
        ("https://bank.example:8443", False),
        ("https://bank.example.evil.example", False),
        ("https://evil.example", False),
        ("https://user@bank.example", False),
        ("https://bank.example/path", False),
        ("https://bank.example:port", False),
        ("ftp://bank.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_each_row_of_the_origin_table(origin: str | None, welcome: bool) -> None:  # noqa: FBT001  -- a table
    allowed = ("https://app.partner.example",)

    assert is_welcome(origin, "https://bank.example", allowed) is welcome


async def test_a_foreign_page_gets_403_before_the_accept(line: Line) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with line.open(origin="https://evil.example"):
            pass

    assert refused.value.response.status_code == 403
    assert len(line.sockets) == 0


async def test_our_own_origin_is_accepted(line: Line) -> None:
    async with line.open(origin="ws://localhost:8000") as client:
        await init(client)

        assert (await heard(client))["type"] == "connection_ack"


@pytest.mark.parametrize(
    ("token", "code", "reason"),
    [
        ("stranger", 4403, "TOKEN_EXPIRED"),
        ("hurried", 1013, "RATE_LIMITED"),
        ("broken", 1013, "INTERNAL"),
    ],
)
async def test_a_refused_init_says_why(
    line: Line, token: str, code: int, reason: str
) -> None:
    async with line.open() as client:
        await init(client, token)

        assert await closed(client) == (code, reason)


async def test_a_verification_that_hangs_closes_1013(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_VERIFY_S", 0.1)

    async with line.open() as client:
        await init(client, "slow")

        assert (await closed(client))[0] == 1013


# ------------------------------------------------------------------ time and revocation


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


# ------------------------------------------------------------------ slow readers, leaks


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


# ------------------------------------------------------------------ fuzz

DOCUMENTED = {code.value for code in Close} | {1000, 1009}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "type", "payload", "query", "variables", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["1", "", 5]) | _JSON,
        "type": st.sampled_from(
            ["connection_init", "subscribe", "complete", "ping", "pong", "next"]
        ),
        "payload": st.just({"query": "one"}) | st.just({}) | _JSON,
    },
)
_FRAME = (
    st.text(max_size=200)
    | st.binary(max_size=200)
    | _JSON
    | _MESSAGE
    | st.just({"type": "connection_init"})
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "chosen",
    [{"limit_address_handshakes": app_settings.Rate(100_000, 1)}],
)
@given(frames=st.lists(_FRAME, max_size=6))
@hypothesis_settings(max_examples=200)
async def test_whatever_is_sent_only_documented_codes_come_back(
    line: Line, frames: list[object]
) -> None:
    async with line.open() as client:
        await send_all(client, frames)
        await client.close()
        end = client.protocol.close_rcvd

    assert end is not None
    assert end.code in DOCUMENTED
    assert end.code not in {1006, 1011, 4500}
    async with line.signed_in() as next_one:
        await ask(next_one, "a", "one")
        assert (await heard(next_one))["type"] == "next"


async def send_all(client: ClientConnection, frames: list[object]) -> None:
    for frame in frames:
        if client.protocol.close_rcvd is not None:
            return
        if isinstance(frame, str | bytes):
            await client.send(frame)
        else:
            await client.send(repr(frame) if frame is None else _text(frame))


def _text(frame: object) -> str:
    import json  # noqa: PLC0415  -- writes NaN and huge integers, which orjson does not

    return json.dumps(frame)


def test_every_close_code_has_its_meaning() -> None:
    assert set(MEANING) == set(Close)
    assert not {1006, 1011, 4500} & {code.value for code in Close}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "uvicorn.error")
