"""Quiet hours: midnight, zones, and the two days on which clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.notifications.quiet import MalformedHours, QuietHours

INDIA, BERLIN = ZoneInfo("Asia/Kolkata"), ZoneInfo("Europe/Berlin")
NIGHT, NOON = QuietHours.parse("22:00", "07:00"), QuietHours.parse("12:00", "13:30")


def at(text: str, zone: ZoneInfo = INDIA, fold: int = 0) -> datetime:
    """Read a wall-clock time of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        (NIGHT, "2026-11-21 21:59:59", None),
        (NIGHT, "2026-11-21 22:00", "2026-11-22 07:00"),
        (NIGHT, "2026-11-21 23:59:59", "2026-11-22 07:00"),
        (NIGHT, "2026-11-22 00:00", "2026-11-22 07:00"),
        (NIGHT, "2026-11-22 06:59:59", "2026-11-22 07:00"),
        (NIGHT, "2026-11-22 07:00", None),
        (NOON, "2026-11-21 11:59", None),
        (NOON, "2026-11-21 12:00", "2026-11-21 13:30"),
        (NOON, "2026-11-21 13:30", None),
    ],
)
def test_quiet_begins_and_ends_on_the_minute_across_midnight(
    hours: QuietHours, now: str, end: str | None
) -> None:
    assert hours.end_of(at(now), INDIA) == (at(end) if end else None)


def test_the_same_moment_is_night_in_one_zone_and_day_in_another() -> None:
    now = at("2026-11-21 23:00", INDIA)

    assert NIGHT.end_of(now, INDIA) == at("2026-11-22 07:00", INDIA)
    assert NIGHT.end_of(now, BERLIN) is None


@pytest.mark.parametrize(
    ("hours", "now", "end", "long"),
    [  # clocks go forward on 2026-03-29 at 02:00, back on 2026-10-25 at 03:00
        (NIGHT, at("2026-03-28 22:00", BERLIN), "2026-03-29T05:00Z", 8),
        (NIGHT, at("2026-10-24 22:00", BERLIN), "2026-10-25T06:00Z", 10),
    ],
)
def test_the_night_on_which_clocks_change_has_its_own_length(
    hours: QuietHours, now: datetime, end: str, long: int
) -> None:
    over = hours.end_of(now, BERLIN)

    assert over == datetime.fromisoformat(end)
    assert over is not None
    assert over - now == timedelta(hours=long)


def test_an_end_that_never_comes_is_the_moment_the_clocks_jump() -> None:
    hours = QuietHours.parse("22:00", "02:30")

    over = hours.end_of(at("2026-03-28 23:00", BERLIN), BERLIN)

    assert over == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_an_end_that_comes_twice_is_the_second() -> None:
    hours = QuietHours.parse("22:00", "02:30")
    first = at("2026-10-25 02:15", BERLIN)
    again = at("2026-10-25 02:15", BERLIN, fold=1)

    assert again - first == timedelta(hours=1)
    assert hours.end_of(first, BERLIN) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert hours.end_of(again, BERLIN) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


MINUTES = st.integers(0, 1439)


@given(
    start=MINUTES,
    end=MINUTES,
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001  -- the zone follows
)
def test_no_quiet_ends_early_late_or_never(start: int, end: int, now: datetime) -> None:
    if start == end:
        return
    hours, minute = QuietHours(start, end), timedelta(minutes=1)
    at_utc = now.replace(tzinfo=UTC, second=0, microsecond=0)

    over = hours.end_of(at_utc, BERLIN)

    if over is not None:
        assert at_utc < over <= at_utc + timedelta(hours=25)
        assert hours.end_of(over, BERLIN) is None
        assert hours.end_of(over - minute, BERLIN) == over


@pytest.mark.parametrize(
    ("start", "end"),
    [("22:00", "22:00"), ("24:00", "07:00"), ("7:00", "22:00"), ("", "07:00")],
)
def test_what_are_no_two_times_are_no_hours(start: str, end: str) -> None:
    with pytest.raises(MalformedHours):
        QuietHours.parse(start, end)


def test_hours_are_written_as_they_were_read() -> None:
    assert QuietHours.parse("00:05", "23:59").texts == ("00:05", "23:59")
