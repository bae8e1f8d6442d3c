"""Fixed words of the server: kinds of rows, states of accounts, currencies."""

from collections.abc import Mapping
from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of a row: the server's number, its words, which way it moves."""

    id: int
    code: str
    says: str
    sign: int


DEPOSIT, WITHDRAWAL, HOLD, RELEASE = (
    "deposit",
    "withdrawal",
    "amountHold",
    "amountRelease",
)
KINDS: Mapping[str, Kind] = {
    DEPOSIT: Kind(1, "deposit", "Deposit", 1),
    WITHDRAWAL: Kind(2, "withdrawal", "Withdrawal", -1),
    "interestPosting": Kind(3, "interestPosting", "Interest posting", 1),
    "withdrawalFee": Kind(4, "withdrawalFee", "Withdrawal fee", -1),
    "annualFee": Kind(5, "annualFee", "Annual fee", -1),
    "payCharge": Kind(7, "payCharge", "Pay Charge", -1),
    "dividendPayout": Kind(8, "dividendPayout", "Dividend Payout", 1),
    "overdraftInterest": Kind(17, "overdraftInterest", "Overdraft Interest", -1),
    "withholdTax": Kind(18, "withholdTax", "Withhold Tax", -1),
    HOLD: Kind(20, "onHold", "Amount on hold", -1),
    RELEASE: Kind(21, "release", "Release Amount", 1),
}
FEES = frozenset({"withdrawalFee", "annualFee", "payCharge"})
ASIDE = frozenset({HOLD, RELEASE})  # rows that move what is available, not the book

ACTIVE, CLOSED = "active", "closed"
STATES: Mapping[str, tuple[int, str, str]] = {
    "submittedAndPendingApproval": (
        100,
        "submitted.and.pending.approval",
        "Submitted and pending approval",
    ),
    "approved": (200, "approved", "Approved"),
    ACTIVE: (300, "active", "Active"),
    CLOSED: (600, "closed", "Closed"),
}

NONE, BLOCK, BLOCK_CREDIT, BLOCK_DEBIT = "none", "block", "blockCredit", "blockDebit"
SUB_STATES: Mapping[str, tuple[int, str]] = {
    NONE: (0, "None"),
    "inactive": (100, "Inactive"),
    "dormant": (200, "Dormant"),
    "escheat": (300, "Escheat"),
    BLOCK: (400, "Block"),
    BLOCK_CREDIT: (500, "BlockCredit"),
    BLOCK_DEBIT: (600, "BlockDebit"),
}


class Currency(NamedTuple):
    """One currency: its name, digits behind the point, sign."""

    name: str
    places: int
    symbol: str


CURRENCIES: Mapping[str, Currency] = {
    "INR": Currency("Indian Rupee", 2, "₹"),
    "USD": Currency("US Dollar", 2, "$"),
    "EUR": Currency("Euro", 2, "€"),
    "GBP": Currency("Pound Sterling", 2, "£"),
    "JPY": Currency("Japanese Yen", 0, "¥"),
    "KWD": Currency("Kuwaiti Dinar", 3, "KD"),
}
