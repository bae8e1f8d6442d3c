import os
import subprocess
import sys
from pathlib import Path

from tests.house.closing import Closing
from tests.house.floors import ROOT

SUITE = """
import pytest

@pytest.fixture
def books(record_property):
    yield
    record_property("books", "balanced")

def test_money(books): pass
def test_none(): pass
def test_wrong(books): assert not "balanced"
@pytest.mark.skip(reason="later")
def test_later(): pass
"""


def test_the_last_line_counts_tests_and_balanced_books(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SUITE)

    found = run(tmp_path)

    assert found.stdout.splitlines()[-1] == (
        "SQLite: 2 passed, 1 failed, 1 skipped · books balanced 2 times"
    )


def test_a_run_of_nothing_says_so() -> None:
    assert Closing().line("postgres") == (
        "PostgreSQL: 0 passed (all that touch a database) · books balanced 0 times"
    )


def test_a_run_of_two_engines_keeps_its_lines_for_the_end(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SUITE)
    kept = tmp_path / "closing"

    found = run(tmp_path, f"--closing={kept}")

    assert "books balanced" not in found.stdout
    assert kept.read_text() == (
        "SQLite: 2 passed, 1 failed, 1 skipped · books balanced 2 times\n"
    )


def test_what_a_test_measured_stands_before_the_last_line(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_speed(record_property): record_property('figures', '7 a second')"
    )

    found = run(tmp_path)

    assert found.stdout.splitlines()[-2:] == [
        "7 a second",
        "SQLite: 1 passed · books balanced 0 times",
    ]


def test_attacks_are_counted_and_one_that_fails_has_succeeded(tmp_path: Path) -> None:
    marker = "@pytest.mark.attack('row')"
    tests = f"""
import pytest

{marker}
def test_held(): pass
{marker}
def test_broken(): assert not 'held'
def test_attack(): pass
"""
    (tmp_path / "test_it.py").write_text(tests)

    found = run(tmp_path, "-W", "ignore::pytest.PytestUnknownMarkWarning")

    assert found.stdout.splitlines()[-2] == "2 attacks, 1 succeeded"


def run(folder: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    """Run the suite of a folder with the plugin."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "tests.house.closing"),
            *("-c", "/dev/null", "--rootdir", str(folder), str(folder), *more),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # it takes seconds
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
