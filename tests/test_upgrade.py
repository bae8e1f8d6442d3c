import asyncio
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app import settings as app_settings
from app import upgrade
from app.settings import Misconfigured, Settings
from app.upgrade import SchemaBehind

ROOT = Path(__file__).resolve().parents[1]
STEPS = sorted(step.stem for step in (ROOT / "app/migrations").glob("0*.py"))
FIRST = STEPS[0]
MIGRATE = (
    "import asyncio; from app import settings, upgrade; "
    "asyncio.run(upgrade.migrate(settings.load()))"
)
ROWS = """
INSERT INTO proof_watermark VALUES ('ledger', '2026-11-21', '2026-11-21');
INSERT INTO audit_head VALUES ('cus_1', 0, x'00');
INSERT INTO idempotency VALUES ('c', 'paymentCreate', 'k', x'00', 'o', '2026-11-21');
INSERT INTO stream_head VALUES ('c', 'a1', 7, '2026-11-21');
INSERT INTO customer_event VALUES
  ('c', 7, '2026-11-21', 'BalanceChanged', NULL, 's', '2026-11-21', '{}', 'd');
INSERT INTO event_floor VALUES (1, '2026-11-01');
INSERT INTO event_work VALUES ('w', 'push', 'c', 7, '2026-11-21', 0, NULL, NULL);
"""


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    """Give settings of a database that does not exist yet."""
    return app_settings.load(env="test", database_url=f"sqlite://{tmp_path}/new.db")


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """Give settings of a migrated database with a row in every foundation table."""
    run(settings, ROWS)
    return settings


def file_of(settings: Settings) -> str:
    return settings.database_url.removeprefix("sqlite://")


def run(settings: Settings, script: str) -> None:
    """Run SQL behind the bank's back."""
    with closing(sqlite3.connect(file_of(settings))) as connection:
        connection.executescript(script)


def ask(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file_of(settings))) as connection:
        return connection.execute(sql).fetchall()


def guards_there(settings: Settings) -> set[object]:
    sql = "SELECT name FROM sqlite_master WHERE type IN ('trigger', 'index')"
    return {name for (name,) in ask(settings, sql)}


def guards_wanted() -> set[str]:
    return {name for _kind, name, _table in upgrade.guard_names("sqlite")}


# ------------------------------------------------------------------ up


async def test_a_new_database_gets_every_step_and_every_guard(empty: Settings) -> None:
    assert await upgrade.migrate(empty) == STEPS

    assert guards_wanted() <= guards_there(empty)
    await upgrade.require_head(empty)
    ((file_hash,),) = ask(empty, "SELECT file_hash FROM schema_guard")
    text = (ROOT / "app/migrations/sqlite.sql").read_bytes()
    assert file_hash == hashlib.sha256(text).hexdigest()


async def test_a_second_migrate_does_nothing(filled: Settings) -> None:
    before = ask(filled, "SELECT * FROM sqlite_master ORDER BY name")

    assert await upgrade.migrate(filled) == []

    assert ask(filled, "SELECT * FROM sqlite_master ORDER BY name") == before
    assert ask(filled, "SELECT seq FROM customer_event") == [(7,)]


async def test_up_down_and_up_again_over_rows_keeps_the_rows(filled: Settings) -> None:
    down = await upgrade.migrate(filled, target=FIRST)

    assert down == STEPS[:0:-1]
    assert ask(filled, "SELECT seq FROM customer_event") == [(7,)]
    assert ask(filled, "SELECT name FROM sqlite_master WHERE name = 'payment'") == []
    with pytest.raises(SchemaBehind, match="python -m app migrate"):
        await upgrade.require_head(filled)

    up = await upgrade.migrate(filled)

    assert up == STEPS[1:]
    assert guards_wanted() <= guards_there(filled)
    assert ask(filled, "SELECT seq FROM customer_event") == [(7,)]
    assert ask(filled, "SELECT chain FROM audit_head") == [("cus_1",)]
    await upgrade.require_head(filled)


async def test_every_step_can_be_taken_back_alone(filled: Settings) -> None:
    for lower in reversed(STEPS[:-1]):
        assert len(await upgrade.migrate(filled, target=lower)) == 1

    assert await upgrade.migrate(filled) == STEPS[1:]
    assert guards_wanted() <= guards_there(filled)


async def test_half_way_the_guards_that_fit_are_on(filled: Settings) -> None:
    await upgrade.migrate(filled, target=FIRST)

    with pytest.raises(sqlite3.IntegrityError, match="event_append_only"):
        run(filled, "DELETE FROM customer_event")
    assert ask(filled, "SELECT file_hash FROM schema_guard") == [("",)]


