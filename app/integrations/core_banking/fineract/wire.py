"""The words of Fineract, and what they mean in ours: money, days, tags, bodies. Pure.

Amounts are JSON numbers with up to six decimals, days come as a list of three numbers
or as ISO text, and all that we write carries a tag with the id of our operation.
Source: banking.md section 6.2 and the contract of Apache Fineract 1.15.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from app.errors import Outage
from app.integrations.core_banking import AccountKind, AccountState, Hold, Narrative
from app.integrations.outcome import ContractBroken, OpRef
from app.money import MINOR_MAX, Money, exponent_of

Json = Mapping[str, object]

NAME = "fineract"
COMPONENT = "ACCOUNTS"
DAYS = {"dateFormat": "yyyy-MM-dd", "locale": "en"}
DESCRIPTION_MAX = 200  # of a transfer's description in the core's table
_SAVINGS = "2"  # the core's number of the account type savings
_TAG = re.compile(
    r"6p:([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?: (.*))?", re.DOTALL
)
_REF = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_OUT_OF_SIGHT = "submittedAndPendingApproval", "approved", "rejected"
_BLOCKS = {
    "block": AccountState.BLOCKED,
    "blockDebit": AccountState.BLOCK_DEBIT,
    "blockCredit": AccountState.BLOCK_CREDIT,
    "escheat": AccountState.BLOCKED,
}


class Place(NamedTuple):
    """In whose name money is moved, and where the core's days begin."""

    office: int
    zone: ZoneInfo


class Tag(NamedTuple):
    """Our mark in the core's text: the operation, and what people read."""

    op: UUID
    memo: str


def broken(what: str) -> ContractBroken:
    """Say that a read answered what the contract does not allow."""
    return ContractBroken(f"{NAME}: {what}", component=COMPONENT)


def silent(what: str) -> Outage:
    """Say that the core did not answer a part of a question."""
    return Outage(f"{NAME}: {what}", component=COMPONENT)


# ---------------------------------------------------------------- single values


def named(ref: str) -> str | None:
    """Give a reference of this core as it is; None: it cannot be one of its own."""
    return ref if _REF.fullmatch(ref) else None


def record(value: object, what: str) -> Json:
    """Read an object.

    Raises:
        ContractBroken: it is none.
    """
    if not isinstance(value, Mapping):
        raise broken(f"{what} is no object")
    return value


def number(value: object, what: str) -> int:
    """Read a whole number from 0 on.

    Raises:
        ContractBroken: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise broken(f"{what} is no number")
    return value


def words(value: object) -> str | None:
    """Read a text; None where there is none."""
    return value if isinstance(value, str) and value.strip() else None


def external_id(value: object) -> str | None:
    """Read an external id: text, or an object of text, as versions differ."""
    return words(value.get("value") if isinstance(value, Mapping) else value)


def money(value: object, currency: str, what: str) -> Money:
    """Read an amount exactly.

    Raises:
        ContractBroken: no number, too great, or finer than the currency's minor unit.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise broken(f"{what} is no amount")
    exact = Decimal(value)
    exponent = exponent_of(currency)
    if not exact.is_finite() or abs(exact) > MINOR_MAX:
        raise broken(f"{what} is no amount of money")
    minor = exact.scaleb(exponent)
    whole = int(minor)
    if whole != minor or abs(whole) > MINOR_MAX:
        raise broken(f"{what} is finer than {currency} has it")
    return Money(whole, currency)


def day(value: object, what: str) -> date:
    """Read a day: `[2026, 11, 22]`, which the core sends, or ISO text, as it promises.

    Raises:
        ContractBroken: neither.
    """
    try:
        match value:
            case [int(year), int(month), int(at), *_]:
                return date(year, month, at)
            case str():
                return date.fromisoformat(value[: len("2026-11-22")])
            case _:
                raise broken(f"{what} is no day")
    except ValueError:
        raise broken(f"{what} is no day") from None


def currency_of(value: object) -> str:
    """Read a currency's code.

    Raises:
        ContractBroken: there is none.
    """
    code = words(record(value, "currency").get("code"))
    if code is None:
        raise broken("a currency without a code")
    return code


