"""Nothing of ours leaves state on a database session: it is given back as it is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import called, files, named, nodes

UPGRADE = "app/upgrade.py"  # has a connection of its own, which it closes
STATE = re.compile(
    r"(?:^|;)\s*SET\s+(?!LOCAL\b)"  # a statement, not the SET of an UPDATE
    r"|\bset_config\("
    r"|\bpg_(?:try_)?advisory_lock"
    r"|\b(?:UN)?LISTEN\s+\w"
    r"|\bWITH\s+HOLD\b"
    r"|\bCREATE\s+(?:LOCAL\s+|GLOBAL\s+)?TEMP"
)
LISTENERS = {"add_listener", "set_type_codec", "set_builtin_type_codec"}


def texts(root: ast.AST) -> Iterator[str]:
    """Give each text of a tree; one with gaps as a whole."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.JoinedStr):
            parts = (
                str(one.value) if isinstance(one, ast.Constant) else "?"
                for one in node.values
            )
            yield "".join(parts)
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        waiting += ast.iter_child_nodes(node)


def stateful(root: ast.AST) -> list[str]:
    """Name what a tree does that stays on a session."""
    said = [one for one in texts(root) if STATE.search(one)]
    calls = (called(node) for node in ast.walk(root) if isinstance(node, ast.Call))
    return said + [one for one in calls if one.rsplit(".", 1)[-1] in LISTENERS]


def tree_of(file: Path) -> ast.AST:
    """Give the module of a file."""
    return next(nodes(file))


def test_no_statement_leaves_state_on_a_session() -> None:
    found = {
        named(file): left
        for file in files("app", migrations=True)
        if (left := stateful(tree_of(file)))
    }

    assert set(found) == {UPGRADE}, found
    assert all("pg_advisory_lock" in one for one in found[UPGRADE])


@pytest.mark.parametrize(
    "line",
    [
        "tx.rows('SET statement_timeout = 0')",
        "tx.rows(f'SET {name} = 0')",
        "tx.rows('SELECT 1; SET work_mem = 1')",
        "tx.rows('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY')",
        "tx.rows('SELECT set_config($1, $2, false)')",
        "tx.rows('SELECT pg_advisory_lock(1)')",
        "tx.rows('SELECT pg_try_advisory_lock(1)')",
        "tx.rows('LISTEN hints')",
        "tx.rows('DECLARE all_rows CURSOR WITH HOLD FOR SELECT 1')",
        "tx.rows('CREATE TEMP TABLE rows (id INT)')",
        "await connection.add_listener('hints', heard)",
    ],
)
def test_what_leaves_state_is_seen(line: str) -> None:
    assert stateful(ast.parse(line)) != []


@pytest.mark.parametrize(
    "line",
    [
        "tx.rows(f'SET LOCAL statement_timeout = {most}')",
        "tx.rows('UPDATE device SET state = $2')",
        "tx.rows(f'UPDATE {table} SET state = $2')",
        "tx.rows('SELECT pg_advisory_xact_lock(1)')",
        "'Set a limit.'",
    ],
)
def test_what_leaves_nothing_is_let_be(line: str) -> None:
    assert stateful(ast.parse(line)) == []
