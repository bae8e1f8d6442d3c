"""Our words for what we let a remote core write: kept before, found again by the op.

A core shows which op of ours made a row, and little else. Whoever pays and is paid, the
payment, the reference: these we know, and the row shows them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid5

from app import database, retention
from app.database import Tx
from app.ids import AccountId
from app.integrations.core_banking import Narrative
from app.rows import Row

_NAME_MAX = 140
_NARRATION_MAX = 200
_MASK_MAX = 40
_COLUMNS = (
    "op_id, root, src, dst, payment_ref, rail, reference, narration, payer_name, "
    "payer_masked, payee_name, payee_masked, journal, held"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What is known of one write.

    Args:
        op: its id.
        root: whose row it continues: a capture's hold, else the op itself.
        src, dst: the core's names of the accounts that it touches.
        text: the words.
        journal: the movement it became.
        held: the amount of a hold that may be open, in minor units.
    """

    op: UUID
    root: UUID
    src: str | None
    dst: str | None
    text: Narrative
    journal: UUID | None = None
    held: int | None = None

    def row_on(self, account: AccountId) -> UUID:
        """Name the row of an account: the same from the hold to its capture."""
        return uuid5(self.root, str(account.value))

    def undone_by(self, op: UUID, reason: str) -> "Words":
        """Give the words of a write that undoes this one: the sides change places."""
        text = self.text
        back = replace(
            text,
            memo=reason,
            payer_name=text.payee_name,
            payer_masked=text.payee_masked,
            payee_name=text.payer_name,
            payee_masked=text.payer_masked,
        )
        return Words(op=op, root=op, src=self.dst, dst=self.src, text=back)


async def keep(words: Words, at: datetime) -> bool:
    """Keep the words of a write before it is sent; a repeat changes nothing.

    But a hold that seemed never to be, and is sent again, may be open again. Gives
    whether that or the words are new.

    Raises:
        Outage: our database does not answer; nothing may be sent.
    """
    text = words.text

    async def work(tx: Tx) -> bool:
        row = await tx.one(
            f"INSERT INTO mirror_words ({_COLUMNS}, at) VALUES "  # noqa: S608  -- placeholders only
            f"{database.placeholders(1, 15)} "
            "ON CONFLICT (op_id) DO UPDATE SET held = excluded.held "
            "WHERE mirror_words.held IS NULL AND excluded.held IS NOT NULL "
            "RETURNING op_id",
            words.op,
            words.root,
            words.src,
            words.dst,
            str(text.payment) if text.payment else None,
            text.rail,
            _cut(text.reference, _NAME_MAX),
            text.memo[:_NARRATION_MAX],
            _cut(text.payer_name, _NAME_MAX),
            _cut(text.payer_masked, _MASK_MAX),
            _cut(text.payee_name, _NAME_MAX),
            _cut(text.payee_masked, _MASK_MAX),
            words.journal,
            words.held,
            at,
        )
        return row is not None

    return await database.transaction(work, name="words.keep")


async def became(op: UUID, journal: UUID) -> None:
    """Note which movement a write became, so that its reversal finds it."""

    async def work(tx: Tx) -> None:
        await tx.rows(
            "UPDATE mirror_words SET journal = $2 "
            "WHERE op_id = $1 AND journal IS NULL RETURNING op_id",
            op,
            journal,
        )

    await database.transaction(work, name="words.became")


async def ended(hold: UUID) -> None:
    """Note that a hold is not open: it was refused, booked or freed."""

    async def work(tx: Tx) -> None:
        await tx.rows(
            "UPDATE mirror_words SET held = NULL WHERE op_id = $1 RETURNING op_id", hold
        )

    await database.transaction(work, name="words.ended")


async def prune(before: datetime, *, batch: int = retention.BATCH) -> int:
    """Forget words from before an instant that became nothing, `batch` at a time.

    Those are of refused writes, and of holds that ended. A movement keeps its words as
    long as its payment: a mirror that was emptied asks for them. Gives how many went.
    """
    return await retention.forget(
        "DELETE FROM mirror_words WHERE op_id IN (SELECT op_id FROM mirror_words "
        "WHERE at < $1 AND journal IS NULL AND held IS NULL LIMIT $2) RETURNING op_id",
        before,
        name="words.prune",
        batch=batch,
    )


async def of_holds(tx: Tx, src: str, held: int) -> list[Words]:
    """Find the words of holds of an amount that may be open, newest first."""
    rows = await tx.rows(
        f"SELECT {_COLUMNS} FROM mirror_words WHERE src = $1 AND held = $2 "  # noqa: S608  -- constant
        "ORDER BY at DESC, op_id DESC LIMIT 100",
        src,
        held,
    )
    return [_words(row) for row in rows]


async def of(op: UUID) -> Words | None:
    """Find the words of a write."""
    row = await database.read_one(
        f"SELECT {_COLUMNS} FROM mirror_words WHERE op_id = $1",  # noqa: S608  -- constant
        op,
    )
    return None if row is None else _words(row)


async def of_movement(journal: UUID) -> Words | None:
    """Find the words of the write that became a movement."""
    row = await database.read_one(
        f"SELECT {_COLUMNS} FROM mirror_words WHERE journal = $1 LIMIT 1",  # noqa: S608  -- constant
        journal,
    )
    return None if row is None else _words(row)


async def of_ops(tx: Tx, ops: Iterable[UUID]) -> dict[UUID, Words]:
    """Find the words of several writes, in a transaction."""
    wanted = sorted(set(ops))
    if not wanted:
        return {}
    rows = await tx.rows(
        f"SELECT {_COLUMNS} FROM mirror_words "  # noqa: S608  -- placeholders only
        f"WHERE op_id IN {database.placeholders(1, len(wanted))}",
        *wanted,
    )
    return {words.op: words for words in map(_words, rows)}


def _words(row: Row) -> Words:
    payment = row.find("payment_ref", str)
    return Words(
        op=row.get("op_id", UUID),
        root=row.get("root", UUID),
        src=row.find("src", str),
        dst=row.find("dst", str),
        text=Narrative(
            memo=row.find("narration", str) or "",
            payment=None if payment is None else UUID(payment),
            rail=row.get("rail", str),
            reference=row.find("reference", str),
            payer_name=row.find("payer_name", str),
            payer_masked=row.find("payer_masked", str),
            payee_name=row.find("payee_name", str),
            payee_masked=row.find("payee_masked", str),
        ),
        journal=row.find("journal", UUID),
        held=row.find("held", int),
    )


def _cut(text: str | None, longest: int) -> str | None:
    return None if text is None else text[:longest]
