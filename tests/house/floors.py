"""Coverage floors per file, per room and over all; coverage itself knows one only.

`python -m tests.house.floors REPORT`, REPORT being what `coverage json` wrote, looks at
all floors: `make floors`. With `--complete` it looks only at the files that must be
complete, and `--tests` names the tests that bear their names: `make check` runs those
under coverage, because the whole suite takes twice as long there (decision 0017).
Floors stand in pyproject.toml, under `[tool.sixpence.coverage]` and, for all files
together, `[tool.coverage.report]`.
"""

import json
import sys
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WHOLE = 100.0


@dataclass(frozen=True, slots=True)
class Floors:
    """What pyproject.toml asks for, in per cent of lines and branches."""

    overall: float
    per_room: float
    complete: list[str]


@dataclass(frozen=True, slots=True)
class Part:
    """How much of a file or room ran: lines and branches, and what was missed."""

    ran: int = 0
    all: int = 0
    missed: str = ""

    def __add__(self, other: "Part") -> "Part":
        return Part(self.ran + other.ran, self.all + other.all)

    @property
    def per_cent(self) -> float:
        """Give the share that ran; nothing to run is complete."""
        return WHOLE * self.ran / self.all if self.all else WHOLE


def asked(pyproject: Path) -> Floors:
    """Read the floors."""
    tool = tomllib.loads(pyproject.read_text())["tool"]
    own = tool["sixpence"]["coverage"]
    overall = tool["coverage"]["report"]["fail_under"]
    return Floors(float(overall), float(own["per_room"]), list(own["complete"]))


def measured(report: Path) -> dict[str, Part]:
    """Read how much of each file ran, by its path with forward slashes."""
    files = json.loads(report.read_text())["files"]
    return {name.replace("\\", "/"): _part(found) for name, found in files.items()}


def named_after(floors: Floors) -> list[str]:
    """Name the tests of what must be complete: `test_keys.py` of `keys.py`."""
    paths = [Path(name).relative_to("app") for name in floors.complete]
    return [f"tests/{path.parent}/test_{path.name}" for path in paths]


def incomplete(floors: Floors, files: dict[str, Part]) -> list[str]:
    """Name what must be complete and is not, one sentence each."""
    faults = []
    for name in floors.complete:
        if name not in files:
            faults.append(f"{name} must be complete but was not found.")
        elif files[name].ran < files[name].all:
            faults.append(
                f"{name} has {files[name].per_cent:.1f} %, needs 100 %: "
                f"{files[name].missed}."
            )
    return faults


def below(floors: Floors, files: dict[str, Part]) -> list[str]:
    """Name everything below its floor, one sentence each; empty if nothing is."""
    faults = incomplete(floors, files)
    rooms: dict[str, Part] = defaultdict(Part)
    for name, part in files.items():
        steps = name.split("/")
        if steps[0] == "app" and len(steps) > len(("app", "file")):
            rooms["/".join(steps[:2])] += part
    rooms["everything"] = sum(files.values(), Part())
    for room, part in sorted(rooms.items()):
        floor = floors.overall if room == "everything" else floors.per_room
        if part.per_cent < floor:
            faults.append(f"{room} has {part.per_cent:.1f} %, needs {floor:g} %.")
    return faults


def _part(found: dict[str, object]) -> Part:
    summary, lines = found["summary"], found["missing_lines"]
    branches = found.get("missing_branches", [])
    assert isinstance(summary, dict)
    assert isinstance(lines, list)
    assert isinstance(branches, list)
    return Part(
        summary["covered_lines"] + summary.get("covered_branches", 0),
        summary["num_statements"] + summary.get("num_branches", 0),
        f"lines {lines}, branches {['->'.join(map(str, b)) for b in branches]}",
    )


def main(*words: str) -> int:
    """Print what is below its floor; gives 1 if anything is."""
    floors = asked(ROOT / "pyproject.toml")
    if words == ("--tests",):
        sys.stdout.write(" ".join(named_after(floors)) + "\n")
        return 0
    look = incomplete if "--complete" in words else below
    faults = look(floors, measured(Path(words[0])))
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
