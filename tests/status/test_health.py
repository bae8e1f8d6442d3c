"""How a component is told to be, from the answers of its partner."""

from datetime import UTC, datetime
from importlib import import_module

import pytest

from app.clock import StoppedClock
from app.errors import NotAllowed, Outage
from app.integrations.breaker import (
    CALLS_MIN,
    REST_S,
    Breaker,
    BreakerState,
    breaker_of,
)
from app.integrations.outcome import Ok, Unknown
from app.status.health import Component, Health, State

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_health() -> tuple[Health, StoppedClock]:
    clock = StoppedClock(NOON)
    return Health(clock), clock


class Partner:
    """Ends each call as it is told to."""

    name = "partner"

    def __init__(self, clock: StoppedClock) -> None:
        self._clock = clock

    async def call(self, end: object, took_s: float = 0) -> object:
        """Answer after a while."""
        self._clock.move(seconds=took_s)
        if isinstance(end, Exception):
            raise end
        return end


def test_without_traffic_everything_is_operational_and_says_so() -> None:
    health, _ = a_health()

    seen = health.now()

    assert [one.component for one in seen] == [
        Component.LOGIN,
        Component.ACCOUNTS,
        Component.TRANSFERS,
        Component.NOTIFICATIONS,
    ]
    assert {(one.state, one.success_rate_1m, one.p95_ms) for one in seen} == {
        (State.OPERATIONAL, None, None)
    }
    assert seen[0].since == NOON


@pytest.mark.parametrize(
    ("bad", "state"),
    [
        (0, State.OPERATIONAL),
        (1, State.OPERATIONAL),
        (2, State.DEGRADED),
        (10, State.DEGRADED),
        (11, State.PARTIAL_OUTAGE),
        (50, State.PARTIAL_OUTAGE),
        (51, State.MAJOR_OUTAGE),
        (100, State.MAJOR_OUTAGE),
    ],
)
def test_the_state_follows_the_share_of_good_answers(bad: int, state: State) -> None:
    health, _ = a_health()

    for number in range(100):
        health.note(Component.TRANSFERS, good=number >= bad, took_ms=10)

    assert health.of(Component.TRANSFERS).state is state
    assert health.of(Component.TRANSFERS).success_rate_1m == (100 - bad) / 100
    assert health.of(Component.LOGIN).state is State.OPERATIONAL


def test_a_few_bad_answers_say_nothing_yet() -> None:
    health, _ = a_health()

    for _ in range(4):
        health.note(Component.ACCOUNTS, good=False, took_ms=1)

    assert health.of(Component.ACCOUNTS).state is State.OPERATIONAL


def test_a_state_keeps_the_instant_it_began() -> None:
    health, clock = a_health()
    for _ in range(5):
        health.note(Component.ACCOUNTS, good=False, took_ms=1)
    began = health.of(Component.ACCOUNTS).since
    clock.move(seconds=30)

    still = health.of(Component.ACCOUNTS)
    clock.move(seconds=31)
    over = health.of(Component.ACCOUNTS)

    assert (still.state, still.since) == (State.MAJOR_OUTAGE, began)
    assert over.state is State.OPERATIONAL
    assert over.success_rate_1m is None
    assert over.since > began


def test_the_p95_is_that_of_the_last_minute() -> None:
    health, _ = a_health()

    for took_ms in range(1, 101):
        health.note(Component.LOGIN, good=True, took_ms=took_ms)

    assert health.of(Component.LOGIN).p95_ms == 95


async def test_a_watched_partner_is_counted_by_how_its_calls_end() -> None:
    health, clock = a_health()
    partner = health.watching(Partner(clock), Component.TRANSFERS)

    assert await partner.call(Ok("x"), 0.25) == Ok("x")
    await partner.call(Unknown("silence"))
    with pytest.raises(Outage):
        await partner.call(Outage("down"))
    with pytest.raises(NotAllowed):
        await partner.call(NotAllowed())

    seen = health.of(Component.TRANSFERS)
    assert partner.name == "partner"
    assert seen.success_rate_1m == 1 / 3
    assert seen.p95_ms == 250


class Way:
    """An adapter behind a breaker, as those over HTTP are."""

    def __init__(self, clock: StoppedClock) -> None:
        self.partner = Partner(clock)
        self.partner.breaker = Breaker(clock)  # type: ignore[attr-defined]  # as an adapter's partner has

    def fail(self) -> None:
        """Fail until the breaker opens."""
        for _ in range(CALLS_MIN):
            self._end(fine=False)

    def mend(self) -> None:
        """Let the probe through."""
        self._end(fine=True)

    def _end(self, *, fine: bool) -> None:
        breaker: Breaker = self.partner.breaker  # type: ignore[attr-defined]  # same
        call = breaker.admit()
        assert call is not None
        with call:
            call.fine = fine


def test_an_open_breaker_tells_at_once_and_one_of_two_ways_only_in_part() -> None:
    health, clock = a_health()
    one, two = Way(clock), Way(clock)
    health.leads(Component.NOTIFICATIONS, one)
    health.leads(Component.NOTIFICATIONS, two)
    seen = [health.of(Component.NOTIFICATIONS).state]

    one.fail()
    seen.append(health.of(Component.NOTIFICATIONS).state)
    two.fail()
    seen.append(health.of(Component.NOTIFICATIONS).state)
    clock.move(seconds=REST_S)
    one.mend()
    two.mend()
    seen.append(health.of(Component.NOTIFICATIONS).state)

    assert seen == [
        State.OPERATIONAL,
        State.PARTIAL_OUTAGE,
        State.MAJOR_OUTAGE,
        State.OPERATIONAL,
    ]
    assert health.of(Component.TRANSFERS).state is State.OPERATIONAL


def test_a_way_without_a_breaker_keeps_a_component_going() -> None:
    health, clock = a_health()
    instant = Way(clock)
    health.watching(Partner(clock), Component.TRANSFERS)
    health.watching(instant, Component.TRANSFERS)

    instant.fail()

    assert health.of(Component.TRANSFERS).state is State.PARTIAL_OUTAGE


@pytest.mark.parametrize("name", ["sms.http", "push.fcm", "push.apns", "rails.imps"])
async def test_every_adapter_over_a_line_shows_its_breaker(name: str) -> None:
    file = import_module(f"app.integrations.{name}")
    _, clock = a_health()
    given = {"core": None, "names": None} if name.startswith("rails") else {}

    adapter = await file.connect(file.Settings(), clock=clock, **given)

    found = breaker_of(adapter)
    assert found is not None
    assert found.state is BreakerState.CLOSED
    await adapter.close()
