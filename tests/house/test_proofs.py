"""What must hold is proved: a room with guarded tables says how, and it is run."""

import ast
import importlib

from app import database, upgrade
from app.clock import StoppedClock
from app.database import Proof
from app.settings import Settings
from tests.conftest import ROOMS_WITH_PROOFS, all_proofs
from tests.house.tree import ROOT, called, files, named, nodes, parsed

# Where the tables of a room's books live, and who proves them.
KEEPERS = {
    "audit": "app.audit",
    "customer_event": "app.realtime.coherence",
    "ledger": "app.ledger.coherence",
    "payment": "app.payments.coherence",
    "push_dispatch": "app.notifications.coherence",
    "risk_decision": "app.payments.coherence",
}


def guarded_tables() -> set[str]:
    """Name the tables that may not be rewritten: they have a trigger."""
    return {
        table
        for kind, _name, table in upgrade.guard_names("sqlite")
        if kind == "TRIGGER"
    }


def test_every_room_with_append_only_books_exports_proofs() -> None:
    for keeper in KEEPERS.values():
        assert callable(importlib.import_module(keeper).proofs), keeper


def test_every_append_only_table_has_a_keeper() -> None:
    append_only = {
        table
        for _kind, name, table in upgrade.guard_names("sqlite")
        if "append_only" in name
    }

    for table in append_only:
        assert any(table.startswith(stem) for stem in KEEPERS), table
    assert append_only <= guarded_tables()


def test_every_file_that_exports_proofs_is_run_by_the_tests_and_by_the_bank() -> None:
    exporters = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in files("app")
        for node in nodes(file)
        if isinstance(node, ast.FunctionDef)
        and node.name == "proofs"
        and node in parsed(file).body
        and named(file) != "app/bank.py"
    }

    assert exporters == set(ROOMS_WITH_PROOFS)


async def test_every_proof_runs_and_holds_in_an_empty_bank(
    bank_database: Settings, clock: StoppedClock
) -> None:
    for proof in all_proofs():
        assert await database.read(proof.full) == [], proof.name
        assert await database.read(proof.since, clock.now()) == [], proof.name


def test_every_proof_has_a_name_of_its_own() -> None:
    names = [proof.name for proof in all_proofs()]

    assert len(names) == len(set(names))
    assert all(isinstance(proof, Proof) for proof in all_proofs())


def gathered() -> set[str]:
    """Name the modules whose proofs `Bank.proofs` asks for."""
    tree = parsed(ROOT / "app/bank.py")
    aliases = {
        name.asname or name.name: f"{node.module}.{name.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    return {
        aliases[call.removesuffix(".proofs")]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (call := called(node)).endswith(".proofs")
        and call.removesuffix(".proofs") in aliases
    }


def test_the_bank_gathers_every_proof_and_the_worker_runs_them() -> None:
    """The ledger's come through the core's port; the others are imported by name."""
    ledger = {"app.ledger.coherence"}

    assert gathered() == set(KEEPERS.values()) - ledger
    assert "isinstance(self.core, CanProve)" in (ROOT / "app/bank.py").read_text()
    assert "_bank.proofs()" in (ROOT / "app/proving.py").read_text()
    assert "prover.round" in (ROOT / "app/worker.py").read_text()
    embedded = ROOT / "app/integrations/core_banking/embedded.py"
    assert "coherence.proofs()" in embedded.read_text()
