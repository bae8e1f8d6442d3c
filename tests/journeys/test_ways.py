"""Each thing a customer can lose has its story, and stands on the page for readers."""

import ast
from pathlib import Path

from tests.house.tree import ROOT
from tests.journeys.ways import ROWS

HEADING = "## A customer lost something\n"


def stories() -> list[str]:
    """Give the names of the stories in their files."""
    files = sorted(Path(__file__).parent.glob("test_ways_back*.py"))
    return [
        node.name
        for file in files
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]


def titles_on_the_page() -> list[str]:
    """Give the first column of the table for readers."""
    page = (ROOT / "docs" / "operations.md").read_text()
    section = page.partition(HEADING)[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [row.split("|")[1].strip() for row in rows[1:]]


def test_every_row_has_its_story_and_every_story_its_row() -> None:
    assert sorted(stories()) == sorted(row.story for row in ROWS)


def test_the_page_names_every_row_in_this_order() -> None:
    assert titles_on_the_page() == [row.title for row in ROWS]
