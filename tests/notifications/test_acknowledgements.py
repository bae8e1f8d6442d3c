"""The window of a live phone, and the fates phones report: exact states."""

from datetime import datetime, timedelta

import pytest

from app.auth.actor import Actor
from app.errors import Forbidden, ValidationFailed
from app.ids import CustomerId, NotificationId
from app.notifications.acknowledgements import Receipt, ReceiptState
from app.realtime import log
from app.realtime.cursor import EventCursor
from tests.notifications.world import (
    World,
    alarm,
    fates,
    money,
    notifications,
    pushes,
    signed_out,
)


async def test_a_live_phone_that_acknowledges_is_not_pushed_to(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.live(phone)
    await world.tell(money(asha, world.clock))
    await world.send()
    early = list(world.provider.got)

    await world.ack(phone, 1)
    world.later(3)
    await world.send()

    assert early == []
    assert world.provider.got == []
    assert await fates(phone) == ["SUPPRESSED:SEEN_LIVE"]


async def test_a_live_phone_that_keeps_silent_is_pushed_to_after_three_seconds(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.live(phone)
    await world.tell(money(asha, world.clock))
    due = (await pushes(phone))[0].get("due_at", datetime)

    world.later(3)
    await world.send()

    assert due == world.clock.now()
    assert await fates(phone) == ["SENT"]


async def test_a_phone_that_is_not_live_is_pushed_to_at_once(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.live(phone)
    world.later(90)
    await world.tell(money(asha, world.clock))

    await world.send()

    assert await fates(phone) == ["SENT"]


async def test_the_second_phone_learns_of_it_although_the_first_has_shown_it(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    second = await world.phone(asha, "fid-asha-2")
    await world.live(phone)
    await world.live(second)
    await world.tell(money(asha, world.clock))

    await world.ack(phone, 1)
    world.later(3)
    await world.send()

    assert await fates(phone) == ["SUPPRESSED:SEEN_LIVE"]
    assert await fates(second) == ["SENT"]


async def test_security_goes_to_every_phone_at_once_shown_or_muted(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    second = await world.phone(asha, "fid-asha-2")
    await world.live(phone)
    await world.live(second)
    await world.tell(alarm(asha, world.clock))
    await world.ack(phone, 1)

    await world.send()

    assert [await fates(phone), await fates(second)] == [["SENT"], ["SENT"]]
    assert sorted(message.address for message in world.provider.got) == [
        "fid-asha-1",
        "fid-asha-2",
    ]


async def test_an_acknowledgement_of_a_later_event_covers_the_earlier(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.tell(money(asha, world.clock), money(asha, world.clock))
    await world.send()

    await world.ack(phone, 1)
    first = await fates(phone)
    await world.ack(phone, 2)

    assert (first, await fates(phone)) == (
        ["DELIVERED", "SENT"],
        ["DELIVERED", "DELIVERED"],
    )


async def test_acknowledgements_never_go_back(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.live(phone)
    await world.tell(money(asha, world.clock), money(asha, world.clock))

    await world.ack(phone, 2)
    await world.ack(phone, 1)
    world.later(3)
    await world.send()

    assert await fates(phone) == ["SUPPRESSED:SEEN_LIVE"] * 2


async def test_a_position_of_another_stream_or_of_the_future_is_not_noted(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.live(phone)
    await world.tell(money(asha, world.clock))
    head = (await log.heads([asha]))[asha]
    take = world.acknowledgements.take

    answers = [
        await take(phone, EventCursor(epoch, seq, head.day), [])
        for epoch, seq in ((head.epoch, 3), ("aaaaaaaa", 1))
    ]
    world.later(3)
    await world.send()

    assert [answer.position for answer in answers] == [None, None]
    assert await fates(phone) == ["SENT"]


async def test_receipts_need_no_sign_in_and_move_forward_only(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.tell(money(asha, world.clock))
    await world.send()
    (item,) = await notifications(asha)
    at = world.clock.now()

    seen = []
    for state in (ReceiptState.DELIVERED, ReceiptState.OPENED, ReceiptState.DELIVERED):
        receipt = Receipt(id=item, state=state, at=at)
        await world.acknowledgements.take(signed_out(phone), None, [receipt])
        seen += await fates(phone)

    assert seen == ["DELIVERED", "OPENED", "OPENED"]
    (row,) = await pushes(phone)
    assert row.get("delivered_at", datetime) == at
    assert row.get("opened_at", datetime) == at


async def test_a_receipt_that_is_faster_than_our_own_record_is_kept(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    """Killed between sending and recording: the phone says it has it; no second one."""
    await world.tell(money(asha, world.clock))
    (item,) = await notifications(asha)
    receipt = Receipt(id=item, state=ReceiptState.DELIVERED, at=world.clock.now())

    await world.acknowledgements.take(signed_out(phone), None, [receipt])
    world.later(61)
    await world.send()

    assert await fates(phone) == ["DELIVERED"]
    assert world.provider.got == []


async def test_no_receipt_is_of_the_future(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.tell(money(asha, world.clock))
    await world.send()
    (item,) = await notifications(asha)
    late = world.clock.now() + timedelta(days=400)

    await world.acknowledgements.take(
        phone, None, [Receipt(id=item, state=ReceiptState.OPENED, at=late)]
    )

    assert (await pushes(phone))[0].get("opened_at", datetime) == world.clock.now()


async def test_the_answer_holds_generic_words_of_ones_own_pushes_only(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    ben = await world.phone(CustomerId.new(), "fid-ben")
    await world.tell(money(asha, world.clock), money(ben.known_customer, world.clock))
    (mine,) = await notifications(asha)
    (his,) = await notifications(ben.known_customer)
    given = [
        Receipt(id=one, state=ReceiptState.DELIVERED, at=world.clock.now())
        for one in (his, mine, NotificationId.new(), mine)
    ]

    answer = await world.acknowledgements.take(signed_out(phone), None, given)

    (text,) = answer.texts
    assert text.id == mine
    assert text.words.title == "Money sent"
    assert text.words.body == "Money left your account. Open the app to see it."
    assert await fates(ben) == ["QUEUED"]


async def test_nothing_and_too_much_are_refused(world: World, phone: Actor) -> None:
    many = [
        Receipt(
            id=NotificationId.new(), state=ReceiptState.OPENED, at=world.clock.now()
        )
    ] * 101

    with pytest.raises(ValidationFailed) as empty:
        await world.acknowledgements.take(phone, None, [])
    with pytest.raises(ValidationFailed) as full:
        await world.acknowledgements.take(phone, None, many)

    assert (empty.value.field, full.value.field) == (["upTo"], ["receipts"])


async def test_a_position_needs_a_signed_in_session(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.tell(money(asha, world.clock))
    head = (await log.heads([asha]))[asha]

    with pytest.raises(Forbidden) as refused:
        await world.acknowledgements.take(signed_out(phone), head, [])

    assert refused.value.facts == {"requiredLevel": "LOGIN"}
    await world.send()
    assert await fates(phone) == ["SENT"]
