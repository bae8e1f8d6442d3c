"""Pushes through the provider's wire: shown once, texts without a sign-in."""

import asyncio
import re

import pytest

from mock_mobile_client.carriers import new_device_token, new_installation
from mock_mobile_client.drawer import Note
from mock_mobile_client.errors import NotReady, ProofFailed
from mock_mobile_client.phone import Phone
from mock_mobile_client.push import Push
from mock_mobile_client.store import MemoryStore
from tests.phone.conftest import Fake
from tests.phone.fake_live import FakePush
from tests.phone.fake_parts import Device, Node


async def listening(
    fake: Fake, store: MemoryStore | None = None, name: str = "asha"
) -> Phone:
    """A phone that is bound but signed out, and hears pushes; Ben's is an iPhone."""
    phone = fake.phone(name, store)
    await phone.enrol()
    await phone.drawer.open()
    return phone


def device(fake: Fake) -> Device:
    (one,) = fake.bank.devices.values()
    return one


def money_in(fake: Fake, phone: Phone) -> FakePush:
    """The bank owes Asha a push, and sends it."""
    push = FakePush(device(fake), "MONEY_IN")
    fake.bank.send(phone.drawer.installation, push)
    return push


async def shown(phone: Phone, push: FakePush) -> Note:
    return await phone.drawer.until_note(lambda one: one.id == push.id, "the push")


def test_an_installation_id_is_made_as_firebase_makes_it() -> None:
    ids = {new_installation() for _ in range(50)}

    assert len(ids) == 50
    assert all(re.fullmatch(r"[c-f][A-Za-z0-9_-]{21}", one) for one in ids)


def test_a_device_token_is_made_as_apple_makes_it() -> None:
    tokens = {new_device_token() for _ in range(50)}

    assert len(tokens) == 50
    assert all(re.fullmatch(r"7e[0-9a-f]{62}", one) for one in tokens)


async def test_a_phone_that_was_stored_before_it_was_an_iphone_asks_anew(
    fake: Fake,
) -> None:
    async with fake.phone("ben") as phone:
        phone.handset.keep(installation=new_installation())
        await phone.enrol()

        await phone.drawer.register()

        assert list(fake.bank.addresses) == [phone.drawer.installation]
        assert phone.drawer.carrier.form.fullmatch(phone.drawer.installation)


@pytest.mark.parametrize(("name", "service"), [("asha", "FCM"), ("ben", "APNs")])
async def test_a_push_is_shown_with_the_text_the_bank_allows(
    fake: Fake, name: str, service: str
) -> None:
    async with await listening(fake, name=name) as phone:
        push = money_in(fake, phone)

        note = await shown(phone, push)

        assert note.text is not None
        assert note.text.title == "Money received"
        assert note.push.service == service
        assert note.push.key == "push.money_in.title"
        assert (note.push.category, note.came, note.opened) == ("MONEY_IN", 1, False)
        assert push.said == ["DELIVERED"]
        assert device(fake).token is None
        note.push.expect_bare()


async def test_a_message_delivered_twice_is_shown_once(fake: Fake) -> None:
    async with await listening(fake) as phone:
        fake.bank.copies = 2
        push = money_in(fake, phone)

        note = await shown(phone, push)

        assert list(phone.drawer.notes) == [push.id]
        assert note.came == 2
        assert len(phone.drawer.pushes) == 2
        assert push.said == ["DELIVERED"]


async def test_a_tap_tells_the_bank_that_it_was_opened(fake: Fake) -> None:
    async with await listening(fake) as phone:
        push = money_in(fake, phone)
        await shown(phone, push)

        note = await phone.drawer.tap(push.id)

        assert note.opened
        assert push.said == ["DELIVERED", "OPENED"]
        with pytest.raises(NotReady):
            await phone.drawer.tap("ntf_unknown")


async def test_what_came_before_a_restart_is_not_shown_again(fake: Fake) -> None:
    store = MemoryStore()
    async with await listening(fake, store) as phone:
        installation = phone.drawer.installation
        await shown(phone, money_in(fake, phone))
        await phone.drawer.close()
        missed = money_in(fake, phone)

        await phone.restart()
        await phone.drawer.open()
        await shown(phone, missed)

        assert phone.drawer.installation == installation
        assert list(phone.drawer.notes) == [missed.id]


