import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
import stamina
import structlog
from hypothesis import given
from hypothesis import strategies as st

from app.clock import StoppedClock
from app.errors import Outage
from app.integrations import http
from app.integrations.breaker import BreakerState
from app.integrations.exchange import Answer, Ask, from_json, to_json
from app.integrations.http import Partner
from app.integrations.outcome import (
    BreakerOpen,
    Busy,
    ContractBroken,
    NotSent,
    Unknown,
)
from tests.integrations.wire import (
    Reply,
    a_partner_that,
    a_port_where_nobody_listens,
    says,
    sends,
)
from tests.sandbox.world import ROOT

PAY = Ask("POST", "/pay", body={"amount": Decimal("2.50")}, op_id=UUID(int=7))
LOOK = Ask("GET", "/look")


@pytest.fixture(autouse=True)
def _tries_without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


def a_clock() -> StoppedClock:
    return StoppedClock(datetime(2026, 3, 2, 12, tzinfo=UTC))


def a_partner(url: str, refuses_before_work: frozenset[int] = frozenset()) -> Partner:
    return Partner(
        "rail", url, clock=a_clock(), refuses_before_work=refuses_before_work
    )


async def test_an_answer_comes_back_with_its_decimals_whole() -> None:
    async with (
        a_partner_that(says(201, '{"fee": 0.10, "n": 3}')) as raw,
        a_partner(raw.url) as partner,
    ):
        answer = await partner.write(PAY)

    assert isinstance(answer, Answer)
    assert answer.status == 201
    assert answer.body == {"fee": Decimal("0.10"), "n": 3}
    assert str(answer.body["fee"]) == "0.10"
    assert raw.requests[0].startswith(b"POST /pay HTTP/1.1\r\n")
    assert raw.requests[0].endswith(b'\r\n\r\n{"amount":2.50}')


async def test_a_refused_connection_was_surely_not_sent_and_is_tried_three_times() -> (
    None
):
    async with a_partner(a_port_where_nobody_listens()) as partner:
        with structlog.testing.capture_logs() as lines, pytest.raises(NotSent):
            await partner.write(PAY)

    assert [line["outcome"] for line in lines] == ["not_sent"] * 3


async def test_a_tls_failure_was_surely_not_sent() -> None:
    async with (
        a_partner_that(sends(b"no TLS here"), reads=False) as raw,
        a_partner(raw.url.replace("http", "https")) as partner,
    ):
        with pytest.raises(NotSent):
            await partner.write(PAY)


async def test_429_was_surely_not_sent_and_is_tried_again() -> None:
    async with (
        a_partner_that(says(429)) as raw,
        a_partner(raw.url) as partner,
    ):
        with pytest.raises(Busy):
            await partner.write(PAY)

    assert len(raw.requests) == 3
    assert partner.breaker.success_rate() is None  # busy is not unwell


async def test_429_that_asks_for_patience_is_not_tried_again() -> None:
    async with (
        a_partner_that(says(429, retry_after="30")) as raw,
        a_partner(raw.url) as partner,
    ):
        with pytest.raises(Busy) as busy:
            await partner.write(PAY)

    assert busy.value.retry_after_s == 30
    assert len(raw.requests) == 1


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 599, 301, 307])
async def test_a_status_that_may_follow_the_work_is_unknown_and_never_sent_twice(
    status: int,
) -> None:
    async with (
        a_partner_that(says(status)) as raw,
        a_partner(raw.url) as partner,
    ):
        found = await partner.write(PAY)

    assert found == Unknown(f"status {status}")
    assert len(raw.requests) == 1
    is_well = status == 425  # it works on this key, and says so at once
    assert partner.breaker.success_rate() == float(is_well)


async def test_503_is_not_sent_only_where_the_partner_refuses_before_work() -> None:
    async with (
        a_partner_that(says(503)) as raw,
        a_partner(raw.url, refuses_before_work=frozenset({503})) as partner,
    ):
        with pytest.raises(NotSent):
            await partner.write(PAY)

    assert len(raw.requests) == 3


