"""The rows of a savings account as Fineract tells them, and as we show them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from app.integrations.core_banking import CoreTxn
from app.integrations.core_banking.fineract import wire
from app.integrations.core_banking.fineract.wire import Json, Tag
from app.money import Money

_ROWS = UUID("6b0c3f0e-1f7a-5d0e-9a5e-3c1f2d7b8e41")  # ours, for ids of rows
_DAY_US = 86_400_000_000 - 1
_HOLD, _RELEASE = 20, 21  # of the core's SavingsAccountTransactionType
_CASH = "CASH"
# The core's flag of a kind of row, and what the row is for us. The first that is true.
_KINDS = {
    "interestPosting": "INTEREST",
    "overdraftInterest": "INTEREST",
    "dividendPayout": "INTEREST",
    "withholdTax": "TAX",
    "feeDeduction": "FEE",
    "overdraftFee": "FEE",
    "withdrawalFee": "FEE",
    "annualFee": "FEE",
    "payCharge": "FEE",
    "deposit": _CASH,
    "withdrawal": _CASH,
}
_IN = frozenset({"deposit", "interestPosting", "dividendPayout"})


@dataclass(frozen=True, slots=True)
class Detail:
    """What only the details of a row say, and what never changes.

    Args:
        tag: our mark.
        transfer: number of the core's transfer between two accounts.
        names: payer and payee of it.
        numbers: their account numbers.
        text: description or note, where it is not ours.
    """

    tag: Tag | None = None
    transfer: int | None = None
    names: tuple[str | None, str | None] = field(default=(None, None), repr=False)
    numbers: tuple[str | None, str | None] = field(default=(None, None), repr=False)
    text: str | None = field(default=None, repr=False)


NOTHING_MORE = Detail()


class Row(NamedTuple):
    """One row as the list tells it.

    Args:
        id: the core's number of it.
        on: the day on which it was written.
        value_on: the day for which it counts.
        kind: as the contract of ours names it; CASH may turn out to be a transfer.
        direction: IN or OUT.
        amount: positive.
        running: balance after it.
        is_reversed: undone later.
        is_hold, is_release: money set aside, or freed again.
        released_by: number of the row that freed it.
        code: name of the hold that this row makes or ends.
        detail: what the list tells beyond its contract; None: only the details do.
    """

    id: int
    on: date
    value_on: date
    kind: str
    direction: str
    amount: Money
    running: Money | None
    is_reversed: bool
    is_hold: bool
    is_release: bool
    released_by: int | None
    code: str | None
    detail: Detail | None

    @property
    def has_more(self) -> bool:
        """Tell whether its details may say more than the list does."""
        return self.detail is None and (self.kind == _CASH or self.is_release)

    @property
    def is_shown(self) -> bool:
        """Tell whether a customer sees it: an ended hold is seen by what it became."""
        return not self.is_release and not (self.is_hold and self.released_by)


def row_of(value: object) -> Row:
    """Read one row of a list.

    Raises:
        ContractBroken: it is not as the contract has it.
    """
    item = wire.record(value, "a row")
    flags = wire.record(item.get("transactionType"), "a row's type")
    currency = wire.currency_of(item.get("currency"))
    written = item.get("submittedOnDate")
    value_on = wire.day(item.get("date", item.get("transactionDate")), "a row's day")
    amount = wire.money(item.get("amount"), currency, "a row's amount")
    running = item.get("runningBalance")
    is_hold = _is(flags, "amountHold", _HOLD)
    is_release = _is(flags, "amountRelease", _RELEASE)
    return Row(
        id=wire.number(item.get("id"), "a row's id"),
        on=value_on if written is None else wire.day(written, "a row's day"),
        value_on=value_on,
        kind="TRANSFER" if is_hold or is_release else _kind(flags),
        direction="OUT" if is_hold else _direction(item, flags),
        amount=Money(abs(amount.minor), currency),
        running=None
        if running is None or is_hold
        else wire.money(running, currency, "a running balance"),
        is_reversed=item.get("reversed") is True,
        is_hold=is_hold,
        is_release=is_release,
        released_by=_released_by(item),
        code=_code(item),
        detail=detail_of(item) if item.get("transfer") or item.get("note") else None,
    )


def detail_of(value: object) -> Detail:
    """Read the details of a row.

    Raises:
        ContractBroken: they are not as the contract has them.
    """
    item = wire.record(value, "a row's details")
    transfer = item.get("transfer")
    if isinstance(transfer, Mapping):
        text = wire.words(transfer.get("transferDescription"))
        mark = wire.tagged(text)
        return Detail(
            tag=mark,
            transfer=wire.number(transfer.get("id"), "a transfer's id"),
            names=(_name(transfer, "from"), _name(transfer, "to")),
            numbers=(_number(transfer, "from"), _number(transfer, "to")),
            text=mark.memo if mark else text,
        )
    text = wire.words(item.get("note"))
    mark = wire.tagged(text)
    return Detail(tag=mark, text=mark.memo if mark else text)


class Book(NamedTuple):
    """Whose rows: what makes their ids one of a kind, and the days of the core."""

    tenant: str
    zone: ZoneInfo

    def id_of(self, ref: str, row: int) -> UUID:
        """Name a row."""
        return uuid5(_ROWS, f"fineract:{self.tenant}:{ref}:{row}")

    def shown(self, ref: str, row: Row, detail: Detail) -> CoreTxn:
        """Put a row into our words.

        The core keeps days, not instants: rows of a day lie microseconds apart from its
        midnight on, in the order of their numbers.
        """
        at = wire.midnight(row.on, self.zone) + timedelta(
            microseconds=min(row.id, _DAY_US)
        )
        moved = detail.transfer is not None or detail.tag is not None
        other = 1 if row.direction == "OUT" else 0
        number = detail.numbers[other]
        return CoreTxn(
            id=self.id_of(ref, row.id),
            ref=ref,
            status=_status(row),
            kind="TRANSFER" if row.kind == _CASH and moved else row.kind,
            direction=row.direction,
            amount=row.amount,
            running_balance=row.running,
            created_at=at,
            booked_at=None if row.is_hold else at,
            value_on=None if row.is_hold else row.value_on,
            counterparty_name=detail.names[other],
            counterparty_masked=None if number is None else masked(number),
            narration=detail.text,
            rail="INTERNAL",
            reference=None,
            payment=None,
            op=op_of(row, detail),
        )


def op_of(row: Row, detail: Detail) -> UUID | None:
    """Tell which operation of ours made a row; a hold is named by its own."""
    if detail.tag is not None:
        return detail.tag.op
    return _uuid(row.code) if row.is_hold else None


def masked(number: str) -> str:
    """Write what may be shown of an account's number."""
    return "••••" + number[-4:]


