"""FCM's answers, each over HTTP against the sandbox in its own process."""

from collections.abc import Iterator

import pytest

from app.integrations.push import (
    AddressDead,
    AddressSuspect,
    ConfigError,
    PayloadError,
    PushKind,
    PushOutcome,
    Retry,
    Sent,
    Unknown,
)
from app.integrations.push.fcm import sdk, sender
from tests.integrations.push_world import (
    SEND,
    TOKEN,
    PushWorld,
    a_clock,
    a_hint,
    a_provider,
    a_push_world,
)
from tests.integrations.wire import a_port_where_nobody_listens


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


async def test_a_hint_reaches_the_phone_with_its_data_and_its_terms(
    world: PushWorld,
) -> None:
    async with a_provider(world) as fcm:
        (found,) = await fcm.send([a_hint("ben-1", collapse_key="approve", ttl_s=300)])

    (body,) = world.arrived("ben-1")
    assert found == Sent(body.pop("name"))
    assert body == {
        "data": {"v": "1", "t": "MONEY_IN", "n": "ntf_1", "e": "epo", "s": "52"},
        "collapseKey": "approve",
        "ttl": "300s",
        "priority": "HIGH",
        "tag": "pay_1",
        "titleKey": "push.money_in.title",
        "bodyKey": "push.money_in.body",
    }


async def test_a_registration_token_still_works_and_warns_nobody(
    world: PushWorld,
) -> None:
    hint = a_hint("old:token-1", kind=PushKind.FCM_TOKEN, high=False)

    async with a_provider(world) as fcm:
        (found,) = await fcm.send([hint])

    assert isinstance(found, Sent)
    (body,) = world.arrived("old:token-1")
    assert (body["priority"], body["collapseKey"]) == ("NORMAL", None)


@pytest.mark.parametrize(
    ("address", "outcome"),
    [
        ("dead-1", AddressDead()),
        ("bad-1", AddressDead()),
        ("mismatch-1", AddressSuspect()),
        ("down-1", Retry()),
        ("thirdparty-1", ConfigError("THIRD_PARTY_AUTH_ERROR")),
        ("quota-1", Retry(90.0)),
    ],
)
async def test_each_refusal_of_an_address_has_its_outcome(
    world: PushWorld, address: str, outcome: PushOutcome
) -> None:
    async with a_provider(world) as fcm:
        found = await fcm.send([a_hint(address)])

    assert found == [outcome]
    assert world.arrived(address) == []


async def test_outcomes_stand_in_the_order_of_the_messages(world: PushWorld) -> None:
    addresses = ["order-1", "dead-2", "order-2", "mismatch-2", "order-3"]

    async with a_provider(world) as fcm:
        found = await fcm.send([a_hint(address) for address in addresses])

    assert [type(one) for one in found] == [
        *(Sent, AddressDead, Sent, AddressSuspect, Sent)
    ]
    names = [one.ref for one in found if isinstance(one, Sent)]
    assert names == [world.arrived(f"order-{n}")[0]["name"] for n in (1, 2, 3)]


async def test_many_hints_go_in_chunks_and_each_arrives_once(world: PushWorld) -> None:
    world.count(TOKEN)
    hints = [a_hint(f"many-{n}") for n in range(130)]

    async with a_provider(world) as fcm:
        found = await fcm.send(hints)

    assert {type(one) for one in found} == {Sent}
    assert [len(world.arrived(hint.address)) for hint in hints] == [1] * 130
    assert world.counted(TOKEN) == 1


async def test_a_hint_that_fcm_will_never_take_is_our_bug(world: PushWorld) -> None:
    too_long = a_hint("long-1", data={"n": "x" * 5000})
    reserved = a_hint("long-1", data={"from": "us"})
    not_text = a_hint("long-1", data={"n": 1})

    async with a_provider(world) as fcm:
        found = await fcm.send([too_long, reserved, not_text])

    assert found == [
        PayloadError("INVALID_ARGUMENT message"),
        PayloadError("INVALID_ARGUMENT message.data"),
        PayloadError("the SDK refuses it"),
    ]
    assert world.arrived("long-1") == []


