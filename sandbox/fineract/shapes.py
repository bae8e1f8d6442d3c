"""The shapes of answers: what the books hold, in the server's words."""

from sandbox.fineract.book import ZERO, Account, Book, Client, Interop
from sandbox.fineract.kinds import (
    CURRENCIES,
    DEPOSIT,
    STATES,
    SUB_STATES,
    WITHDRAWAL,
)
from sandbox.fineract.server import OFFICE

Shape = dict[str, object]

USER = "mifos"
OFFICE_NAME = "Head Office"


def currency(code: str) -> Shape:
    """Show a currency."""
    found = CURRENCIES[code]
    return {
        "code": code,
        "name": found.name,
        "decimalPlaces": found.places,
        "displaySymbol": found.symbol,
        "nameCode": f"currency.{code}",
        "displayLabel": f"{found.name} ({found.symbol})",
    }


def client(one: Client) -> Shape:
    """Show a client."""
    return {
        "id": one.id,
        "accountNo": f"{one.id:09d}",
        "externalId": one.number,
        "status": option(300, "clientStatusType.active", "Active"),
        "active": True,
        "activationDate": one.since,
        "displayName": one.name,
        "officeId": OFFICE,
        "officeName": OFFICE_NAME,
        "timeline": {"submittedOnDate": one.since, "activatedOnDate": one.since},
        "groups": [],
    }


def account_of_client(book: Book, one: Account) -> Shape:
    """Show an account as the list of a client's accounts has it."""
    return {
        "id": one.id,
        "accountNo": one.number,
        **({} if one.external is None else {"externalId": one.external}),
        "productId": book.product(one.product),
        "productName": one.product,
        "shortProductName": one.product[:4],
        "status": status(one.state),
        "currency": currency(one.currency),
        "accountBalance": one.balance,
        "accountType": option(1, "accountType.individual", "Individual"),
        "depositType": option(100, "depositAccountType.savingsDeposit", "Savings"),
        "subStatus": sub_status(one.sub),
    }


def account(book: Book, one: Account) -> Shape:
    """Show an account by itself; the server leaves out what is not set."""
    days = {"submittedOnDate": one.since, "activatedOnDate": one.since}
    return {
        "id": one.id,
        "accountNo": one.number,
        **({} if one.external is None else {"externalId": one.external}),
        "depositType": option(100, "depositAccountType.savingsDeposit", "Savings"),
        "clientId": one.client,
        "clientName": book.clients[one.client].name,
        "savingsProductId": book.product(one.product),
        "savingsProductName": one.product,
        "fieldOfficerId": 0,
        "status": status(one.state),
        "subStatus": sub_status(one.sub),
        **({} if one.reason is None else {"reasonForBlock": one.reason}),
        "timeline": days if one.closed is None else days | {"closedOnDate": one.closed},
        "currency": currency(one.currency),
        "nominalAnnualInterestRate": ZERO,
        "withdrawalFeeForTransfers": False,
        "allowOverdraft": False,
        "enforceMinRequiredBalance": False,
        "lienAllowed": False,
        "withHoldTax": False,
        "isDormancyTrackingActive": False,
        **({} if one.held is None else {"savingsAmountOnHold": one.held}),
        "summary": _summary(book, one),
    }


def status(state: str) -> Shape:
    """Show the state of an account."""
    number, code, says = STATES[state]
    flags = dict.fromkeys(
        (
            "rejected",
            "withdrawnByApplicant",
            "prematureClosed",
            "transferInProgress",
            "transferOnHold",
            "matured",
        ),
        False,
    )
    states = {name: name == state for name in STATES}
    return option(number, f"savingsAccountStatusType.{code}", says) | flags | states


def sub_status(sub: str) -> Shape:
    """Show what is blocked of an account."""
    number, says = SUB_STATES[sub]
    flags = {name: name == sub for name in SUB_STATES}
    return option(number, f"SavingsAccountSubStatusEnum.{sub}", says) | flags


def interop(one: Interop, at: str) -> Shape:
    """Show what became of a transfer code; the state does not tell which step."""
    return {
        "transactionCode": one.transaction,
        "state": "ACCEPTED",
        "transferCode": one.code,
        "completedTimestamp": at,
    }


def result(one: Account, resource: int, **more: object) -> Shape:
    """Show what a command on an account gave."""
    ids = {"officeId": OFFICE, "clientId": one.client, "savingsId": one.id}
    return {**ids, "resourceId": resource, **more}


def _summary(book: Book, one: Account) -> Shape:
    rows = [r for r in book.rows_of(one.id) if not r.reversed]
    sums = {
        name: sum((r.amount for r in rows if r.kind == kind), ZERO)
        for name, kind in (
            ("totalDeposits", DEPOSIT),
            ("totalWithdrawals", WITHDRAWAL),
            ("totalInterestPosted", "interestPosting"),
        )
    }
    return {
        "currency": currency(one.currency),
        **{name: total for name, total in sums.items() if total},
        "accountBalance": one.balance,
        "totalOverdraftInterestDerived": ZERO,
        "interestNotPosted": ZERO,
        "availableBalance": one.available(),
    }


def option(number: int, code: str, says: str) -> Shape:
    """Show one of a list of words."""
    return {"id": number, "code": code, "value": says}
