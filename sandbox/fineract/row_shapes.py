"""The shapes of rows and of transfers between accounts."""

from sandbox.fineract.book import Account, Book, Row, Transfer
from sandbox.fineract.kinds import (
    ASIDE,
    DEPOSIT,
    FEES,
    HOLD,
    KINDS,
    RELEASE,
    WITHDRAWAL,
)
from sandbox.fineract.movements import in_and_out
from sandbox.fineract.server import OFFICE
from sandbox.fineract.shapes import OFFICE_NAME, USER, Shape, currency, option

ROUTING = "Interoperation"  # routing code of what came by that interface
_FLAGS = (
    DEPOSIT,
    "dividendPayout",
    WITHDRAWAL,
    "interestPosting",
    "initiateTransfer",
    "approveTransfer",
    "withdrawTransfer",
    "rejectTransfer",
    "overdraftInterest",
    "writtenoff",
    "overdraftFee",
    "withholdTax",
    "escheat",
    HOLD,
    RELEASE,
)


def row(book: Book, one: Row) -> Shape:
    """Show a row. Of held money the server tells neither note nor payment detail."""
    mine = book.accounts[one.account]
    shown: Shape = {
        "id": one.id,
        "transactionType": row_kind(one.kind),
        "entryType": in_and_out(one.kind),
        "accountId": mine.id,
        "accountNo": mine.number,
        "date": one.day,
        "currency": currency(mine.currency),
        "amount": one.amount,
        "runningBalance": one.running,
        "reversed": one.reversed,
        "submittedOnDate": one.entered,
        "interestedPostedAsOn": False,
        "submittedByUsername": USER,
        "isManualTransaction": False,
        "isReversal": False,
        "originalTransactionId": 0,
        "lienTransaction": False,
        "releaseTransactionId": one.released,
        "chargesPaidByData": [],
    }
    if one.note is not None:
        shown["note"] = one.note
    if one.receipt is not None and one.kind not in ASIDE:
        shown["paymentDetailData"] = _payment_detail(mine, one)
    if one.transfer is not None:
        shown["transfer"] = _leg(book.transfers[one.transfer], mine.currency)
    return shown


def row_kind(name: str) -> Shape:
    """Show a kind of row, with its many flags."""
    kind = KINDS[name]
    code = f"savingsAccountTransactionType.{kind.code}"
    flags = {flag: flag == name for flag in _FLAGS} | {"feeDeduction": name in FEES}
    return option(kind.id, code, kind.says) | flags


def transfer(book: Book, one: Transfer) -> Shape:
    """Show a transfer."""
    source, target = book.accounts[one.source], book.accounts[one.target]
    kind = option(2, "accountType.savings", "Savings Account")
    office = {"id": OFFICE, "name": OFFICE_NAME}
    return {
        "id": one.id,
        "reversed": False,
        "currency": currency(source.currency),
        "transferAmount": one.amount,
        "transferDate": one.day,
        "transferDescription": one.says,
        "fromOffice": office,
        "fromClient": _party(book, source),
        "fromAccountType": kind,
        "fromAccount": {"id": source.id, "accountNo": source.number},
        "toOffice": office,
        "toClient": _party(book, target),
        "toAccountType": kind,
        "toAccount": {"id": target.id, "accountNo": target.number},
    }


def _payment_detail(mine: Account, one: Row) -> Shape:
    return {
        "id": one.id,
        "paymentType": {"id": 1, "name": "Money Transfer"},
        "accountNumber": mine.external or "",
        "checkNumber": "",
        "routingCode": ROUTING,
        "receiptNumber": one.receipt,
        "bankNumber": "",
    }


def _leg(one: Transfer, code: str) -> Shape:
    return {
        "id": one.id,
        "reversed": False,
        "currency": currency(code),
        "transferAmount": one.amount,
        "transferDate": one.day,
        "transferDescription": one.says,
    }


def _party(book: Book, one: Account) -> Shape:
    return {
        "id": one.client,
        "displayName": book.clients[one.client].name,
        "officeId": OFFICE,
        "officeName": OFFICE_NAME,
    }
