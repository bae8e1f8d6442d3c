"""The inbox on the phone: pages, badge, receipts, reading, and its command."""

from pathlib import Path

import pytest

from mock_mobile_client.errors import NotSeen, Refused
from mock_mobile_client.inbox import ItemValue, receipt
from mock_mobile_client.phone import Phone
from mock_mobile_client.store import FileStore
from mock_mobile_client.stream import Event, Picture, describe
from mock_mobile_client.values import JsonObject
from tests.phone.conftest import Fake
from tests.phone.fake_live import FakePush
from tests.phone.test_commands import run


def told(fake: Fake, count: int = 1) -> list[FakePush]:
    """Let the bank tell the one phone there is something."""
    (device,) = fake.bank.devices.values()
    made = [FakePush(device, "MONEY_IN", f"{one}.00 INR") for one in range(count)]
    fake.bank.pushes.update({one.id: one for one in made})
    return made


async def signed_in(fake: Fake) -> Phone:
    phone = fake.phone("asha")
    await phone.start()
    return phone


async def test_items_are_read_and_the_badge_falls(fake: Fake) -> None:
    async with await signed_in(fake) as phone:
        older, newer = told(fake, 2)

        page = await phone.inbox.page()
        left = await phone.inbox.mark_read([older.id])
        last = await phone.inbox.read_all()

        assert [one.id for one in page.items] == [newer.id, older.id]
        assert (page.unread, page.next) == (2, None)
        assert page.items[0].body == "1.00 INR moved."
        assert (left, last) == (1, 0)
        assert (await phone.home()).unread == 0
        with pytest.raises(Refused, match="NOT_FOUND"):
            await phone.inbox.mark_read(["ntf_unknown"])


async def test_a_push_is_waited_for_until_it_came_so_far(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mock_mobile_client.inbox.PAUSE_S", 0)
    monkeypatch.setattr("mock_mobile_client.inbox.LOOKS", 3)
    async with await signed_in(fake) as phone:
        (push,) = told(fake)

        sent = await phone.inbox.until_push(push.id, "SENT")
        push.said.append("SUPPRESSED")

        assert (sent.channel, sent.state) == ("PUSH", "SENT")
        with pytest.raises(NotSeen, match="never became DELIVERED; it is SUPPRESSED"):
            await phone.inbox.until_push(push.id, "DELIVERED")
        assert fake.bank.calls.count("Inbox") == 1 + 3


async def test_the_command_shows_items_receipts_and_the_badge(
    fake: Fake, tmp_path: Path
) -> None:
    async with fake.phone("Asha-1", FileStore(tmp_path)) as phone:
        await phone.start()
    told(fake)

    shown = await run(fake, tmp_path, "inbox")
    read = await run(fake, tmp_path, "inbox", "--read")
    again = await run(fake, tmp_path, "inbox", "--first", "1")

    assert (shown.exit_code, read.exit_code) == (0, 0), shown.output + read.output
    lines = shown.output.splitlines()
    assert lines[0].startswith("• 2026-11-21 10:00:00  Money received")
    assert lines[1:] == [
        "    0.00 INR moved.",
        "    PUSH    Asha         SENT 10:00:00",
        "1 unread",
    ]
    assert read.output.splitlines()[-1] == "0 unread"
    assert again.output.startswith("  2026-11-21")


def test_a_push_that_was_not_sent_says_why() -> None:
    gone: JsonObject = {"channel": "PUSH", "state": "SUPPRESSED", "reason": "SEEN_LIVE"}
    node: JsonObject = {
        "id": "ntf_1",
        "category": "MONEY_IN",
        "title": "a",
        "body": "b",
        "deepLink": None,
        "createdAt": "now",
        "readAt": None,
        "deliveries": [gone | {"at": "2026-11-21T10:00:01.000Z", "device": None}],
    }

    item = ItemValue.read(node)

    assert receipt(item.deliveries[0]) == (
        "PUSH    -            SUPPRESSED (SEEN_LIVE) 10:00:01"
    )
    assert item.pushed_to("dev_1") is None


def test_the_badge_follows_the_stream() -> None:
    picture = Picture(cursor="a", sequence=1)
    item = {"title": "Money received", "readAt": None}
    body = {"__typename": "InboxAdded", "item": item, "unreadCount": 4}
    event = Event("b", 2, "now", "MONEY_IN", "InboxAdded", body)

    taken = picture.apply(event)
    read = Event(
        *("c", 3, "now", "MONEY_IN", "InboxAdded"),
        body | {"item": item | {"readAt": "now"}, "unreadCount": 3},
    )

    assert (taken, picture.unread) == (True, 4)
    assert describe(event) == "inbox     Money received, 4 unread   seq 2"
    assert describe(read) == "inbox     read: Money received, 3 unread   seq 3"
