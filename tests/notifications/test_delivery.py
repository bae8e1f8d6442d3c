"""From a due dispatch to the provider: every answer, every state, no double."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from typing_extensions import override

from app import database
from app.auth.actor import Actor
from app.database import Tx
from app.errors import Outage
from app.ids import CustomerId
from app.integrations.push import (
    AddressSuspect,
    ConfigError,
    PayloadError,
    PushMessage,
    PushOutcome,
    Retry,
    Sent,
    Unknown,
)
from app.notifications.delivery import Delivery
from app.notifications.outcomes import pause_s
from app.realtime import log
from tests.notifications.world import (
    PLANTED,
    FakeProvider,
    World,
    alarm,
    fates,
    money,
    notifications,
    pushes,
)


class StuckProvider(FakeProvider):
    """Takes a batch and never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.began = asyncio.Event()

    @override
    async def send(self, batch: Sequence[PushMessage]) -> list[PushOutcome]:
        self.got += batch
        self.began.set()
        await asyncio.Event().wait()
        return []


async def told(world: World, asha: CustomerId) -> None:
    await world.tell(money(asha, world.clock))


async def test_what_is_due_is_sent_and_recorded(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await told(world, asha)

    await world.send()

    (row,) = await pushes(phone)
    (message,) = world.provider.got
    assert row.get("state", str) == "SENT"
    assert row.get("provider_ref", str) == f"ref-{message.id[-4:]}"
    assert row.get("sent_at", datetime) == world.clock.now()
    assert row.get("attempts", int) == 1
    assert message.address == "fid-asha-1"


async def test_the_payload_is_five_words_and_holds_nothing_else(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.tell(money(asha, world.clock))
    await world.send()

    (message,) = world.provider.got
    head = (await log.heads([asha]))[asha]
    (item,) = await notifications(asha)
    assert message.data == {
        "v": "1",
        "t": "MONEY_OUT",
        "n": str(item),
        "e": head.epoch,
        "s": "1",
    }
    assert (message.title_key, message.body_key) == (
        "push.money_out.title",
        "push.money_out.body",
    )
    assert (message.high, message.ttl_s, message.collapse_key) == (True, 86400, None)
    assert message.app_id == "bank.app"
    assert message.environment == "PRODUCTION"


async def test_nothing_planted_reaches_a_provider(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await world.tell(
        money(asha, world.clock),
        money(asha, world.clock, "IN"),
        alarm(asha, world.clock),
    )

    await world.send()

    assert len(world.provider.got) == 3
    for message in world.provider.got:
        assert "fid-asha-1" not in repr(message)
        assert [word for word in PLANTED if word in repr(message)] == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Retry(), "RETRY"),
        (Unknown("TIMEOUT"), "UNKNOWN"),
        (ConfigError("THIRD_PARTY_AUTH_ERROR"), "CONFIG"),
        (AddressSuspect(), "ADDRESS_SUSPECT"),
    ],
)
async def test_what_is_not_certain_is_tried_eight_times_and_no_more(
    world: World, asha: CustomerId, phone: Actor, answer: PushOutcome, reason: str
) -> None:
    world.provider.answer = lambda _message: answer
    await told(world, asha)

    seen = []
    for _ in range(12):
        await world.send()
        seen += await fates(phone)
        world.later(601)

    assert len(world.provider.got) == 8
    assert seen[:7] == [f"QUEUED:{reason}"] * 7
    assert seen[7:] == [f"FAILED:{reason}"] * 5
    assert {message.data["n"] for message in world.provider.got} == {
        str(one) for one in await notifications(asha)
    }


