"""What the rows of accounts show of payments, and payments of their rows.

Accounts stand below payments on the stair, so these fields of `Transaction` are added
from here, and so is the search in notes. What a row says of its payment is the caller's
own: the other side's note and payment are never shown.
"""

from app.accounts.row import TransactionStatus
from app.ids import PaymentId
from app.payments import payment as payments
from app.schema import scalars
from app.schema.accounts.accounts import Transaction
from app.schema.accounts.batches import search_notes
from app.schema.context import Context, Info
from app.schema.payments.batches import NOTED, PAYMENT
from app.schema.payments.payments import Payment
from app.schema.refusals import ErrorCode
from app.schema.scalars import SENSITIVE, field


def _none_without_payment(row: Transaction) -> None:
    """Tell a row of no payment at once; of any other the payment is read."""
    if row.payment_id is not None:
        raise LookupError("payment")


def _none_unless_declined(row: Transaction) -> None:
    if row.status is TransactionStatus.DECLINED:
        raise LookupError("declineReason")


async def _payment_of(context: Context, row: Transaction) -> payments.Payment | None:
    if row.payment_id is None:
        return None
    return await PAYMENT.find(context, PaymentId.parse(row.payment_id))


@field(
    description="The customer's own note; never sent to the other side.",
    directives=SENSITIVE,
    at_hand=_none_without_payment,
)
async def note(self: Transaction, info: Info) -> str | None:
    """Give what the customer wrote on her payment for herself."""
    found = await _payment_of(info.context, self)
    return None if found is None else found.note


@field(at_hand=_none_without_payment)
async def payment(self: Transaction, info: Info) -> Payment | None:
    """Give the caller's payment behind a row, together with those of other rows."""
    found = await _payment_of(info.context, self)
    return None if found is None else Payment.from_row(found)


@field(at_hand=_none_unless_declined)
async def decline_reason(self: Transaction, info: Info) -> ErrorCode | None:
    """Tell why a declined row never moved the balance, as the core or payment says."""
    if self.status is not TransactionStatus.DECLINED:
        return None
    if self.decline_code is not None and self.decline_code in ErrorCode.__members__:
        return ErrorCode[self.decline_code]
    found = await _payment_of(info.context, self)
    return None if found is None or found.reason is None else ErrorCode[found.reason]


search_notes(NOTED)
for _field in (note, payment, decline_reason):
    scalars.extend(Transaction, _field)
