"""Every statement goes through the one door, and every ORM call says on what."""

import ast
from pathlib import Path

from tests.house.tree import ROOT, called, files, named, nodes, parsed

# The ORM's calls that reach the database and take `using_db`.
ORM = {
    "all",
    "annotate",
    "bulk_create",
    "bulk_update",
    "create",
    "delete",
    "earliest",
    "exists",
    "fetch_related",
    "filter",
    "first",
    "get",
    "get_or_create",
    "get_or_none",
    "in_bulk",
    "latest",
    "raw",
    "refresh_from_db",
    "save",
    "select_for_update",
    "update_from_dict",
    "update_or_create",
}
RAW_SQL = {"execute_query", "execute_query_dict", "execute_script", "execute_insert"}
BELOW_THE_DOOR = {"app/database.py", "app/engines.py", "app/upgrade.py"}


def models() -> set[str]:
    """Name the ORM models of all rooms."""
    return {
        node.name
        for file in sorted((ROOT / "app").glob("*/models.py"))
        for node in parsed(file).body
        if isinstance(node, ast.ClassDef)
        and any(called(base).endswith("Model") for base in node.bases)
    }


def chain(node: ast.expr) -> tuple[str, list[str]]:
    """Take `Payee.filter(...).using_db(db).first()` apart: root and called names."""
    names: list[str] = []
    while isinstance(node, (ast.Call, ast.Attribute, ast.Await)):
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        else:
            node = node.func if isinstance(node, ast.Call) else node.value
    return (node.id if isinstance(node, ast.Name) else ""), names


def outermost(file: Path) -> list[ast.Call]:
    """Give the calls that are not the inner part of a longer chain of calls."""
    inner = {
        id(node.func.value)
        for node in nodes(file)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    return [
        node
        for node in nodes(file)
        if isinstance(node, ast.Call) and id(node) not in inner
    ]


def says_on_what(call: ast.Call) -> bool:
    """Tell whether any step of a chain names its connection."""
    for node in ast.walk(call):
        if isinstance(node, ast.Call):
            if any(given.arg in {"using_db", "connection"} for given in node.keywords):
                return True
            if isinstance(node.func, ast.Attribute) and node.func.attr == "using_db":
                return True
    return False


def bound_later(file: Path) -> set[str]:
    """Name the variables that end on a connection: `rows = rows.using_db(db)`."""
    return {
        root
        for call in outermost(file)
        for root, names in [chain(call)]
        if root and "using_db" in names
    }


def kept_in(file: Path) -> dict[int, str]:
    """Tell in which variable a call is kept: `found = Payee.filter(...)`."""
    return {
        id(node.value): node.targets[0].id
        for node in nodes(file)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def test_every_orm_call_says_on_which_connection() -> None:
    """Without `using_db` it leaves the transaction it stands in."""
    known = models()
    assert known

    loose = [
        f"{named(file)}:{call.lineno}"
        for file in files("app")
        for call in outermost(file)
        for root, names in [chain(call)]
        if root in known
        and ORM & set(names)
        and not says_on_what(call)
        and kept_in(file).get(id(call)) not in bound_later(file)
    ]

    assert loose == []


def test_raw_statements_stay_below_the_door() -> None:
    found = [
        f"{named(file)}:{getattr(node, 'lineno', 0)}"
        for file in files("app")
        if named(file) not in BELOW_THE_DOOR
        for node in nodes(file)
        if isinstance(node, ast.Attribute) and node.attr in RAW_SQL
    ]

    assert found == []


def test_nothing_rests_on_row_locks_of_the_orm() -> None:
    """SQLite takes none and says nothing: a guarded UPDATE decides on both engines."""
    found = [
        f"{named(file)}:{node.lineno}"
        for file in files("app")
        for node in nodes(file)
        if isinstance(node, ast.Attribute) and node.attr == "select_for_update"
    ]

    assert found == []


def test_rooms_expect_conflicts_instead_of_catching_them() -> None:
    """An engine's error aborts PostgreSQL's transaction: ON CONFLICT says it before."""
    found = [
        f"{named(file)}:{getattr(node, 'lineno', 0)}"
        for file in files("app")
        if named(file) not in BELOW_THE_DOOR
        for node in nodes(file)
        if isinstance(node, (ast.Name, ast.Attribute))
        and called(node).endswith("IntegrityError")
    ]

    assert found == []


def test_rows_are_never_deleted_by_a_cascade() -> None:
    for file in files("app", migrations=True):
        assert "ON DELETE CASCADE" not in file.read_text().upper(), named(file)
