"""The book: opens accounts, moves money at once, undoes, blocks, and stops itself."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app import database
from app.clock import Clock
from app.database import Tx
from app.ids import CustomerId, uuid7
from app.ledger import chart, journal, lines, ops, posting
from app.ledger.chart import House
from app.ledger.errors import Refused
from app.ledger.journal import Entry
from app.ledger.lines import Words
from app.ledger.ops import Answer, Op
from app.ledger.posting import JournalKind, Leg, No, Phase, State
from app.money import Money, exponent_of

_CUSTOMER_KINDS = frozenset(("CURRENT", "SAVINGS", "POT"))
_SET_STATE = (
    "UPDATE ledger_balance SET state = $2, changed_at = $3 WHERE account_id = $1 "
    "AND state <> 'CLOSED' AND (CAST($2 AS text) <> 'CLOSED' "
    "OR (committed = 0 AND pending_out = 0 AND pending_in = 0)) RETURNING account_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A customer's account to be opened.

    Args:
        id: chosen by the caller; the same id again changes nothing.
        owner: whose it is.
        kind: CURRENT, SAVINGS or POT.
        name, masked_number: as a list shows it.
        currency: ISO 4217.
        floor: lowest balance in minor units: 0, or minus the arranged overdraft.
    """

    id: UUID
    owner: CustomerId
    kind: str
    name: str
    masked_number: str
    currency: str
    floor: int = 0


