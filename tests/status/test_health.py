"""How a component is told to be, from the answers of its partner."""

from datetime import UTC, datetime

import pytest

from app.clock import StoppedClock
from app.errors import NotAllowed, Outage
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
