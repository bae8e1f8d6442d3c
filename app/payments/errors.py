"""What the payments room says no with; facts are attributes (graphql.md 3.3)."""

from collections.abc import Sequence

from app.errors import ErrorCode, Refusal
from app.money import Money
from app.payments.limit import Limit
from app.payments.payee_check import PayeeCheck


class InsufficientFunds(Refusal):
    """The account does not hold enough.

    Args:
        short_by: how much is missing.
        field: path inside the input.
    """

    code = ErrorCode.INSUFFICIENT_FUNDS
    sentence = "There is not enough money on this account."

    def __init__(self, short_by: Money, *, field: Sequence[str] | None = None) -> None:
        super().__init__(field=field)
        self.short_by = short_by


class LimitExceeded(Refusal):
    """The payment, or the choice of a limit, would pass a limit.

    Args:
        limit: which, with what remains of it.
        field: path inside the input.
    """

    code = ErrorCode.LIMIT_EXCEEDED
    sentence = "This is more than your limit allows."

    def __init__(self, limit: Limit, *, field: Sequence[str] | None = None) -> None:
        super().__init__(field=field)
        self.limit = limit


class AccountBlocked(Refusal):
    """The account may not pay, or not be paid to, at the moment."""

    code = ErrorCode.ACCOUNT_BLOCKED
    sentence = "This account is blocked for this kind of payment."


class CurrencyMismatch(Refusal):
    """Amount and accounts are not of one currency."""

    code = ErrorCode.CURRENCY_MISMATCH
    sentence = "This account is kept in another currency."


class PayeeRejected(Refusal):
    """No account of this bank stands behind the address, or it takes no money."""

    code = ErrorCode.PAYEE_REJECTED
    sentence = "This payee cannot be paid. Please check the account number."


class PayeeNameMismatch(Refusal):
    """The name given is not the one the payee's account is held under.

    Args:
        check: what the check found.
        field: path inside the input.
    """

    code = ErrorCode.PAYEE_NAME_MISMATCH
    sentence = "The payee's account is held under another name."

    def __init__(
        self, check: PayeeCheck, *, field: Sequence[str] | None = None
    ) -> None:
        super().__init__(field=field)
        self.check = check


class QuoteExpired(Refusal):
    """The quote is too old."""

    code = ErrorCode.QUOTE_EXPIRED
    sentence = "This quote has expired. Please ask for a new one."


class TooLate(Refusal):
    """The payment was approved or has ended: it cannot be stopped any more."""

    code = ErrorCode.TOO_LATE
    sentence = "This payment cannot be stopped any more."
