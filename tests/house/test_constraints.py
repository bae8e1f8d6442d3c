"""Every CHECK, trigger and index is named by a room, is there, and bites."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from app import upgrade
from app.settings import Settings
from tests.behind import catalogue, engine_of, run, with_ids
from tests.conftest import BROKEN

ROOT = Path(__file__).resolve().parents[2]
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


def without_verbs(names: set[str]) -> set[str]:
    """Give names as if every rule needed one trigger."""
    return {VERB.sub("", name) for name in names}


def test_the_database_holds_every_named_constraint_and_no_other(
    settings: Settings,
) -> None:
    there, known = without_verbs(catalogue(settings)), without_verbs(set(named()))

    assert known - there == set()
    assert there - known == set()


def test_both_engines_have_the_same_guards() -> None:
    sqlite, postgres = (
        {VERB.sub("", name) for _kind, name, _table in upgrade.guard_names(engine)}
        for engine in ("sqlite", "postgres")
    )

    assert sqlite ^ postgres == set()


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
    "NULL, '2026-11-21', {long}, NULL)",
    "event_floor_one": "INSERT INTO event_floor VALUES (2, '2026-11-21')",
    "event_dedupe": "INSERT INTO customer_event VALUES ('c', 8, '2026-11-21', 't', "
    "NULL, NULL, '2026-11-21', '{}', 'd')",
    "event_work_once": "INSERT INTO event_work VALUES "
    "('v', 'push', 'c', 1, '2026-11-21', 0, NULL, NULL)",
    "event_append_only": "UPDATE customer_event SET payload = '[]'",
    "event_append_only_delete": "DELETE FROM customer_event",
    "event_floor_rises": "UPDATE event_floor SET day = '2026-10-31'",
    "event_floor_stays": "DELETE FROM event_floor",
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


LONG = {"sqlite": "printf('%.*c', 8193, 'y')", "postgres": "repeat('y', 8193)"}


def written(settings: Settings, sql: str) -> str:
    """Write out the ids and the long text."""
    return with_ids(sql).replace("{long}", LONG[engine_of(settings)])


@pytest.mark.parametrize("name", sorted(VIOLATIONS))
def test_a_foundation_constraint_bites(settings: Settings, name: str) -> None:
    run(settings, written(settings, FILL))

    with pytest.raises(BROKEN) as refused:
        run(settings, written(settings, VIOLATIONS[name]))

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
    return any(
        known in message for known in (name, unique.get(name), said.get(name)) if known
    )


def test_every_foundation_constraint_has_its_violation() -> None:
    foundation = {
        name
        for name, module in named().items()
        if module in {"app.audit", "app.upgrade", "app.realtime.log"}
    }

    assert foundation - set(VIOLATIONS) == PLAIN_INDEXES
