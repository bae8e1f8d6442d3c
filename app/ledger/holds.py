"""Money in two phases: set aside, then taken wholly or in part, or given back."""

from uuid import UUID

from app.database import Tx
from app.ids import uuid7
from app.ledger import chart, journal, lines, ops, posting
from app.ledger.book import Book
from app.ledger.errors import Refused
from app.ledger.lines import Words
from app.ledger.ops import Answer, Op
from app.ledger.posting import JournalKind, No
from app.money import Money
from app.rows import Row

_TAKE = (
    "UPDATE ledger_hold SET state = 'CAPTURED', "
    "captured = COALESCE(CAST($2 AS bigint), amount) "
    "WHERE id = $1 AND state = 'OPEN' "
    "AND COALESCE(CAST($2 AS bigint), amount) BETWEEN 1 AND amount "
    "RETURNING account_id, contra_id, amount, captured"
)
_FREE = (
    "UPDATE ledger_hold SET state = 'RELEASED' WHERE id = $1 AND state = 'OPEN' "
    "RETURNING account_id, contra_id, amount, captured"
)


class Holds:
    """Holds of one book. A hold has no expiry and is resolved exactly once.

    Args:
        book: whose money it is.
    """

    def __init__(self, book: Book) -> None:
        self._book = book

    async def hold(self, op: Op, payer: UUID, amount: Money, words: Words) -> Answer:
        """Set money aside; the op's id is the hold's id.

        Raises:
            Refused: floor, block, closed, currency, unknown account.
            Frozen: postings are stopped.
        """
        answer = Answer(
            kind=JournalKind.HOLD,
            at=self._book.clock.now(),
            journal=uuid7(),
            account=payer,
            amount=amount.minor,
            currency=amount.currency,
        )
        contra = chart.clearing_of(words.rail, amount.currency)

        async def work(tx: Tx) -> None:
            no = posting.amount_refusal(amount.minor)
            if no is not None:
                raise Refused(no)
            entry = self._book.entry(op, answer, amount.currency, words.narration)
            legs = posting.hold(payer, contra, amount.minor)
            sealed = await journal.write(tx, entry(JournalKind.HOLD, legs, hold=op.id))
            await tx.rows(
                "INSERT INTO ledger_hold (id, account_id, contra_id, amount, state, "
                "reason) VALUES ($1, $2, $3, $4, 'OPEN', $5)",
                op.id,
                payer,
                contra,
                amount.minor,
                words.narration[:200],
            )
            await lines.post(tx, sealed, words)

        return await ops.once(op, answer, work)

    async def capture(
        self, op: Op, hold: UUID, currency: str, amount: Money | None
    ) -> Answer:
        """Book held money, wholly or in part; the rest is free again.

        A block of the account does not stop it: the hold was the promise.

        Args:
            op: of the capture.
            hold: id of the hold.
            currency: of the hold.
            amount: what to take; None is all of it.

        Raises:
            Refused: VALIDATION where the hold is unknown, resolved or smaller;
                CURRENCY_MISMATCH.
            Frozen: postings are stopped.
        """
        answer = Answer(
            kind=JournalKind.CAPTURE, at=self._book.clock.now(), journal=uuid7()
        )

        async def work(tx: Tx) -> None:
            if amount is not None and amount.currency != currency:
                raise Refused(No.CURRENCY_MISMATCH)
            row = await tx.one(_TAKE, hold, None if amount is None else amount.minor)
            payer, contra, held = _resolved(row)
            taken = row.get("captured", int) if row else 0
            legs = posting.capture(payer, contra, held, taken)
            entry = self._book.entry(op, answer, currency, "capture")
            sealed = await journal.write(
                tx, entry(JournalKind.CAPTURE, legs, hold=hold)
            )
            await lines.book(tx, sealed, hold, taken)

        return await ops.once(op, answer, work)

    async def release(self, op: Op, hold: UUID, currency: str) -> Answer:
        """Free all held money.

        Raises:
            Refused: VALIDATION where the hold is unknown or resolved.
            Frozen: postings are stopped.
        """
        answer = Answer(
            kind=JournalKind.RELEASE, at=self._book.clock.now(), journal=uuid7()
        )

        async def work(tx: Tx) -> None:
            payer, contra, held = _resolved(await tx.one(_FREE, hold))
            legs = posting.release(payer, contra, held)
            entry = self._book.entry(op, answer, currency, "release")
            sealed = await journal.write(
                tx, entry(JournalKind.RELEASE, legs, hold=hold)
            )
            await lines.decline(tx, sealed, hold)

        return await ops.once(op, answer, work)


def _resolved(row: Row | None) -> tuple[UUID, UUID, int]:
    """Read whose hold it was, against what, and how much was held."""
    if row is None:
        raise Refused(No.VALIDATION)
    return (
        row.get("account_id", UUID),
        row.get("contra_id", UUID),
        row.get("amount", int),
    )
