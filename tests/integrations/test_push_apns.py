"""APNs' answers, each over HTTP against the sandbox in its own process."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app import telemetry
from app.integrations.push import (
    AddressDead,
    ConfigError,
    PayloadError,
    PushOutcome,
    Retry,
    Sent,
    Unknown,
)
from app.integrations.push import apns as adapter
from app.integrations.push.apns import sender
from app.settings import Misconfigured
from sandbox.apns_errors import STATUS, address_of
from tests.integrations.apns_world import (
    DISPATCH,
    SEND,
    SEND_DEVELOPMENT,
    AppleWorld,
    a_clock,
    a_hint,
    a_provider,
    an_apple_world,
    token,
)
from tests.integrations.wire import a_port_where_nobody_listens


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine take its time; tests of the deadline set their own."""
    monkeypatch.setattr(sender, "CHUNK_S", 60.0)


@pytest.fixture(scope="module")
def started_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppleWorld]:
    with an_apple_world(tmp_path_factory.mktemp("apns")) as world:
        yield world


@pytest.fixture
def world(started_world: AppleWorld) -> Iterator[AppleWorld]:
    yield started_world
    started_world.no_faults()
    started_world.ahead(0)


async def test_a_hint_reaches_the_iphone_with_its_data_and_its_terms(
    world: AppleWorld,
) -> None:
    clock = a_clock()
    async with a_provider(world, clock=clock) as apns:
        found = await apns.send([a_hint(token(end=1), ttl_s=300)])
        other = {"high": False, "thread": "t" * 65, "app_id": None}
        await apns.send([a_hint(token(end=1).upper(), **other)])

    first, second = world.arrived(token(end=1))
    assert found == [Sent(DISPATCH)]
    assert first == {
        "id": DISPATCH,
        "environment": "PRODUCTION",
        "topic": "app.sixpence.mock",
        "pushType": "alert",
        "priority": "10",
        "expiration": str(int(clock.now().timestamp()) + 300),
        "collapseId": "pay_1",
        "payload": {
            "aps": {
                "alert": {
                    "title-loc-key": "push.money_in.title",
                    "loc-key": "push.money_in.body",
                },
                "mutable-content": 1,
            },
            "v": "1",
            "t": "MONEY_IN",
            "n": "ntf_1",
            "e": "epo",
            "s": "52",
        },
    }
    terms = second["priority"], second["collapseId"], second["topic"]
    assert terms == ("5", None, "app.sixpence.mock")


OUTCOMES: dict[str, PushOutcome] = {
    "BadDeviceToken": AddressDead(),
    "DeviceTokenNotForTopic": AddressDead(),
    "IdleTimeout": Retry(),
    "TooManyProviderTokenUpdates": Retry(60.0),
    "TooManyRequests": Retry(),
    "InternalServerError": Retry(),
    "ServiceUnavailable": Retry(30.0),
    "Shutdown": Retry(30.0),
}


@pytest.mark.parametrize("reason", STATUS)
async def test_each_error_of_apple_has_its_outcome(
    world: AppleWorld, reason: str
) -> None:
    async with a_provider(world) as apns:
        (found,) = await apns.send([a_hint(address_of(reason))])

    match STATUS[reason]:
        case 410:
            assert isinstance(found, AddressDead)
            assert found.since is not None
            assert abs(found.since - datetime.now(UTC)) < timedelta(minutes=1)
        case 400 | 413:
            assert found == OUTCOMES.get(reason, PayloadError(reason))
        case _:
            assert found == OUTCOMES.get(reason, ConfigError(reason))
    assert world.arrived(address_of(reason)) == []


async def test_an_unproven_token_is_tried_in_the_other_environment_once(
    world: AppleWorld,
) -> None:
    of_a_build, nobodys = token("de7e"), token("bad0")
    for route in (SEND, SEND_DEVELOPMENT):
        world.count(route)

    async with a_provider(world) as apns:
        found = await apns.send(
            [
                a_hint(of_a_build),
                a_hint(token(end=2), environment="DEVELOPMENT"),
                a_hint(of_a_build, proven=True),
                a_hint(nobodys),
                a_hint(nobodys, proven=True),
                a_hint(token("bad0b0c5")),
            ]
        )

    assert found == [
        Sent(DISPATCH, "DEVELOPMENT"),
        Sent(DISPATCH, "PRODUCTION"),
        *[AddressDead()] * 4,  # the last: our key is good for one of them only
    ]
    assert len(world.arrived(of_a_build)) == len(world.arrived(token(end=2))) == 1
    assert (world.counted(SEND), world.counted(SEND_DEVELOPMENT)) == (6, 4)


