"""The rows a customer sees: made, booked, declined, reversed, and told to the log.

A row keeps its id and its place from pending to booked (banking.md section 2.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from app import database
from app.database import Tx
from app.ids import AccountId, CustomerId, PaymentId, TransactionId, uuid7
from app.ledger.journal import Account, Sealed
from app.ledger.posting import JournalKind, State
from app.realtime import log
from app.realtime.facts import BalanceChanged, TransactionPosted, TransactionUpdated
from app.realtime.shots import (
    AccountShot,
    BalanceShot,
    CounterpartyShot,
    TransactionShot,
)
from app.rows import Row, Scalar, record

COLUMNS = (
    "id, account_id, op_id, journal_id, direction, amount, kind, status, "
    "counterparty_name, counterparty_masked, rail, payment_ref, reference, "
    "narration, value_on, search, running_balance, created_at, booked_at"
)
_KINDS = {
    JournalKind.OPENING: "OTHER",
    JournalKind.DEPOSIT: "CASH",
    JournalKind.FEE: "FEE",
    JournalKind.REVERSAL: "REVERSAL",
}
_NAME_MAX = 140
_NARRATION_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What is written beside a movement.

    Args:
        narration: the line as the bank's statement prints it.
        payment: the payment behind it.
        rail: over which it went.
        reference: text both sides see.
        payer, payee: each side's name and masked number; None is taken from the book.
    """

    narration: str
    payment: UUID | None = None
    rail: str = "INTERNAL"
    reference: str | None = None
    payer: tuple[str | None, str | None] = (None, None)
    payee: tuple[str | None, str | None] = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of one account. `amount` is positive, in minor units."""

    id: UUID
    account: UUID
    op: UUID
    journal: UUID
    direction: str
    amount: int
    kind: str
    status: str
    counterparty: tuple[str | None, str | None]
    rail: str
    payment: UUID | None
    reference: str | None
    narration: str
    value_on: date | None
    running_balance: int | None
    created_at: datetime
    booked_at: datetime | None

    @property
    def search(self) -> str:
        """What a text filter looks in, in small letters."""
        parts = (self.counterparty[0], self.narration, self.reference)
        return " ".join(part for part in parts if part).lower()


_READ = record(
    id=UUID,
    account_id=UUID,
    op_id=UUID,
    journal_id=UUID,
    direction=str,
    amount=int,
    kind=str,
    status=str,
    counterparty_name=str | None,
    counterparty_masked=str | None,
    rail=str,
    payment_ref=UUID | None,
    reference=str | None,
    narration=str,
    value_on=date | None,
    running_balance=int | None,
    created_at=datetime,
    booked_at=datetime | None,
)


def line_of(row: Row) -> Line:
    """Read a row of the table."""
    found = _READ(row)
    return Line(
        id=found["id"],
        account=found["account_id"],
        op=found["op_id"],
        journal=found["journal_id"],
        direction=found["direction"],
        amount=found["amount"],
        kind=found["kind"],
        status=found["status"],
        counterparty=(found["counterparty_name"], found["counterparty_masked"]),
        rail=found["rail"],
        payment=found["payment_ref"],
        reference=found["reference"],
        narration=found["narration"],
        value_on=found["value_on"],
        running_balance=found["running_balance"],
        created_at=found["created_at"],
        booked_at=found["booked_at"],
    )


async def post(tx: Tx, sealed: Sealed, words: Words) -> None:
    """Make the rows of a journal's owners, booked or pending, and tell them."""
    entry = sealed.entry
    made = [
        _made(sealed, account, effect.spendable, words)
        for effect in entry.effects
        for account in (sealed.accounts[effect.account],)
        if account.owner is not None
    ]
    await _insert(tx, made)
    _tell(tx, sealed, posted=made)


def _made(sealed: Sealed, account: Account, moved: int, words: Words) -> Line:
    entry = sealed.entry
    booked = entry.kind is not JournalKind.HOLD
    given = words.payer if moved > 0 else words.payee
    return Line(
        id=uuid7(),
        account=account.id,
        op=entry.op,
        journal=entry.id,
        direction="IN" if moved > 0 else "OUT",
        amount=abs(moved),
        kind=_KINDS.get(entry.kind, "TRANSFER"),
        status="BOOKED" if booked else "PENDING",
        counterparty=_other_side(sealed, account, given),
        rail=words.rail,
        payment=words.payment,
        reference=words.reference and words.reference[:_NAME_MAX],
        narration=words.narration[:_NARRATION_MAX],
        value_on=entry.value_on if booked else None,
        running_balance=sealed.figures[account.id].committed if booked else None,
        created_at=entry.at,
        booked_at=entry.at if booked else None,
    )


def _other_side(
    sealed: Sealed, account: Account, given: tuple[str | None, str | None]
) -> tuple[str | None, str | None]:
    """Name the other side: as given, else as the book knows it; houses have none."""
    name, masked = given
    if name is None:
        for other in sealed.accounts.values():
            if other.id != account.id and other.owner is not None:
                return other.name, other.masked_number
    return (name and name[:_NAME_MAX]), masked


async def _insert(tx: Tx, made: Sequence[Line]) -> None:
    if not made:
        return
    values: list[Scalar] = []
    for line in made:
        values += [line.id, line.account, line.op, line.journal, line.direction]
        values += [line.amount, line.kind, line.status, *line.counterparty, line.rail]
        values += [str(line.payment) if line.payment else None, line.reference]
        values += [line.narration, line.value_on, line.search, line.running_balance]
        values += [line.created_at, line.booked_at]
    await tx.rows(
        f"INSERT INTO ledger_line ({COLUMNS}) VALUES "  # noqa: S608  -- placeholders only
        + database.placeholders(len(made), 19),
        *values,
    )