async def test_three_migrates_at_once_all_end_well(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/shared.db"
    shared = app_settings.load(env="test", database_url=url)
    own = {"SIXPENCE_ENV": "test", "SIXPENCE_DATABASE_URL": url}
    started = [
        subprocess.Popen(  # noqa: ASYNC220  -- our own script, thrice at once
            [sys.executable, "-c", MIGRATE], cwd=ROOT, env=os.environ | own
        )
        for _ in range(3)
    ]

    ends = [await asyncio.to_thread(child.wait, 60) for child in started]

    assert ends == [0, 0, 0]
    assert guards_wanted() <= guards_there(shared)
    assert ask(shared, "SELECT count(*) FROM schema_guard") == [(1,)]
    await upgrade.require_head(shared)


async def test_what_looks_at_the_result_runs_before_the_end_is_told(
    empty: Settings,
) -> None:
    seen: list[set[object]] = []

    async def proofs() -> None:
        seen.append(guards_there(empty))
        raise Misconfigured("ledger.sum: 1 row")

    with pytest.raises(Misconfigured, match=r"ledger\.sum"):
        await upgrade.migrate(empty, after=proofs)

    assert guards_wanted() <= seen[0]


# ------------------------------------------------------------------ guards


@pytest.fixture
def own_guards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a copy of the guard file that a test may change."""
    folder = tmp_path / "guards"
    folder.mkdir()
    copy = folder / "sqlite.sql"
    shutil.copy(ROOT / "app/migrations/sqlite.sql", copy)
    monkeypatch.setattr("app.upgrade._FOLDER", folder)
    yield copy
    monkeypatch.undo()


def longer(file: Path, text: str) -> str:
    """Add text to a file; gives what it held before."""
    before = file.read_text()
    rewritten(file, before + text)
    return before


def rewritten(file: Path, text: str) -> None:
    file.write_text(text)


async def test_a_guard_that_does_not_fit_leaves_no_hash_and_the_bank_stays_shut(
    filled: Settings, own_guards: Path
) -> None:
    bad = "\n--\nCREATE INDEX IF NOT EXISTS nowhere ON no_such_table (id)\n"
    longer(own_guards, bad)

    with pytest.raises(Misconfigured, match="missing after the upgrade: nowhere"):
        await upgrade.migrate(filled)

    assert ask(filled, "SELECT file_hash FROM schema_guard") == [("",)]
    with pytest.raises(SchemaBehind):
        await upgrade.require_head(filled)
    assert ask(filled, "SELECT seq FROM customer_event") == [(7,)]


async def test_a_mended_guard_file_opens_the_bank_again(
    filled: Settings, own_guards: Path
) -> None:
    good = longer(own_guards, "\n--\nCREATE TRIGGER broken BEFORE")
    with pytest.raises(Misconfigured):
        await upgrade.migrate(filled)
    rewritten(own_guards, good)

    assert await upgrade.migrate(filled) == []

    await upgrade.require_head(filled)


async def test_a_guard_that_left_the_file_is_taken_off(
    filled: Settings, own_guards: Path
) -> None:
    more = "\n--\nCREATE INDEX IF NOT EXISTS extra ON proof_watermark (at)\n"
    good = longer(own_guards, more)
    await upgrade.migrate(filled)
    assert "extra" in guards_there(filled)
    rewritten(own_guards, good)

    await upgrade.migrate(filled)

    assert "extra" not in guards_there(filled)


@pytest.mark.parametrize(
    "drop", ["DROP TRIGGER audit_append_only", "DROP INDEX event_dedupe"]
)
async def test_a_missing_guard_is_noticed_and_put_back(
    filled: Settings, drop: str
) -> None:
    run(filled, drop)

    with pytest.raises(SchemaBehind):
        await upgrade.require_head(filled)
    await upgrade.migrate(filled)

    await upgrade.require_head(filled)
    assert guards_wanted() <= guards_there(filled)


async def test_a_trigger_of_the_banks_own_dba_is_left_alone(filled: Settings) -> None:
    run(
        filled,
        "CREATE TRIGGER dba_note AFTER INSERT ON event_work BEGIN SELECT 1; END;"
        "DROP TRIGGER audit_append_only;",
    )

    await upgrade.migrate(filled)

    assert "dba_note" in guards_there(filled)


async def test_a_database_nobody_migrated_is_refused(empty: Settings) -> None:
    with pytest.raises(SchemaBehind, match="python -m app migrate"):
        await upgrade.require_head(empty)


async def test_rows_that_point_to_nothing_fail_the_upgrade(filled: Settings) -> None:
    run(
        filled,
        "PRAGMA foreign_keys = OFF; CREATE TABLE parent (id INT PRIMARY KEY);"
        "CREATE TABLE child (parent INT REFERENCES parent (id));"
        "INSERT INTO child VALUES (1); DROP TRIGGER audit_append_only;",
    )

    with pytest.raises(Misconfigured, match="1 rows point to nothing"):
        await upgrade.migrate(filled)


def test_a_guard_file_is_read_statement_by_statement() -> None:
    for engine in ("sqlite", "postgres"):
        statements = upgrade.guard_statements(engine)

        assert len(statements) > 50
        assert not [text for text in statements if text.startswith("--")]
        # Only PostgreSQL's functions hold more than one sentence.
        firsts = {text.split()[0] for text in statements}
        assert firsts == {"CREATE", "DROP"}
