"""`audit verify` and `audit export` at a terminal: whole, broken, sealed, anchored."""

import asyncio
import hashlib
import json

import orjson
import pytest
import structlog

from app import settings, worker
from app.auth.standing import NewCustomer, Staff
from app.bank import open_bank
from tests.behind import ask, engine_of, run
from tests.terminal import WHO, Terminal, terminal

__all__ = ["terminal"]

COLUMNS = (
    *("chain", "seq", "id", "at", "actor_kind", "actor_id", "device_id", "session_id"),
    *("address", "action", "object", "outcome", "code", "detail", "request_id"),
)
STAFF = Staff(name="Meera", reason="ticket 4711")
ASHA = NewCustomer(name="Asha Rao", phone="+919876543210")
WHOLE = "Every chain is whole.\n"


def people(terminal: Terminal) -> None:
    """Add two customers, and give the first a code again and again."""
    for number, name in (("10000001", "Asha Rao"), ("10000002", "Ben Okafor")):
        options = ("--name", name, "--phone", f"+9198765432{number[-2:]}")
        assert (
            terminal.type("customers", "add", *options, "--number", number, *WHO).code
            == 0
        )
    assert terminal.type("customers", "code", "10000001", *WHO).code == 0


def without_guards(terminal: Terminal, sql: str) -> None:
    """Run a statement as somebody who owns the database, and leave no trace."""
    if engine_of(terminal.settings) == "postgres":
        tables = ("audit_entry", "audit_head", "audit_seal", "audit_sealed_head")
        off = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables]
        on = [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables]
    else:
        found = ask(
            terminal.settings,
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' "
            "AND tbl_name LIKE 'audit%'",
        )
        off = [f"DROP TRIGGER {name}" for name, _ in found]
        on = [str(trigger) for _, trigger in found]
    run(terminal.settings, ";".join([*off, sql, *on]))


def hashed_again(line: dict[str, object]) -> str:
    """Hash an exported entry as docs/operations.md says."""
    columns = [line[name] for name in COLUMNS]
    text = json.dumps(columns, separators=(",", ":"), ensure_ascii=False)
    before = bytes.fromhex(str(line["prev_hash"]))
    return hashlib.sha256(before + text.encode()).hexdigest()


def exported(terminal: Terminal, *words: str) -> list[dict[str, object]]:
    """Export, and read every line."""
    done = terminal.type("audit", "export", *WHO, *words)
    assert (done.code, done.error) == (0, "")
    return [orjson.loads(line) for line in done.lines]


# ------------------------------------------------------------------ verify


def test_a_whole_bank_verifies_and_an_empty_one_too(terminal: Terminal) -> None:
    empty = terminal.type("audit", "verify")
    people(terminal)

    whole = terminal.type("audit", "verify")

    assert (empty.code, empty.out) == (0, WHOLE)
    assert (whole.code, whole.out) == (0, WHOLE)


CHANGES = {
    "changed": "UPDATE audit_entry SET actor_id = 'nobody' WHERE {row}",
    "removed": "DELETE FROM audit_entry WHERE {row}",
    "inserted": "UPDATE audit_entry SET seq = seq + 10 WHERE seq >= 2 AND {chain};"
    "UPDATE audit_entry SET seq = seq - 9 WHERE seq >= 12 AND {chain};"
    "INSERT INTO audit_entry SELECT chain, 2, {id}, at, actor_kind, actor_id, "
    "device_id, session_id, address, action, object, outcome, code, detail, "
    "request_id, prev_hash, hash FROM audit_entry WHERE seq = 3 AND {chain}",
}


@pytest.mark.parametrize("what", CHANGES)
def test_one_changed_removed_or_inserted_row_is_named(
    terminal: Terminal, what: str
) -> None:
    people(terminal)
    asha = longest_chain(terminal)
    chain = f"chain = '{asha}'"
    other = "'00000000-0000-7000-8000-000000000009'"
    sql = CHANGES[what].format(row=f"seq = 2 AND {chain}", chain=chain, id=other)
    without_guards(terminal, sql)

    broken = terminal.type("audit", "verify")

    why = "missing" if what == "removed" else "changed or inserted"
    assert broken.code == 1
    assert broken.lines[0] == f"chain {asha}, row 2: {why}"
    assert broken.lines[-1] == "broken"
    late = terminal.type("audit", "verify", "--from", "2100-01-01")
    beyond = [f"chain {asha}, row 4: changed or inserted", "broken"]
    assert late.lines == (beyond if what == "inserted" else [WHOLE.strip()])


