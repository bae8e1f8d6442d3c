"""Who waits for whom at the providers: nobody for another one's trouble."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from typing_extensions import override

from app import database
from app.auth.actor import Actor
from app.database import Tx
from app.errors import Outage
from app.ids import CustomerId
from app.integrations.push import PushKind, PushMessage, PushOutcome
from app.notifications import due
from app.notifications.addresses import AddressWish
from app.notifications.delivery import Delivery
from tests.notifications.world import (
    FakeProvider,
    World,
    alarm,
    fates,
    money,
)

APPLE = "ab" * 32
WITHIN_S = 10


class Apple(FakeProvider):
    """Reaches iPhones."""

    kinds = frozenset({PushKind.APNS})


class Held(FakeProvider):
    """Answers a batch when it is told to, each by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []
        self.free = asyncio.Event()

    @override
    async def send(self, batch: Sequence[PushMessage]) -> list[PushOutcome]:
        self.batches.append([message.address for message in batch])
        if len(self.batches) == 1:
            await self.free.wait()
        return await super().send(batch)


@asynccontextmanager
async def running(work: Delivery) -> AsyncIterator[None]:
    task = asyncio.create_task(work.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def become(actor: Actor, wanted: list[str]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while await fates(actor) != wanted:
            await asyncio.sleep(0.01)


async def test_a_provider_that_hangs_holds_up_neither_the_other_nor_its_next_batch(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    iphone = await world.phone(asha)
    wish = AddressWish(kind=PushKind.APNS, value=APPLE, app_id="bank.app")
    await world.addresses.set(iphone, wish)
    stuck, apple = Held(), Apple()
    work = Delivery(clock=world.clock, vault=world.vault, providers=[stuck, apple])

    async with running(work):
        await world.tell(money(asha, world.clock))
        work.wake()
        await become(iphone, ["SENT"])
        first = await fates(phone)
        await world.tell(money(asha, world.clock))
        work.wake()
        await become(phone, ["QUEUED", "SENT"])
        await become(iphone, ["SENT", "SENT"])
        stuck.free.set()
        await become(phone, ["SENT", "SENT"])

    assert first == ["QUEUED"]
    assert stuck.batches == [["fid-asha-1"], ["fid-asha-1"]]


async def test_an_answer_that_cannot_be_written_down_stops_no_other(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    class Unlucky(Delivery):
        """Loses the database after its first batch was sent."""

        lost = False

        @override
        async def _shared_out(self, claimed: Sequence[due.Due]) -> None:
            if not self.lost:
                self.lost = True
                raise ExceptionGroup("lost", [Outage("gone")])
            await super()._shared_out(claimed)

    work = Unlucky(clock=world.clock, vault=world.vault, providers=[world.provider])
    async with running(work):
        await world.tell(money(asha, world.clock))
        work.wake()
        async with asyncio.timeout(WITHIN_S):
            while not work.lost:
                await asyncio.sleep(0.01)
        await world.tell(money(asha, world.clock))
        work.wake()
        await become(phone, ["QUEUED", "SENT"])
        world.later(60)  # the lease of the first
        work.wake()
        await become(phone, ["SENT", "SENT"])

    assert len(world.provider.got) == 2


async def test_security_overtakes_a_backlog(
    world: World,
    asha: CustomerId,
    phone: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(due, "BATCH", 1)
    for _ in range(3):
        await world.tell(money(asha, world.clock))
    world.later(1)
    await world.tell(alarm(asha, world.clock))

    await world.send()

    assert await fates(phone) == ["QUEUED", "QUEUED", "QUEUED", "SENT"]


async def test_a_phone_that_is_signed_out_is_asked_to_let_a_new_one_in(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    async def signed_out(tx: Tx) -> None:
        await world.addresses.signed_out(tx, phone.known_device)

    await database.transaction(signed_out, name="test.out")
    asked = {str(phone.device): "chl_00000000000000000000000000000001"}

    await world.tell(replace(alarm(asha, world.clock), asked=asked))
    await world.ack(phone, 1)
    await world.send()

    assert await fates(phone) == ["SENT"]
