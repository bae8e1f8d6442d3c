"""What the Admin SDK does to a loop, and that ours feels none of it."""

import asyncio
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.integrations.push import ConfigError, PushMessage, Retry, Sent, Unknown
from app.integrations.push import fcm as adapter
from app.integrations.push.fcm import sdk, sender
from app.settings import Misconfigured
from tests.integrations.push_world import (
    SEND,
    TOKEN,
    PushWorld,
    Ticks,
    a_clock,
    a_hint,
    a_provider,
    a_push_world,
)
from tests.sandbox.world import ROOT


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine take its time; tests of the deadlines set their own."""
    monkeypatch.setattr(sdk, "HTTP_TIMEOUT_S", 60)
    monkeypatch.setattr(sender, "CHUNK_S", 60.0)


@pytest.fixture(scope="module")
def started_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushWorld]:
    with a_push_world(tmp_path_factory.mktemp("fcm")) as world:
        yield world


@pytest.fixture
def world(started_world: PushWorld) -> Iterator[PushWorld]:
    yield started_world
    started_world.no_faults()


def fifty() -> list[PushMessage]:
    return [a_hint(f"fifty-{n}") for n in range(50)]


@pytest.mark.parametrize(
    ("route", "rule", "outcome", "turns"),
    [
        (TOKEN, {"kind": "latency", "latency_ms": 1000}, Sent, 20),
        (TOKEN, {"kind": "http-status", "reply": 503}, Retry, 1),
        (SEND, {"kind": "http-status", "reply": 503}, Retry, 1),
        (SEND, {"kind": "latency", "latency_ms": 500}, Sent, 10),
    ],
    ids=["slow token", "no token", "storm of 503", "slow answers"],
)
async def test_the_callers_loop_goes_round_while_fifty_hints_are_under_way(
    world: PushWorld,
    route: str,
    rule: dict[str, object],
    outcome: type,
    turns: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world.fault(route, **rule)
    ticks = Ticks()

    async with a_provider(world) as fcm, asyncio.TaskGroup() as group:
        ticking = group.create_task(ticks.run())
        found = await fcm.send(fifty())
        ticking.cancel()

    with capsys.disabled():
        print(f"\n  {ticks.count} turns, longest pause {ticks.longest_ms:.0f} ms")  # noqa: T201  -- the figure is promised
    assert {type(one) for one in found} == {outcome}
    assert ticks.count >= turns


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("route", "rule"),
    [
        (TOKEN, {"kind": "latency", "latency_ms": 1000}),
        (SEND, {"kind": "http-status", "reply": 503}),
    ],
    ids=["slow token", "storm of 503"],
)
async def test_five_hundred_rows_keep_the_callers_loop_from_nothing(
    world: PushWorld,
    route: str,
    rule: dict[str, object],
    record_property: Callable[[str, object], None],
) -> None:
    ticks = Ticks()

    async with a_provider(world) as fcm:
        await fcm.send([a_hint("loads-the-library")])
        world.fault(route, **rule)
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(ticks.run())
            for turn in range(3):  # 200 rows are claimed at a time
                rows = min(200, 500 - 200 * turn)
                await fcm.send([a_hint(f"many-{turn}-{n}") for n in range(rows)])
            ticking.cancel()

    late = sorted(ticks.pauses_ms)[int(0.99 * ticks.count)]
    record_property(
        "figures",
        f"500 rows: loop away p99 {late:.0f} ms, longest {ticks.longest_ms:.0f} ms",
    )
    assert late <= 50


async def test_a_token_endpoint_that_is_down_is_asked_once_for_all_rows(
    world: PushWorld,
) -> None:
    world.fault(TOKEN, kind="http-status", reply=503)
    world.count(SEND)

    async with a_provider(world) as fcm:
        found = await fcm.send([*fifty(), *fifty(), *fifty()])
        rate = fcm.sender.breaker.success_rate()
        state = fcm.sender.breaker.state

    assert found == [Retry()] * 150
    assert (world.counted(TOKEN), world.counted(SEND)) == (1, 0)
    assert (rate, state) == (0.0, "CLOSED")


@pytest.mark.parametrize("kind", ["drop-before-work", "malformed-json"])
async def test_a_token_answer_that_tells_nothing_is_tried_again_later(
    world: PushWorld, kind: str
) -> None:
    world.fault(TOKEN, kind=kind)

    async with a_provider(world) as fcm:
        found = await fcm.send([a_hint("no-token")])

    assert found == [Retry()]
    assert world.arrived("no-token") == []


async def test_an_account_that_is_refused_is_a_matter_for_operations(
    world: PushWorld, tmp_path: Path
) -> None:
    with a_push_world(tmp_path) as other:
        strange = json.loads(other.account.read_text())
    strange["token_uri"] = world.fcm_url + "/token"
    (tmp_path / "strange.json").write_text(json.dumps(strange))

    async with a_provider(world, account_file=tmp_path / "strange.json") as fcm:
        found = await fcm.send([a_hint("strange")])

    assert found == [ConfigError("the account is refused")]


async def test_an_account_file_that_holds_none_is_a_matter_for_operations(
    world: PushWorld, tmp_path: Path
) -> None:
    file = tmp_path / "account.json"
    file.write_text('{"type": "service_account"}')

    async with a_provider(world, account_file=file) as fcm:
        found = await fcm.send([a_hint("empty")])

    assert found == [ConfigError("the account file cannot be read")]


async def test_a_named_account_file_that_is_missing_stops_the_start(
    tmp_path: Path,
) -> None:
    settings = adapter.Settings(account_file=tmp_path / "none.json")

    with pytest.raises(Misconfigured) as refused:
        await adapter.connect(settings, clock=a_clock())

    assert str(refused.value) == "PUSH_FCM_ACCOUNT_FILE names no file"


def test_a_token_travels_only_encrypted_or_on_this_machine() -> None:
    with pytest.raises(ValueError, match="BASE_URL must be https"):
        adapter.Settings.model_validate({"base_url": "http://fcm.example"})

    secure = adapter.Settings.model_validate({"base_url": "https://fcm.example"})
    assert str(secure.base_url) == "https://fcm.example/"


async def test_a_token_that_fcm_no_longer_takes_is_replaced_once(
    world: PushWorld,
) -> None:
    world.count(TOKEN)
    async with a_provider(world) as fcm:
        await fcm.send([a_hint("fresh-0")])
        world.fault(SEND, kind="http-status", reply=401, count=3)
        replaced = await fcm.send([a_hint("fresh-1")])
        signed_in = world.counted(TOKEN)
        world.fault(SEND, kind="http-status", reply=401)
        refused = await fcm.send([a_hint("fresh-2")])

    assert isinstance(replaced[0], Sent)
    assert signed_in == 2
    assert refused == [ConfigError("status 401")]
    assert world.counted(TOKEN) == 3


async def test_a_bad_key_at_apple_forces_no_new_sign_in(world: PushWorld) -> None:
    world.count(TOKEN)

    async with a_provider(world) as fcm:
        found = await fcm.send([a_hint("thirdparty-1"), a_hint("android-1")])

    assert found[0] == ConfigError("THIRD_PARTY_AUTH_ERROR")
    assert isinstance(found[1], Sent)
    assert world.counted(TOKEN) == 1


async def test_a_token_is_renewed_before_it_ends_without_any_message(
    world: PushWorld,
) -> None:
    world.count(TOKEN)

    async with a_provider(world, early_s=3600.0) as fcm:
        await fcm.send([a_hint("early-1")])
        async with asyncio.timeout(20):
            while world.counted(TOKEN) < 2:
                await asyncio.sleep(0.05)
        found = await fcm.send([a_hint("early-1")])

    assert isinstance(found[0], Sent)


async def test_a_renewal_that_fails_leaves_the_living_token_in_use(
    world: PushWorld,
) -> None:
    async with a_provider(world, early_s=3600.0) as fcm:
        await fcm.send([a_hint("early-2")])
        world.fault(TOKEN, kind="http-status", reply=503)
        async with asyncio.timeout(20):
            while world.counted(TOKEN) == 0:
                await asyncio.sleep(0.05)
        found = await fcm.send([a_hint("early-2")])

    assert isinstance(found[0], Sent)


async def test_a_refused_token_without_another_waits_for_one(world: PushWorld) -> None:
    async with a_provider(world) as fcm:
        await fcm.send([a_hint("fresh-3")])
        world.fault(TOKEN, kind="http-status", reply=503)
        world.fault(SEND, kind="http-status", reply=401)
        found = await fcm.send([a_hint("fresh-4")])

    assert found == [Retry()]
    assert world.arrived("fresh-4") == []


async def test_close_ends_what_is_under_way_as_unknown_and_leaves_no_thread(
    world: PushWorld,
) -> None:
    before = set(threading.enumerate())
    world.fault(SEND, kind="latency", latency_ms=3000)
    async with a_provider(world) as fcm, asyncio.TaskGroup() as group:
        sending = group.create_task(fcm.send([a_hint("closing-1")] * 60))
        async with asyncio.timeout(10):
            while world.counted(SEND) == 0:
                await asyncio.sleep(0.02)
        await fcm.close()
    after_close = await fcm.send([a_hint("closing-2")])
    await asyncio.get_running_loop().shutdown_default_executor()

    assert sending.result() == [Unknown("closed")] * 60
    assert after_close == [Retry()]
    assert set(threading.enumerate()) - before == set()


async def test_a_caller_that_goes_away_breaks_nothing(world: PushWorld) -> None:
    world.fault(SEND, kind="latency", latency_ms=3000)
    async with a_provider(world) as fcm:
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(fcm.send([a_hint("gone-1")]))
            async with asyncio.timeout(10):
                while world.counted(SEND) == 0:
                    await asyncio.sleep(0.02)
            sending.cancel()
        world.no_faults()
        found = await fcm.send([a_hint("gone-2")])

    assert sending.cancelled()
    assert isinstance(found[0], Sent)


async def test_a_provider_that_never_sent_has_no_thread_to_close(
    world: PushWorld,
) -> None:
    before = set(threading.enumerate())

    async with a_provider(world) as fcm:
        nothing = await fcm.send([])
        threads = set(threading.enumerate()) - before

    assert nothing == []
    assert {thread.name for thread in threads if "fcm" in thread.name} == set()


async def test_neither_address_nor_token_nor_key_is_told(
    world: PushWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    addresses = ["told-1", "dead-told", "bad-told", "down-told", "thirdparty-told"]
    hints = [a_hint(address) for address in addresses]

    with capture_logs() as logged:
        async with a_provider(world) as fcm:
            found = await fcm.send([*hints, a_hint("told-2", data={"from": "x"})])
            held = repr((fcm, fcm.sender, vars(fcm.sender)))

    told = caplog.text + repr((logged, hints, found, held))
    assert "Retry 1" in told
    assert "told-" not in told
    assert "-told" not in told
    assert "ya29." not in told
    assert "PRIVATE KEY" not in told


PARTS = """
import asyncio, sys
from app import settings, upgrade
from app.bank import open_bank
from app.partners import Role
import app.main

async def opened(chosen, role):
    async with open_bank(chosen, frozenset({role})):
        return

chosen = settings.load(env="test", database_url="sqlite://" + sys.argv[1])
asyncio.run(upgrade.migrate(chosen))
for role in Role:
    asyncio.run(opened(chosen, role))
late = ("firebase_admin", "google.auth", "h2", "httpx", "joserfc")
print([name for name in late if name in sys.modules])
"""


def test_what_sends_is_not_loaded_before_the_first_message(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", PARTS, str(tmp_path / "bank.db")],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (found.stdout, found.returncode) == ("[]\n", 0), found.stderr
