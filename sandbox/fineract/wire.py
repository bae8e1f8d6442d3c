"""What goes over the wire: JSON with exact numbers, dates as the server writes them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

import orjson

PLACES = 6  # digits behind the point of every amount

_JAVA = {"yyyy": "%Y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "dd": "%d"}
_JAVA_PART = re.compile("|".join(_JAVA))


@dataclass(frozen=True, slots=True)
class Ask:
    """One call, by HTTP or inside a batch.

    Args:
        method, path: what is called; the path begins with `/v1/`.
        query: parameters behind the question mark.
        ids: what stands in the places of the path.
        key: the Idempotency-Key, None without one.
        body: as it came.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: status, JSON text (or nothing), headers."""

    status: int
    text: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def written(body: object, *, as_text: bool) -> bytes:
    """Write JSON: amounts with six decimals; dates as text or as `[y, m, d]`."""

    def other(value: object) -> object:
        if isinstance(value, Decimal):
            return orjson.Fragment(f"{value:.{PLACES}f}")
        if isinstance(value, date):
            iso = value.isoformat()
            return iso if as_text else [value.year, value.month, value.day]
        raise TypeError(type(value).__name__)

    return orjson.dumps(body, other, orjson.OPT_PASSTHROUGH_DATETIME)


def read(body: bytes) -> object:
    """Read JSON; numbers with a point become Decimal.

    Raises:
        ValueError: it is none.
    """
    try:
        found: object = json.loads(body, parse_float=Decimal)
    except RecursionError:
        raise ValueError("too deep") from None
    return found


def a_date(text: object, java_format: object) -> date | None:
    """Read a date by a Java pattern of years, months and days; None if it is none."""
    if not isinstance(text, str) or not isinstance(java_format, str):
        return None
    pattern = _JAVA_PART.sub(lambda found: _JAVA[found[0]], java_format)
    try:
        return datetime.strptime(text, pattern).date()  # noqa: DTZ007  -- a day only
    except ValueError:
        return None


def an_amount(value: object) -> Decimal | None:
    """Read an amount from a number or its text; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        found = Decimal(str(value).replace(",", ""))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
