"""graphql-transport-ws over real sockets: each message, and their order."""

import asyncio
from datetime import timedelta

import orjson
import pytest
from starlette.types import Message
from starlette.websockets import WebSocket

from app.auth.actor import Origin
from app.clock import Clock
from app.ids import CustomerId
from app.schema.transport.handshake import PROTOCOL
from app.schema.transport.socket import Connection
from tests.realtime.patience import until, within
from tests.schema.line import Line, ask, closed, heard, init, say

ANN = CustomerId.new()


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
