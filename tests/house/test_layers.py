"""The stair and its contracts, so that plain pytest shows what lint-imports would."""

import subprocess
import sys
import tomllib

from tests.house.tree import ROOT

SCRIPT = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"


def contracts() -> list[dict[str, object]]:
    text = (ROOT / "pyproject.toml").read_text()
    found = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    assert isinstance(found, list)
    return found


def test_every_import_goes_down_the_stair() -> None:
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert found.returncode == 0, found.stdout
    assert f"{len(contracts())} kept, 0 broken." in found.stdout


def test_the_stair_knows_every_room_of_the_house() -> None:
    stair = next(one for one in contracts() if one["id"] == "stair")
    layers = stair["layers"]
    assert isinstance(layers, list)
    steps = {name.strip(" ()") for layer in layers for name in str(layer).split("|")}

    rooms = {
        path.stem
        for path in (ROOT / "app").iterdir()
        if path.name not in {"__init__.py", "__pycache__"}
    }

    assert rooms - steps == set()
    assert stair["exhaustive"] is True
