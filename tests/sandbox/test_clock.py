from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.sandbox.world import a_text, an_open_world


def test_moved_time_reaches_the_file_and_the_inbox(tmp_path: Path) -> None:
    clock_file = tmp_path / "deep" / "clock"

    with an_open_world("--clock-file", str(clock_file)) as world:
        before = world.get("/_clock").json()
        moved = world.put("/_clock", json={"offset_s": 90_000})
        world.post("/sms/messages", json=a_text(301))
        (message,) = world.get("/phones/+915550000001/inbox").json()["messages"]

    assert (before["offset_s"], before["movable"]) == (0, True)
    assert (moved.status_code, moved.json()["offset_s"]) == (200, 90_000)
    assert clock_file.read_text() == "90000\n"
    assert list(clock_file.parent.iterdir()) == [clock_file]
    ahead = datetime.fromisoformat(message["at"]) - datetime.now(UTC)
    assert abs(ahead - timedelta(seconds=90_000)) < timedelta(seconds=30)


def test_a_file_moved_by_somebody_else_moves_the_world(tmp_path: Path) -> None:
    clock_file = tmp_path / "clock"
    clock_file.write_text("-3600")

    with an_open_world("--clock-file", str(clock_file)) as world:
        moved = world.get("/_clock").json()["offset_s"]
        clock_file.write_text("not a number")
        broken = world.get("/_clock").json()["offset_s"]

    assert (moved, broken) == (-3600, 0)


def test_without_a_file_time_cannot_be_moved() -> None:
    with an_open_world() as world:
        refused = world.put("/_clock", json={"offset_s": 60})
        clock = world.get("/_clock").json()

    assert (refused.status_code, refused.json()["code"]) == (409, "NO_CLOCK_FILE")
    assert (clock["offset_s"], clock["movable"]) == (0, False)


@pytest.mark.parametrize("offset_s", ["60", 1.5, True, None, 10**9, -(10**9)])
def test_an_offset_that_is_no_whole_number_of_ten_years_is_refused(
    world: httpx.Client, offset_s: object
) -> None:
    refused = world.put("/_clock", json={"offset_s": offset_s})

    assert (refused.status_code, refused.json()["code"]) == (422, "OUT_OF_RANGE")
    assert world.get("/_clock").json()["offset_s"] == 0
