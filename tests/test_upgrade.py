import asyncio
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app import settings as app_settings
from app import upgrade
from app.settings import Misconfigured, Settings
from app.upgrade import SchemaBehind
from tests.behind import ask, catalogue, engine_of, guards_wanted, run, tables, with_ids
from tests.conftest import BROKEN
from tests.journeys.warm import launch

if TYPE_CHECKING:
    from tests.postgres import Server

ROOT = Path(__file__).resolve().parents[1]
STEPS = sorted(step.stem for step in (ROOT / "app/migrations").glob("0*.py"))
FIRST = STEPS[0]
ROWS = """
INSERT INTO proof_watermark VALUES ('ledger', '2026-11-21', '2026-11-21');
INSERT INTO audit_head VALUES ('cus_1', 0, x'00');
INSERT INTO idempotency VALUES ('c', 'paymentCreate', 'k', x'00', 'w', '2026-11-21');
INSERT INTO stream_head VALUES ('c', 'a1', 7, '2026-11-21');
INSERT INTO customer_event VALUES
  ('c', 7, '2026-11-21', 'BalanceChanged', NULL, 's', '2026-11-21', '{}', 'd');
INSERT INTO event_floor VALUES (1, '2026-11-01');
INSERT INTO event_work VALUES ('w', 'push', 'c', 7, '2026-11-21', 0, NULL, NULL);
"""


@pytest.fixture
def empty(tmp_path: Path, postgres: "Server | None") -> Iterator[Settings]:
    """Give settings of a database without a table; on SQLite without a file."""
    if postgres is None:
        url = f"sqlite://{tmp_path}/new.db"
        yield app_settings.load(env="test", database_url=url)
        return
    name = postgres.fresh("template0")
    yield app_settings.load(env="test", database_url=postgres.url(name))
    postgres.drop(name)


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """Give settings of a migrated database with a row in every foundation table."""
    run(settings, with_ids(ROWS))
    return settings


# ------------------------------------------------------------------ up


async def test_a_new_database_gets_every_step_and_every_guard(empty: Settings) -> None:
    assert await upgrade.migrate(empty) == STEPS

    assert guards_wanted(empty) <= catalogue(empty)
    await upgrade.require_head(empty)
    ((file_hash,),) = ask(empty, "SELECT file_hash FROM schema_guard")
    text = (ROOT / f"app/migrations/{engine_of(empty)}.sql").read_bytes()
    assert file_hash == hashlib.sha256(text).hexdigest()


async def test_a_second_migrate_does_nothing(filled: Settings) -> None:
    before = catalogue(filled)

    assert await upgrade.migrate(filled) == []

    assert catalogue(filled) == before
    assert ask(filled, "SELECT seq FROM customer_event") == [(7,)]


async def test_up_down_and_up_again_over_rows_keeps_the_rows(filled: Settings) -> None:
    down = await upgrade.migrate(filled, target=FIRST)

    assert down == STEPS[:0:-1]
    assert ask(filled, "SELECT seq FROM customer_event") == [(7,)]
    assert "payment" not in tables(filled)
    with pytest.raises(SchemaBehind, match="python -m app migrate"):
        await upgrade.require_head(filled)

    up = await upgrade.migrate(filled)

    assert up == STEPS[1:]
    assert guards_wanted(filled) <= catalogue(filled)
    assert ask(filled, "SELECT seq FROM customer_event") == [(7,)]
    assert ask(filled, "SELECT chain FROM audit_head") == [("cus_1",)]
    await upgrade.require_head(filled)


async def test_every_step_can_be_taken_back_alone(filled: Settings) -> None:
    for lower in reversed(STEPS[:-1]):
        assert len(await upgrade.migrate(filled, target=lower)) == 1

    assert await upgrade.migrate(filled) == STEPS[1:]
    assert guards_wanted(filled) <= catalogue(filled)


async def test_half_way_the_guards_that_fit_are_on(filled: Settings) -> None:
    await upgrade.migrate(filled, target=FIRST)

    with pytest.raises(BROKEN, match="event_append_only"):
        run(filled, "DELETE FROM customer_event")
    assert ask(filled, "SELECT file_hash FROM schema_guard") == [("",)]


async def test_three_migrates_at_once_all_end_well(
    empty: Settings, tmp_path: Path
) -> None:
    own = {"SIXPENCE_ENV": "test", "SIXPENCE_DATABASE_URL": empty.database_url}
    said, words = tmp_path / "said", ("app", "migrate")
    started = [launch(words, ROOT, os.environ | own, said, said) for _ in range(3)]

    ends = [await asyncio.to_thread(child.wait, 60) for child in started]

    assert ends == [0, 0, 0]
    assert guards_wanted(empty) <= catalogue(empty)
    assert ask(empty, "SELECT count(*) FROM schema_guard") == [(1,)]
    made = ask(empty, "SELECT name FROM tortoise_migrations ORDER BY name")
    assert [name for (name,) in made] == STEPS
    await upgrade.require_head(empty)


async def test_what_looks_at_the_result_runs_before_the_end_is_told(
    empty: Settings,
) -> None:
    seen: list[set[str]] = []

    async def proofs() -> None:
        seen.append(catalogue(empty))
        raise Misconfigured("ledger.sum: 1 row")

    with pytest.raises(Misconfigured, match=r"ledger\.sum"):
        await upgrade.migrate(empty, after=proofs)

    assert guards_wanted(empty) <= seen[0]


# ------------------------------------------------------------------ guards


@pytest.fixture
def own_guards(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Give a copy of the guard file that a test may change."""
    folder = tmp_path / "guards"
    folder.mkdir()
    copy = folder / f"{engine_of(settings)}.sql"
    shutil.copy(ROOT / "app/migrations" / copy.name, copy)
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
    assert "extra" in catalogue(filled)
    rewritten(own_guards, good)

    await upgrade.migrate(filled)

    assert "extra" not in catalogue(filled)


DROPS = {
    "a trigger": "DROP TRIGGER audit_append_only",
    "an index": "DROP INDEX event_dedupe",
}


@pytest.mark.parametrize("what", DROPS)
async def test_a_missing_guard_is_noticed_and_put_back(
    filled: Settings, what: str
) -> None:
    run(filled, dropping(filled, what))

    with pytest.raises(SchemaBehind):
        await upgrade.require_head(filled)
    await upgrade.migrate(filled)

    await upgrade.require_head(filled)
    assert guards_wanted(filled) <= catalogue(filled)


def dropping(settings: Settings, what: str) -> str:
    """Write how a guard is dropped; on PostgreSQL a trigger is its table's."""
    of_table = what == "a trigger" and engine_of(settings) == "postgres"
    return DROPS[what] + (" ON audit_entry" if of_table else "")


NOTES = {
    "sqlite": "CREATE TRIGGER dba_note AFTER INSERT ON event_work BEGIN SELECT 1; END;",
    "postgres": "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RETURN NULL; END $$; CREATE TRIGGER dba_note AFTER INSERT "
    "ON event_work FOR EACH ROW EXECUTE FUNCTION noted();",
}


async def test_a_trigger_of_the_banks_own_dba_is_left_alone(filled: Settings) -> None:
    run(filled, NOTES[engine_of(filled)] + dropping(filled, "a trigger"))

    await upgrade.migrate(filled)

    assert "dba_note" in catalogue(filled)


async def test_a_database_nobody_migrated_is_refused(empty: Settings) -> None:
    with pytest.raises(SchemaBehind, match="python -m app migrate"):
        await upgrade.require_head(empty)


@pytest.mark.only("sqlite")  # PostgreSQL refuses the row itself
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
