import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from app import audit, database, links
from app import settings as app_settings
from app.audit import ActorKind, Broken, Entry, Outcome
from app.database import Tx
from app.errors import NotAllowed, Outage
from app.ids import CustomerId, DeviceId, SessionId
from app.rows import Scalar
from app.settings import Settings
from app.shelf import Shelf
from tests.conftest import BROKEN

ASHA, BEN = CustomerId(UUID(int=1)), CustomerId(UUID(int=2))
NOON = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
MANY = 1_000  # ten thousand are in test_audit_long
BATCH = 500
BATCHES = MANY // BATCH
CHAIN = str(ASHA)
MIDDLE = MANY // 2


def entry(number: int = 1, customer: CustomerId | None = ASHA) -> Entry:
    """Write down one act of a customer."""
    return Entry(
        action="paymentCreate",
        at=NOON + timedelta(milliseconds=number),
        request_id=f"req-{number}",
        customer=customer,
        actor_kind=ActorKind.CUSTOMER,
        device=DeviceId(UUID(int=3)),
        session=SessionId(UUID(int=4)),
        address="192.0.2.1",
        object=f"pay_{number:032x}",
        detail={"amount_minor": number, "sealed": True, "rail": None, "to": "…1234"},
    )


async def appended(*entries: Entry) -> None:
    """Append entries in one transaction."""

    async def work(tx: Tx) -> None:
        for one in entries:
            audit.append(tx, one)

    await database.transaction(work, name="test.append")


async def altered(sql: str, *args: Scalar) -> None:
    """Run a statement as somebody who owns the file, behind the bank's back."""

    async def work(tx: Tx) -> None:
        for guard in (
            "audit_append_only",
            "audit_append_only_delete",
            "audit_head_forward",
            "audit_head_stays",
        ):
            await tx.rows(f"DROP TRIGGER IF EXISTS {guard}")
        await tx.rows(sql, *args)

    await database.transaction(work, name="test.alter")


# ------------------------------------------------------------------ writing


async def test_entries_of_one_transaction_are_chained_in_order(
    bank_database: Settings,
) -> None:
    await appended(entry(1), entry(2))
    await appended(entry(3))

    rows = await database.read("SELECT * FROM audit_entry ORDER BY seq")

    assert [row.get("seq", int) for row in rows] == [1, 2, 3]
    assert rows[0].get("prev_hash", bytes) == bytes(32)
    hashes = [row.get("hash", bytes) for row in rows]
    assert [row.get("prev_hash", bytes) for row in rows[1:]] == hashes[:2]
    assert rows[0].get("detail", dict) == {
        "amount_minor": 1,
        "sealed": True,
        "rail": None,
        "to": "…1234",
    }
    assert await audit.verify() == []


async def test_every_customer_has_a_chain_and_the_bank_has_sixteen(
    bank_database: Settings,
) -> None:
    nameless = [entry(number, customer=None) for number in range(200)]
    await appended(entry(1, ASHA), entry(2, BEN), *nameless)

    heads = await database.read("SELECT chain FROM audit_head")

    chains = {head.get("chain", str) for head in heads}
    assert chains == {str(ASHA), str(BEN)} | {f"bank.{n}" for n in range(16)}
    assert await audit.verify() == []


async def test_a_rolled_back_act_leaves_no_entry(bank_database: Settings) -> None:
    async def work(tx: Tx) -> None:
        audit.append(tx, entry())
        raise NotAllowed

    with pytest.raises(NotAllowed):
        await database.transaction(work, name="test.refused")

    assert await database.read("SELECT 1 FROM audit_entry") == []
    assert await database.read("SELECT 1 FROM audit_head") == []


async def test_a_denied_act_is_kept_on_its_own(bank_database: Settings) -> None:
    no = replace(entry(), outcome=Outcome.DENIED, code="NOT_ALLOWED")

    await audit.denied(no)

    row = await database.read_one("SELECT outcome, code, id FROM audit_entry")
    assert row is not None
    assert row.get("outcome", Outcome) is Outcome.DENIED
    assert row.get("code", str) == "NOT_ALLOWED"
    assert row.get("id", UUID) == no.id.value


