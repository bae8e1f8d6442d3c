"""The commands of the Makefile, tried on a copy where they would change something."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGETS = [
    "run",
    "phone",
    "test",
    "check",
    "chaos",
    "floors",
    "clients",
    "bench",
    "schema",
    "lock",
    "clean",
]
TOOLS = ["sh", "awk", "cmp", "cp", "rm", "mktemp", "grep", "cat", "du", "cut"]

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")


def make(
    folder: Path, *arguments: str, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run make in a folder, if wanted with nothing but `path` to find programs in."""
    program = shutil.which("make")
    assert program is not None
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        env=_environment() | ({"PATH": str(path)} if path else {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def a_copy(folder: Path) -> Path:
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / "requirements.lock", folder)
    return folder


def a_machine_without_python(folder: Path) -> Path:
    """Make a folder of the plain tools that every system has."""
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    return folder


def test_make_alone_lists_every_command_with_one_sentence() -> None:
    found = make(ROOT)

    lines = found.stdout.splitlines()
    assert [line.split()[1] for line in lines] == TARGETS
    assert [
        line for line in lines if not re.fullmatch(r"make \w+ +[A-Z].+\.", line)
    ] == []


def test_a_machine_without_python_gets_one_sentence_and_code_two(
    tmp_path: Path,
) -> None:
    tools = a_machine_without_python(tmp_path / "bin")

    found = make(a_copy(tmp_path), "run", path=tools)

    assert found.returncode == 2
    assert found.stderr.splitlines()[0] == (
        "Sixpence needs python3 3.11 or newer: Debian: apt install python3 "
        "python3-venv; Fedora: dnf install python3; macOS: brew install python."
    )
    assert not (tmp_path / ".venv").exists()


def test_a_python_without_venv_gets_one_sentence_and_leaves_nothing_half_made(
    tmp_path: Path,
) -> None:
    tools = a_machine_without_python(tmp_path / "bin")
    python = tools / "python3"
    python.write_text('#!/bin/sh\n[ "$1" != -m ]\n')
    python.chmod(0o755)

    found = make(a_copy(tmp_path), "run", path=tools)

    assert found.returncode == 2
    assert found.stderr.startswith("python3 cannot make a virtual environment: Debian")
    assert not (tmp_path / ".venv").exists()


def test_an_installed_lock_is_not_installed_again(tmp_path: Path) -> None:
    folder = a_copy(tmp_path)
    bin_folder = folder / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "python").write_text('#!/bin/sh\necho "started $*"\n')
    (bin_folder / "python").chmod(0o755)
    shutil.copy(folder / "requirements.lock", folder / ".venv" / "run.lock")

    found = make(folder, "phone", "ARGS=watch --after 41")

    assert found.stdout == "started -m mock_mobile_client watch --after 41\n"


def test_clean_forgets_the_bank_and_keeps_the_environment(tmp_path: Path) -> None:
    folder = a_copy(tmp_path)
    (folder / ".sixpence").mkdir()
    (folder / ".sixpence" / "bank.db").write_text("money")
    (folder / ".venv").mkdir()

    first, second = make(folder, "clean"), make(folder, "clean")

    assert first.stdout.startswith("Removed .sixpence/ (")
    assert second.stdout == "Nothing to remove: there is no .sixpence/.\n"
    assert not (folder / ".sixpence").exists()
    assert (folder / ".venv").exists()


def test_ci_calls_make_check_and_nothing_else() -> None:
    script = (ROOT / ".ci" / "run").read_text().splitlines()

    assert script[-1] == "exec make check"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def _environment() -> dict[str, str]:
    """Give the environment without what a make around these tests hands down."""
    hidden = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "ARGS", "COVERAGE")
    return {name: text for name, text in os.environ.items() if name not in hidden}
