"""The rules of money on a savings account, as the server keeps them."""

from datetime import date
from decimal import Decimal

from sandbox.fineract.book import Account, Row
from sandbox.fineract.kinds import (
    ACTIVE,
    ASIDE,
    BLOCK,
    BLOCK_CREDIT,
    BLOCK_DEBIT,
    DEPOSIT,
    HOLD,
    KINDS,
    RELEASE,
    WITHDRAWAL,
)
from sandbox.fineract.refusals import Reason, Refusal, invalid, rule, unavailable
from sandbox.fineract.server import Core

_SAVINGS = "error.msg.savingsaccount.transaction"


def may_credit(core: Core, account: Account, day: date) -> None:
    """Refuse money in where the account is blocked, closed, or the day is wrong."""
    _not_blocked(account, BLOCK_CREDIT, "credit")
    _open_on(core, account, day)


def may_debit(
    core: Core,
    account: Account,
    amount: Decimal,
    day: date,
    freed: Decimal = Decimal(0),
) -> None:
    """Refuse money out; `freed` comes back from a hold in the same step."""
    _not_blocked(account, BLOCK_DEBIT, "debit")
    _open_on(core, account, day)
    covers(account, amount, freed)


def covers(account: Account, amount: Decimal, freed: Decimal = Decimal(0)) -> None:
    """Refuse what the account cannot pay: held money counts as gone."""
    left = account.available() + freed
    if left < amount:
        raise rule(
            f"{_SAVINGS}.insufficient.account.balance",
            "Insufficient account balance.",
            "transactionAmount",
            left,
            None,
            amount,
        )


def hold(core: Core, account: Account, amount: Decimal, code: str) -> Row:
    """Set money aside under a transfer code."""
    row = core.enter(account, HOLD, amount, core.today())
    row.receipt = code
    return row


def free(core: Core, account: Account, held: Row) -> Row:
    """Free what a row set aside."""
    row = core.enter(account, RELEASE, held.amount, core.today())
    held.released = row.id
    core.book.put(held)
    return row


def undo(core: Core, account: Account, row: Row) -> None:
    """Reverse a row in place: it stays, and counts no more.

    Raises:
        Refusal: 503 for a leg of a transfer and for holds, as the server says it;
            400 for an account that is not active, 403 if the rest does not cover it.
    """
    if row.transfer is not None:
        raise _fixed(
            "account.transfer.transaction", row, "as it involves in account transfer"
        )
    if row.kind in ASIDE:
        raise _fixed("account.transaction", row, "for this savings type")
    if account.state != ACTIVE:
        raise invalid(
            Reason(
                "validation.msg.savingsaccount.undotransaction.account.is.not.active",
                "Transaction is not allowed. Account is not active.",
            )
        )
    if row.reversed:
        return
    covers(account, row.moves())
    row.reversed = True
    core.book.put(row)
    core.book.put(account)
    core.book.recount(account.id)


def in_and_out(kind: str) -> str:
    """Name the entry type of a kind of row."""
    return "CREDIT" if KINDS[kind].sign > 0 else "DEBIT"


def at_the_counter(
    core: Core, account: Account, kind: str, amount: Decimal, day: date
) -> Row:
    """Take or give cash: a deposit or a withdrawal that no transfer made."""
    if kind == DEPOSIT:
        may_credit(core, account, day)
    else:
        may_debit(core, account, amount, day)
    return core.enter(account, DEPOSIT if kind == DEPOSIT else WITHDRAWAL, amount, day)


def _fixed(what: str, row: Row, why: str) -> Refusal:
    return unavailable(
        f"error.msg.saving.{what}.update.not.allowed",
        f"Savings account transaction:{row.id} update not allowed {why}",
        row.id,
    )


def _not_blocked(account: Account, way: str, word: str) -> None:
    if account.sub == BLOCK:
        raise rule(
            "error.msg.saving.account.blocked.transaction.not.allowed",
            f"Any transaction to {account.id} is not allowed, since the account is "
            "blocked",
            account.id,
        )
    if account.sub == way:
        raise rule(
            f"error.msg.savings.account.{word}.transaction.not.allowed",
            f"Any {word.capitalize()} transactions to {account.id} is not allowed, "
            f"since the account is blocked for {word}s",
            account.id,
        )


def _open_on(core: Core, account: Account, day: date) -> None:
    said = day.isoformat()
    if account.state != ACTIVE:
        raise invalid(
            Reason(
                f"{_SAVINGS}.account.is.not.active",
                "Transaction is not allowed. Account is not active.",
                "transactionDate",
                (said,),
            )
        )
    if day > core.today():
        raise invalid(
            Reason(
                f"{_SAVINGS}.in.the.future",
                "Transaction date cannot be in the future.",
                "transactionDate",
                (said,),
            )
        )
    if day < account.since:
        raise invalid(
            Reason(
                f"{_SAVINGS}.before.activation.date",
                "Transaction date cannot be before accounts activation date.",
                "transactionDate",
                (said, account.since.isoformat()),
            )
        )