def _status(row: Row) -> str:
    if row.is_hold:
        return "PENDING"
    return "REVERSED" if row.is_reversed else "BOOKED"


def _is(flags: Json, flag: str, number: int) -> bool:
    return flags.get(flag) is True or flags.get("id") == number


def _kind(flags: Json) -> str:
    return next((kind for flag, kind in _KINDS.items() if flags.get(flag)), "OTHER")


def _direction(item: Json, flags: Json) -> str:
    entry = item.get("entryType")
    if entry not in {"CREDIT", "DEBIT"}:
        is_in = any(flags.get(flag) is True for flag in _IN)
        return "IN" if is_in else "OUT"
    return "IN" if entry == "CREDIT" else "OUT"


def _released_by(item: Json) -> int | None:
    found = item.get("releaseTransactionId")
    return found if isinstance(found, int) and found > 0 else None


def _code(item: Json) -> str | None:
    detail = item.get("paymentDetailData")
    told = detail.get("receiptNumber") if isinstance(detail, Mapping) else None
    return wire.words(told) or wire.words(item.get("refNo"))


def _name(transfer: Json, side: str) -> str | None:
    found = transfer.get(f"{side}Client")
    return wire.words(found.get("displayName")) if isinstance(found, Mapping) else None


def _number(transfer: Json, side: str) -> str | None:
    found = transfer.get(f"{side}Account")
    told = found.get("accountNo") if isinstance(found, Mapping) else None
    return str(told) if isinstance(told, int) else wire.words(told)


def _uuid(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        return None