async def test_a_message_the_provider_never_takes_fails_at_once(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    world.provider.answer = lambda _message: PayloadError("TOO_LARGE")
    await told(world, asha)

    await world.send()

    assert await fates(phone) == ["FAILED:PAYLOAD"]


async def test_pauses_double_from_two_seconds_and_end_at_ten_minutes() -> None:
    most = [
        max(pause_s(tries, Unknown("x")) for _ in range(400)) for tries in (1, 2, 9)
    ]

    assert 1 < most[0] <= 2
    assert 2 < most[1] <= 4
    assert 300 < most[2] <= 512
    assert max(pause_s(40, Unknown("x")) for _ in range(400)) <= 600


async def test_a_pause_the_provider_asked_for_wins_and_counts_for_no_try(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    world.provider.answer = lambda _message: Retry(after_s=90)
    await told(world, asha)

    for _ in range(20):
        await world.send()
        world.later(89)
        await world.send()
        world.later(1)

    assert len(world.provider.got) == 20
    assert await fates(phone) == ["QUEUED:RETRY"]


async def test_nothing_is_sent_past_its_life(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await told(world, asha)
    world.later(24 * 3600)

    await world.send()

    assert world.provider.got == []
    assert await fates(phone) == ["SUPPRESSED:EXPIRED"]


async def test_a_try_that_would_come_past_its_life_is_not_planned(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    world.provider.answer = lambda _message: Retry(after_s=3600)
    await told(world, asha)
    world.later(23 * 3600 + 1)

    await world.send()

    assert await fates(phone) == ["FAILED:RETRY"]


async def test_a_worker_killed_between_sending_and_recording_sends_it_again(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    """The row keeps its lease; the next worker sends the same thread and number."""
    killed = StuckProvider()
    await told(world, asha)
    sending = asyncio.create_task(world.another_worker(killed).turn())
    await killed.began.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)

    await world.send()
    held = len(world.provider.got)
    world.later(61)
    await world.send()

    assert held == 0
    (first,), (second,) = killed.got, world.provider.got
    assert (first.data, first.thread, first.id) == (
        second.data,
        second.thread,
        second.id,
    )
    assert await fates(phone) == ["SENT"]


async def test_workers_killed_twelve_times_in_a_row_use_up_no_try(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await told(world, asha)
    for _ in range(12):
        killed = StuckProvider()
        sending = asyncio.create_task(world.another_worker(killed).turn())
        await killed.began.wait()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        world.later(61)

    await world.send()

    assert len(world.provider.got) == 1
    assert await fates(phone) == ["SENT"]


async def test_a_broken_adapter_holds_nothing_up(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    def broken(_message: PushMessage) -> PushOutcome:
        raise ValueError

    world.provider.answer = broken
    await told(world, asha)

    await world.send()

    assert await fates(phone) == ["QUEUED:UNKNOWN"]


async def test_a_provider_that_is_away_is_asked_again_when_it_said(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    def away(_message: PushMessage) -> PushOutcome:
        raise Outage("closed", retry_after_s=30)

    world.provider.answer = away
    await told(world, asha)
    await world.send()
    world.provider.answer = lambda _message: Sent("ok")

    world.later(29)
    await world.send()
    early = await fates(phone)
    world.later(1)
    await world.send()

    assert (early, await fates(phone)) == (["QUEUED:RETRY"], ["SENT"])


async def test_one_phones_trouble_is_not_the_others(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    second = await world.phone(asha, "fid-asha-2")
    world.provider.answer = lambda message: (
        Unknown("RESET") if message.address == "fid-asha-1" else Sent("ok")
    )
    await told(world, asha)

    await world.send()

    assert [await fates(phone), await fates(second)] == [["QUEUED:UNKNOWN"], ["SENT"]]


async def test_a_kind_that_no_provider_reaches_fails(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await told(world, asha)

    await Delivery(clock=world.clock, vault=world.vault, providers=[]).turn()

    assert await fates(phone) == ["FAILED:NO_PROVIDER"]


async def test_two_workers_send_each_push_once(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    facts = [money(asha, world.clock) for _ in range(64)]
    for start in range(0, 64, 16):
        await world.tell(*facts[start : start + 16])
    other = FakeProvider()

    await asyncio.gather(world.delivery.turn(), world.another_worker(other).turn())

    ids = [message.id for message in world.provider.got + other.got]
    assert len(ids) == len(set(ids)) == 64
    assert await fates(phone) == ["SENT"] * 64


async def test_a_provider_that_says_at_once_is_not_asked_in_a_circle(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    world.provider.answer = lambda _message: Retry(after_s=0)
    await told(world, asha)

    for _ in range(5):
        await world.send()

    assert len(world.provider.got) == 1


async def test_a_push_of_a_newer_version_holds_up_nobody(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    await told(world, asha)

    async def newer(tx: Tx) -> None:
        await tx.rows("UPDATE inbox_item SET template = 'carrier_pigeon' RETURNING id")

    await database.transaction(newer, name="test.newer")
    await told(world, asha)

    await world.send()

    assert await fates(phone) == ["QUEUED", "SENT"]


async def test_a_storm_of_answers_is_written_in_a_few_statements(
    world: World, asha: CustomerId, phone: Actor
) -> None:
    # On SQLite whoever asks for a home screen waits while they are written.
    for _ in range(40):
        await world.tell(money(asha, world.clock))
    world.provider.answer = lambda message: (
        Unknown("ReadTimeout") if message.id[-1] in "0123" else Retry()
    )

    async with database.watched_statements() as seen:
        await world.send()

    rows = await pushes(phone)
    moments = {row.get("due_at", datetime) for row in rows}
    assert len(world.provider.got) == 40
    assert {row.get("state", str) for row in rows} == {"QUEUED"}
    assert {row.get("reason", str) for row in rows} == {"RETRY", "UNKNOWN"}
    assert min(moments) > world.clock.now()
    assert 2 < len(moments) <= 16
    assert len(seen) < 35