@pytest.mark.parametrize(
    ("raw_bytes", "cause"),
    [
        (b"", "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", "RemoteProtocolError"),
        (b"SMTP ready\r\n\r\n", "RemoteProtocolError"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
            "DecodingError",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{'a': 1}",
            "a 2xx that is not JSON",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nNaN",
            "a 2xx that is not JSON",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n" + b"1" * 2_000_000,
            "the answer is too long",
        ),
    ],
    ids=["closed", "cut", "not HTTP", "bad gzip", "not JSON", "NaN", "too long"],
)
async def test_an_answer_that_breaks_is_unknown(raw_bytes: bytes, cause: str) -> None:
    async with (
        a_partner_that(sends(raw_bytes)) as raw,
        a_partner(raw.url) as partner,
    ):
        found = await partner.write(PAY)

    assert found == Unknown(cause)
    assert len(raw.requests) == 1


async def test_silence_after_the_request_is_unknown() -> None:
    ask = Ask("POST", "/pay", body={}, read_s=0.1)
    async with (
        a_partner_that(sends(b"HTTP/1.1 200 OK\r\n", then_s=0.5)) as raw,
        a_partner(raw.url) as partner,
    ):
        found = await partner.write(ask)

    assert found == Unknown("ReadTimeout")
    assert len(raw.requests) == 1


async def test_an_answer_that_drips_for_ever_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await asyncio.sleep(0.02)

    monkeypatch.setattr(http, "LANE_S", 0.05)
    monkeypatch.setattr(http, "CONNECT_S", 0.05)
    ask = Ask("POST", "/pay", body={}, read_s=0.5)
    async with a_partner_that(drip) as raw, a_partner(raw.url) as partner:
        found = await partner.write(ask)

    assert found == Unknown("the answer took too long")


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422])
async def test_a_no_of_the_partner_is_an_answer_even_if_its_body_is_none(
    status: int,
) -> None:
    async with (
        a_partner_that(says(status, "<html>")) as raw,
        a_partner(raw.url) as partner,
    ):
        answer = await partner.write(PAY)

    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.is_success) == (status, None, False)
    assert partner.breaker.success_rate() == 1.0


async def test_an_answer_nobody_listed_is_unknown_and_loud() -> None:
    partner = a_partner("http://127.0.0.1:1")

    with structlog.testing.capture_logs() as lines:
        found = partner.unlisted(PAY, Answer(418, None))

    assert found == Unknown("unlisted status 418")
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("partner_answer_unlisted", "error")
    ]


async def test_an_empty_answer_is_no_body() -> None:
    async with a_partner_that(says(204, "")) as raw, a_partner(raw.url) as partner:
        answer = await partner.read(LOOK)

    assert (answer.status, answer.body) == (204, None)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(says(500), Outage), (says(200, "{"), ContractBroken), (sends(b""), Outage)],
    ids=["500", "not JSON", "closed"],
)
async def test_a_read_raises_where_a_write_is_unknown(
    reply: Reply, kind: type[Outage]
) -> None:
    async with a_partner_that(reply) as raw, a_partner(raw.url) as partner:
        with pytest.raises(Outage) as outage:
            await partner.read(LOOK)

    assert type(outage.value) is kind


async def test_the_breaker_opens_on_a_failing_partner_and_calls_stay_here() -> None:
    clock = a_clock()
    async with (
        a_partner_that(says(500)) as raw,
        Partner("rail", raw.url, clock=clock, component="TRANSFERS") as partner,
    ):
        for _ in range(10):
            await partner.write(PAY)
        with pytest.raises(BreakerOpen) as shut:
            await partner.write(PAY)

    assert len(raw.requests) == 10
    assert (shut.value.retry_after_s, shut.value.component) == (5, "TRANSFERS")
    assert partner.breaker.state is BreakerState.OPEN


