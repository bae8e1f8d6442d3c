"""A payment whose account the core gave to another client ends before it is begun.

What is asked of the core names an account by the core's own name of it, so it would
move the other client's money. Only what the core did before goes on.
"""

from datetime import datetime

from app.accounts.accounts import withdrawn
from app.database import Tx
from app.errors import ErrorCode
from app.ids import AccountId
from app.payments.lifecycle import Event
from app.payments.moves import Move
from app.payments.ops import Kind, Op
from app.payments.payment import Payment, StepDetail, StepSource

CAUSE = "payments.given_away"  # in the audit
_BEGINS = frozenset({Kind.HOLD, Kind.TRANSFER})


async def ending(tx: Tx, payment: Payment, at: datetime) -> Move | None:
    """Give the move that ends such a payment; None: both accounts are where they were.

    Args:
        tx: the transaction that would let the payment go on.
        payment: one whose first operation was not started.
        at: when.
    """
    gone = await _gone(tx, payment)
    if not gone:
        return None
    is_payers = payment.from_account in gone
    return Move(
        event=Event.ACCOUNT_WITHDRAWN,
        at=at,
        source=StepSource.CORE,
        detail=StepDetail.ACCOUNT_WITHDRAWN,
        code=ErrorCode.ACCOUNT_BLOCKED if is_payers else ErrorCode.PAYEE_REJECTED,
    )


async def is_void(tx: Tx, payment: Payment, op: Op) -> bool:
    """Tell whether an operation, where it did not happen yet, must not happen any more.

    What ends a hold is not among them: the money was taken from its customer.
    """
    return op.kind in _BEGINS and bool(await _gone(tx, payment))


async def _gone(tx: Tx, payment: Payment) -> set[AccountId]:
    payee = payment.destination.account
    sides = [payment.from_account] if payee is None else [payment.from_account, payee]
    return await withdrawn(tx, sides)
