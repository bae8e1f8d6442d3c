"""graphql-transport-ws: every rule of its text and of our codes, on the real server.

Sources: PROTOCOL.md of graphql-ws; RFC 6455; graphql.md section 11 and realtime.md
section 9.3 of the design. One bank serves all cases; each writes its own bytes.
"""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from app.schema.transport.codes import Close
from mock_mobile_client.keys import DeviceKey
from tests.conformance import steps
from tests.conformance.raw import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    Raw,
    frame,
    message,
)
from tests.conformance.steps import (
    APPROVALS,
    EVENTS,
    HOME,
    OUTAGES,
    STATUS,
    Line,
    Step,
    a_proof,
    another,
    asks,
    completes,
    ends,
    has,
    hears,
    hears_data,
    hears_error,
    hears_pong_frame,
    is_acknowledged,
    its_token_ends,
    opens,
    replays,
    says,
    sends,
    shows,
    shows_the_device,
    signs_in,
    signs_in_anew,
    signs_out,
    stays,
    text,
)
from tests.conformance.world import LISTED, World

INIT: dict[str, object] = {"type": "connection_init"}
HELLO: list[Step] = [opens(), says(INIT), is_acknowledged]
# Codes of our table that other files reach, with fakes that hang, lag or leave.
ELSEWHERE = {
    Close.GOING: "tests/schema/test_socket_endings.py",
    Close.TRY_LATER: "tests/schema/test_handshake.py",
    Close.SLOW: "tests/schema/test_socket_limits.py",
}


@dataclass(frozen=True)
class Rule:
    """One rule: its name, what shows it, and at which door of the world."""

    id: str
    steps: list[Step]
    at: str = "real"


def handshakes() -> Iterator[Rule]:
    ours = has(sec_websocket_protocol="graphql-transport-ws")
    yield Rule("our subprotocol is chosen", [opens(), ours])
    several = "mqtt, graphql-transport-ws"
    yield Rule("and among several", [opens(protocol=several), ours])
    for other in ("graphql-ws", "GRAPHQL-TRANSPORT-WS", "mqtt", None):
        yield Rule(f"subprotocol {other}", [opens(protocol=other), ends(4406)])
    deflate = "permessage-deflate; client_max_window_bits"
    yield Rule("no compression", [opens(sec_websocket_extensions=deflate), says(INIT)])
    for origin in (LISTED, "ws://localhost:{port}", "http://localhost:{port}"):
        yield Rule(f"origin {origin}", [steps.opens_from(origin)])
    for origin in ("https://evil.example", "null", "http://localhost", LISTED + "/"):
        yield Rule(f"origin {origin}", [opens(403, origin=origin)])
    told = has(cache_control="no-store", content_type="application/json")
    yield Rule("a refusal is GraphQL", [opens(403, origin="null"), told])
    yield Rule("version of WebSocket", [opens(400, sec_websocket_version="8")])
    yield Rule("no key", [opens(400, sec_websocket_key="")])
    yield Rule("a body", [opens(400, content_length="5")])
    yield Rule("a body in chunks", [opens(400, transfer_encoding="chunked")])
    yield Rule("a POST", [opens(405, first="POST /graphql")])
    yield Rule("another path", [opens(403, first="GET /other")])
    yield Rule("a header too long", [opens(431, cookie="x" * 9000)])
    many = {f"x_{number}": "1" for number in range(200)}
    yield Rule("too many headers", [opens(431, **many)])
    yield Rule("a path too long", [opens(414, first="GET /graphql?" + "x" * 9000)])
    yield Rule("a path of other bytes", [opens(400, first="GET /gr\xe4phql")])


def inits() -> Iterator[Rule]:
    yield Rule("init is acknowledged", [*HELLO, stays])
    for payload in (None, {}, {"other": [1]}):
        init = {**INIT, "payload": payload}
        yield Rule(
            f"init with {payload}", [opens(), says(init), is_acknowledged, stays]
        )
    yield Rule("a second init", [*HELLO, says(INIT), ends(4429)])
    both = [opens(), sends(message(INIT), message(INIT)), ends(4429)]
    yield Rule("a second init at once", both)
    ping = says({"type": "ping"})
    for name, sent in (("no", []), ("a ping is no", [ping]), ("half an", half())):
        yield Rule(f"{name} init", [opens(), *sent, ends(4408)], at="hasty")
    yield Rule("subscribe before init", [opens(), asks(STATUS), ends(4401)])
    yield Rule("complete before init", [opens(), completes(), stays])
    yield Rule("pong before init", [opens(), says({"type": "pong"}), stays])


