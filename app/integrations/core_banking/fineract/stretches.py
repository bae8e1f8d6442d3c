"""Rows that are looked through: for how long, how far somebody came. Pure."""

from collections.abc import Hashable
from typing import NamedTuple

from app.integrations.core_banking.fineract.rows import Detail, Row

# A payment waits 25 s for a search and the write that follows; the page that is asked
# for last, and its details, may take 10 more than this.
SEARCH_S = 12.0


class Seen(NamedTuple):
    """One row with its details."""

    row: Row
    detail: Detail


class Stretch(NamedTuple):
    """Rows of an account from a day on, oldest first; whole: with all of them."""

    rows: list[Seen]
    is_whole: bool


class Search(NamedTuple):
    """How long somebody looks through rows, and how it goes on.

    Args:
        ends_at: by the clock's monotonic seconds; a page is read all the same.
        name: the next search of this name goes on where this one ended, and is told
            only of rows from there on. None: each begins anew.
    """

    ends_at: float
    name: Hashable | None = None


class Reached(NamedTuple):
    """How far a search came: the next page, and the rows before it."""

    number: int
    ids: frozenset[int]
