"""C12: what payments say of their operations is what the core says of them.

The only proof over two rooms, so it reads one and asks the other through its port: no
room reads another's tables. Source: banking.md section 2.5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app import database
from app.accounts.sheet import Sheet
from app.errors import Outage
from app.ids import PaymentId
from app.integrations.core_banking import CoreBank, Hold, OpContext, OpKind
from app.integrations.outcome import Ok, OpRef, Unknown
from app.payments import records
from app.payments.lifecycle import State
from app.payments.ops import Kind, OpOutcome
from app.payments.payment import Payment
from app.rows import Row

NAME = "payments.concord"
BATCH = 200
ROUND = 50  # of the newest, and of the rest: each is a question to the core
_BY_CORE = {
    Kind.HOLD: OpKind.HOLD,
    Kind.TRANSFER: OpKind.TRANSFER,
    Kind.CAPTURE: OpKind.CAPTURE,
    Kind.RELEASE: OpKind.RELEASE,
    Kind.CREDIT_BACK: OpKind.REVERSE,
}
_COLUMNS = "id, payment_id, kind, fingerprint, outcome, first_sent_at"
# Final ones only: what is under way may move between two looks.
_NO_MONEY = frozenset({State.FAILED, State.DECLINED, State.CANCELLED, State.EXPIRED})
_MOVED = frozenset({"BOOKED", "REVERSED"})


@dataclass(frozen=True, slots=True)
class Said:
    """One operation as payments keep it, answered for good."""

    ref: OpRef
    payment: PaymentId
    kind: Kind
    happened: bool
    first_sent_at: datetime


async def lately(since: datetime, limit: int = ROUND) -> list[Said]:
    """Give the newest answered operations of the core since an instant."""
    rows = await database.read(
        f"SELECT {_COLUMNS} FROM payment_op WHERE resolved_at >= $1 "  # noqa: S608  -- our own columns
        "AND kind <> 'SUBMIT' AND outcome IN ('OK', 'REJECTED') "
        "ORDER BY resolved_at DESC, id DESC LIMIT $2",
        since,
        limit,
    )
    return [_said(row) for row in rows]


async def after(op: UUID | None, limit: int = BATCH) -> list[Said]:
    """Give answered operations of the core in the order of their ids."""
    rows = await database.read(
        f"SELECT {_COLUMNS} FROM payment_op WHERE id > $1 "  # noqa: S608  -- our own columns
        "AND kind <> 'SUBMIT' AND outcome IN ('OK', 'REJECTED') "
        "ORDER BY id LIMIT $2",
        op or UUID(int=0),
        limit,
    )
    return [_said(row) for row in rows]


async def differing(core: CoreBank, sheet: Sheet, said: Sequence[Said]) -> list[UUID]:
    """Give operations and payments of which the core says something else.

    A core that does not answer now says nothing, so nothing differs. A remote core is
    asked by its rows alone, as the mirror has them: a question for each operation
    would be several calls, and the rows tell the same as soon as they are known.
    """
    payments = await records.several(list({one.payment for one in said}))
    asked = said if core.caps.local else ()
    try:
        found = [
            one.ref.id
            for one in asked
            if not await _agreed(core, one, payments[one.payment])
        ]
        return found + await _with_other_rows(sheet, list(payments.values()))
    except Outage:
        return []


async def _agreed(core: CoreBank, said: Said, payment: Payment) -> bool:
    destination = payment.destination
    context = OpContext(
        src=destination.src,
        dst=destination.dst,
        amount=payment.amount,
        first_sent_at=said.first_sent_at,
    )
    match await core.lookup(said.ref, _BY_CORE[said.kind], context):
        case Unknown():
            return True
        case Ok(Hold() as hold):
            return said.happened and hold.amount.minor in _sums(payment)
        case Ok():
            return said.happened
        case _:
            return not said.happened


async def _with_other_rows(sheet: Sheet, payments: Sequence[Payment]) -> list[UUID]:
    """Find settled payments without their one row, and others whose money moved.

    A row may still be on its way from a remote core: it is missed only where all rows
    are known until after the payment was settled.
    """
    until = await sheet.known_until([one.destination.src for one in payments])
    moved: dict[UUID, list[int]] = {one.id.value: [] for one in payments}
    paying = {one.id.value: one.destination.src for one in payments}
    for row in await sheet.rows_of(list(moved)):
        if row.payment is None or row.direction != "OUT":
            continue
        if row.status in _MOVED and row.ref == paying[row.payment]:
            moved[row.payment].append(row.amount.minor)
    return [
        one.id.value
        for one in payments
        if (_is_shown(one, until) and sum(moved[one.id.value]) not in _sums(one))
        or (one.state in _NO_MONEY and moved[one.id.value])
    ]


def _is_shown(payment: Payment, until: Mapping[str, datetime]) -> bool:
    """Tell whether a payment is settled and its row has to be known by now."""
    known = until.get(payment.destination.src)
    settled = payment.settled_at if payment.state is State.SETTLED else None
    return settled is not None and known is not None and known >= settled


def _sums(payment: Payment) -> tuple[int, int]:
    """Give what a payment may take: its amount, with or without its fee."""
    return payment.amount.minor, payment.amount.minor + payment.fee.minor


def _said(row: Row) -> Said:
    return Said(
        ref=OpRef(row.get("id", UUID), row.get("fingerprint", bytes)),
        payment=row.get("payment_id", PaymentId),
        kind=row.get("kind", Kind),
        happened=row.get("outcome", OpOutcome) is OpOutcome.OK,
        first_sent_at=row.get("first_sent_at", datetime),
    )