async def test_a_denied_act_that_cannot_be_kept_is_an_outage() -> None:
    with pytest.raises(Outage):
        await audit.denied(entry())


async def test_writers_at_once_make_one_gapless_chain(bank_database: Settings) -> None:
    await asyncio.gather(*(appended(entry(n), entry(n, BEN)) for n in range(1, 21)))

    heads = await database.read("SELECT seq FROM audit_head")

    assert [head.get("seq", int) for head in heads] == [20, 20]
    assert await audit.verify() == []


async def test_a_chain_goes_on_in_two_statements_where_its_head_is_known(
    bank_database: Settings,
) -> None:
    await appended(entry(1))

    async with database.watched_statements() as seen:
        await appended(entry(2), entry(3))

    assert [sql.split(" (")[0].split(" SET")[0] for sql in seen] == [
        "UPDATE audit_head",
        "INSERT INTO audit_entry",
    ]
    assert await audit.verify() == []


async def test_a_head_that_another_process_moved_is_asked_for_first(
    bank_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await appended(entry(1))
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(links, "_heads", Shelf[str, tuple[int, bytes]](9))
        await appended(entry(2))
        await appended(entry(3), entry(4))

    await appended(entry(5))
    await appended(entry(6))

    rows = await database.read("SELECT seq FROM audit_entry ORDER BY seq")
    assert [row.get("seq", int) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert await audit.verify() == []


async def test_what_was_rolled_back_is_no_end_of_a_chain(
    bank_database: Settings,
) -> None:
    await appended(entry(1))

    async def work(tx: Tx) -> None:
        audit.append(tx, entry(2))
        await tx.finish()
        raise NotAllowed

    with pytest.raises(NotAllowed):
        await database.transaction(work, name="test.refused")
    await appended(entry(3))

    head = await database.read_one("SELECT seq FROM audit_head")
    assert head is not None
    assert head.get("seq", int) == 2
    assert await audit.verify() == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_entry SET action = 'other'",
        "UPDATE audit_entry SET outcome = outcome",
        "DELETE FROM audit_entry",
        "UPDATE audit_head SET seq = seq - 1",
        "UPDATE audit_head SET chain = 'other'",
        "DELETE FROM audit_head",
    ],
)
async def test_the_database_itself_refuses_to_rewrite_history(
    bank_database: Settings, sql: str
) -> None:
    await appended(entry(1), entry(2))
    before = await database.read("SELECT hash FROM audit_entry ORDER BY seq")

    async def work(tx: Tx) -> None:
        await tx.rows(sql)

    with pytest.raises(BROKEN, match="audit_"):
        await database.transaction(work, name="test.rewrite")

    after = await database.read("SELECT hash FROM audit_entry ORDER BY seq")
    assert [r.get("hash", bytes) for r in after] == [
        r.get("hash", bytes) for r in before
    ]
    assert await audit.verify() == []


# ------------------------------------------------------------------ verifying


