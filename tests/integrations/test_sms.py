import io
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
import stamina

from app import adapters
from app.clock import StoppedClock
from app.integrations.outcome import (
    AuthFailed,
    Busy,
    NotSent,
    Ok,
    OpRef,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from app.integrations.sms import SmsSender, console, http
from tests.integrations.wire import a_partner_that, a_port_where_nobody_listens, says
from tests.sandbox.world import an_open_world, texts

ASHA = "+915550000001"
SMS = "/sms/messages"


def an_op(number: int) -> OpRef:
    return OpRef(UUID(int=number), b"f" * 32)


def a_clock() -> StoppedClock:
    return StoppedClock(datetime(2026, 3, 2, 12, tzinfo=UTC))


@pytest.fixture(autouse=True)
def _tries_without_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture(scope="module")
def started_world() -> Iterator[httpx.Client]:
    with an_open_world() as world:
        yield world


@pytest.fixture
def world(started_world: httpx.Client) -> Iterator[httpx.Client]:
    yield started_world
    started_world.delete("/_faults").raise_for_status()


def fault(world: httpx.Client, rule: dict[str, object]) -> None:
    world.put("/_faults", json={"route": SMS} | rule).raise_for_status()


async def sent(url: str, op: OpRef, to: str, text: str) -> Outcome[str]:
    sender = await http.connect(
        http.Settings.model_validate({"base_url": url}), clock=a_clock()
    )
    try:
        return await sender.send(op, to, text)
    finally:
        await sender.close()


@pytest.mark.parametrize("name", adapters.choices("app.integrations.sms"))
async def test_every_adapter_has_its_settings_and_fits_the_port(name: str) -> None:
    module = adapters.load("app.integrations.sms", name)

    sender: SmsSender = await module.connect(module.Settings(), clock=a_clock())

    prefix = module.Settings.model_config["env_prefix"]
    assert prefix == f"SIXPENCE_SMS_{name.upper()}_"
    assert callable(sender.send)


async def test_a_text_reaches_the_phone_through_the_gateway(
    world: httpx.Client,
) -> None:
    found = await sent(str(world.base_url), an_op(1), ASHA, "482913 adds a phone")

    assert found == Ok(str(UUID(int=1)), str(UUID(int=1)))
    assert texts(world, ASHA) == ["482913 adds a phone"]


async def test_a_reply_lost_after_the_work_is_unknown_and_repeating_sends_no_second(
    world: httpx.Client,
) -> None:
    fault(world, {"kind": "drop-after-work", "count": 1})
    phone, url = "+915550000002", str(world.base_url)

    lost = await sent(url, an_op(2), phone, "one")
    again = await sent(url, an_op(2), phone, "one")

    assert isinstance(lost, Unknown)
    assert isinstance(again, Ok)
    assert texts(world, phone) == ["one"]


async def test_a_gateway_that_is_away_was_surely_not_reached() -> None:
    with pytest.raises(NotSent) as failure:
        await sent(a_port_where_nobody_listens(), an_op(3), ASHA, "one")

    assert failure.value.component == "LOGIN"


@pytest.mark.parametrize(
    ("rule", "cause"),
    [
        ({"kind": "http-status", "reply": 503}, "status 503"),
        ({"kind": "malformed-json"}, "a 2xx that is not JSON"),
    ],
)
async def test_an_answer_that_tells_nothing_is_unknown(
    world: httpx.Client, rule: dict[str, object], cause: str
) -> None:
    fault(world, rule)

    found = await sent(str(world.base_url), an_op(4), "+915550000004", "one")

    assert found == Unknown(cause)


async def test_a_busy_gateway_is_tried_again_and_then_works(
    world: httpx.Client,
) -> None:
    fault(world, {"kind": "429", "count": 2})

    found = await sent(str(world.base_url), an_op(5), "+915550000005", "one")

    assert isinstance(found, Ok)
    assert texts(world, "+915550000005") == ["one"]


async def test_a_gateway_that_stays_busy_delivers_nothing(world: httpx.Client) -> None:
    fault(world, {"kind": "429"})

    with pytest.raises(Busy):
        await sent(str(world.base_url), an_op(6), "+915550000006", "one")

    assert texts(world, "+915550000006") == []


async def test_what_the_gateway_refuses_is_rejected(world: httpx.Client) -> None:
    url, phone = str(world.base_url), "+915550000007"
    await sent(url, an_op(7), phone, "one")

    other_text = await sent(url, an_op(7), phone, "two")
    no_number = await sent(url, an_op(8), "5550000007", "one")
    too_long = await sent(url, an_op(9), phone, "x" * 481)

    assert other_text == Rejected(PortCode.DUPLICATE_MISMATCH, detail="status 409")
    assert no_number == Rejected(PortCode.VALIDATION, detail="status 422")
    assert too_long == Rejected(PortCode.VALIDATION, detail="status 422")
    assert texts(world, phone) == ["one"]


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_are_a_matter_for_operations(status: int) -> None:
    async with a_partner_that(says(status)) as raw:
        with pytest.raises(AuthFailed):
            await sent(raw.url, an_op(10), ASHA, "one")

    assert len(raw.requests) == 1


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (418, "{}", "unlisted status 418"),
        (202, "[]", "an answer without an id"),
        (202, '{"id": 5}', "an answer without an id"),
        (202, "", "an answer without an id"),
    ],
)
async def test_an_answer_out_of_contract_is_unknown(
    status: int, body: str, cause: str
) -> None:
    async with a_partner_that(says(status, body)) as raw:
        found = await sent(raw.url, an_op(11), ASHA, "one")

    assert found == Unknown(cause)


async def test_the_console_prints_a_text_once() -> None:
    out = io.StringIO()
    sender = console.ConsoleSms(a_clock(), out)

    answers = [await sender.send(an_op(12), ASHA, "482913 adds") for _ in range(2)]
    await sender.close()

    assert answers == [Ok(str(UUID(int=12)), str(UUID(int=12)))] * 2
    assert out.getvalue() == (
        "2026-03-02T12:00:00.000Z SMS to +915550000001: 482913 adds\n"
    )


def test_the_address_of_the_gateway_is_a_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SIXPENCE_SMS_HTTP_BASE_URL", "https://sms.bank.example/v2")

    assert str(http.Settings().base_url) == "https://sms.bank.example/v2"
