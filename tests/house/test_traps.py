"""Every trap of the ORM that the design names has a regression test that exists."""

import ast
import re

from tests.house.tree import ROOT, parsed

PAGE = ROOT / "docs/orm-traps.md"
ROW = re.compile(r"^\| (D\d+) \|.*\| ([^|]+) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[a-z_/]+\.py)::(test_\w+)`")
TRAPS = 15  # banking.md section 1.1


def names_in(file: str) -> set[str]:
    """Name the tests of a file."""
    return {
        node.name
        for node in ast.walk(parsed(ROOT / file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_trap_names_a_test_that_exists() -> None:
    rows = ROW.findall(PAGE.read_text())
    missing = [
        f"{trap}: {file}::{name}"
        for trap, cell in rows
        for file, name in TEST.findall(cell)
        if name not in names_in(file)
    ]

    assert [trap for trap, _cell in rows] == [f"D{n}" for n in range(1, TRAPS + 1)]
    assert [trap for trap, cell in rows if not TEST.search(cell)] == []
    assert missing == []
