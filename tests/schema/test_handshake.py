"""Who may open a socket: origins before the accept, tokens in the init."""

import pytest
from websockets.exceptions import InvalidStatus

from app.schema.transport import socket as transport
from app.schema.transport.handshake import is_welcome
from tests.schema.line import Line, closed, heard, init


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


async def test_a_foreign_page_gets_403_before_the_accept(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("ERROR", logger="uvicorn.error")

    with pytest.raises(InvalidStatus) as refused:
        async with line.open(origin="https://evil.example"):
            pass

    assert refused.value.response.status_code == 403
    assert len(line.sockets) == 0
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []


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
