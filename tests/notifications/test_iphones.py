"""iPhones of every fate, through the real adapter and Apple's service by HTTP."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from app.auth.actor import Actor
from app.ids import CustomerId
from app.integrations.push import PushKind
from app.integrations.push.apns import sender
from app.notifications.addresses import AddressWish, PushEnvironment
from app.notifications.delivery import Delivery
from tests.integrations.apns_world import (
    SEND,
    AppleWorld,
    a_provider,
    an_apple_world,
    token,
)
from tests.notifications.world import PLANTED, World, address_of, fates, money

LIVING = ("plain", "development", "lost", "flaky", "busy", "cut")
FAULTS = {
    "lost": {"kind": "drop-after-work", "count": 1},
    "flaky": {"kind": "http-status", "reply": 503, "count": 2},
    "busy": {"kind": "429", "count": 2},
    "cut": {"kind": "drop-before-work", "count": 1},
}
DEAD = ("dead", "01d0", "bad0", "70b1c")
TURNS = 12
STEP_S = 30


@pytest.fixture(scope="module")
def apple(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppleWorld]:
    with an_apple_world(tmp_path_factory.mktemp("apple")) as world:
        yield world


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "CHUNK_S", 60.0)


def token_of(name: str) -> str:
    """Give a device token; the living ones but one begin with no magic word."""
    if name in DEAD:
        return token(name)
    return token("de7e" if name == "development" else f"a{LIVING.index(name)}")


async def bound(world: World, customer: CustomerId, name: str) -> Actor:
    actor = await world.phone(customer)
    wish = AddressWish(
        kind=PushKind.APNS, value=token_of(name), app_id="app.sixpence.mock"
    )
    await world.addresses.set(actor, wish)
    return actor


async def carried(world: World, apple: AppleWorld, worker: Delivery) -> None:
    """Let the worker send, again and again, while the clocks of both go on."""
    for _ in range(TURNS):
        world.later(STEP_S)
        ahead = world.clock.now() - datetime.now(UTC)
        apple.ahead(round(ahead.total_seconds()))
        await worker.turn()


async def test_each_living_iphone_shows_each_once_and_only_the_dead_are_given_up(
    world: World, asha: CustomerId, apple: AppleWorld
) -> None:
    phones = {name: await bound(world, asha, name) for name in (*LIVING, *DEAD)}
    for name, rule in FAULTS.items():
        apple.fault(SEND, address=token_of(name), **rule)
    async with a_provider(apple, clock=world.clock) as apns:
        worker = Delivery(clock=world.clock, vault=world.vault, providers=[apns])
        for _ in range(2):
            await world.tell(money(asha, world.clock))
            await carried(world, apple, worker)

    told = {name: apple.arrived(token_of(name)) for name in phones}
    shown = {
        name: {one["payload"]["n"] for one in messages}
        for name, messages in told.items()
    }
    assert {name for name, ids in shown.items() if len(ids) == 2} == set(LIVING)
    assert {name: len(told[name]) for name in LIVING} == {
        **dict.fromkeys(LIVING, 2),
        "lost": 3,  # one came twice, under one id
    }
    for name, phone in phones.items():
        row = await address_of(phone)
        assert row is not None
        ended = "DEAD" if name in DEAD else "ACTIVE"
        assert (name, row.get("state", str)) == (name, ended)
        elsewhere = row.get("environment", PushEnvironment) == "DEVELOPMENT"
        assert elsewhere is (name == "development")
        first, *rest = await fates(phone)
        assert first == ("FAILED:ADDRESS_DEAD" if name in DEAD else "SENT")
        assert set(rest) <= {"SENT"}
    wire = json.dumps(told)
    assert [word for word in PLANTED if word in wire] == []