async def test_retries_are_at_most_a_tenth_of_the_calls_beside_the_purse() -> None:
    async with (
        a_partner_that(says(429)) as raw,
        a_partner(raw.url) as partner,
    ):
        for _ in range(30):
            with pytest.raises(Busy):
                await partner.write(PAY)

    # 30 calls, 10 retries saved up, and a tenth of a retry for each call.
    assert 30 + 10 <= len(raw.requests) <= 30 + 10 + 3


async def test_the_33rd_call_waits_for_a_lane_and_then_is_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "LANE_S", 0.1)
    monkeypatch.setattr(http, "LANES_MAX", 1)
    async with (
        a_partner_that(sends(b"", then_s=1)) as raw,
        a_partner(raw.url) as partner,
        asyncio.TaskGroup() as group,
    ):
        first = group.create_task(partner.write(PAY))
        await raw.was_asked()
        with pytest.raises(Busy):
            await partner.write(PAY)

    assert len(raw.requests) == 1
    assert isinstance(first.result(), Unknown)


async def test_a_call_inside_a_transaction_is_a_bug_and_sends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "inside_transaction", lambda: True)
    async with a_partner_that(says(200)) as raw, a_partner(raw.url) as partner:
        with pytest.raises(RuntimeError, match="rail was called inside a database"):
            await partner.write(PAY)

    assert raw.requests == []


async def test_a_call_carries_the_request_id_and_the_log_no_body() -> None:
    ask = Ask("GET", "/phones/{number}/x", path={"number": "+91/5"}, params={"q": "1"})
    secret = Ask("POST", "/pay", body={"otp": "482913"}, headers={"key": "s3cret"})
    async with a_partner_that(says(200)) as raw, a_partner(raw.url) as partner:
        with (
            structlog.testing.capture_logs() as lines,
            structlog.contextvars.bound_contextvars(request_id="7f3a"),
        ):
            await partner.read(ask)
            await partner.write(secret)

    assert b"GET /phones/%2B91%2F5/x?q=1 HTTP/1.1" in raw.requests[0]
    assert b"x-request-id: 7f3a\r\n" in raw.requests[0].lower()
    assert b"key: s3cret\r\n" in raw.requests[1].lower()
    assert lines[0] == {
        "event": "partner_called",
        "log_level": "info",
        "partner": "rail",
        "method": "GET",
        "route": "/phones/{number}/x",
        "status": 200,
        "outcome": "answered",
        "duration_ms": 0,
        "op_id": None,
    }
    hidden = "482913", "s3cret", "91/5"
    assert not any(word in f"{lines}{ask!r}{secret!r}" for word in hidden)


async def test_a_cancelled_call_frees_its_lane_and_blames_nobody() -> None:
    async with (
        a_partner_that(sends(b"", then_s=1)) as raw,
        a_partner(raw.url) as partner,
    ):
        call = asyncio.create_task(partner.write(PAY))
        await raw.was_asked()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    assert partner.breaker.success_rate() is None


@pytest.mark.parametrize("url", ["ftp://bank", "127.0.0.1:8001", "http://", ""])
def test_a_base_url_that_is_none_stops_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="rail: base URL must be"):
        a_partner(url)


def test_a_number_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        to_json({"amount": Decimal("NaN")})
    with pytest.raises(ValueError, match="nested too deeply"):
        from_json(b"[" * 100_000)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**15))
)
def test_a_decimal_survives_both_ways(amount: Decimal) -> None:
    text = to_json({"amount": amount})

    assert from_json(text) == {"amount": amount}
    assert json.loads(text, parse_float=Decimal) == {"amount": amount}


def test_httpx_and_stamina_are_not_loaded_before_the_first_call() -> None:
    program = (
        "import sys, app.integrations.http; "
        "print([name for name in ('httpx', 'stamina') if name in sys.modules])"
    )

    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout == "[]\n"
