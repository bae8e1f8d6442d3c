from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.clock import StoppedClock
from app.integrations.breaker import Breaker, BreakerState, Call, Gate

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def a_breaker() -> tuple[Breaker, StoppedClock]:
    clock = StoppedClock(NOON)
    return Breaker(clock), clock


def call(breaker: Breaker, *, fine: bool | None) -> None:
    admitted = breaker.admit()
    assert admitted is not None
    with admitted as one:
        one.fine = fine


def an_open_breaker() -> tuple[Breaker, StoppedClock]:
    breaker, clock = a_breaker()
    for _ in range(10):
        call(breaker, fine=False)
    return breaker, clock


def test_nine_failures_say_nothing_yet_and_the_tenth_opens() -> None:
    breaker, _ = a_breaker()
    for _ in range(9):
        call(breaker, fine=False)
    before = breaker.state

    call(breaker, fine=False)

    assert (before, breaker.state) == (BreakerState.CLOSED, BreakerState.OPEN)
    assert breaker.admit() is None
    assert breaker.opens_in_s() == 5


def test_half_of_the_calls_failing_opens_and_less_does_not() -> None:
    breaker, _ = a_breaker()
    for _ in range(6):
        call(breaker, fine=True)
    for _ in range(5):
        call(breaker, fine=False)
    before = breaker.state  # 5 of 11

    call(breaker, fine=False)

    assert (before, breaker.state) == (BreakerState.CLOSED, BreakerState.OPEN)


def test_only_the_last_twenty_calls_count() -> None:
    breaker, _ = a_breaker()
    for _ in range(40):
        call(breaker, fine=True)

    for _ in range(9):
        call(breaker, fine=False)
    before = breaker.state  # 9 of the last 20
    call(breaker, fine=False)

    assert (before, breaker.state) == (BreakerState.CLOSED, BreakerState.OPEN)


def test_failures_of_more_than_ten_seconds_ago_are_forgotten() -> None:
    breaker, clock = a_breaker()
    for _ in range(9):
        call(breaker, fine=False)
    clock.move(seconds=10.1)

    call(breaker, fine=False)

    assert breaker.state is BreakerState.CLOSED


def test_after_five_seconds_one_probe_is_let_through() -> None:
    breaker, clock = an_open_breaker()
    clock.move(seconds=4.9)
    early = breaker.admit()
    clock.move(seconds=0.1)

    probe, second = breaker.admit(), breaker.admit()

    assert early is None
    assert probe is not None
    assert second is None


def test_a_probe_that_goes_well_closes_and_forgets_the_failures() -> None:
    breaker, clock = an_open_breaker()
    clock.move(seconds=5)

    call(breaker, fine=True)

    assert breaker.state is BreakerState.CLOSED
    call(breaker, fine=False)
    assert breaker.state is BreakerState.CLOSED


def test_a_probe_that_fails_rests_five_seconds_more() -> None:
    breaker, clock = an_open_breaker()
    clock.move(seconds=5)

    call(breaker, fine=False)

    states = [breaker.state]
    clock.move(seconds=4)
    states.append(breaker.state)
    assert breaker.opens_in_s() == 1
    clock.move(seconds=1)
    states.append(breaker.state)
    assert states == [BreakerState.OPEN, BreakerState.OPEN, BreakerState.HALF_OPEN]


def test_a_cancelled_probe_makes_room_for_another() -> None:
    breaker, clock = an_open_breaker()
    clock.move(seconds=5)

    call(breaker, fine=None)

    after_the_cancelled = breaker.state
    call(breaker, fine=True)
    assert after_the_cancelled is BreakerState.HALF_OPEN
    assert breaker.state is BreakerState.CLOSED


def test_an_end_that_comes_after_the_opening_does_not_close_it() -> None:
    breaker, _ = a_breaker()
    slow = breaker.admit()
    assert slow is not None
    for _ in range(10):
        call(breaker, fine=False)

    with slow:
        slow.fine = True

    assert breaker.state is BreakerState.OPEN


def test_the_success_rate_is_that_of_the_last_minute() -> None:
    breaker, clock = a_breaker()
    none_yet = breaker.success_rate()
    call(breaker, fine=False)
    clock.move(seconds=30)
    for _ in range(3):
        call(breaker, fine=True)

    assert none_yet is None
    assert breaker.success_rate() == 0.75
    clock.move(seconds=30)
    assert breaker.success_rate() == 1.0
    clock.move(seconds=60)
    assert breaker.success_rate() is None


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=100))
def test_it_never_stays_shut_for_more_than_its_rest(
    steps: list[tuple[bool, float]],
) -> None:
    breaker, clock = a_breaker()
    for fine, wait_s in steps:
        clock.move(seconds=wait_s)
        admitted = breaker.admit()
        if admitted is not None:
            with admitted as one:
                one.fine = fine

    clock.move(seconds=5)

    assert breaker.admit() is not None


def test_a_gate_rests_as_long_as_its_partner_asked_whatever_the_breaker_says() -> None:
    clock = StoppedClock(NOON)
    gate = Gate(clock)
    gate.rest(60.0)
    clock.move(seconds=20)

    rested = gate.enter()
    gate.rest(0.0)
    clock.move(seconds=40)

    assert rested == 40.0
    assert isinstance(gate.enter(), Call)


def test_a_gate_before_an_open_breaker_says_when_to_come_again() -> None:
    clock = StoppedClock(NOON)
    gate = Gate(clock)
    for _ in range(10):
        call(gate.breaker, fine=False)

    assert gate.enter() == 5.0
