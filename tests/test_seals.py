"""What the owner of the database does to history, and which seal gives him away."""

import asyncio
import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from app import audit, database, seals
from app.auth import signing
from app.auth.keys import jwk_of
from app.auth.signing_ring import Rotation, SigningRing
from app.clock import StoppedClock, rfc3339
from app.database import Tx
from app.rows import Scalar
from app.settings import Settings
from app.vault import Vault
from tests.conftest import BROKEN, NOON
from tests.test_audit import BEN, CHAIN, appended, entry

HOUR = NOON.replace(minute=0)
SEALED = f"seal {rfc3339(HOUR)}"
TABLES = ("audit_entry", "audit_head", "audit_seal", "audit_sealed_head")


@pytest.fixture
async def ring(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> SigningRing:
    """Give an open ring, and two customers to whom something was done."""
    opened = SigningRing(clock, vault)
    await opened.open()
    await appended(entry(1), entry(2), entry(1, BEN))
    return opened


async def owner(sql: str, *args: Scalar) -> None:
    """Run a statement as somebody who owns the database."""

    async def work(tx: Tx) -> None:
        if database.dialect() == "postgres":
            for table in TABLES:
                await tx.rows(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        else:
            found = await tx.rows(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' "
                "AND tbl_name LIKE 'audit%'"
            )
            for row in found:
                await tx.rows(f"DROP TRIGGER {row.get('name', str)}")
        await tx.rows(sql, *args)

    await database.transaction(work, name="test.owner")


async def faults(ring: SigningRing) -> list[str]:
    return await seals.verify(await ring.ever())


async def test_an_hour_is_sealed_once_and_only_when_something_moved(
    ring: SigningRing, clock: StoppedClock
) -> None:
    first = await seals.seal(clock, ring)
    again = await seals.seal(clock, ring)
    clock.move(seconds=3600)
    still = await seals.seal(clock, ring)
    await appended(entry(3))
    second = await seals.seal(clock, ring)

    assert first is not None
    assert (first.hour, first.heads) == (HOUR, 2)
    assert (again, still) == (None, None)
    assert second is not None
    assert (second.hour, second.heads) == (HOUR + timedelta(hours=1), 1)
    assert await seals.after(None) == [first, second]
    assert await seals.after(HOUR) == [second]
    assert await faults(ring) == []


async def test_a_seal_is_what_the_page_on_operations_says(
    ring: SigningRing, clock: StoppedClock
) -> None:
    made = await seals.seal(clock, ring)

    heads = await database.read("SELECT chain, seq, hash FROM audit_head ORDER BY 1")
    text = bytes(32) + rfc3339(HOUR).encode()
    for head in heads:
        line = f"\n{head.get('chain', str)} {head.get('seq', int)} ".encode()
        text += line + head.get("hash", bytes)
    assert made is not None
    assert made.digest == hashlib.sha256(text).digest()
    message = b"sixpence/audit-seal/v1\x00" + made.digest
    key = ring.find(made.kid)
    assert key is not None
    assert signing.is_signed(key.public, made.signature, message)


async def test_many_heads_are_hashed_page_by_page_to_the_same_digest(
    ring: SigningRing, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.seals._PAGE", 1)
    await seals.seal(clock, ring)
    monkeypatch.undo()

    assert await faults(ring) == []


async def test_workers_at_once_make_one_seal(
    ring: SigningRing, clock: StoppedClock
) -> None:
    made = await asyncio.gather(*(seals.seal(clock, ring) for _ in range(4)))

    assert len([one for one in made if one is not None]) == 1
    assert len(await seals.after(None)) == 1
    assert await faults(ring) == []


async def test_seals_of_a_retired_key_verify_for_ever(
    ring: SigningRing, clock: StoppedClock
) -> None:
    first = await seals.seal(clock, ring)
    await ring.rotate(Rotation(by="Meera", reason="leaked", staff=True, at_once=True))
    clock.move(days=400)

    second = await seals.seal(clock, ring)

    assert first is not None
    assert second is not None
    assert first.kid != second.kid
    assert ring.find(first.kid) is None  # no token of it can live
    assert await faults(ring) == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_seal SET kid = kid",
        "DELETE FROM audit_seal",
        "UPDATE audit_sealed_head SET seq = seq + 1",
        "DELETE FROM audit_sealed_head",
        "INSERT INTO audit_seal VALUES ('2026-11-21', 0, 'd', 'k', 's')",
    ],
)
async def test_the_database_itself_refuses_to_rewrite_seals(
    ring: SigningRing, clock: StoppedClock, sql: str
) -> None:
    await seals.seal(clock, ring)

    async def work(tx: Tx) -> None:
        await tx.rows(sql)

    with pytest.raises(BROKEN, match="audit_seal"):
        await database.transaction(work, name="test.rewrite")

    assert await faults(ring) == []


async def test_each_further_step_of_a_forger_meets_the_next_seal(
    ring: SigningRing, clock: StoppedClock, tmp_path: Path
) -> None:
    made = await seals.seal(clock, ring)
    assert made is not None
    assert await seals.anchor(tmp_path / "anchor") == 1
    other = entry(2)

    # The chain is written anew, hashes and all.
    await owner("DELETE FROM audit_entry WHERE chain = $1", CHAIN)
    await owner("DELETE FROM audit_head WHERE chain = $1", CHAIN)
    await appended(entry(1), other)
    assert await audit.verify() == []
    assert await faults(ring) == [f"chain {CHAIN}, row 2: not as it was sealed"]

    # The sealed head, too.
    await owner(
        "UPDATE audit_sealed_head SET hash = "
        "(SELECT hash FROM audit_head WHERE chain = $1) WHERE chain = $1",
        CHAIN,
    )
    assert await faults(ring) == [f"{SEALED}: not over these heads"]

    # And the digest.
    forged = await digest_of_now()
    await owner("UPDATE audit_seal SET digest = $1", forged)
    assert await faults(ring) == [f"{SEALED}: not signed by a key of the bank"]

    # Signed with a key of his own, which he adds to the bank's: the anchor knows.
    await signed_by_himself(forged)
    assert await faults(ring) == []
    lines = (tmp_path / "anchor").read_text().splitlines()
    assert await seals.compare(lines) == [f"{SEALED}: another one is anchored"]


async def digest_of_now() -> bytes:
    """Compute the digest over the sealed heads as they stand."""
    heads = await database.read(
        "SELECT chain, seq, hash FROM audit_sealed_head ORDER BY chain"
    )
    text = bytes(32) + rfc3339(HOUR).encode()
    for head in heads:
        line = f"\n{head.get('chain', str)} {head.get('seq', int)} ".encode()
        text += line + head.get("hash", bytes)
    return hashlib.sha256(text).digest()


async def signed_by_himself(digest: bytes) -> None:
    """Add a foreign key to the ring's table and sign with it."""
    mine = ec.generate_private_key(ec.SECP256R1())
    await owner(
        "INSERT INTO signing_key (kid, sealed_private, public_jwk, state, made_at) "
        "VALUES ('ffffffffffffffff', $1, $2, 'RETIRED', $3)",
        b"",
        jwk_of(mine.public_key()).text,
        NOON - timedelta(days=900),
    )
    signature = signing.sign(mine, b"sixpence/audit-seal/v1\x00" + digest)
    await owner(
        "UPDATE audit_seal SET kid = 'ffffffffffffffff', signature = $1", signature
    )


async def test_seals_hang_together(ring: SigningRing, clock: StoppedClock) -> None:
    for number in (3, 4, 5):
        await seals.seal(clock, ring)
        clock.move(seconds=3600)
        await appended(entry(number))
    await seals.seal(clock, ring)

    middle = HOUR + timedelta(hours=1)
    await owner("DELETE FROM audit_sealed_head WHERE hour = $1", middle)
    await owner("DELETE FROM audit_seal WHERE hour = $1", middle)

    after = rfc3339(middle + timedelta(hours=1))
    assert await faults(ring) == [f"seal {after}: not over these heads"]


# ------------------------------------------------------------------ anchors


async def test_an_anchor_gets_what_it_lacks_and_nothing_twice(
    ring: SigningRing, clock: StoppedClock, tmp_path: Path
) -> None:
    file = tmp_path / "anchor"
    first = await seals.seal(clock, ring)
    assert [await seals.anchor(file) for _ in range(2)] == [1, 0]
    clock.move(seconds=3600)
    await appended(entry(3))
    second = await seals.seal(clock, ring)
    assert first is not None
    assert second is not None
    whole = f"{first.line}\n{second.line[:40]}"  # a crash cut the second one short
    file.write_text(whole)

    assert [await seals.anchor(file) for _ in range(2)] == [1, 0]

    lines = file.read_text().splitlines()
    assert lines == [first.line, second.line[:40], second.line]
    foreign = ["", "[]", '{"kind":"entry"}', '{"kind":"seal"}']
    assert await seals.compare([*lines, *foreign]) == []


async def test_a_seal_that_is_gone_is_missed_by_its_anchor(
    ring: SigningRing, clock: StoppedClock, tmp_path: Path
) -> None:
    await seals.seal(clock, ring)
    await seals.anchor(tmp_path / "anchor")
    await owner("DELETE FROM audit_sealed_head")
    await owner("DELETE FROM audit_seal")

    lines = (tmp_path / "anchor").read_text().splitlines()

    assert await faults(ring) == []
    assert await seals.compare(lines) == [f"{SEALED}: gone from the database"]
