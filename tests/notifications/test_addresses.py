"""Push addresses: set, renewed, moved between people, muted, stopped."""

import asyncio
from datetime import datetime

import pytest

from app import database
from app.auth.actor import Actor
from app.errors import Conflict, RateLimited, ValidationFailed
from app.ids import CustomerId
from app.integrations.push import PushKind
from app.notifications.addresses import AddressWish, PushEnvironment
from app.realtime import log
from app.realtime.facts import SecurityEvent
from tests.notifications.world import (
    World,
    address_of,
    alarm,
    fates,
    fcm,
    money,
    signed_out,
)


async def seen(actor: Actor) -> tuple[str, str | None]:
    row = await address_of(actor)
    assert row is not None
    return row.get("state", str), row.find("dead_reason", str)


async def out(world: World, actor: Actor) -> None:
    await database.transaction(
        lambda tx: world.addresses.signed_out(tx, actor.known_device), name="test.out"
    )


async def back_in(world: World, actor: Actor) -> None:
    await database.transaction(
        lambda tx: world.addresses.signed_in(tx, actor.known_device), name="test.in"
    )


async def test_an_address_is_kept_sealed_and_never_as_it_was_sent(
    world: World, phone: Actor
) -> None:
    row = await address_of(phone)

    assert row is not None
    assert b"fid-asha-1" not in row.get("value", bytes)
    assert len(row.get("value_hash", bytes)) == 33  # its key's id and a MAC
    assert row.get("state", str) == "ACTIVE"
    assert await world.addresses.enabled([phone.known_device]) == {
        phone.known_device: True
    }


async def test_the_same_address_again_only_renews_it(
    world: World, phone: Actor
) -> None:
    before = await address_of(phone)
    world.later(60)

    for _ in range(10):
        await world.addresses.set(phone, fcm("fid-asha-1"))

    after = await address_of(phone)
    assert before is not None
    assert after is not None
    assert after.get("id", str) == before.get("id", str)
    assert after.get("set_at", datetime) == world.clock.now()
    assert len(world.counters.asked) == 1


async def test_another_address_of_the_same_phone_ends_the_one_before(
    world: World, phone: Actor
) -> None:
    before = await address_of(phone)

    world.later(1)
    await world.addresses.set(phone, fcm("fid-asha-new"))

    rows = await database.read("SELECT id, state, value FROM push_address ORDER BY id")
    assert before is not None
    assert [row.get("state", str) for row in rows] == ["DEAD", "ACTIVE"]
    assert rows[0].find("value", bytes) is None


async def test_no_address_stops_pushes(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.addresses.set(phone, None)

    await world.tell(alarm(asha, world.clock))

    assert await seen(phone) == ("DEAD", "REMOVED")
    assert await fates(phone) == []
    assert await world.addresses.enabled([phone.known_device]) == {
        phone.known_device: False
    }


async def test_a_phone_that_changed_hands_never_hears_of_the_first_person_again(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    second = await world.phone(asha, "fid-asha-2")
    await world.tell(money(asha, world.clock))
    ben = await world.phone(CustomerId.new())

    await world.addresses.set(ben, fcm("fid-asha-1"))
    await world.relay.turn()
    await world.send()

    assert await seen(phone) == ("DEAD", "MOVED")
    assert await seen(ben) == ("ACTIVE", None)
    assert [message.address for message in world.provider.got] == ["fid-asha-2"] * 2
    assert await fates(phone) == ["FAILED:NO_ADDRESS"]
    assert await fates(second) == ["SENT", "SENT"]


async def test_who_loses_an_address_is_told_on_the_other_phones(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    ben = await world.phone(CustomerId.new())

    await world.addresses.set(ben, fcm("fid-asha-1"))

    (event,) = await log.read_after(asha, 0, 10)
    assert isinstance(event.fact, SecurityEvent)
    assert event.fact.entry.action == "device.push_moved"
    assert event.fact.entry.object == str(phone.known_device)
    assert await log.read_after(ben.known_customer, 0, 10) == []


async def test_the_same_person_moving_to_a_new_binding_is_no_news(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    again = await world.phone(asha)

    await world.addresses.set(again, fcm("fid-asha-1"))

    assert await seen(phone) == ("DEAD", "MOVED")
    assert await log.read_after(asha, 0, 10) == []


async def test_two_phones_that_set_one_value_at_once_leave_one_owner(
    world: World,
) -> None:
    phones = [await world.phone(CustomerId.new()) for _ in range(4)]

    ends = await asyncio.gather(
        *(world.addresses.set(one, fcm("fid-shared")) for one in phones),
        return_exceptions=True,
    )

    assert all(end is None or isinstance(end, Conflict) for end in ends)
    rows = await database.read("SELECT id FROM push_address WHERE state <> 'DEAD'")
    assert len(rows) == 1


async def test_signing_out_mutes_and_signing_in_again_ends_it(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await out(world, phone)
    muted = await seen(phone)
    await world.addresses.set(signed_out(phone), fcm("fid-asha-1"))
    still = await seen(phone)
    await world.addresses.set(signed_out(phone), fcm("fid-asha-9"))
    with_another = await seen(phone)

    await back_in(world, phone)

    assert (muted, still, with_another) == (("MUTED", None),) * 3
    assert await seen(phone) == ("ACTIVE", None)
    await world.tell(money(asha, world.clock))
    assert await fates(phone) == ["QUEUED"]


async def test_what_was_queued_before_a_sign_out_is_not_sent_after_it(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.tell(money(asha, world.clock), alarm(asha, world.clock))

    await out(world, phone)
    await world.send()

    assert await fates(phone) == ["SUPPRESSED:MUTED", "SENT"]


async def test_new_addresses_are_counted_and_refused_without_a_change(
    world: World, phone: Actor
) -> None:
    world.counters.most = 1
    before = await address_of(phone)

    with pytest.raises(RateLimited) as refused:
        await world.addresses.set(phone, fcm("fid-asha-new"))

    after = await address_of(phone)
    assert refused.value.retry_after_s == 60
    assert before is not None
    assert after is not None
    assert after.get("value", bytes) == before.get("value", bytes)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (fcm(""), "value"),
        (fcm("x" * 4097), "value"),
        (fcm("two words"), "value"),
        (AddressWish(kind=PushKind.APNS, value="xyz", app_id="b"), "value"),
        (AddressWish(kind=PushKind.FCM_FID, value="f", app_id=""), "appId"),
        (
            AddressWish(
                kind=PushKind.FCM_FID,
                value="f",
                app_id="b",
                environment=PushEnvironment.DEVELOPMENT,
            ),
            "environment",
        ),
    ],
)
async def test_an_address_that_cannot_be_one_is_refused(
    world: World, phone: Actor, wish: AddressWish, field: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await world.addresses.set(phone, wish)

    assert refused.value.field == ["address", field]
    assert await seen(phone) == ("ACTIVE", None)


async def test_an_apple_address_may_be_of_a_development_build(
    world: World, asha: CustomerId
) -> None:
    phone = await world.phone(asha)
    wish = AddressWish(
        kind=PushKind.APNS,
        value="0a1B" * 16,
        app_id="bank.app",
        environment=PushEnvironment.DEVELOPMENT,
    )

    await world.addresses.set(phone, wish)

    assert await seen(phone) == ("ACTIVE", None)
