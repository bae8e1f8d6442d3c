"""What a rule of the socket does, step by step: words for the table of rules."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from mock_mobile_client.dpop import Covered, make_proof
from mock_mobile_client.handset import Level
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.phone import Phone
from tests.conformance.raw import PONG, TEXT, Raw, frame, message
from tests.conformance.world import World

STATUS = "{ serviceStatus { component } }"
EVENTS = "subscription { events { event { __typename } } }"
OUTAGES = "subscription { serviceStatusChanged { component } }"
APPROVALS = "subscription { loginApproval { __typename } }"
HOME = "{ me { id } }"


@dataclass
class Line:
    """One socket of a rule.

    Attributes:
        world: the doors.
        port: the door this socket is at.
        raw: what is written and read.
        stack: closes the lines at the end.
        kept: what steps keep for later ones.
    """

    world: World
    port: int
    raw: Raw
    stack: AsyncExitStack
    kept: dict[str, Any] = field(default_factory=dict)


Step = Callable[[Line], Awaitable[None]]
AWAITED: set[int] = set()  # every code that a rule of the table waits for


def sends(*frames: bytes) -> Step:
    """Write frames, all at once."""

    async def step(line: Line) -> None:
        await line.raw.write(b"".join(frames))

    return step


def says(told: object) -> Step:
    return sends(message(told))


def text(told: str) -> Step:
    return sends(frame(TEXT, told.encode()))


def asks(query: str, operation: str = "1", **more: object) -> Step:
    payload = {"query": query, **more}
    return says({"id": operation, "type": "subscribe", "payload": payload})


def completes(operation: str = "1") -> Step:
    return says({"id": operation, "type": "complete"})


def opens(status: int = 101, **handshake: Any) -> Step:
    """Ask for a socket; a refusal closes the line."""

    async def step(line: Line) -> None:
        told = await line.raw.handshake(**handshake)
        assert told == status, told
        if status != 101:
            assert await line.raw.ended()
            return
        assert line.raw.headers.get("sec-websocket-extensions") is None

    return step


def opens_from(origin: str) -> Step:
    """Ask for a socket as a page or an app does; `{port}` is that of our public URL."""

    async def step(line: Line) -> None:
        port = line.world.town.bank.settings.port
        await opens(origin=origin.format(port=port))(line)

    return step


def has(**headers: str | None) -> Step:
    """See headers of the answer to the handshake; None: there is none."""

    async def step(line: Line) -> None:
        told = line.raw.headers
        assert {name: told.get(name.replace("_", "-")) for name in headers} == headers

    return step


def hears(kind: str, operation: str | None = None, **payload: object) -> Step:
    """Hear one message and see that its payload has these members."""

    async def step(line: Line) -> None:
        found = await line.raw.heard()
        assert (found["type"], found.get("id")) == (kind, operation), found
        shown = found.get("payload", {})
        assert {name: shown.get(name) for name in payload} == payload

    return step


def hears_data(operation: str = "1") -> Step:
    async def step(line: Line) -> None:
        found = await line.raw.heard()
        assert (found["type"], found["id"]) == ("next", operation), found
        assert "errors" not in found["payload"], found
        assert found["payload"]["data"]

    return step


def hears_error(code: str, operation: str = "1", **facts: object) -> Step:
    """Hear that an operation was refused; it is the last that is heard of it."""

    async def step(line: Line) -> None:
        found = await line.raw.heard()
        assert (found["type"], found["id"]) == ("error", operation), found
        assert 1 <= len(found["payload"]) <= 5
        for one in found["payload"]:
            assert one["extensions"]["code"] == code, one
            assert len(one["extensions"]["requestId"]) == 16
            assert one["message"]
        first: Mapping[str, object] = found["payload"][0]["extensions"]
        assert {name: first.get(name) for name in facts} == facts

    return step


def ends(code: int) -> Step:
    """See the close frame."""
    AWAITED.add(code)

    async def step(line: Line) -> None:
        assert await line.raw.closed() == code

    return step


async def stays(line: Line) -> None:
    """See that the socket lives and nothing is to be heard but the server's pings."""
    await line.raw.write(message({"type": "ping", "payload": {"still": "there"}}))
    found = await line.raw.heard()
    while found == {"type": "ping"}:
        found = await line.raw.heard()
    assert found == {"type": "pong", "payload": {"still": "there"}}


async def hears_pong_frame(line: Line) -> None:
    assert await line.raw.received() == (PONG, b"ping")


async def is_acknowledged(line: Line) -> None:
    """Hear the ack and see that it tells what graphql.md section 11 promises."""
    found = await line.raw.heard()
    assert found["type"] == "connection_ack", found
    names = {"pingIntervalMs", "pingTimeoutMs", "expiresAt", "replayMax", "serverTime"}
    assert set(found["payload"]) == names
    line.kept["expires_at"] = found["payload"]["expiresAt"]


def another(*steps: Step) -> Step:
    """Let another line of the same door live through steps; it stays open."""

    async def step(line: Line) -> None:
        raw = await Raw.open(line.port)
        line.stack.push_async_callback(raw.leave)
        for one in steps:
            await one(replace(line, raw=raw))

    return step


# ------------------------------------------------------------------ the phone


async def signs_in(line: Line) -> None:
    """Open with the token and a proof of the phone."""
    phone = await line.world.phone()
    await _opens_with(line, phone.handset.init_payload())
    await is_acknowledged(line)
    assert line.kept["expires_at"].endswith("Z")


async def shows_the_device(line: Line) -> None:
    """Open with a proof of the phone alone."""
    phone = await line.world.phone()
    await _opens_with(line, phone.handset.init_payload(Level.DEVICE))
    await is_acknowledged(line)


def shows(wrong: Callable[[Phone], Mapping[str, object]]) -> Step:
    """Open with what a function makes of the phone."""

    async def step(line: Line) -> None:
        await _opens_with(line, wrong(await line.world.phone()))

    return step


async def replays(line: Line) -> None:
    """Open twice with one proof, the second time here."""
    phone = await line.world.phone()
    payload = phone.handset.init_payload()
    await another(opens(), says(_init(payload)), is_acknowledged)(line)
    await _opens_with(line, payload)


async def signs_out(line: Line) -> None:
    phone = await line.world.phone()
    line.world.is_signed_in = False
    await phone.logout()


async def signs_in_anew(line: Line) -> None:
    await (await line.world.phone()).login()


async def its_token_ends(line: Line) -> None:
    line.world.later(minutes=5, seconds=5)


async def _opens_with(line: Line, payload: Mapping[str, object]) -> None:
    await opens()(line)
    await says(_init(payload))(line)


def _init(payload: Mapping[str, object]) -> Mapping[str, object]:
    return {"type": "connection_init", "payload": payload}


def a_proof(phone: Phone, **other: Any) -> dict[str, object]:
    """Give token and proof of a phone, other than they should be."""
    handset = phone.handset
    key: DeviceKey = other.pop("key", handset.key)
    right = Covered("GET", handset.socket_url, None, handset.token, handset.api.nonce)
    now_s = handset.setting.clock() + other.pop("late_s", 0)
    proof = make_proof(key, replace(right, **other), now_s)
    return {"accessToken": handset.token, "dpop": proof}
