"""The arguments of a page of rows, read into what the room understands."""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from strawberry import UNSET

from app.accounts.transactions import Filter, PageQuery
from app.errors import BadRequest
from app.schema import paging
from app.schema.accounts.figures import TransactionFilter

G = TypeVar("G")


def asked(
    first: int | None = 25,
    after: str | None = UNSET,
    last: int | None = UNSET,
    before: str | None = UNSET,
    filter: TransactionFilter | None = UNSET,  # noqa: A002  -- the contract's name
) -> PageQuery:
    """Read the arguments of a page, but for what the caller's notes add to a text."""
    size, start, end = _given(last), _given(after), _given(before)
    backward = size is not None
    if (start if backward else end) is not None:
        raise BadRequest("`first` goes with `after`, `last` goes with `before`.")
    wanted = filter.read() if filter else Filter()
    return PageQuery(
        size=paging.size(size if backward else first, 25),
        after=_key(start, wanted),
        before=_key(end, wanted),
        backward=backward,
        filter=wanted,
    )


def asked_of_all(**given: Any) -> PageQuery | None:  # noqa: ANN401  -- as above
    """Read the arguments; a text is looked for in the caller's notes, too."""
    query = asked(**given)
    return None if query.filter.text else query


def _given(argument: G | None) -> G | None:
    return None if argument is UNSET else argument


def _key(cursor: str | None, wanted: Filter) -> tuple[datetime, UUID] | None:
    position = paging.decode(cursor, wanted.name)
    return None if position is None else (position.at, position.id)