def today(now: datetime, zone: ZoneInfo) -> date:
    """Give the bank day of the core."""
    return now.astimezone(zone).date()


def midnight(on: date, zone: ZoneInfo) -> datetime:
    """Give the instant at which a day of the core begins."""
    return datetime(on.year, on.month, on.day, tzinfo=zone)


def tagged(text: object) -> Tag | None:
    """Find our mark in a text of the core."""
    found = _TAG.match(text) if isinstance(text, str) else None
    return Tag(UUID(found[1]), found[2] or "") if found else None


def tag(op: UUID, memo: str) -> str:
    """Write our mark."""
    return f"6p:{op} {memo}".rstrip()[:DESCRIPTION_MAX]


def digits(amount: Money) -> Decimal:
    """Write an amount in major units."""
    return Decimal(amount.minor).scaleb(-amount.exponent)


# ---------------------------------------------------------------- accounts


def state_of(account: Json) -> AccountState:
    """Read what may move on an account."""
    status = record(account.get("status"), "status")
    if status.get("closed") is True:
        return AccountState.CLOSED
    if status.get("active") is not True:
        return AccountState.BLOCKED
    block = account.get("subStatus")
    for name, state in _BLOCKS.items():
        if isinstance(block, Mapping) and block.get(name) is True:
            return state
    return AccountState.OPEN


def is_shown(listed: Json) -> bool:
    """Tell whether a customer has this account: opened once, and no fixed deposit."""
    status = record(listed.get("status"), "status")
    if status.get("active") is not True and status.get("closed") is not True:
        return not any(status.get(word) is True for word in _OUT_OF_SIGHT)
    form = listed.get("depositType")
    code = form.get("code") if isinstance(form, Mapping) else None
    return not isinstance(code, str) or code.endswith(".savingsDeposit")


def kind_of(listed: Json) -> AccountKind:
    """Tell savings from current accounts by the product's name."""
    names = listed.get("productName"), listed.get("shortProductName")
    is_savings = any(isinstance(n, str) and "saving" in n.lower() for n in names)
    return AccountKind.SAVINGS if is_savings else AccountKind.CURRENT


# ---------------------------------------------------------------- what we write


class Side(NamedTuple):
    """One side of a transfer: whose account."""

    account: int
    client: int


def transfer_body(
    sides: tuple[Side, Side], office: int, amount: Money, on: date, description: str
) -> Mapping[str, str]:
    """Write a transfer; the contract wants every value as text."""
    body = {
        **DAYS,
        "transferAmount": format(digits(amount), "f"),
        "transferDate": on.isoformat(),
        "transferDescription": description,
    }
    for which, side in zip(("from", "to"), sides, strict=True):
        body[f"{which}OfficeId"] = str(office)
        body[f"{which}ClientId"] = str(side.client)
        body[f"{which}AccountType"] = _SAVINGS
        body[f"{which}AccountId"] = str(side.account)
    return body


def sides_of(transfer: object, payer: str) -> tuple[str, Money] | None:
    """Give the payee and the amount of a transfer; None: another one paid it.

    Raises:
        ContractBroken: it is not as the contract has it.
    """
    if transfer is None:
        return None
    told = record(transfer, "a transfer")
    ends = [record(told.get(f"{end}Account"), "an account") for end in ("from", "to")]
    source, target = (str(number(end.get("id"), "an account's id")) for end in ends)
    currency = currency_of(told.get("currency"))
    amount = money(told.get("transferAmount"), currency, "a transfer's amount")
    return (target, amount) if source == payer else None


def hold_body(hold: Hold, external: str, note: str) -> Json:
    """Write a hold or its end; both codes are the op that made the hold."""
    return {
        "transactionCode": str(hold.id),
        "transferCode": str(hold.id),
        "accountId": external,
        "amount": {"amount": digits(hold.amount), "currency": hold.amount.currency},
        "transactionRole": "PAYER",
        "transactionType": {
            "scenario": "TRANSFER",
            "initiator": "PAYER",
            "initiatorType": "CONSUMER",
        },
        "note": note,
    }


def memo_of(op: OpRef, text: Narrative) -> str:
    """Write what stands in the core's books about an operation."""
    return tag(op.id, text.memo)
