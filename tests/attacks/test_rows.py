"""Every row of the threat table that can be tried is tried."""

import ast
from collections.abc import Iterator

from tests.attacks.rows import ROWS
from tests.house.tree import ROOT

MARKER = "pytest.mark.attack"


def marked() -> Iterator[tuple[str, str]]:
    """Give file and row of every marker in the tests, as they are written."""
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        text = file.read_text()
        if MARKER not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == MARKER:
                (row,) = node.args
                assert isinstance(row, ast.Constant), file
                yield file.name, str(row.value)


def test_every_built_row_is_tried_and_no_other() -> None:
    tried = {row for _file, row in marked()}
    built = {row.title for row in ROWS if row.waits_for is None}

    assert sorted(built - tried) == []
    assert sorted(tried - built) == []


def test_each_row_stands_once_and_a_waiting_row_lacks_all() -> None:
    assert len({row.title for row in ROWS}) == len(ROWS)
    assert [row.title for row in ROWS if row.waits_for and row.lacks] == []
