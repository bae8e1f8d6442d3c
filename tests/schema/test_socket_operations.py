"""The operations of the bank over a socket: answers, streams, nothing left behind."""

import asyncio
from typing import Any, cast

from app.accounts.account import shot
from app.schema.transport.operations import SocketOperations
from app.settings import Settings
from tests.realtime.patience import until, within
from tests.realtime.world import (
    balance_fact,
    record,
)
from tests.schema.follower import (
    ANN,
    EVENTS,
    Phone,
    account_of,
    code_of,
    event_of,
)
from tests.schema.line import ask, heard, serving


async def test_a_query_over_the_socket_is_answered_and_a_bad_document_refused(
    phone: Phone,
) -> None:
    async with phone.follow("{ serviceStatus { component } }") as stream:
        answer = await within(anext(stream))
    async with phone.follow("{ serviceStatus { component } } }") as stream:
        code = await code_of(stream)
    async with phone.follow("subscription { nothing }") as stream:
        unknown = await code_of(stream)

    names = ("LOGIN", "ACCOUNTS", "TRANSFERS", "NOTIFICATIONS")
    assert answer.body["data"] == {
        "serviceStatus": [{"component": name} for name in names]
    }
    assert (code, unknown) == ("BAD_REQUEST", "BAD_REQUEST")
    assert phone.bank.sessions.touched == 1


async def test_a_subscription_is_no_sign_of_the_customer(phone: Phone) -> None:
    async with phone.follow(EVENTS) as stream:
        await event_of(stream)

    assert phone.bank.sessions.touched == 0


async def test_a_committed_event_reaches_the_phone_and_an_abort_leaves_no_reader(
    phone: Phone, bank_database: Settings
) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]
    operations = SocketOperations(phone.engine, cast("Any", phone.bank))
    hub = phone.bank.hub

    async with serving(bank_database, operations=operations) as line:
        line.callers.phone("ann", customer=ANN)
        async with line.signed_in("ann") as client:
            await ask(client, "stream", EVENTS)
            ready = await heard(client)
            await record(balance_fact(ANN, 7, shot(account)))
            event = await heard(client)
            assert hub.readers == 1
            client.transport.abort()
        await until(lambda: hub.readers == 0 and len(line.sockets) == 0)

    assert ready["type"] == "next"
    assert event["id"] == "stream"
    shown = event["payload"]["data"]["events"]
    assert shown["event"]["balance"]["version"] == "7"


async def test_sockets_that_come_and_go_leave_no_reader_and_no_task(
    phone: Phone, bank_database: Settings
) -> None:
    operations = SocketOperations(phone.engine, cast("Any", phone.bank))
    hub = phone.bank.hub

    async with serving(bank_database, operations=operations) as line:
        line.callers.phone("ann", customer=ANN)
        async with line.signed_in("ann"):
            pass
        await until(lambda: len(line.sockets) == 0)
        before = len(asyncio.all_tasks())
        for number in range(40):
            async with line.signed_in("ann") as client:
                await ask(client, "stream", EVENTS)
                if number % 2:
                    await heard(client)
                await record(balance_fact(ANN, number))
                if number % 4 == 0:
                    client.transport.abort()
        await until(lambda: hub.readers == 0 and len(line.sockets) == 0)
        await until(lambda: len(asyncio.all_tasks()) <= before)
        assert phone.bank.accounts.asked <= 40
