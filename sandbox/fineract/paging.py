"""Parts of a list: the order that a query asks for, its offset and limit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sandbox.fineract.refusals import bad_parameter

_T = TypeVar("_T")
Columns = Mapping[str, Callable[[_T], Any]]


def sorted_by(
    found: Sequence[_T], query: Mapping[str, str], columns: Columns[_T]
) -> list[_T]:
    """Sort by `orderBy` (names parted by commas) and `sortOrder` (ASC if not given).

    Raises:
        Refusal: 400, a column or an order nobody knows.
    """
    names = [name for name in query.get("orderBy", "").split(",") if name]
    order = query.get("sortOrder", "ASC").upper()
    for name in names:
        if name not in columns:
            raise bad_parameter("orderBy", name)
    if order not in {"ASC", "DESC"}:
        raise bad_parameter("sortOrder", order)
    if not names:
        return list(found)

    def place(one: _T) -> tuple[Any, ...]:
        return tuple(columns[name](one) for name in names)

    return sorted(found, key=place, reverse=order == "DESC")


def page(found: Sequence[_T], query: Mapping[str, str]) -> Sequence[_T]:
    """Cut a part out by `offset` and `limit`; without a limit all of it."""
    limit = whole(query, "limit", 0)
    offset = whole(query, "offset", 0) if limit else 0
    return found[offset : offset + limit] if limit else found


def whole(query: Mapping[str, str], name: str, otherwise: int) -> int:
    """Read a whole number from a query.

    Raises:
        Refusal: 400, it is none.
    """
    text = query.get(name)
    if text is None:
        return otherwise
    if not text.isdecimal():
        raise bad_parameter(name, text)
    return int(text)
