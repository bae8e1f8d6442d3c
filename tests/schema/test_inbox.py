"""The inbox as a phone asks for it: pages, badge, receipts, reading, and `node`."""

from dataclasses import replace
from typing import Any, cast

import pytest

from app import database
from app.auth.actor import Level
from app.ids import CustomerId, NotificationId
from app.realtime import log
from app.schema.execution import Channel
from tests.notifications.world import alarm, fcm, money, notifications, signed_out
from tests.schema.desk import Desk, found_in

pytestmark = pytest.mark.usefixtures("way")  # by plans, then by graphql-core

PAGE = """query Page($first: Int, $after: String) { me {
  streamPosition unreadCount
  inbox(first: $first, after: $after) {
    edges { cursor node { id } }
    nodes {
      id category title body deepLink createdAt readAt
      deliveries { channel state at reason device { id name } }
    }
    pageInfo { hasNextPage hasPreviousPage endCursor }
  }
} }"""
READ = """mutation Read($input: InboxMarkReadInput!) {
  inboxMarkRead(input: $input) {
    items { id readAt deliveries { state } }
    unreadCount
    userErrors { code field }
  }
}"""
NODE = "query($id: ID!) { node(id: $id) { ... on InboxItem { id title readAt } } }"


async def told(desk: Desk, count: int = 1) -> list[NotificationId]:
    """Tell the desk's customer of so much money, oldest first."""
    customer = desk.phone.known_customer
    for _ in range(count):
        desk.world.later(1)
        await desk.world.tell(money(customer, desk.world.clock, "IN"))
    return await notifications(customer)


async def page(desk: Desk, **asked: object) -> Any:
    return found_in(await desk.run(PAGE, asked))


async def test_the_newest_come_first_with_every_figure_in_the_readers_language(
    desk: Desk,
) -> None:
    await desk.world.addresses.set(desk.phone, fcm("fid-1"))
    first, second, third = map(str, await told(desk, 3))
    await desk.world.send()
    desk.phone = replace(desk.phone, locale="en-IN")

    seen = await page(desk, first=2)
    rest = await page(desk, first=2, after=seen["inbox"]["pageInfo"]["endCursor"])

    nodes = seen["inbox"]["nodes"] + rest["inbox"]["nodes"]
    assert [one["id"] for one in nodes] == [third, second, first]
    assert [one["node"]["id"] for one in seen["inbox"]["edges"]] == [third, second]
    assert seen["inbox"]["pageInfo"]["hasNextPage"]
    assert rest["inbox"]["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": True,
        "endCursor": rest["inbox"]["pageInfo"]["endCursor"],
    }
    (shown,) = rest["inbox"]["nodes"]
    assert shown.pop("deepLink").startswith("sixpence://transaction/txn_")
    assert shown == {
        "id": first,
        "category": "MONEY_IN",
        "title": "Money received",
        "body": "₹98,76,54,321.09 from Zebulon Planted arrived in account ••4711-0815.",
        "createdAt": "2026-11-21T09:30:01.000Z",
        "readAt": None,
        "deliveries": [
            {
                "channel": "PUSH",
                "state": "SENT",
                "at": "2026-11-21T09:30:03.000Z",
                "reason": None,
                "device": {"id": str(desk.phone.device), "name": "Phone"},
            }
        ],
    }


async def test_a_page_with_all_its_receipts_costs_four_statements_for_any_size(
    desk: Desk,
) -> None:
    await desk.world.addresses.set(desk.phone, fcm("fid-1"))
    costs = []

    for _ in range(2):
        await told(desk, 5)
        async with database.watched_statements() as seen:
            shown = await page(desk, first=100)
        costs.append((len(shown["inbox"]["nodes"]), len(seen)))

    assert costs == [(5, 4), (10, 4)]


async def test_the_badge_and_the_place_in_the_stream_are_read_together(
    desk: Desk,
) -> None:
    await told(desk, 2)
    fragment = "query { me { ...Head ... on Customer { displayName } } } "
    fragment += "fragment Head on Customer { streamPosition unreadCount }"

    async with database.watched_statements() as seen:
        answer = found_in(await desk.run(fragment, {}))

    head = await log.head(desk.phone.known_customer)
    assert answer == {
        "streamPosition": str(head),
        "unreadCount": 2,
        "displayName": "Asha Rao",
    }
    assert len(seen) == 1


@pytest.mark.parametrize("over", list(Channel))
async def test_reading_marks_the_item_and_the_push_of_this_phone(
    desk: Desk, over: Channel
) -> None:
    await desk.world.addresses.set(desk.phone, fcm("fid-1"))
    older, newer = await told(desk, 2)
    desk.world.later(60)

    answers = [
        await desk.data(READ, {"ids": [str(newer)]}, over=over) for _ in range(2)
    ]

    read = {
        "id": str(newer),
        "readAt": "2026-11-21T09:31:02.000Z",
        "deliveries": [{"state": "OPENED"}],
    }
    assert answers == [{"items": [read], "unreadCount": 1, "userErrors": []}] * 2
    assert desk.bank.touched == 2
    shown = (await page(desk))["inbox"]["nodes"]
    assert [one["readAt"] for one in shown] == [read["readAt"], None]
    assert shown[1]["id"] == str(older)


async def test_what_is_not_the_callers_looks_as_if_it_never_was(desk: Desk) -> None:
    ben = CustomerId.new()
    (own,) = await told(desk)
    await desk.world.tell(alarm(ben, desk.world.clock))
    (foreign,) = await notifications(ben)
    no = {
        "items": [],
        "unreadCount": 1,
        "userErrors": [{"code": "NOT_FOUND", "field": ["ids"]}],
    }

    for one in (str(foreign), str(NotificationId.new()), "ntf_nonsense", "pay_1"):
        assert await desk.data(READ, {"ids": [str(own), one]}) == no
        assert found_in(await desk.run(NODE, {"id": one})) is None

    found = found_in(await desk.run(NODE, {"id": str(own)}))
    assert found == {"id": str(own), "title": "Money received", "readAt": None}
    assert await desk.world.inbox.unread(ben) == 1


async def test_more_than_a_hundred_at_once_are_refused(desk: Desk) -> None:
    (own,) = await told(desk)

    answer = await desk.data(READ, {"ids": [str(own)] * 101})

    no = {"code": "VALIDATION_FAILED", "field": ["ids"]}
    assert answer == {"items": [], "unreadCount": 1, "userErrors": [no]}


async def test_a_phone_that_is_not_signed_in_sees_and_reads_nothing(desk: Desk) -> None:
    (own,) = await told(desk)
    locked = signed_out(desk.phone)

    answers = [
        await desk.run(PAGE, {}, actor=locked),
        await desk.run(NODE, {"id": str(own)}, actor=locked),
        await desk.ask(READ, {"ids": [str(own)]}, actor=locked),
    ]

    errors = [cast("list[dict[str, Any]]", one.body["errors"])[0] for one in answers]
    level = {"code": "FORBIDDEN", "requestId": "r", "requiredLevel": Level.LOGIN.name}
    assert [one["extensions"] for one in errors] == [level] * 3
    assert await desk.world.inbox.unread(desk.phone.known_customer) == 1
