"""The search among the rows of an account."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from sandbox.fineract import row_shapes
from sandbox.fineract.book import Row
from sandbox.fineract.kinds import KINDS
from sandbox.fineract.movements import in_and_out
from sandbox.fineract.paging import sorted_by, whole
from sandbox.fineract.refusals import Reason, invalid
from sandbox.fineract.server import Core
from sandbox.fineract.wire import Ask, a_date, an_amount

LIMIT = 50  # what the server gives where no limit is asked for

_COLUMNS: Mapping[str, Callable[[Row], Any]] = {
    "id": lambda row: row.id,
    "createdDate": lambda row: row.at,
    "transactionDate": lambda row: row.day,
    "dateOf": lambda row: row.day,
    "submittedOnDate": lambda row: row.entered,
    "amount": lambda row: row.amount,
}
_DAYS: Mapping[str, tuple[Callable[[Row], Any], int]] = {
    "fromDate": (lambda row: row.day, 1),
    "toDate": (lambda row: row.day, -1),
    "fromSubmittedDate": (lambda row: row.entered, 1),
    "toSubmittedDate": (lambda row: row.entered, -1),
}

_FILTERS = {*_DAYS, "fromAmount", "toAmount", "types", "credit", "debit"}


def search(core: Core, ask: Ask) -> object:
    """`GET …/transactions/search`: rows newest first, or as they are asked for.

    `offset` is the number of a page of `limit` rows, as the server has it; a knob
    turns it into a number of rows.
    """
    mine = core.account(ask.ids["savingsId"])
    newest = core.book.rows_of(mine.id)[::-1]
    if not _FILTERS.isdisjoint(ask.query):
        newest = [row for row in newest if _asked(row, ask.query)]
    rows = sorted_by(newest, ask.query, _COLUMNS)
    limit = max(1, whole(ask.query, "limit", LIMIT))
    offset = whole(ask.query, "offset", 0)
    start = offset if core.knobs.offsetIsRows else offset * limit
    part = rows[start : start + limit]
    return {
        "total": len(rows),
        "content": [row_shapes.row(core.book, row) for row in part],
    }


def _asked(row: Row, query: Mapping[str, str]) -> bool:
    for name, (of, way) in _DAYS.items():
        if name in query:
            day = a_date(query[name], query.get("dateFormat"))
            if day is None:
                raise _wrong(name, query[name])
            if (of(row) - day).days * way < 0:
                return False
    low, high = _bound(query, "fromAmount"), _bound(query, "toAmount")
    if low is not None and row.amount < low:
        return False
    if high is not None and row.amount > high:
        return False
    types = query.get("types")
    if types is not None and str(KINDS[row.kind].id) not in types.split(","):
        return False
    return _side(row, query)


def _side(row: Row, query: Mapping[str, str]) -> bool:
    wanted = {
        side.upper()
        for side, other in (("credit", "debit"), ("debit", "credit"))
        if query.get(side) == "true" or (query.get(other) == "false")
    }
    return not wanted or in_and_out(row.kind) in wanted


def _bound(query: Mapping[str, str], name: str) -> Decimal | None:
    if name not in query:
        return None
    found = an_amount(query[name])
    if found is None:
        raise _wrong(name, query[name])
    return found


def _wrong(name: str, value: str) -> Exception:
    return invalid(
        Reason(
            f"validation.msg.invalid.{name}.format",
            f"The parameter `{name}` has the invalid value {value}.",
            name,
            (value,),
        )
    )