async def test_a_quota_rests_the_whole_provider_for_as_long_as_fcm_says(
    world: PushWorld,
) -> None:
    clock = a_clock()
    async with a_provider(world, clock=clock) as fcm:
        await fcm.send([a_hint("quota-2")])
        world.count(SEND)
        resting = await fcm.send([a_hint("rest-1"), a_hint("rest-2")])
        asked = world.counted(SEND)
        clock.move(seconds=91)
        after = await fcm.send([a_hint("rest-1")])

    assert resting == [Retry(90.0), Retry(90.0)]
    assert asked == 0
    assert isinstance(after[0], Sent)


async def test_a_short_retry_after_still_rests_a_minute(world: PushWorld) -> None:
    world.fault(SEND, kind="429", latency_ms=1000)

    async with a_provider(world) as fcm:
        found = await fcm.send([a_hint("rest-3")])

    assert found == [Retry(60.0)]


@pytest.mark.parametrize("status", [500, 503])
async def test_a_storm_is_answered_at_once_opens_the_breaker_and_passes(
    world: PushWorld, status: int
) -> None:
    clock = a_clock()
    async with a_provider(world, clock=clock) as fcm:
        world.fault(SEND, kind="http-status", reply=status)
        storm = await fcm.send([a_hint(f"storm-{n}") for n in range(50)])
        asked = world.counted(SEND)
        waiting = await fcm.send([a_hint("storm-50")])
        world.no_faults()
        clock.move(seconds=6)
        after = [await fcm.send([a_hint("storm-51")]) for _ in range(2)]

    assert storm == [Retry()] * 50
    assert asked == 50  # the SDK's own four repeats are off
    assert waiting == [Retry(5.0)]
    assert [type(one) for (one,) in after] == [Sent, Sent]


async def test_fcm_that_cannot_be_reached_is_tried_again(world: PushWorld) -> None:
    nowhere = a_port_where_nobody_listens() + "/fcm"

    async with a_provider(world, base_url=nowhere) as fcm:
        found = await fcm.send([a_hint("away-1")])

    assert found == [Retry()]


async def test_an_answer_lost_after_delivery_is_unknown_and_a_repeat_the_same_hint(
    world: PushWorld,
) -> None:
    world.fault(SEND, kind="drop-after-work", count=1)

    async with a_provider(world) as fcm:
        lost = await fcm.send([a_hint("lost-1")])
        again = await fcm.send([a_hint("lost-1")])

    assert lost == [Unknown("ReadError")]
    assert isinstance(again[0], Sent)
    first, second = world.arrived("lost-1")
    assert first["data"]["n"] == second["data"]["n"] == "ntf_1"


@pytest.mark.parametrize(
    ("kind", "cause", "arrived"),
    [("drop-before-work", "ReadError", 0), ("malformed-json", "JSONDecodeError", 1)],
)
async def test_an_answer_that_tells_nothing_is_unknown_for_its_message_alone(
    world: PushWorld, kind: str, cause: str, arrived: int
) -> None:
    world.fault(SEND, kind=kind, address=f"blur-{kind}")

    async with a_provider(world) as fcm:
        found = await fcm.send([a_hint(f"blur-{kind}"), a_hint("clear-1")])

    assert found[0] == Unknown(cause)
    assert isinstance(found[1], Sent)
    assert len(world.arrived(f"blur-{kind}")) == arrived


async def test_silence_ends_as_unknown(
    world: PushWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk, "HTTP_TIMEOUT_S", 3)

    async with a_provider(world) as fcm:
        found = await fcm.send([a_hint("slow-1"), a_hint("quick-1")])

    assert found[0] == Unknown("ReadTimeout")
    assert isinstance(found[1], Sent)


async def test_at_the_deadline_of_a_chunk_only_the_unanswered_are_unknown(
    world: PushWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_provider(world) as fcm:
        await fcm.send([a_hint("warm-1")])
        monkeypatch.setattr(sender, "CHUNK_S", 3.0)
        found = await fcm.send([a_hint("slow-2"), a_hint("quick-2")])

    assert found[0] == Unknown("deadline")
    assert isinstance(found[1], Sent)
