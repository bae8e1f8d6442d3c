"""The bank's own accounts: one of each per currency, without a floor."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from app.database import Tx, placeholders
from app.money import exponent_of
from app.rows import Scalar

# RFC 9562 section 5.5: the id of a house account follows from its code.
_NAMESPACE = UUID("6f1d3a52-6c0b-5c57-9e0e-5a1d8a2f6016")


class House(StrEnum):
    """What a house account is for. A new rail adds one clearing account."""

    NOSTRO = "cash.nostro"
    IMPS = "clearing.imps"
    UPI = "clearing.upi"
    CARD = "clearing.card"
    BILL = "clearing.bill"
    FEES = "income.fee"
    UNMATCHED = "suspense.unmatched"
    OPENING = "equity.opening"


def code_of(house: House, currency: str) -> str:
    """Give the code of a house account, for example `cash.nostro.INR`."""
    return f"{house}.{currency}"


def account_of(house: House, currency: str) -> UUID:
    """Give the id of a house account."""
    return uuid5(_NAMESPACE, code_of(house, currency))


def clearing_of(rail: str, currency: str) -> UUID:
    """Give the clearing account of a rail; an unknown rail's money waits unmatched."""
    code = f"clearing.{rail.lower()}"
    known = House(code) if code in set(House) else House.UNMATCHED
    return account_of(known, currency)


async def ensure(tx: Tx, currency: str, at: datetime) -> None:
    """Make the house accounts of a currency where they are missing."""
    accounts: list[Scalar] = []
    balances: list[Scalar] = []
    for house in House:
        account, code = account_of(house, currency), code_of(house, currency)
        accounts += [account, "HOUSE", code, code, currency, exponent_of(currency)]
        accounts += ["OPEN", at]
        balances += [account, 0, 0, 0, "OPEN", 0, at]
    await tx.rows(
        "INSERT INTO ledger_account "  # noqa: S608  -- placeholders only
        "(id, kind, code, name, currency, exponent, state, opened_at) VALUES "
        f"{placeholders(len(House), 8)} ON CONFLICT (id) DO NOTHING",
        *accounts,
    )
    await tx.rows(
        "INSERT INTO ledger_balance (account_id, committed, pending_out, "  # noqa: S608  -- placeholders only
        "pending_in, state, version, changed_at) VALUES "
        f"{placeholders(len(House), 7)} ON CONFLICT (account_id) DO NOTHING",
        *balances,
    )
