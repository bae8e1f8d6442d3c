"""When an unsure payment is asked about, and how long."""

from datetime import timedelta

import pytest

from app.payments.timetable import is_believed, is_given_up, next_ask
from tests.conftest import NOON


def after(seconds: float) -> float:
    """Give the next asking after so many seconds, in seconds."""
    now = NOON + timedelta(seconds=seconds)
    return (next_ask(NOON, now) - NOON).total_seconds()


@pytest.mark.parametrize(
    ("passed_s", "next_s"),
    [
        (0, 5),
        (4.9, 5),
        (5, 15),
        (29, 30),
        (30, 60),
        (179, 180),
        (180, 780),
        (779, 780),
        (780, 1_380),
        (100_000, 100_380),
        (-3_600, 5),
    ],
)
def test_asking_follows_from_the_first_sending(passed_s: float, next_s: float) -> None:
    assert after(passed_s) == next_s


def test_a_rail_brings_its_own_plan() -> None:
    asked, now = [], NOON

    for _ in range(4):
        now = next_ask(NOON, now, plan=(90,), every_s=90)
        asked.append((now - NOON).total_seconds())

    assert asked == [90, 180, 270, 360]
    assert next_ask(NOON, NOON, plan=(), every_s=7) == NOON + timedelta(seconds=7)


def test_asking_ends_after_two_days() -> None:
    two_days = timedelta(hours=48)

    assert not is_given_up(NOON, NOON + two_days - timedelta(seconds=1))
    assert is_given_up(NOON, NOON + two_days)


@pytest.mark.parametrize(
    ("minutes", "said", "believed"),
    [(14, 9, False), (15, 1, False), (15, 2, True), (99, 3, True)],
)
def test_never_seen_is_believed_when_it_is_said_long_and_often_enough(
    minutes: int,
    said: int,
    believed: bool,  # noqa: FBT001  -- pytest parameter
) -> None:
    assert is_believed(NOON, NOON + timedelta(minutes=minutes), said) is believed