def half() -> list[Step]:
    whole = message(INIT)
    return [sends(whole[: len(whole) // 2])]


def callers() -> Iterator[Rule]:
    yield Rule("token and proof", [signs_in, asks(HOME), hears_data(), *DONE])
    below = hears_error("FORBIDDEN", requiredLevel="LOGIN")
    yield Rule("a proof alone", [shows_the_device, asks(HOME), below, stays])
    waits = [asks(APPROVALS), stays, completes(), stays]
    yield Rule("a stream of the phone", [shows_the_device, *waits])
    yield Rule("nothing at all", [*HELLO, *NOT_SIGNED_IN])
    told = [hears_data()] * 4
    yield Rule("a stream for anybody", [*HELLO, asks(OUTAGES), *told, stays])
    yield Rule("a proof twice", [replays, ends(4403)])
    key = DeviceKey.generate()
    wrong = {
        "token of another key": lambda phone: a_proof(phone, key=key),
        "proof of a POST": lambda phone: a_proof(phone, method="POST"),
        "proof of a body": lambda phone: a_proof(phone, token=None),
        "proof of another token": lambda phone: a_proof(phone, token="x"),
        "proof of HTTP": lambda phone: a_proof(phone, url=phone.handset.api.endpoint),
        "an old proof": lambda phone: a_proof(phone, late_s=-120, nonce=None),
        "a proof to come": lambda phone: a_proof(phone, late_s=120, nonce=None),
        "a token alone": lambda phone: {"accessToken": phone.handset.token},
        "no token": lambda phone: a_proof(phone) | {"accessToken": "x"},
        "a token of a number": lambda _phone: {"accessToken": 1},
        "a proof of a list": lambda _phone: {"dpop": ["x"]},
        "no proof": lambda _phone: {"dpop": "x"},
    }
    for name, made in wrong.items():
        yield Rule(name, [shows(made), ends(4403)])


DONE: list[Step] = [hears("complete", "1"), stays]
NOT_SIGNED_IN: list[Step] = [asks(HOME), hears_error("UNAUTHENTICATED"), stays]


def operations() -> Iterator[Rule]:
    yield Rule("a query", [*HELLO, asks(STATUS), hears_data(), *DONE])
    again = [asks(STATUS), hears_data(), hears("complete", "1")]
    yield Rule("an id again", [*HELLO, *again, *again, stays])
    stream: list[Step] = [signs_in, asks(EVENTS), hears_data()]
    yield Rule("a subscription stays open", [*stream, stays])
    yield Rule(
        "two at once", [*stream, asks(STATUS, "2"), hears_data("2"), *TWO, stays]
    )
    yield Rule("complete is silent", [*stream, completes(), stays])
    yield Rule("and frees the id", [*stream, completes(), *again, stays])
    yield Rule("an id in use", [*stream, asks(EVENTS), ends(4409)])
    yield Rule("an id in use by a query", [*stream, asks(STATUS), ends(4409)])
    yield Rule("complete of nothing", [*HELLO, completes("x"), completes("x"), stays])
    long = "é" * 128
    end = hears("complete", long)
    yield Rule("a long id", [*HELLO, asks(STATUS, long), hears_data(long), end, stays])
    for name in ("variables", "operationName", "extensions"):
        nothing: dict[str, Any] = {name: None}
        ask = asks(STATUS, **nothing)
        yield Rule(f"{name} of null", [*HELLO, ask, hears_data(), *DONE])
    ask = asks(STATUS, other=[1], extensions={"other": 1}, variables={"other": 1})
    yield Rule("members that nobody knows", [*HELLO, ask, hears_data(), *DONE])
    both = f"query A {STATUS} query B {STATUS}"
    chosen = asks(both, operationName="B")
    yield Rule("an operation by its name", [*HELLO, chosen, hears_data(), *DONE])
    moved = "mutation { logout { userErrors { code } } }"
    deep = "{ me " + "{ accounts " * 40 + "{ id }" + " }" * 41
    refused = {
        "syntax": (asks("{ serviceStatus"), "BAD_REQUEST"),
        "an empty text": (asks(""), "BAD_REQUEST"),
        "an unknown field": (asks("{ nothing }"), "BAD_REQUEST"),
        "a missing variable": (asks("query A($a: Int!) " + STATUS), "BAD_REQUEST"),
        "no such operation": (asks(both, operationName="C"), "BAD_REQUEST"),
        "no name among several": (asks(both), "BAD_REQUEST"),
        "two streams in one": (
            asks("subscription { events { sequence } balanceChanged { __typename } }"),
            "BAD_REQUEST",
        ),
        "a mutation": (asks(moved), "FORBIDDEN"),
        "a document too deep": (asks(deep), "TOO_COMPLEX"),
    }
    for name, (asked, code) in refused.items():
        said: list[Step] = [asked, hears_error(code)]
        yield Rule(name, [signs_in, asks(EVENTS, "2"), hears_data("2"), *said, stays])


TWO: list[Step] = [hears("complete", "2")]


def malformed() -> Iterator[Rule]:
    ask = '{"type":"subscribe","id":"1","payload":'
    bad = [
        *("", " ", "not json", "[]", "null", "17", "true", '"x"', "{}", "{", "NaN"),
        '{"type":"ping"}{}',
        '{"type":"\\ud800"}',
        "[" * 5000,
        '{"type":null}',
        '{"type":5}',
        '{"type":["ping"]}',
        '{"type":"nonsense"}',
        '{"type":"Ping"}',
        '{"type":"start","id":"1","payload":{}}',
        '{"type":"next","id":"1","payload":{}}',
        '{"type":"error","id":"1","payload":[]}',
        '{"type":"connection_ack"}',
        '{"type":"ping","payload":[]}',
        '{"type":"ping","payload":"x"}',
        '{"type":"pong","payload":1}',
        '{"type":"connection_init","payload":[]}',
        '{"type":"connection_init","payload":"x"}',
        '{"type":"complete"}',
        '{"type":"complete","id":7}',
        '{"type":"complete","id":""}',
        '{"type":"subscribe","payload":{"query":"{ a }"}}',
        *(
            f'{{"type":"subscribe","id":{one},"payload":{{"query":"{{ a }}"}}}}'
            for one in ("1", '""', "null", '["1"]', "{}", "true", '"' + "x" * 129 + '"')
        ),
        '{"type":"subscribe","id":"1"}',
        *(f"{ask}{one}}}" for one in ("null", "[]", '"x"', "1", "{}")),
        *(f'{ask}{{"query":{one}}}}}' for one in ("null", "7", '["a"]', "{}")),
        *(
            f'{ask}{{"query":"{{ a }}","variables":{one}}}}}'
            for one in ("[]", '"x"', "1")
        ),
        *(f'{ask}{{"query":"{{ a }}","operationName":{one}}}}}' for one in ("[]", "1")),
        *(f'{ask}{{"query":"{{ a }}","extensions":{one}}}}}' for one in ("[]", '"x"')),
    ]
    for told in bad:
        yield Rule(f"message {told[:90]}", [*HELLO, text(told), ends(4400)])
    yield Rule("before the init, too", [opens(), text("[]"), ends(4400)])


def frames() -> Iterator[Rule]:
    whole = message(INIT)
    hello = b'{"type":"connection_init"}'
    parts = [
        frame(TEXT, hello[:5], fin=False),
        frame(PING, b"ping"),
        frame(CONT, hello[5:9], fin=False),
        frame(CONT, hello[9:]),
    ]
    fragments: list[Step] = [opens(), sends(*parts), hears_pong_frame, is_acknowledged]
    yield Rule("a message in parts", [*fragments, stays])
    byte_by_byte = [sends(whole[at : at + 1]) for at in range(len(whole))]
    yield Rule("byte by byte", [opens(), *byte_by_byte, is_acknowledged, stays])
    yield Rule("a ping frame", [*HELLO, sends(frame(PING, b"ping")), hears_pong_frame])
    yield Rule("a pong frame", [*HELLO, sends(frame(PONG, b"x")), stays])
    for number, (code, sent) in enumerate(FRAMES):
        name = f"{code} for frame {number}"
        yield Rule(name, [*HELLO, sends(sent), ends(code)])
    rest = frame(CONT, fin=False) * 1100
    yield Rule(
        "endless parts", [*HELLO, sends(frame(TEXT, fin=False), rest), ends(1009)]
    )
    after = sends(frame(CLOSE), message(INIT), b"garbage" * 100)
    yield Rule("nothing counts after a close", [*HELLO, after, ends(1005)])
    torn = sends(frame(TEXT, b"\xff"), frame(CLOSE))
    yield Rule("bad text right before a close", [*HELLO, torn, ends(1005)])


FRAMES = [
    (4400, frame(BINARY, b'{"type":"ping"}')),
    (4400, frame(BINARY)),
    (4400, frame(TEXT, b"\xff\xfe")),
    (4400, frame(TEXT, b"\xed\xa0\x80")),
    (4400, frame(TEXT, b"\xc3", fin=False) + frame(CONT, b"(")),
    (1002, frame(TEXT, b'{"type":"ping"}', masked=False)),
    (1002, frame(TEXT, b"x", reserved=4)),
    (1002, frame(TEXT, b"x", reserved=1)),
    (1002, frame(3)),
    (1002, frame(11)),
    (1002, frame(CONT, b"x")),
    (1002, frame(TEXT, b"x", fin=False) + frame(TEXT, b"y")),
    (1002, frame(PING, b"x", fin=False)),
    (1002, frame(PING, b"x" * 126)),
    (1002, frame(CLOSE, b"x")),
    (1002, frame(CLOSE, (1005).to_bytes(2))),
    (1002, frame(CLOSE, (999).to_bytes(2))),
    (1007, frame(CLOSE, (1000).to_bytes(2) + b"\xff")),
    (1009, frame(TEXT, b"x" * 65_537)),
    (1009, frame(TEXT, b"x" * 40_000, fin=False) + frame(CONT, b"x" * 40_000)),
    (1009, frame(TEXT, length=2**62)),
    (4400, frame(TEXT, b"x" * 65_536)),
    (1000, frame(CLOSE, (1000).to_bytes(2) + b"bye")),
    (1001, frame(CLOSE, (1001).to_bytes(2))),
    (4499, frame(CLOSE, (4499).to_bytes(2))),
    (1005, frame(CLOSE)),
]


def pings() -> Iterator[Rule]:
    yield Rule("a bare ping", [opens(), says({"type": "ping"}), hears("pong")])
    null = says({"type": "ping", "payload": None})
    yield Rule("a ping of null", [opens(), null, hears("pong"), stays])
    asked = hears("ping")
    alive: list[Step] = [asked, says({"type": "pong"})]
    yield Rule("the silent are asked", [*HELLO, *alive, *alive, stays], at="strict")
    yield Rule("the dead are closed", [*HELLO, asked, ends(4499)], at="strict")


def limits() -> Iterator[Rule]:
    flood = sends(*[message({"type": "ping"})] * 40)
    yield Rule("too many messages", [*HELLO, flood, ends(4429)], at="strict")
    pongs = sends(*[message({"type": "pong"})] * 200)
    yield Rule("pongs are free", [*HELLO, pongs, stays], at="strict")
    third = another(signs_in)
    yield Rule("a third of a phone", [signs_in, third, another(signs_in), ends(4413)])
    ten = [one for n in range(10) for one in (asks(EVENTS, f"{n}"), hears_data(f"{n}"))]
    more: list[Step] = [asks(EVENTS, "x"), hears_error("RATE_LIMITED", "x")]
    yield Rule("an eleventh operation", [signs_in, *ten, *more, stays])


def endings() -> Iterator[Rule]:
    live: list[Step] = [signs_in, asks(EVENTS), hears_data()]
    yield Rule("a new sign-in", [*live, signs_in_anew, ends(4419)])
    yield Rule("a sign-out", [*live, signs_out, ends(4401)])
    yield Rule("the end of the token", [*live, its_token_ends, ends(4419)])


RULES = [
    *handshakes(),
    *inits(),
    *callers(),
    *operations(),
    *malformed(),
    *frames(),
    *pings(),
    *limits(),
    *endings(),
]


def test_every_code_of_the_table_is_reached() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    reached = {code for code in Close if code in steps.AWAITED}
    assert reached | set(ELSEWHERE) == set(Close)
    assert not steps.AWAITED & {1006, 1011, 4500}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
@pytest.mark.usefixtures("nothing_breaks")
async def test_rule(rule: Rule, world: World) -> None:
    async with AsyncExitStack() as stack:
        port = getattr(world, rule.at)
        raw = await Raw.open(port)
        stack.push_async_callback(raw.leave)
        line = Line(world, port, raw, stack)
        for step in rule.steps:
            await step(line)