class Book:
    """Double-entry book of the embedded core. Every movement is one transaction.

    Args:
        clock: gives instants and bank days.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    async def open_account(self, opening: Opening) -> None:
        """Open an account with nothing on it, and the house accounts it needs.

        Raises:
            Refused: VALIDATION for another kind or a floor above 0.
        """
        if opening.kind not in _CUSTOMER_KINDS or opening.floor > 0:
            raise Refused(No.VALIDATION)
        at = self.clock.now()

        async def work(tx: Tx) -> None:
            await chart.ensure(tx, opening.currency, at)
            await _insert_account(tx, opening, at)

        await database.transaction(work, name="ledger.open_account")

    async def transfer(
        self, op: Op, payer: UUID, payee: UUID, amount: Money, words: Words
    ) -> Answer:
        """Move money at once.

        Raises:
            Refused: floor, block, closed, currency, unknown account, the payer itself.
            Frozen: postings are stopped.
        """
        return await self.post(op, JournalKind.TRANSFER, (payer, payee), amount, words)

    async def deposit(
        self, op: Op, account: UUID, amount: Money, memo: str, *, opening: bool = False
    ) -> Answer:
        """Put money in: from the bank's cash, or as the balance an account opens with.

        Raises:
            Refused: blocked for credits, closed, currency, unknown account.
            Frozen: postings are stopped.
        """
        house = House.OPENING if opening else House.NOSTRO
        kind = JournalKind.OPENING if opening else JournalKind.DEPOSIT
        source = chart.account_of(house, amount.currency)
        return await self.post(
            op, kind, (source, account), amount, Words(narration=memo)
        )

    async def post(
        self,
        op: Op,
        kind: JournalKind,
        sides: tuple[UUID, UUID],
        amount: Money,
        words: Words,
    ) -> Answer:
        """Write one journal that moves committed money from the first side."""
        at = self.clock.now()
        answer = Answer(kind=kind, at=at, journal=uuid7())

        async def work(tx: Tx) -> None:
            no = posting.amount_refusal(amount.minor)
            if no is not None or sides[0] == sides[1]:
                raise Refused(no or No.VALIDATION)
            entry = self.entry(op, answer, amount.currency, words.narration)
            legs = posting.transfer(*sides, amount.minor)
            sealed = await journal.write(tx, entry(kind, legs))
            await lines.post(tx, sealed, words)

        return await ops.once(op, answer, work)

    async def reverse(self, op: Op, undone: UUID, reason: str) -> Answer:
        """Book the opposite of an earlier journal, once.

        Raises:
            Refused: VALIDATION if nothing is to be undone or it was undone before;
                the receiver's floor or block, as for a debit.
            Frozen: postings are stopped.
        """
        answer = Answer(kind=JournalKind.REVERSAL, at=self.clock.now(), journal=uuid7())

        async def work(tx: Tx) -> None:
            legs, currency = await _undoable(tx, undone)
            entry = self.entry(op, answer, currency, reason)
            sealed = await journal.write(
                tx, entry(JournalKind.REVERSAL, legs, reverses=undone)
            )
            await lines.reverse(tx, sealed, undone, reason)

        return await ops.once(op, answer, work)

    async def set_state(self, op: Op, account: UUID, state: State) -> Answer:
        """Block, unblock or close an account; what is closed stays closed.

        Raises:
            Refused: ACCOUNT_NOT_FOUND, ACCOUNT_CLOSED, or VALIDATION where money is
                left on an account that is to be closed.
        """
        answer = Answer(kind="SET_STATE", at=self.clock.now())

        async def work(tx: Tx) -> None:
            if await tx.one(_SET_STATE, account, state, answer.at) is None:
                raise await _unmovable(tx, account)
            await tx.rows(
                "UPDATE ledger_account SET state = $2 WHERE id = $1", account, state
            )

        return await ops.once(op, answer, work)

    async def frozen(self) -> str | None:
        """Tell why all postings are stopped; None while they go on."""
        row = await database.read_one(
            "SELECT reason FROM ledger_control WHERE frozen_at IS NOT NULL"
        )
        return None if row is None else row.get("reason", str)

    async def freeze(self, reason: str) -> bool:
        """Stop all postings; reads go on. The first reason stays, for others: False."""

        async def work(tx: Tx) -> bool:
            stopped = await tx.one(
                "INSERT INTO ledger_control (id, frozen_at, reason) VALUES (1, $1, $2) "
                "ON CONFLICT (id) DO UPDATE SET frozen_at = excluded.frozen_at, "
                "reason = excluded.reason WHERE ledger_control.frozen_at IS NULL "
                "RETURNING id",
                self.clock.now(),
                reason[:200],
            )
            return stopped is not None

        return await database.transaction(work, name="ledger.freeze")

    async def unfreeze(self, reason: str) -> None:
        """Allow postings again."""

        async def work(tx: Tx) -> None:
            await tx.rows(
                "UPDATE ledger_control SET frozen_at = NULL, reason = $1 WHERE id = 1",
                reason[:200],
            )

        await database.transaction(work, name="ledger.unfreeze")

    def entry(self, op: Op, answer: Answer, currency: str, memo: str) -> "_Blank":
        """Begin a journal for an operation; called with kind and legs it is whole."""
        return _Blank(self.clock, op, answer, currency, memo[:200])


@dataclass(frozen=True, slots=True)
class _Blank:
    """A journal that lacks only its kind and legs."""

    clock: Clock
    op: Op
    answer: Answer
    currency: str
    memo: str

    def __call__(
        self,
        kind: JournalKind,
        legs: tuple[Leg, ...],
        *,
        hold: UUID | None = None,
        reverses: UUID | None = None,
    ) -> Entry:
        assert self.answer.journal is not None  # noqa: S101  -- made with the answer
        return Entry(
            id=self.answer.journal,
            op=self.op.id,
            kind=kind,
            legs=legs,
            currency=self.currency,
            memo=self.memo,
            at=self.answer.at,
            value_on=self.answer.at.astimezone(self.clock.zone).date(),
            hold=hold,
            reverses=reverses,
        )


async def _insert_account(tx: Tx, opening: Opening, at: datetime) -> None:
    made = await tx.one(
        "INSERT INTO ledger_account (id, owner_id, kind, name, masked_number, "
        "currency, exponent, state, opened_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, 'OPEN', $8) "
        "ON CONFLICT (id) DO NOTHING RETURNING id",
        opening.id,
        opening.owner,
        opening.kind,
        opening.name,
        opening.masked_number,
        opening.currency,
        exponent_of(opening.currency),
        at,
    )
    if made is not None:
        await tx.rows(
            "INSERT INTO ledger_balance (account_id, committed, pending_out, "
            "pending_in, floor_minor, state, version, changed_at) "
            "VALUES ($1, 0, 0, 0, $2, 'OPEN', 0, $3)",
            opening.id,
            opening.floor,
            at,
        )


async def _undoable(tx: Tx, undone: UUID) -> tuple[tuple[Leg, ...], str]:
    """Give the legs that undo a journal, and its currency."""
    rows = await tx.rows(
        "SELECT p.account_id, p.phase, p.amount, a.currency FROM ledger_posting p "
        "JOIN ledger_account a ON a.id = p.account_id "
        "JOIN ledger_journal j ON j.id = p.journal_id "
        "WHERE p.journal_id = $1 AND p.phase = 'COMMITTED' AND j.kind <> 'REVERSAL' "
        "AND NOT EXISTS (SELECT 1 FROM ledger_journal r WHERE r.reverses_id = $1) "
        "ORDER BY p.no",
        undone,
    )
    if not rows:
        raise Refused(No.VALIDATION)
    legs = [
        Leg(
            row.get("account_id", UUID), row.get("phase", Phase), row.get("amount", int)
        )
        for row in rows
    ]
    return posting.reversal(legs), rows[0].get("currency", str)


async def _unmovable(tx: Tx, account: UUID) -> Refused:
    row = await tx.one(
        "SELECT state FROM ledger_balance WHERE account_id = $1", account
    )
    if row is None:
        return Refused(No.ACCOUNT_NOT_FOUND)
    closed = row.get("state", State) is State.CLOSED
    return Refused(No.ACCOUNT_CLOSED if closed else No.VALIDATION)
