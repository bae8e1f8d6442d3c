"""One clear command for a private adapter, and one clear error for what is missing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integrations.kit import loading
from tests.integrations.kit.loading import Missing
from tests.integrations.kit.promises import Promise

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/bank-adapter"
MY_BANK = ("--adapter", "core_banking=my_bank.core", "--rig", "my_bank.rig")
FAULTY = """
from my_bank.core import MyBank, Settings
from dataclasses import replace
from app.ids import uuid7


class Doubles(MyBank):
    async def _order(self, op, *rest):
        return await super()._order(replace(op, id=uuid7()), *rest)


async def connect(settings, *, clock):
    return Doubles(settings, clock)
"""


def the_kit(*options: str, path: Path) -> tuple[int, str]:
    """Run the kit as docs/adapters.md says; gives its exit code and its last words."""
    folders = os.pathsep.join((str(path), str(EXAMPLE)))
    command = [sys.executable, "-m", "pytest", "tests/integrations/kit", "-q"]
    ended = subprocess.run(
        [*command, "-p", "no:cacheprovider", *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": folders},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.slow
def test_the_example_of_the_guide_passes_the_whole_kit(tmp_path: Path) -> None:
    code, said = the_kit(*MY_BANK, path=tmp_path)

    assert code == 0, said
    passed = re.search(r"(\d+) passed", said)
    assert passed
    assert int(passed[1]) > 80
    assert "skipped" not in said


@pytest.mark.twice
def test_a_faulty_adapter_fails_with_the_broken_promise(tmp_path: Path) -> None:
    (tmp_path / "faulty").mkdir()
    (tmp_path / "faulty/bank.py").write_text(FAULTY)

    code, said = the_kit(
        *("--adapter", "core_banking=faulty.bank", "--rig", "my_bank.rig"),
        *("-k", "test_a_repeat_changes_nothing"),
        path=tmp_path,
    )

    assert code == 1, said
    assert "broken promise: one op moves money once, however often it is sent" in said
    assert "TRANSFER had 3 effects in the books" in said


@pytest.mark.twice
def test_what_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    code, said = the_kit("--adapter", "core_banking=my_bank.core", path=tmp_path)

    assert code == pytest.ExitCode.USAGE_ERROR
    assert said.strip() == (
        "ERROR: core_banking adapter 'my_bank.core' needs a rig: name its module with "
        "--rig MODULE (docs/adapters.md)"
    )


@pytest.mark.parametrize(
    ("adapter", "rig", "said"),
    [
        (
            ["core=my_bank.core"],
            "my_bank.rig",
            (
                "--adapter 'core=my_bank.core' is not PORT=MODULE with a port out of "
                "core_banking, push, rails, sms"
            ),
        ),
        (
            ["core_banking"],
            "my_bank.rig",
            (
                "--adapter 'core_banking' is not PORT=MODULE with a port out of "
                "core_banking, push, rails, sms"
            ),
        ),
        (
            ["core_banking=no_bank.core"],
            "my_bank.rig",
            "no module 'no_bank' for 'no_bank.core'; is its folder on PYTHONPATH?",
        ),
        (
            ["core_banking=no_bank"],
            "my_bank.rig",
            "core_banking has no adapter 'no_bank'; choose one of embedded, fineract",
        ),
        (
            ["core_banking=my_bank.stand_in"],
            "my_bank.rig",
            "the adapter my_bank.stand_in has no `Settings`",
        ),
        (
            ["core_banking=my_bank.core"],
            "my_bank.rigs",
            (
                "core_banking adapter 'my_bank.core' needs a rig, and there is no "
                "module 'my_bank.rigs'"
            ),
        ),
        (
            ["core_banking=my_bank.core"],
            "my_bank.stand_in",
            "the rig my_bank.stand_in has no function `core_banking(folder)`",
        ),
        ([], "my_bank.rig", "--rig my_bank.rig wants --adapter PORT=MODULE beside it"),
    ],
)
def test_each_thing_that_is_missing_has_its_sentence(
    adapter: list[str],
    rig: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))

    with pytest.raises(Missing) as missing:
        loading.chosen(adapter, rig)

    assert str(missing.value) == f"{said} (docs/adapters.md)"


def test_every_adapter_file_has_a_rig() -> None:
    for port in loading.PORTS:
        for choice in loading.listed(port):
            assert callable(choice.rigs()), choice


def test_the_guide_tells_every_promise_and_the_command_that_is_tried_here() -> None:
    guide = (ROOT / "docs/adapters.md").read_text()

    for promise in Promise:
        assert f"| {promise} |" in guide, promise
    for page in (guide, (EXAMPLE / "README.md").read_text()):
        assert f"pytest tests/integrations/kit \\\n  {' '.join(MY_BANK)}\n" in page
        assert "PYTHONPATH=docs/examples/bank-adapter " in page