async def book(tx: Tx, sealed: Sealed, hold: UUID, taken: int) -> None:
    """Turn the pending row of a captured hold booked, with what was really taken."""
    entry = sealed.entry
    rows = await tx.rows(
        "UPDATE ledger_line SET status = 'BOOKED', amount = $2, journal_id = $3, "  # noqa: S608  -- constant
        "value_on = $4, booked_at = $5, running_balance = $6 "
        f"WHERE op_id = $1 AND status = 'PENDING' RETURNING {COLUMNS}",
        hold,
        taken,
        entry.id,
        entry.value_on,
        entry.at,
        _payer(sealed),
    )
    _tell(tx, sealed, updated=[line_of(row) for row in rows])


def _payer(sealed: Sealed) -> int:
    """Give the booked balance of the account whose money was held."""
    payer = min(sealed.entry.effects, key=lambda effect: effect.committed).account
    return sealed.figures[payer].committed


async def decline(tx: Tx, sealed: Sealed, hold: UUID) -> None:
    """Turn the pending row of a released hold declined: it never moved the balance."""
    rows = await tx.rows(
        "UPDATE ledger_line SET status = 'DECLINED' "  # noqa: S608  -- constant
        f"WHERE op_id = $1 AND status = 'PENDING' RETURNING {COLUMNS}",
        hold,
    )
    _tell(tx, sealed, updated=[line_of(row) for row in rows])


async def reverse(tx: Tx, sealed: Sealed, undone: UUID, reason: str) -> None:
    """Mark the rows of an undone journal and add those that give the money back."""
    entry = sealed.entry
    rows = await tx.rows(
        "UPDATE ledger_line SET status = 'REVERSED' "  # noqa: S608  -- constant
        f"WHERE journal_id = $1 AND status = 'BOOKED' RETURNING {COLUMNS}",
        undone,
    )
    old = [line_of(row) for row in rows]
    made = [
        replace(
            line,
            id=uuid7(),
            op=entry.op,
            journal=entry.id,
            direction="IN" if line.direction == "OUT" else "OUT",
            kind=_KINDS[JournalKind.REVERSAL],
            status="BOOKED",
            narration=reason[:_NARRATION_MAX],
            value_on=entry.value_on,
            running_balance=sealed.figures[line.account].committed,
            created_at=entry.at,
            booked_at=entry.at,
        )
        for line in old
    ]
    await _insert(tx, made)
    _tell(tx, sealed, posted=made, updated=old)


# ------------------------------------------------------------------ facts


def _tell(
    tx: Tx,
    sealed: Sealed,
    *,
    posted: Sequence[Line] = (),
    updated: Sequence[Line] = (),
) -> None:
    """Record for each owner: the rows, then the new balance."""
    at = sealed.entry.at
    for line in updated:
        owner, shot = _row_shot(sealed, line)
        log.append(
            tx, TransactionUpdated(customer=owner, occurred_at=at, transaction=shot)
        )
    for line in posted:
        owner, shot = _row_shot(sealed, line)
        log.append(
            tx, TransactionPosted(customer=owner, occurred_at=at, transaction=shot)
        )
    for account in sealed.accounts.values():
        if account.owner is not None:
            log.append(tx, _balance_fact(sealed, account, account.owner))


def _balance_fact(
    sealed: Sealed, account: Account, owner: CustomerId
) -> BalanceChanged:
    after, at = sealed.figures[account.id], sealed.entry.at
    return BalanceChanged(
        customer=owner,
        occurred_at=at,
        account=_account_shot(account),
        balance=BalanceShot(
            available=after.available,
            booked=after.committed,
            held=-after.pending_out,
            currency=account.currency,
            as_of=at,
            version=after.version,
        ),
        moved=sum(
            effect.spendable
            for effect in sealed.entry.effects
            if effect.account == account.id
        ),
    )


def _row_shot(sealed: Sealed, line: Line) -> tuple[CustomerId, TransactionShot]:
    account = sealed.accounts[line.account]
    assert account.owner is not None  # noqa: S101  -- house accounts have no rows
    name, masked = line.counterparty
    return account.owner, TransactionShot(
        id=str(TransactionId(line.id)),
        account=_account_shot(account),
        status=line.status,
        kind=line.kind,
        direction=line.direction,
        amount=line.amount,
        currency=account.currency,
        running_balance=line.running_balance,
        created_at=line.created_at,
        booked_at=line.booked_at,
        value_date=line.value_on,
        counterparty=CounterpartyShot(name=name, masked_account=masked)
        if name
        else None,
        narration=line.narration,
        rail=line.rail,
        reference=line.reference,
        payment_id=str(PaymentId(line.payment)) if line.payment else None,
    )


def _account_shot(account: Account) -> AccountShot:
    status = {State.OPEN: "ACTIVE", State.CLOSED: "CLOSED"}
    return AccountShot(
        id=str(AccountId(account.id)),
        kind=account.kind,
        name=account.name,
        masked_number=account.masked_number or "",
        currency=account.currency,
        status=status.get(account.state, "BLOCKED"),
        can_debit=account.state.lets_out,
        can_credit=account.state.lets_in,
    )
