"""The core's own idempotency: an operation id is answered once and for ever."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from app import database
from app.database import Tx
from app.ledger.errors import Refused
from app.ledger.posting import No
from app.rows import Row

Work = Callable[[Tx], Awaitable[None]]

_ASK = "SELECT fingerprint, outcome, code, answer FROM ledger_op WHERE op_id = $1"
_CLAIM = (
    "INSERT INTO ledger_op "
    "(op_id, fingerprint, kind, outcome, code, journal_id, answer, at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
    "ON CONFLICT (op_id) DO NOTHING RETURNING op_id"
)


@dataclass(frozen=True, slots=True)
class Op:
    """One write: its id, and a digest of its body that a repeat must share."""

    id: UUID
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is stored of an operation that happened, and given to its repeats.

    Args:
        kind: name of the operation.
        at: when it happened.
        journal: what it booked, if it booked something.
        account, amount, currency: of a hold, in minor units.
    """

    kind: str
    at: datetime
    journal: UUID | None = None
    account: UUID | None = None
    amount: int | None = None
    currency: str | None = None


async def once(op: Op, answer: Answer, work: Work) -> Answer:
    """Do an operation once: a repeat of its id gets the stored answer.

    A refusal rolls back, and then the id alone is stored as rejected in a second short
    transaction: a refused id stays refused. A kill between the two leaves the id never
    seen, and it is judged afresh.

    Args:
        op: id and fingerprint.
        answer: what it will have been if `work` does not refuse.
        work: moves the money; raises Refused.

    Raises:
        Refused: by `work`, or as stored, or DUPLICATE_MISMATCH for another body.
        Frozen: postings are stopped; nothing is stored.
    """

    async def claimed(tx: Tx) -> Answer:
        if not await _stored(tx, op, answer, None):
            return _answered(op, await tx.one(_ASK, op.id))
        await work(tx)
        return answer

    try:
        return await database.transaction(claimed, name=f"ledger.{answer.kind.lower()}")
    except Refused as refused:
        if refused.stored:
            raise
        return await _remembered(op, answer, refused)


async def _remembered(op: Op, answer: Answer, refused: Refused) -> Answer:
    async def work(tx: Tx) -> Answer | None:
        if await _stored(tx, op, answer, refused.no):
            return None
        return _answered(op, await tx.one(_ASK, op.id))

    twin = await database.transaction(work, name="ledger.refused")
    if twin is None:
        raise refused
    return twin


async def _stored(tx: Tx, op: Op, answer: Answer, no: No | None) -> bool:
    row = await tx.one(
        _CLAIM,
        op.id,
        op.fingerprint,
        answer.kind,
        "OK" if no is None else "REJECTED",
        no,
        answer.journal if no is None else None,
        orjson.dumps(answer).decode(),
        answer.at,
    )
    return row is not None


async def lookup(op: Op) -> Answer:
    """Tell what became of an operation.

    Raises:
        Refused: it was refused, is another operation, or was never seen.
    """
    return _answered(op, await database.read_one(_ASK, op.id))


def _answered(op: Op, row: Row | None) -> Answer:
    if row is None:
        raise Refused(No.NEVER_SEEN, stored=True)
    if row.get("fingerprint", bytes) != op.fingerprint:
        raise Refused(No.DUPLICATE_MISMATCH, stored=True)
    if row.get("outcome", str) == "REJECTED":
        raise Refused(row.get("code", No), stored=True)
    found = row.get("answer", dict)
    return Answer(
        kind=found["kind"],
        at=datetime.fromisoformat(found["at"]),
        journal=UUID(found["journal"]) if found["journal"] else None,
        account=UUID(found["account"]) if found["account"] else None,
        amount=found["amount"],
        currency=found["currency"],
    )
