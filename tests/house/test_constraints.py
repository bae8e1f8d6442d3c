"""Every CHECK, trigger and index is named by a room, is there, and bites."""

import ast
import importlib
import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app import upgrade
from app.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
CHECK = re.compile(r"CONSTRAINT\s+(\w+)\s+CHECK", re.IGNORECASE)
# One rule may need a trigger per verb on one engine and a single one on the other.
VERB = re.compile(r"_(delete|truncate)$")


def naming_modules() -> list[str]:
    """List the modules of app that name constraints."""
    found = []
    for file in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            targets = (
                [node.target]
                if isinstance(node, ast.AnnAssign)
                else node.targets
                if isinstance(node, ast.Assign)
                else []
            )
            if any(isinstance(t, ast.Name) and t.id == "CONSTRAINTS" for t in targets):
                found.append(".".join(file.relative_to(ROOT).with_suffix("").parts))
    return found


def named() -> dict[str, str]:
    """Give the module that names each constraint."""
    owners: dict[str, str] = {}
    for module in naming_modules():
        for name in importlib.import_module(module).CONSTRAINTS:
            assert name not in owners, f"{name} is named twice"
            owners[name] = module
    return owners


def catalogue(file: Path) -> set[str]:
    """List the CHECKs, triggers and indexes of a migrated database."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_master")
        there = set()
        for kind, name, sql in rows:
            if kind == "table":
                there.update(CHECK.findall(sql))
            elif not name.startswith("sqlite_"):
                there.add(name)
    return there


def test_every_named_constraint_is_in_the_database(empty_bank: Path) -> None:
    there = catalogue(empty_bank)

    missing = {name: room for name, room in named().items() if name not in there}

    assert missing == {}


def test_every_constraint_of_the_database_is_named_by_a_room(empty_bank: Path) -> None:
    known = set(named())

    strays = {
        name
        for name in catalogue(empty_bank)
        if name not in known and VERB.sub("", name) not in known
    }

    assert strays == set()


def test_both_engines_have_the_same_guards() -> None:
    sqlite, postgres = (
        {VERB.sub("", name) for _kind, name, _table in upgrade.guard_names(engine)}
        for engine in ("sqlite", "postgres")
    )

    assert sqlite ^ postgres == set()


@pytest.mark.slow
def test_postgres_holds_every_named_constraint_and_no_other() -> None:
    with TemporaryDirectory(prefix="pg") as folder:  # a socket's path must be short
        found = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.house.on_postgres", folder],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout.splitlines()[-1])
    there, known = (
        {VERB.sub("", name) for name in told["catalogue"]},
        {VERB.sub("", name) for name in named()},
    )

    assert known - there == set()
    assert there - known == set()
    assert told["again"] == told["steps"][1:]
    assert told["broken"] == []


def test_migrations_leave_indexes_and_triggers_to_the_guard_files() -> None:
    """A remade table would lose them without a word (the ORM's SQLite editor)."""
    banned = re.compile(
        r"AddIndex|CREATE\s+(UNIQUE\s+)?INDEX|CREATE\s+TRIGGER|ON\s+DELETE\s+CASCADE"
        r"|\bapp\.(?!migrations)|RunSQL",
        re.IGNORECASE,
    )

    for file in sorted((ROOT / "app/migrations").glob("0*.py")):
        assert banned.findall(file.read_text()) == [], file.name


VIOLATIONS = {
    "schema_guard_one": "INSERT INTO schema_guard VALUES (2, 'h', '[]')",
    "audit_head_seq": "INSERT INTO audit_head VALUES ('x', -1, x'00')",
    "audit_actor_kind": "INSERT INTO audit_entry VALUES ('c', 2, 'j', '2026-11-21', "
    "'ROBOT', NULL, NULL, NULL, NULL, 'a', NULL, 'OK', NULL, '{}', 'r', x'00', x'01')",
    "audit_outcome": "INSERT INTO audit_entry VALUES ('c', 2, 'j', '2026-11-21', "
    "'STAFF', NULL, NULL, NULL, NULL, 'a', NULL, 'MAYBE', NULL, '{}', 'r', x'00', "
    "x'01')",
    "audit_entry_id": "INSERT INTO audit_entry SELECT chain, 2, id, at, actor_kind, "
    "actor_id, device_id, session_id, address, action, object, outcome, code, detail, "
    "request_id, prev_hash, hash FROM audit_entry",
    "audit_append_only": "UPDATE audit_entry SET action = 'b'",
    "audit_head_forward": "UPDATE audit_head SET seq = 0",
    "audit_head_stays": "DELETE FROM audit_head",
    "stream_head_seq": "INSERT INTO stream_head VALUES ('x', 'a', -1, '2026-11-21')",
    "event_size": "INSERT INTO customer_event VALUES ('x', 9, '2026-11-21', 't', NULL, "
    "NULL, '2026-11-21', printf('%.*c', 8193, 'x'), NULL)",
    "event_floor_one": "INSERT INTO event_floor VALUES (2, '2026-11-21')",
    "event_dedupe": "INSERT INTO customer_event VALUES ('c', 8, '2026-11-21', 't', "
    "NULL, NULL, '2026-11-21', '{}', 'd')",
    "event_work_once": "INSERT INTO event_work VALUES "
    "('w2', 'push', 'c', 1, '2026-11-21', 0, NULL, NULL)",
    "event_append_only": "UPDATE customer_event SET payload = '[]'",
    "event_append_only_delete": "DELETE FROM customer_event",
    "event_floor_rises": "UPDATE event_floor SET day = '2026-10-31'",
    "stream_head_forward": "UPDATE stream_head SET seq = 0",
}
FILL = """
INSERT INTO audit_head VALUES ('c', 1, x'00');
INSERT INTO audit_entry VALUES ('c', 1, 'i', '2026-11-21', 'SYSTEM', NULL, NULL, NULL,
  NULL, 'a', NULL, 'OK', NULL, '{}', 'r', x'00', x'01');
INSERT INTO stream_head VALUES ('c', 'a', 1, '2026-11-21');
INSERT INTO customer_event VALUES
  ('c', 1, '2026-11-21', 't', NULL, NULL, '2026-11-21', '{}', 'd');
INSERT INTO event_floor VALUES (1, '2026-11-01');
INSERT INTO event_work VALUES ('w', 'push', 'c', 1, '2026-11-21', 0, NULL, NULL);
"""
PLAIN_INDEXES = {"event_day", "event_work_due"}


@pytest.mark.parametrize("name", sorted(VIOLATIONS))
def test_a_foundation_constraint_bites(settings: Settings, name: str) -> None:
    file = settings.database_url.removeprefix("sqlite://")
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(FILL)
        with pytest.raises(sqlite3.IntegrityError) as refused:
            connection.execute(VIOLATIONS[name])

    assert explains(name, str(refused.value))


def explains(name: str, message: str) -> bool:
    """Tell whether the engine's complaint is about this constraint."""
    unique = {
        "audit_entry_id": "audit_entry.id",
        "event_dedupe": "customer_event.customer_id, customer_event.dedupe_key",
        "event_work_once": "event_work.consumer, event_work.customer_id",
    }
    said = {"audit_head_stays": "audit_head_forward"} | {
        "event_append_only_delete": "event_append_only"
    }
    return unique.get(name, said.get(name, name)) in message


def test_every_foundation_constraint_has_its_violation() -> None:
    foundation = {
        name
        for name, module in named().items()
        if module in {"app.audit", "app.upgrade", "app.realtime.log"}
    }

    assert foundation - set(VIOLATIONS) == PLAIN_INDEXES