def longest_chain(terminal: Terminal) -> str:
    """Name the chain of the customer to whom most was done."""
    ((chain, seq),) = ask(
        terminal.settings, "SELECT chain, seq FROM audit_head ORDER BY seq DESC LIMIT 1"
    )
    assert seq == 3
    return str(chain)


# ------------------------------------------------------------------ export


def test_whoever_reads_an_export_can_hash_every_chain_again(terminal: Terminal) -> None:
    people(terminal)

    lines = exported(terminal)

    before: dict[object, object] = {}
    for line in lines:
        assert line["kind"] == "entry"
        assert line["prev_hash"] == before.get(line["chain"], "00" * 32)
        assert line["hash"] == hashed_again(line)
        before[line["chain"]] = line["hash"]
    rows = ask(terminal.settings, "SELECT count(*) FROM audit_entry")
    assert rows == [(len(lines),)]
    (own,) = [line for line in lines if line["action"] == "staff.audit_exported"]
    assert (own["actor_kind"], own["actor_id"]) == ("STAFF", "Meera")
    assert own["detail"] == '{"reason":"ticket 4711"}'


def test_one_customer_is_exported_alone_and_sees_it(terminal: Terminal) -> None:
    people(terminal)
    asha = longest_chain(terminal)
    terminal.patch.setattr("app.auditor._PAGE", 2)

    lines = exported(terminal, "--customer", "10000001")

    assert {line["chain"] for line in lines} == {asha}
    assert [line["seq"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["action"] == "staff.audit_exported"
    assert exported(terminal, "--from", "2100-01-01T00:00:00") == []
    unknown = terminal.type("audit", "export", *WHO, "--customer", "99999999")
    assert (unknown.code, unknown.out) == (1, "")
    assert unknown.error == "NOT_FOUND: No customer has that number.\n"


# ------------------------------------------------------------------ seals


async def sealed(terminal: Terminal) -> None:
    """Let a worker seal the hour and fill the anchor."""
    async with open_bank(settings.load(), frozenset()) as bank:
        await worker.seal(bank)


@pytest.mark.slow
def test_a_history_that_was_replaced_as_a_whole_is_named_by_seal_and_anchor(
    terminal: Terminal,
) -> None:
    anchor = terminal.folder / "anchor.jsonl"
    terminal.set("AUDIT_ANCHOR_FILE", str(anchor))
    people(terminal)
    asyncio.run(sealed(terminal))
    whole = terminal.type("audit", "verify")
    (seal,) = [line for line in exported(terminal) if line["kind"] == "seal"]
    assert (whole.code, whole.out) == (0, WHOLE)
    assert anchor.read_bytes() == orjson.dumps(seal) + b"\n"
    asha = longest_chain(terminal)

    less = f"DELETE FROM audit_sealed_head WHERE chain = '{asha}'"  # noqa: S608  -- a test's own text
    without_guards(terminal, less)
    fewer = terminal.type("audit", "verify")
    without_guards(terminal, "DELETE FROM audit_sealed_head; DELETE FROM audit_seal")
    none = terminal.type("audit", "verify")
    elsewhere = terminal.type("audit", "verify", "--anchors", str(anchor))
    terminal.set("AUDIT_ANCHOR_FILE", str(terminal.folder / "gone.jsonl"))
    gone = terminal.type("audit", "verify")

    hour = seal["hour"]
    assert fewer.lines == [f"seal {hour}: not over these heads", "broken"]
    assert none.lines == [f"seal {hour}: gone from the database", "broken"]
    assert (none.code, elsewhere) == (1, none)
    assert (gone.code, gone.out) == (1, "")
    assert gone.error == ("VALIDATION_FAILED: gone.jsonl is not a readable anchor.\n")


async def test_an_anchor_that_cannot_be_written_is_an_alarm_and_no_more(
    terminal: Terminal,
) -> None:
    terminal.set("AUDIT_ANCHOR_FILE", str(terminal.folder / "no" / "folder"))
    async with open_bank(settings.load(), frozenset()) as bank:
        await bank.customers.add(STAFF, ASHA)
        with structlog.testing.capture_logs() as logs:
            await worker.seal(bank)

    assert [line["event"] for line in logs] == ["audit_not_anchored"]
    assert ask(terminal.settings, "SELECT heads FROM audit_seal") == [(1,)]
