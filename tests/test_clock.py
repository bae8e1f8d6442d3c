from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import Clock, StoppedClock, rfc3339


def test_an_instant_is_written_in_utc_with_three_decimals_and_z() -> None:
    india = timezone(timedelta(hours=5, minutes=30))

    written = rfc3339(datetime(2026, 11, 21, 15, 0, 0, 123456, tzinfo=india))

    assert written == "2026-11-21T09:30:00.123Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_back_to_the_millisecond(instant: datetime) -> None:
    cut = instant.replace(microsecond=instant.microsecond // 1000 * 1000)

    assert datetime.fromisoformat(rfc3339(instant)) == cut


def test_the_clock_tells_utc_cut_to_milliseconds() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)

    now = Clock().now()

    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0


@pytest.mark.parametrize(
    ("written", "moved_s"), [("3600", 3600), ("-60.5\n", -60.5), ("", 0), ("soon", 0)]
)
def test_a_file_moves_the_clock(tmp_path: Path, written: str, moved_s: float) -> None:
    file = tmp_path / "clock"
    file.write_text(written)

    told = Clock(offset_file=file).now() - datetime.now(UTC)

    assert abs(told.total_seconds() - moved_s) < 5


def test_a_clock_without_its_file_is_the_machines(tmp_path: Path) -> None:
    told = Clock(offset_file=tmp_path / "none").now() - datetime.now(UTC)

    assert abs(told.total_seconds()) < 5


def test_a_moved_clock_is_noticed_within_a_quarter_second(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    clock = Clock(offset_file=file)
    clock.now()
    file.write_text("86400")
    deadline = clock.monotonic() + 2

    while clock.now() - datetime.now(UTC) < timedelta(hours=1):
        assert clock.monotonic() < deadline

    assert clock.now() - datetime.now(UTC) > timedelta(hours=23)


def test_the_bank_day_turns_at_midnight_of_the_banks_zone() -> None:
    clock = StoppedClock(datetime(2026, 11, 21, 18, 29, 59, tzinfo=UTC))

    assert clock.today() == date(2026, 11, 21)
    clock.move(seconds=1)
    assert clock.today() == date(2026, 11, 22)


def test_a_stopped_clock_stands_until_it_is_moved_and_tells_sleepers() -> None:
    ticks: list[str] = []
    clock = StoppedClock(
        datetime(2026, 11, 21, 9, 30, tzinfo=UTC), tick=lambda: ticks.append("tick")
    )
    began = clock.monotonic()

    assert clock.now() == clock.now()
    clock.move(hours=25)

    assert clock.now() == datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
    assert clock.monotonic() - began == 90_000
    assert ticks == ["tick"]
