"""The stream of events: resumed, refused, filtered, silent, ended."""

from contextlib import aclosing
from typing import Any, cast

import pytest

from app.accounts.account import shot
from app.auth.actor import Level
from app.ids import CustomerId
from app.realtime import log
from app.realtime.stream import TooSlow
from app.schema.transport.operations import SocketOperations
from tests.realtime.patience import until, within
from tests.realtime.world import (
    balance_fact,
    cursor_at,
    record,
)
from tests.schema.follower import (
    ANN,
    BALANCES,
    EVENTS,
    Phone,
    account_of,
    code_of,
    event_of,
    every_fact,
)


async def test_a_resume_replays_and_says_caught_up(phone: Phone) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]
    await record(*(balance_fact(ANN, n, shot(account)) for n in (1, 2, 3)))
    head = await log.head(ANN)

    async with phone.follow(EVENTS, after=str(cursor_at(head, 1))) as stream:
        shown = [await event_of(stream) for _ in range(4)]

    assert [one["event"]["__typename"] for one in shown] == [
        "StreamReady",
        "BalanceChanged",
        "BalanceChanged",
        "CaughtUp",
    ]
    assert shown[0]["event"]["missed"] == 2
    assert [one["sequence"] for one in shown] == ["1", "2", "3", "3"]
    assert shown[-1]["cursor"] == str(head)


async def test_a_cursor_of_another_customer_is_a_reset_with_its_reason(
    phone: Phone,
) -> None:
    foreign = await log.head(CustomerId.new())

    async with phone.follow(EVENTS, after=str(foreign)) as stream:
        reset = await event_of(stream)

    assert reset["event"]["__typename"] == "StreamReset"
    assert reset["event"]["resetReason"] == "EPOCH_CHANGED"
    assert reset["cursor"] == str(await log.head(ANN))


async def test_a_text_that_is_no_cursor_is_refused(phone: Phone) -> None:
    async with phone.follow(EVENTS, after="ec1.nonsense") as stream:
        assert await code_of(stream) == "BAD_REQUEST"

    assert phone.bank.hub.readers == 0


@pytest.mark.parametrize(
    ("request_of_phone", "code"),
    [
        ({"documentId": "sha256:00"}, "PERSISTED_QUERY_NOT_FOUND"),
        ({"query": EVENTS, "operationName": "Other"}, "BAD_REQUEST"),
        ({"query": "subscription {"}, "BAD_REQUEST"),
    ],
    ids=["unknown id", "unknown name", "syntax"],
)
async def test_what_names_no_operation_is_refused(
    phone: Phone, request_of_phone: dict[str, object], code: str
) -> None:
    operations = SocketOperations(phone.engine, cast("Any", phone.bank))

    async with aclosing(operations.run(phone.actor(), request_of_phone)) as stream:
        assert await code_of(stream) == code


async def test_categories_filter_what_is_delivered(phone: Phone) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]

    async with phone.follow(EVENTS, categories=["SECURITY"]) as stream:
        await event_of(stream)
        await record(balance_fact(ANN, 1, shot(account)), *every_fact(account))
        shown = [await event_of(stream) for _ in range(2)]

    assert [one["sequence"] for one in shown] == ["7", "9"]


async def test_another_customers_stream_stays_silent(phone: Phone) -> None:
    ben = CustomerId.new()
    account = account_of(ben)
    phone.bank.accounts.all = [account]

    async with phone.follow(EVENTS, phone.actor(customer=ben)) as stream:
        await event_of(stream)
        await record(balance_fact(ANN, 9))
        await record(balance_fact(ben, 1, shot(account)))
        event = await event_of(stream)

    assert event["event"]["balance"]["version"] == "1"


@pytest.mark.parametrize("query", [EVENTS, BALANCES])
@pytest.mark.parametrize(
    ("level", "code"),
    [(Level.ANONYMOUS, "UNAUTHENTICATED"), (Level.DEVICE, "FORBIDDEN")],
)
async def test_below_login_no_stream_is_opened(
    phone: Phone, query: str, level: Level, code: str
) -> None:
    async with phone.follow(query, phone.actor(level)) as stream:
        assert await code_of(stream) == code

    assert phone.bank.hub.readers == 0


async def test_a_stream_that_ends_leaves_no_reader(phone: Phone) -> None:
    async with phone.follow(EVENTS) as stream:
        await event_of(stream)
        assert phone.bank.hub.readers == 1

    assert phone.bank.hub.readers == 0


async def test_a_reader_too_far_behind_ends_the_socket_not_the_operation(
    phone: Phone,
) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]

    async with phone.follow(EVENTS) as stream:
        await event_of(stream)
        for _ in range(3):
            await record(*(balance_fact(ANN, 1, shot(account)) for _ in range(340)))
        watch = phone.bank.hub._watches[ANN]  # noqa: SLF001  -- the tail is inside
        await until(lambda: watch.last == 1020)
        with pytest.raises(TooSlow):
            await within(anext(stream))