async def test_no_address_dies_while_our_topic_is_refused_often(
    world: AppleWorld,
) -> None:
    strangers = [a_hint(token("70b1c", n)) for n in range(4)]
    clock = a_clock()

    async with a_provider(world, clock=clock) as apns:
        few = await apns.send(strangers[:2])
        many = await apns.send(strangers[2:])
        clock.move(minutes=11)
        later = await apns.send(strangers[:1])

    wrong = ConfigError("DeviceTokenNotForTopic")
    assert (few, many, later) == ([AddressDead()] * 2, [wrong] * 2, [AddressDead()])


async def test_outcomes_stand_in_the_order_of_the_messages(world: AppleWorld) -> None:
    many = [a_hint(token(end=100 + n)) for n in range(210)]
    many[7], many[205] = a_hint(token("f100d")), a_hint(address_of("BadPriority"))

    async with a_provider(world) as apns:
        found = await apns.send(many)

    assert (found[7], found[205]) == (Retry(), PayloadError("BadPriority"))
    sent = [n for n, one in enumerate(found) if one == Sent(DISPATCH)]
    assert len(sent) == 208
    assert [len(world.arrived(many[n].address)) for n in (0, 199, 200, 209)] == [1] * 4


async def test_a_token_that_is_too_old_for_apple_is_signed_anew_once(
    world: AppleWorld,
) -> None:
    clock = a_clock()
    async with a_provider(world, clock=clock) as apns:
        await apns.send([a_hint(token(end=4))])
        world.ahead(3700)
        young = await apns.send([a_hint(token(end=4))])
        clock.move(minutes=21)
        anew = await apns.send([a_hint(token(end=4)), a_hint(token(end=5))])

    assert young == [ConfigError("ExpiredProviderToken")]
    assert anew == [Sent(DISPATCH)] * 2


async def test_too_many_tokens_rest_the_whole_provider_for_a_minute(
    world: AppleWorld,
) -> None:
    clock = a_clock()
    async with a_provider(world, clock=clock) as apns:
        refused = await apns.send([a_hint(address_of("TooManyProviderTokenUpdates"))])
        world.count(SEND)
        resting = await apns.send([a_hint(token(end=6))])
        asked = world.counted(SEND)
        clock.move(seconds=61)
        after = await apns.send([a_hint(token(end=6))])

    assert refused == resting == [Retry(60.0)]
    assert asked == 0
    assert after == [Sent(DISPATCH)]


