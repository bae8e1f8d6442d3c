"""devicePushSet and eventsAck as a phone calls them, over HTTP and over a socket."""

from typing import Any, cast

import pytest

from app.auth.actor import Actor, Level
from app.realtime import log
from app.schema.execution import Channel
from app.schema.masking import Answer
from tests.notifications.world import (
    fates,
    money,
    notifications,
    signed_out,
)
from tests.schema.desk import Desk

PUSH_SET = """mutation Set($input: DevicePushSetInput!) {
  devicePushSet(input: $input) {
    device { id pushEnabled isCurrent }
    userErrors { __typename code field ... on RateLimitedError { retryAfterSeconds } }
  }
}"""
ACK = """mutation Ack($input: EventsAckInput!) {
  eventsAck(input: $input) {
    acknowledged
    items { id category title body deepLink }
    userErrors { code field }
  }
}"""
ADDRESS = {"kind": "FCM_FID", "value": "fid-1", "appId": "bank.app"}


def code_of(answer: Answer) -> object:
    errors = cast("list[dict[str, Any]]", answer.body["errors"])
    return errors[0]["extensions"]


async def test_a_phone_sets_and_stops_its_pushes_without_a_sign_in(desk: Desk) -> None:
    locked = signed_out(desk.phone)

    on = await desk.data(PUSH_SET, {"address": ADDRESS}, actor=locked)
    off = await desk.data(PUSH_SET, {"address": None}, actor=locked)

    device = {"id": str(desk.phone.device), "isCurrent": True}
    assert on == {"device": device | {"pushEnabled": True}, "userErrors": []}
    assert off == {"device": device | {"pushEnabled": False}, "userErrors": []}
    assert desk.bank.touched == 0


async def test_a_stranger_sets_nothing(desk: Desk) -> None:
    stranger = Actor(origin=desk.phone.origin)

    answer = await desk.ask(PUSH_SET, {"address": ADDRESS}, actor=stranger)

    assert code_of(answer) == {"code": "DPOP_REQUIRED", "requestId": "r"}
    enabled = await desk.world.addresses.enabled([desk.phone.known_device])
    assert enabled == {desk.phone.known_device: False}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"value": "not an address"}, "value"),
        ({"kind": "APNS", "value": "nothex"}, "value"),
        ({"appId": ""}, "appId"),
        ({"environment": "DEVELOPMENT"}, "environment"),
    ],
)
async def test_a_wrong_address_is_refused_and_nothing_is_set(
    desk: Desk, change: dict[str, str], field: str
) -> None:
    answer = await desk.data(PUSH_SET, {"address": ADDRESS | change})

    (no,) = answer["userErrors"]
    assert (no["code"], no["field"]) == ("VALIDATION_FAILED", ["address", field])
    assert answer["device"] is None
    enabled = await desk.world.addresses.enabled([desk.phone.known_device])
    assert enabled == {desk.phone.known_device: False}


async def test_too_many_new_addresses_of_a_day_are_refused(desk: Desk) -> None:
    desk.world.counters.most = 0

    answer = await desk.data(PUSH_SET, {"address": ADDRESS})

    assert answer["userErrors"] == [
        {
            "__typename": "RateLimitedError",
            "code": "RATE_LIMITED",
            "field": None,
            "retryAfterSeconds": 60,
        }
    ]


async def test_a_push_address_is_not_set_over_a_socket(desk: Desk) -> None:
    answer = await desk.ask(PUSH_SET, {"address": ADDRESS}, over=Channel.SOCKET)

    assert code_of(answer) == {"code": "FORBIDDEN", "requestId": "r"}


@pytest.mark.parametrize("over", list(Channel))
async def test_a_live_phone_acknowledges_over_http_and_over_its_socket(
    desk: Desk, over: Channel
) -> None:
    customer = desk.phone.known_customer
    await desk.data(PUSH_SET, {"address": ADDRESS})
    await desk.world.live(desk.phone)
    await desk.world.tell(money(customer, desk.world.clock))
    head = (await log.heads([customer]))[customer]
    touched = desk.bank.touched

    answer = await desk.data(ACK, {"upTo": str(head)}, over=over)
    desk.world.later(3)
    await desk.world.send()

    assert answer == {"acknowledged": str(head), "items": [], "userErrors": []}
    assert await fates(desk.phone) == ["SUPPRESSED:SEEN_LIVE"]
    assert desk.bank.touched == touched


async def test_a_locked_phone_reports_its_push_and_gets_words_without_a_figure(
    desk: Desk,
) -> None:
    customer = desk.phone.known_customer
    await desk.data(PUSH_SET, {"address": ADDRESS})
    await desk.world.tell(money(customer, desk.world.clock, "IN"))
    await desk.world.send()
    (item,) = await notifications(customer)
    receipts = [
        {"id": one, "state": "DELIVERED", "at": "2026-11-21T09:30:00.000Z"}
        for one in (str(item), "ntf_nonsense")
    ]

    answer = await desk.data(ACK, {"receipts": receipts}, actor=signed_out(desk.phone))

    (text,) = answer["items"]
    assert text.pop("deepLink").startswith("sixpence://transaction/txn_")
    assert text == {
        "id": str(item),
        "category": "MONEY_IN",
        "title": "Money received",
        "body": "Money arrived in your account. Open the app to see it.",
    }
    assert await fates(desk.phone) == ["DELIVERED"]


async def test_a_position_below_login_is_forbidden_and_says_the_level(
    desk: Desk,
) -> None:
    given: dict[str, object] = {"upTo": "ec1.aaaaaaaa.1.20261121"}

    answer = await desk.ask(ACK, given, actor=signed_out(desk.phone))

    assert code_of(answer) == {
        "code": "FORBIDDEN",
        "requestId": "r",
        "requiredLevel": Level.LOGIN.name,
    }


async def test_what_is_no_position_is_a_bad_request(desk: Desk) -> None:
    answer = await desk.ask(ACK, {"upTo": "ec1.other"})

    assert cast("dict[str, object]", code_of(answer))["code"] == "BAD_REQUEST"


async def test_a_report_of_nothing_is_refused(desk: Desk) -> None:
    answer = await desk.data(ACK, {})

    assert answer["userErrors"] == [{"code": "VALIDATION_FAILED", "field": ["upTo"]}]