@pytest.fixture(scope="module")
def long_chain(empty_bank: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write one chain of 1,000 entries; every test gets a copy."""
    file = tmp_path_factory.mktemp("audit") / "bank.db"
    shutil.copy(empty_bank, file)

    async def fill() -> None:
        async with database.open_database(of(file)):
            for batch in range(BATCHES):
                first = batch * BATCH + 1
                await appended(*(entry(first + number) for number in range(BATCH)))

    asyncio.run(fill())
    return file


def of(file: Path) -> Settings:
    """Give the settings of a bank on a SQLite file."""
    return app_settings.load(
        env="test", database_url=f"sqlite://{file}", database_synchronous="OFF"
    )


@pytest.fixture
async def history(long_chain: Path, tmp_path: Path) -> AsyncIterator[Path]:
    """Open a copy of the long chain, which a test may break."""
    file = tmp_path / "copy.db"
    shutil.copy(long_chain, file)
    async with database.open_database(of(file)):
        yield file


async def test_a_chain_of_a_thousand_verifies(history: Path) -> None:
    assert await audit.verify() == []
    head = await database.read_one("SELECT seq FROM audit_head")
    assert head is not None
    assert head.get("seq", int) == MANY


@pytest.mark.parametrize(
    "change",
    [
        "action = 'limitSet'",
        "at = '2026-11-21 09:30:00.001000+00:00'",
        "actor_kind = 'STAFF'",
        "device_id = NULL",
        "address = '192.0.2.2'",
        "object = NULL",
        "outcome = 'DENIED'",
        "code = 'NOT_FOUND'",
        """detail = '{"amount_minor":1}'""",
        "request_id = 'other'",
        "hash = zeroblob(32)",
        "prev_hash = zeroblob(32)",
    ],
)
async def test_one_changed_column_among_a_thousand_rows_is_named(
    history: Path, change: str
) -> None:
    await altered(f"UPDATE audit_entry SET {change} WHERE seq = $1", MIDDLE)  # noqa: S608  -- a test's own text

    assert await audit.verify() == [Broken(CHAIN, MIDDLE, "changed or inserted")]


async def inserted(place: int) -> None:
    """Push a copy of a row in before it; SQLite only."""
    await altered("UPDATE audit_entry SET seq = -seq - 1 WHERE seq >= $1", place)
    await altered("UPDATE audit_entry SET seq = -seq WHERE seq < 0")
    await altered(
        "INSERT INTO audit_entry SELECT chain, seq - 1, '0', at, actor_kind, actor_id, "
        "device_id, session_id, address, action, object, outcome, code, detail, "
        "request_id, prev_hash, hash FROM audit_entry WHERE seq = $1",
        place + 1,
    )
    await altered("UPDATE audit_entry SET id = $1 WHERE seq = $2", UUID(int=9), place)


@pytest.mark.parametrize("seq", [1, MIDDLE])
async def test_one_removed_row_is_named(history: Path, seq: int) -> None:
    await altered("DELETE FROM audit_entry WHERE seq = $1", seq)

    assert await audit.verify() == [Broken(CHAIN, seq, "missing")]


async def test_a_removed_newest_row_is_named(history: Path) -> None:
    await altered("DELETE FROM audit_entry WHERE seq = $1", MANY)

    assert await audit.verify() == [Broken(CHAIN, MANY, "missing at the end")]


async def test_one_inserted_row_is_named(history: Path) -> None:
    await inserted(MIDDLE)

    assert await audit.verify() == [Broken(CHAIN, MIDDLE, "changed or inserted")]


async def test_a_row_forged_behind_the_newest_is_named(history: Path) -> None:
    head = await database.read_one("SELECT hash FROM audit_head")
    await appended(entry(MANY + 1))  # chained rightly, as only an owner could
    assert head is not None
    await altered(
        "UPDATE audit_head SET seq = seq - 1, hash = $1", head.get("hash", bytes)
    )

    assert await audit.verify() == [Broken(CHAIN, MANY + 1, "changed or inserted")]


async def test_a_head_that_names_another_hash_is_named(history: Path) -> None:
    await altered("UPDATE audit_head SET hash = $1", bytes(32))

    assert await audit.verify() == [Broken(CHAIN, MANY, "the head names another hash")]


async def test_a_chain_whose_head_was_removed_is_named(history: Path) -> None:
    await altered("DELETE FROM audit_head")

    assert await audit.verify() == [Broken(CHAIN, 1, "a chain without a head")]


async def test_the_proof_finds_a_missing_row_too(history: Path) -> None:
    (proof,) = audit.proofs()
    assert await database.read(proof.full) == []

    await altered("DELETE FROM audit_entry WHERE seq = $1", MIDDLE)

    (row,) = await database.read(proof.full)
    assert (row.get("seq", int), row.get("there", int)) == (MANY, MANY - 1)


async def test_the_quick_proof_finds_an_entry_beyond_its_head(history: Path) -> None:
    (proof,) = audit.proofs()
    assert await database.read(proof.since, NOON) == []

    await altered("UPDATE audit_head SET seq = seq - 1")

    (row,) = await database.read(proof.since, NOON)
    assert row.get("seq", int) == MANY