@pytest.mark.parametrize("content", [None, "", "no key"])
async def test_a_key_that_cannot_be_read_is_a_matter_for_operations(
    world: AppleWorld, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "key.p8"
    file.write_text(content or "")

    async with a_provider(world, key_file=file) as apns:
        if content is None:
            file.unlink()
        found = await apns.send([a_hint(token(end=7))] * 2)
        file.write_bytes(world.account.read_bytes())
        mended = await apns.send([a_hint(token(end=7))])

    assert found == [ConfigError("the key file cannot be read")] * 2
    assert mended == [Sent(DISPATCH)]


async def test_a_key_of_another_team_is_refused_by_apple(world: AppleWorld) -> None:
    async with a_provider(world, team_id="OTHERTEAM1") as apns:
        found = await apns.send([a_hint(token(end=8))])

    assert found == [ConfigError("InvalidProviderToken")]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"base_url": "http://apns.example"}, "BASE_URL must be https"),
        ({"key_id": "short"}, "KEY_ID and TEAM_ID are 10"),
        ({"base_url": "https://api.push.apple.com"}, "KEY_FILE, KEY_ID, TEAM_ID, TOP"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        adapter.Settings.model_validate(given)


async def test_a_named_key_file_that_is_missing_stops_the_start(tmp_path: Path) -> None:
    settings = adapter.Settings(key_file=tmp_path / "none.p8")

    with pytest.raises(Misconfigured) as refused:
        await adapter.connect(settings, clock=a_clock())

    assert str(refused.value) == "PUSH_APNS_KEY_FILE names no file"


@pytest.mark.parametrize(
    ("base_url", "other"),
    [
        ("https://api.push.apple.com", "https://api.sandbox.push.apple.com"),
        ("https://api.push.apple.com:2197", "https://api.sandbox.push.apple.com:2197"),
        ("http://127.0.0.1:8001/apns", "http://127.0.0.1:8001/apns/development"),
    ],
)
def test_each_environment_has_its_address(base_url: str, other: str) -> None:
    assert adapter.places(base_url) == {"PRODUCTION": base_url, "DEVELOPMENT": other}


@pytest.mark.parametrize("status", [500, 503])
async def test_a_storm_opens_the_breaker_and_passes(
    world: AppleWorld, status: int
) -> None:
    clock = a_clock()
    async with a_provider(world, clock=clock) as apns:
        world.fault(SEND, kind="http-status", reply=status)
        storm = await apns.send([a_hint(token(end=9))] * 50)
        waiting = await apns.send([a_hint(token(end=9))])
        world.no_faults()
        clock.move(seconds=6)
        after = [await apns.send([a_hint(token(end=9))]) for _ in range(2)]

    assert {type(one) for one in storm} == {Retry}
    assert waiting == [Retry(5.0)]
    assert after == [[Sent(DISPATCH)]] * 2


async def test_apns_that_cannot_be_reached_is_tried_again(world: AppleWorld) -> None:
    nowhere = a_port_where_nobody_listens()

    async with a_provider(world, base_url=nowhere) as apns:
        found = await apns.send([a_hint(token(end=10))])

    assert found == [Retry()]


@pytest.mark.parametrize(
    ("kind", "came"), [("drop-after-work", 1), ("drop-before-work", 0)]
)
async def test_a_lost_connection_is_unknown_for_its_message_alone(
    world: AppleWorld, kind: str, came: int
) -> None:
    lost, clear = token("a2", came), token("a3", came)
    world.fault(SEND, kind=kind, address=lost)

    async with a_provider(world) as apns:
        found = await apns.send([a_hint(lost), a_hint(clear)])

    assert found == [Unknown("ReadError"), Sent(DISPATCH)]
    assert (len(world.arrived(lost)), len(world.arrived(clear))) == (came, 1)


async def test_at_the_deadline_only_the_unanswered_are_unknown(
    world: AppleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = token("a4")
    world.fault(SEND, kind="latency", latency_ms=20_000, address=slow)
    async with a_provider(world) as apns:
        await apns.send([a_hint(token(end=11))])
        monkeypatch.setattr(sender, "CHUNK_S", 1.0)
        found = await apns.send([a_hint(slow), a_hint(token(end=11))])
        monkeypatch.setattr(sender, "CHUNK_S", 60.0)
        after = await apns.send([a_hint(token(end=11))])

    assert found == [Unknown("deadline"), Sent(DISPATCH)]
    assert after == [Sent(DISPATCH)]


async def test_close_ends_what_is_under_way_as_unknown(world: AppleWorld) -> None:
    world.fault(SEND, kind="latency", latency_ms=20_000)
    async with a_provider(world) as apns, asyncio.TaskGroup() as group:
        sending = group.create_task(apns.send([a_hint(token(end=12))] * 120))
        async with asyncio.timeout(30):
            while world.counted(SEND) == 0:
                await asyncio.sleep(0.02)
        await apns.close()
    after = await apns.send([a_hint(token(end=12))])

    found = sending.result()
    assert found.count(Unknown("closed")) >= 1
    assert set(map(type, found)) <= {Unknown, Retry}
    assert after == [Retry()]


async def test_neither_address_nor_token_nor_key_is_told(
    world: AppleWorld, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.configure()
    caplog.set_level(logging.DEBUG)
    words = ["c0ffee", "dead", "bad0", "c105ed", *["ee14", "ee00"]]
    hints = [a_hint(token(word, 0xC0FFEE)) for word in words]

    with capture_logs() as logged:
        async with a_provider(world) as apns:
            found = await apns.send(hints)
            badge = apns.sender._badge  # noqa: SLF001  -- the secret is there
            shown = badge.token().get_secret_value()
            held = repr((apns, apns.sender, vars(apns.sender), vars(badge)))

    told = caplog.text + repr((logged, hints, found, held))
    key = world.account.read_text().splitlines()[1]
    assert "Sent 1" in told
    assert [one for one in ("c0ffee", shown[-20:], key[-20:]) if one in told] == []
