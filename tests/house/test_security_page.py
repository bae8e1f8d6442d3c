"""The page for reviewers says of every attack what the tests say of it."""

import re

import pytest

from tests.attacks.rows import ROWS, Row
from tests.house.tree import ROOT

LINES = re.findall(
    r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$",
    (ROOT / "docs/security.md").read_text(),
    flags=re.MULTILINE,
)


def test_every_attack_has_one_line_and_no_line_is_without_one() -> None:
    listed = [title for title, _where in LINES if title != "attack"]

    assert sorted(listed) == sorted(row.title for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_a_line_says_not_yet_exactly_while_nothing_tries_it(row: Row) -> None:
    where = dict(LINES)[row.title]

    assert where.startswith("not yet") == (row.waits_for is not None)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_a_file_named_in_a_line_does_try_it(row: Row) -> None:
    named = re.findall(r"\.\./(tests/attacks/\w+\.py)", dict(LINES)[row.title])

    assert bool(named) == (row.waits_for is None)
    for file in named:
        assert f'attack("{row.title}")' in (ROOT / file).read_text(), file
