"""Many notifications through a provider that answers anything, by real HTTP.

The sandbox answers 200, 404, 429, 500 and 503, breaks lines before and after its work,
keeps silent, and refuses dead addresses, by dice whose seed is told. Each phone shows
each notification once; the dead are given up and the living kept; and what was written
on the wire holds nothing of the money. The bank's clock is moved on, not waited for.
"""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from app import database
from app.auth.actor import Actor
from app.ids import CustomerId
from app.integrations.push.fcm import sdk
from app.notifications.delivery import Delivery
from mock_mobile_client.push import Push
from tests.integrations.push_world import SEND, PushWorld, a_provider, a_push_world
from tests.notifications.world import (
    PLANTED,
    World,
    address_of,
    alarm,
    fates,
    money,
    notifications,
)

SILENT_S, PATIENCE_S = 1.0, 5.0
STEP_S = 15  # what falls due meanwhile goes together
TURNS_MAX = 400
DEAD = ("dead-", "bad-")
Note = Callable[[str, object], None]

pytestmark = pytest.mark.slow  # on PostgreSQL, whose claims differ, in `make test`


@dataclass(frozen=True)
class Size:
    """How many customers are told how much; each has a living phone.

    `silent` is the share of requests that get no answer in time, though delivered.
    """

    customers: int
    each: int
    silent: float = 0.0

    @property
    def notifications(self) -> int:
        return self.customers * self.each

    def address(self, place: int) -> str:
        """Name the living phone of a customer; the outside world is shared."""
        return f"live-{self.notifications}-{place}"


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushWorld]:
    with a_push_world(tmp_path_factory.mktemp("storm")) as found:
        yield found


@dataclass
class Wire:
    """Lies between bank and provider and remembers every byte the bank said."""

    port: int
    said: bytearray = field(default_factory=bytearray)
    at: int = 0

    async def hear(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", self.port)
        with suppress(ConnectionError):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, ours, self.said))
                group.create_task(self._pass(theirs, writer, bytearray()))

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        heard: bytearray,
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                heard += data
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def a_wire(port: int) -> AsyncIterator[Wire]:
    wire = Wire(port)
    server = await asyncio.start_server(wire.hear, "127.0.0.1", 0)
    wire.at = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()


def weather(outside: PushWorld, dice: random.Random, silent: float) -> None:
    """Set what goes wrong until the next turn."""
    outside.no_faults()
    chosen: list[dict[str, Any]] = [
        {"kind": "http-status", "reply": dice.choice((404, 500, 503)), "rate": 0.08},
        {"kind": "drop-before-work", "rate": 0.04},
        {"kind": "drop-after-work", "rate": 0.08},
        {"kind": "429", "latency_ms": 1000, "rate": 0.02},
    ]
    if silent:
        late = int(3000 * PATIENCE_S)
        chosen.append({"kind": "latency", "latency_ms": late, "rate": silent})
    for rule in chosen:
        outside.fault(SEND, **rule, seed=dice.randrange(2**31))


@pytest.mark.parametrize(
    "size",
    [Size(6, 8), pytest.param(Size(25, 40, silent=0.01), marks=pytest.mark.chaos)],
    ids=["48", "1000"],
)
async def test_each_phone_shows_each_notification_once_in_any_weather(
    world: World, outside: PushWorld, size: Size, record_property: Note
) -> None:
    seed = secrets.randbelow(2**31)
    print(f"seed {seed}")  # noqa: T201  -- shown where the test fails
    dice = random.Random(seed)  # noqa: S311  -- repeatable, no secret
    living, dead = await phones(world, size)
    for _ in range(size.each):
        for place, actor in enumerate(living):
            tell = alarm if place % 5 == 4 else money
            await world.tell(tell(actor.known_customer, world.clock))

    port = outside.http.base_url.port
    assert port is not None
    async with a_wire(port) as wire:
        base = f"http://127.0.0.1:{wire.at}/fcm"
        async with a_provider(outside, clock=world.clock, base_url=base) as fcm:
            work = Delivery(clock=world.clock, vault=world.vault, providers=[fcm])
            turns = 0
            while await time_passes(world):
                weather(outside, dice, size.silent)
                await work.turn()
                turns += 1
                assert turns < TURNS_MAX, "the storm does not end"

    outside.no_faults()
    came = 0
    for place, actor in enumerate(living):
        rows = outside.http.get(f"/phones/{size.address(place)}/inbox").json()[
            "messages"
        ]
        shown = {push.id: push for push in (Push.read(row, 0.0) for row in rows)}
        for push in shown.values():
            push.expect_bare()
        came += len(rows)
        owed = await notifications(actor.known_customer)
        assert set(shown) == {str(one) for one in owed}
        assert len(shown) == size.each
        assert set(await fates(actor)) == {"SENT"}
        assert await state_of(actor) == "ACTIVE"
    assert [await state_of(actor) for actor in dead] == ["DEAD"] * len(dead)
    assert b"messages:send" in wire.said
    assert [word for word in PLANTED if word.encode() in wire.said] == []
    record_property(
        "figures",
        f"{size.notifications} notifications in a storm (seed {seed}): each shown "
        f"once on its phone, {came - size.notifications} came again, {len(dead)} dead "
        f"addresses given up, 0 living, {turns} turns of the worker",
    )


async def test_a_provider_that_keeps_silent_delivers_in_the_end(
    world: World,
    outside: PushWorld,
    asha: CustomerId,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sdk, "HTTP_TIMEOUT_S", SILENT_S)
    actor = await world.phone(asha, "silent-1")
    outside.fault(SEND, kind="latency", latency_ms=int(SILENT_S * 3000), count=1)
    async with a_provider(outside, clock=world.clock) as fcm:
        work = Delivery(clock=world.clock, vault=world.vault, providers=[fcm])
        await world.tell(money(asha, world.clock))
        await work.turn()
        first = await fates(actor)
        world.later(2)
        await work.turn()

    assert first == ["QUEUED:UNKNOWN"]
    assert await fates(actor) == ["SENT"]
    assert await state_of(actor) == "ACTIVE"


async def phones(world: World, size: Size) -> tuple[list[Actor], list[Actor]]:
    """Bind a living phone to each customer, and a dead one to each third."""
    living, dead = [], []
    for place in range(size.customers):
        customer = CustomerId.new()
        living.append(await world.phone(customer, size.address(place)))
        if place % 3 == 0:
            gone = f"{DEAD[place // 3 % 2]}{place}"
            dead.append(await world.phone(customer, gone))
    return living, dead


async def time_passes(world: World) -> bool:
    """Move the clock to where the next push is due; False where none is owed."""
    row = await database.read_one(
        "SELECT min(due_at) AS next FROM push_dispatch WHERE state = 'QUEUED'"
    )
    assert row is not None
    due = row.find("next", datetime)
    if due is not None:
        left = (due - world.clock.now()).total_seconds()
        world.later(max(STEP_S, left) if left > 0 else 0)
    return due is not None


async def state_of(actor: Actor) -> str:
    row = await address_of(actor)
    assert row is not None
    return row.get("state", str)
