"""Whatever a phone sends, a documented close code comes back."""

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection

from app.schema.transport.codes import Close
from app.written import Rate
from tests.schema.line import Line, ask, heard

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


MANY = pytest.mark.parametrize(
    "chosen", [{"limit_address_handshakes": Rate(100_000, 1)}]
)


@pytest.mark.slow
@MANY
@given(frames=st.lists(_FRAME, max_size=6))
@hypothesis_settings(max_examples=200)
async def test_whatever_is_sent_only_documented_codes_come_back(
    line: Line, frames: list[object]
) -> None:
    await is_answered(line, frames)


@pytest.mark.chaos
@MANY
@given(frames=st.lists(_FRAME, max_size=6))
@hypothesis_settings(max_examples=5000)
async def test_whatever_is_sent_in_full(line: Line, frames: list[object]) -> None:
    await is_answered(line, frames)


async def is_answered(line: Line, frames: list[object]) -> None:
    """See a documented code, and that the next phone is served."""
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