async def test_a_receipt_that_got_lost_is_reported_with_the_next(fake: Fake) -> None:
    async with await listening(fake) as phone:
        phone.handset.api.offline = True
        first = money_in(fake, phone)
        drawer = phone.drawer
        await drawer.until(lambda: first.id in drawer.notes, "the first")
        assert drawer.notes[first.id].text is None
        phone.handset.api.offline = False

        second = money_in(fake, phone)
        await shown(phone, second)

        assert (first.said, second.said) == (["DELIVERED"], ["DELIVERED"])
        assert drawer.notes[first.id].text is not None


@pytest.mark.parametrize(
    "leak",
    [
        {"amount": "2500"},
        {"t": "MONEY_IN 25.00"},
        {"n": "50100000001001"},
        {"s": "25.00"},
    ],
)
async def test_a_push_that_says_more_is_found(fake: Fake, leak: dict[str, str]) -> None:
    async with await listening(fake) as phone:
        push = FakePush(device(fake), "MONEY_IN")
        fake.bank.leak = leak
        fake.bank.send(phone.drawer.installation, push)

        with pytest.raises(ProofFailed, match="of a push"):
            await phone.drawer.until(lambda: bool(phone.drawer.pushes), "the push")


NEWS = {"v": "1", "t": "MONEY_IN", "n": "ntf_" + "0" * 32, "e": "a" * 8, "s": "7"}
AT = "2026-11-21T10:00:00.000Z"


def of_firebase(**more: str) -> Push:
    named = {"name": "projects/a/messages/0:1", "titleKey": "push.money_in.title"}
    body = {"data": NEWS, "ttl": "86400s", **named, **more}
    return Push.read({"kind": "fcm", "at": AT, "body": body}, 0.0)


def of_apple(
    around: Node | None = None, aps: Node | None = None, alert: Node | None = None
) -> Push:
    keys = {"title-loc-key": "push.money_in.title", "loc-key": "push.money_in.body"}
    whole = {"alert": {**keys, **(alert or {})}, "mutable-content": 1, **(aps or {})}
    body = {"pushType": "alert", "payload": {"aps": whole, **NEWS}, **(around or {})}
    return Push.read({"kind": "apns", "at": AT, "body": body}, 0.0)


def test_what_goes_around_a_push_is_looked_at_too() -> None:
    of_firebase().expect_bare()
    of_apple().expect_bare()
    leaks = [
        *(of_firebase(title="25.00"), of_firebase(titleKey="Asha paid")),
        of_firebase(tag="INR 25"),
        *(of_apple({"topic": "INR 25"}), of_apple({"collapseId": "25.00"})),
        *(of_apple(aps={"badge": 25}), of_apple(aps={"sound": "25.00"})),
        *(of_apple(alert={"body": "25.00"}), of_apple(alert={"loc-key": "Asha"})),
        of_apple(alert={"loc-args": ["25.00"]}),
    ]

    for leak in leaks:
        with pytest.raises(ProofFailed):
            leak.expect_bare()


async def test_an_asleep_phone_hears_and_a_phone_in_the_air_does_not(
    fake: Fake,
) -> None:
    async with await listening(fake) as phone:
        await phone.login()
        async with phone.live() as live:
            await phone.sleep()
            assert (live.is_awake, phone.drawer.is_open) == (False, True)
            await shown(phone, money_in(fake, phone))

            await phone.wake()
            await phone.airplane(on=True)
            assert (live.is_awake, phone.drawer.is_open) == (False, False)
            push = money_in(fake, phone)
            await asyncio.sleep(0.05)
            assert push.id not in phone.drawer.notes

            await phone.airplane(on=False)
            await shown(phone, push)
            assert live.is_awake


async def test_nothing_is_awaited_where_nobody_listens(fake: Fake) -> None:
    async with fake.phone("asha") as phone:
        with pytest.raises(NotReady, match="does not listen"):
            await phone.drawer.until(lambda: True, "anything")
