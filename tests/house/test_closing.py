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

    found = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "tests.house.closing"),
            *("-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert found.stdout.splitlines()[-1] == (
        "2 passed, 1 failed, 1 skipped · books balanced 2 times"
    )


def test_a_run_of_nothing_says_so() -> None:
    assert Closing().line() == "0 passed · books balanced 0 times"
