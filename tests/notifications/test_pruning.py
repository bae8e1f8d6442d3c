"""When a push address dies: on the provider's definite word, never on an old one."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from typing_extensions import override

from app.auth.actor import Actor
from app.ids import CustomerId
from app.integrations.push import (
    AddressDead,
    AddressSuspect,
    PushMessage,
    PushOutcome,
    Sent,
)
from tests.notifications.world import (
    FakeProvider,
    World,
    address_of,
    fates,
    fcm,
    money,
)


class TardyProvider(FakeProvider):
    """Calls an address dead after the phone has set another one."""

    def __init__(self, world: World, phone: Actor) -> None:
        super().__init__()
        self._world, self._phone = world, phone

    @override
    async def send(self, batch: Sequence[PushMessage]) -> list[PushOutcome]:
        await self._world.addresses.set(self._phone, fcm("fid-new"))
        return [AddressDead() for _ in batch]


async def told(world: World, asha: CustomerId) -> None:
    await world.tell(money(asha, world.clock))


async def state_of(actor: Actor) -> str | None:
    row = await address_of(actor)
    return None if row is None else row.get("state", str)


async def test_a_dead_address_is_given_up_and_its_value_erased(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    world.provider.answer = lambda _message: AddressDead()
    await world.tell(money(asha, world.clock), money(asha, world.clock))

    await world.send()

    row = await address_of(phone)
    assert row is not None
    assert row.get("state", str) == "DEAD"
    assert row.get("dead_reason", str) == "ADDRESS_DEAD"
    assert row.find("value", bytes) is None
    assert await fates(phone) == ["FAILED:ADDRESS_DEAD"] * 2
    world.later(601)
    await world.send()
    assert len(world.provider.got) == 2


async def test_old_news_does_not_kill_an_address_that_was_set_since(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    since = world.clock.now() - timedelta(seconds=1)
    world.provider.answer = lambda _message: AddressDead(since)
    await told(world, asha)

    await world.send()

    assert await state_of(phone) == "ACTIVE"
    assert await fates(phone) == ["QUEUED:RETRY"]


async def test_a_late_answer_does_not_kill_a_value_set_meanwhile(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    world.provider.answer = lambda _message: AddressDead()
    await told(world, asha)
    world.later(1)

    await world.another_worker(TardyProvider(world, phone)).turn()

    assert await state_of(phone) == "ACTIVE"
    world.provider.answer = lambda _message: Sent("ok")
    world.later(3)
    await world.send()
    assert await fates(phone) == ["SENT"]
    assert world.provider.got[-1].address == "fid-new"


async def test_an_address_in_doubt_dies_after_three_doubts_over_a_day(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    for number in range(3):
        await world.phone(CustomerId.new(), f"fid-other-{number}")
    good = await world.phone(asha, "fid-good")

    def answer(message: PushMessage) -> PushOutcome:
        return AddressSuspect() if message.address == "fid-asha-1" else Sent("ok")

    world.provider.answer = answer
    states = []
    for _ in range(3):
        await told(world, asha)
        await world.send()
        states.append(await state_of(phone))
        world.later(12 * 3600)

    assert states == ["SUSPECT", "SUSPECT", "DEAD"]
    assert await state_of(good) == "ACTIVE"


async def test_where_every_address_is_in_doubt_none_is_given_up(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    second = await world.phone(asha, "fid-asha-2")
    world.provider.answer = lambda _message: AddressSuspect()

    for _ in range(6):
        await told(world, asha)
        await world.send()
        world.later(12 * 3600)

    assert [await state_of(one) for one in (phone, second)] == ["SUSPECT", "SUSPECT"]


async def test_an_accepted_push_ends_all_doubt(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    world.provider.answer = lambda _message: AddressSuspect()
    await told(world, asha)
    await world.send()
    world.provider.answer = lambda _message: Sent("ok")

    world.later(3)
    await world.send()

    row = await address_of(phone)
    assert row is not None
    assert (row.get("state", str), row.get("suspects", int)) == ("ACTIVE", 0)
    assert row.get("last_ok_at", datetime) == world.clock.now()
    assert await fates(phone) == ["SENT"]
