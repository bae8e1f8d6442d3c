import sys
from pathlib import Path

import pytest

from tests.house.gates import ELSEWHERE, Check, Gate, lanes


def program(name: str, text: str) -> Gate:
    return Gate(name, (sys.executable, "-S", "-c", text))


def test_a_gate_that_holds_is_one_line_with_its_time(tmp_path: Path) -> None:
    said: list[str] = []
    check = Check(tmp_path, said.append)

    check.run([[program("lint", "print('all is well')")]])

    assert [line.split()[:2] for line in said] == [["lint", "ok"]]
    assert said[0].endswith(" s")
    assert check.failed == []


def test_a_gate_that_fails_shows_its_output_whole_and_the_others_still_run(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    check = Check(tmp_path, said.append)
    wrong = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)"

    check.run(
        [
            [program("lint", wrong), program("types", "pass")],
            [program("floors", "import time; time.sleep(0.2)")],
        ]
    )

    assert check.failed == ["lint"]
    shown = [number for number, line in enumerate(said) if line.startswith("lint")]
    assert "FAILED" in said[shown[0]]
    assert sorted(said[shown[0] + 1].splitlines()) == ["one", "two"]
    ends = {line.split()[0]: line.split()[1] for line in said if line.endswith(" s")}
    assert ends == {"lint": "FAILED", "types": "ok", "floors": "ok"}


def test_two_lanes_run_beside_each_other(tmp_path: Path) -> None:
    check = Check(tmp_path, lambda _line: None)
    waits = """
import pathlib, sys, time
mine, other = (pathlib.Path(name) for name in {names})
mine.touch()
end = time.monotonic() + 30
while not other.exists() and time.monotonic() < end:
    time.sleep(0.01)
sys.exit(not other.exists())
"""
    names = [str(tmp_path / "here"), str(tmp_path / "there")]

    check.run(
        [
            [program("one", waits.format(names=names))],
            [program("other", waits.format(names=names[::-1]))],
        ]
    )

    assert check.failed == []


@pytest.mark.parametrize(
    "gate", ["format", "lint", "types", "layers", "floors", "gather", "bench"]
)
def test_the_check_asks_for(gate: str) -> None:
    beside, tests = lanes("make")

    names = [one.name for lane in beside for one in lane]

    assert gate in names
    assert tests.command[2:] == (
        *("test", "ARGS=", "SPARE=and not twice", "LEAVE=and not slow"),
        f"ELSEWHERE={ELSEWHERE}",
        "TOGETHER=1",
    )
