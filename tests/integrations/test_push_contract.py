"""What every push provider promises, told of each file in the port's folder."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from app import adapters
from app.clock import Clock
from app.integrations.push import (
    AddressDead,
    PayloadError,
    PushKind,
    PushMessage,
    PushProvider,
    Retry,
    Sent,
    Unknown,
)
from tests.integrations import apns_world, push_world
from tests.sandbox.world import an_open_world

FOLDER = "app.integrations.push"
TOLD = 0xC0FFEE  # stands in every address


@dataclass(frozen=True)
class Case:
    """How one provider is reached in the sandbox, and whom it reaches there."""

    settings: Callable[[Path, str], dict[str, object]]
    hint: PushMessage
    living: Callable[[int], str]
    dead: str | None
    calls: str | None


CASES = {
    "console": Case(
        settings=lambda _folder, _world: {},
        hint=push_world.a_hint(""),
        living=lambda n: f"app-{TOLD:x}-{n}",
        dead=None,
        calls=None,
    ),
    "fcm": Case(
        settings=lambda folder, world: {
            "account_file": folder / "account.json",
            "base_url": f"{world}/fcm",
        },
        hint=push_world.a_hint(""),
        living=lambda n: f"app-{TOLD:x}-{n}",
        dead=f"dead-{TOLD:x}",
        calls=push_world.SEND,
    ),
    "apns": Case(
        settings=lambda folder, world: {
            "key_file": folder / "key.p8",
            "base_url": f"{world}/apns",
        },
        hint=apns_world.a_hint(""),
        living=lambda n: apns_world.token(f"a{n:03d}", TOLD),
        dead=apns_world.token("dead", TOLD),
        calls=apns_world.SEND,
    ),
}


@dataclass(frozen=True)
class World:
    """The sandbox, knowing every provider's credentials."""

    folder: Path
    push: push_world.PushWorld

    @asynccontextmanager
    async def provider(self, name: str) -> AsyncIterator[PushProvider]:
        module = adapters.load(FOLDER, name)
        url = str(self.push.http.base_url).rstrip("/")
        given = CASES[name].settings(self.folder, url)
        found: PushProvider = await module.connect(
            module.Settings.model_validate(given), clock=Clock()
        )
        try:
            yield found
        finally:
            await found.close()

    def arrived(self, name: str, address: str) -> int:
        return len(self.push.arrived(address)) if CASES[name].calls else 1


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("push")
    files = ("--fcm-account", str(folder / "account.json"))
    with an_open_world(*files, "--apns-key", str(folder / "key.p8")) as http:
        yield World(folder, push_world.PushWorld(http, folder / "account.json"))


SENDERS = [name for name, case in CASES.items() if case.calls]
every = pytest.mark.parametrize("name", adapters.choices(FOLDER))


def a_hint(name: str, address: str, **other: Any) -> PushMessage:
    return replace(CASES[name].hint, address=address, **other)


def test_every_file_of_the_port_is_told_here() -> None:
    assert adapters.choices(FOLDER) == sorted(CASES)


@every
async def test_it_has_settings_of_its_own_name_and_opens_with_their_defaults(
    name: str,
) -> None:
    module = adapters.load(FOLDER, name)

    provider: PushProvider = await module.connect(module.Settings(), clock=Clock())
    nothing = await provider.send([])
    await provider.close()

    prefix = module.Settings.model_config["env_prefix"]
    assert prefix == f"SIXPENCE_PUSH_{name.upper()}_"
    assert provider.kinds <= set(PushKind)
    assert provider.kinds
    assert nothing == []


async def test_no_two_that_send_reach_the_same_addresses(world: World) -> None:
    reached = list[PushKind]()
    for name in SENDERS:
        async with world.provider(name) as provider:
            reached += provider.kinds

    assert sorted(reached) == sorted(PushKind)


@every
async def test_each_hint_has_its_outcome_in_its_place_and_arrives_once(
    world: World, name: str
) -> None:
    case = CASES[name]
    addresses = [case.living(n) for n in range(60)]
    if case.dead:
        addresses[20] = case.dead
    hints = [a_hint(name, address) for address in addresses]
    if case.calls:
        hints[40] = a_hint(name, addresses[40], data={"n": "x" * 5000})

    with capture_logs() as logged:
        async with world.provider(name) as provider:
            found = await provider.send(hints)
            held = repr((provider, hints, found))

    ours = [20, 40] if case.calls else []
    rest = [n for n in range(60) if n not in ours]
    assert [type(found[n]) for n in ours] == [AddressDead, PayloadError][: len(ours)]
    assert {type(found[n]) for n in rest} == {Sent}
    assert {world.arrived(name, addresses[n]) for n in rest} == {1}
    assert logged
    assert f"{TOLD:x}" not in repr(logged) + held


@pytest.mark.parametrize("name", SENDERS)
async def test_a_lost_answer_is_unknown_and_a_repeat_is_the_same_hint(
    world: World, name: str
) -> None:
    address = CASES[name].living(70)
    world.push.fault(str(CASES[name].calls), kind="drop-after-work", count=1)

    async with world.provider(name) as provider:
        lost = await provider.send([a_hint(name, address)])
        again = await provider.send([a_hint(name, address)])
    closed = await provider.send([a_hint(name, address)])

    assert (type(lost[0]), type(again[0]), closed) == (Unknown, Sent, [Retry()])
    first, second = world.push.arrived(address)
    assert first.get("data", first.get("payload")) == second.get(
        "data", second.get("payload")
    )
