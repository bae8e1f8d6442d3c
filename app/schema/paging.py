"""Keyset pages, newest first: opaque cursors, 1 to 100 rows, no total counts.

`Connection[Payment]` prints as `PaymentConnection` with `PaymentEdge`. A cursor holds
where the page ended and a hash of the filter, so it cannot be used with another one.
Source: graphql.md section 2.5.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

import strawberry

from app.errors import BadRequest

T = TypeVar("T")
R = TypeVar("R")

FIRST_MAX = 100
_PLAIN = re.compile(r"(?P<ms>\d{1,14})\.(?P<id>[0-9a-f]{32})\.(?P<of>[0-9a-f]{16})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the keyset `(created_at, id)` of its last row."""

    at: datetime
    id: UUID


@strawberry.type
class PageInfo:
    """Whether there is more, and where."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[T]):
    """One row of a page and its cursor."""

    cursor: str
    node: T


@strawberry.type
class Connection(Generic[T]):
    """One page."""

    edges: list[Edge[T]]
    nodes: list[T]
    page_info: PageInfo


def size(first: int | None, otherwise: int) -> int:
    """Check the size a phone asks for; null is the default of the field.

    Raises:
        BadRequest: not between 1 and 100.
    """
    chosen = otherwise if first is None else first
    if not 1 <= chosen <= FIRST_MAX:
        raise BadRequest("`first` is a number from 1 to 100.")
    return chosen


def encode(position: Position, filtered_by: str = "") -> str:
    """Write a cursor for a position in the list of one filter."""
    ms = (position.at - _EPOCH) // timedelta(milliseconds=1)
    plain = f"{ms}.{position.id.hex}.{_hash(filtered_by)}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def decode(cursor: str | None, filtered_by: str = "") -> Position | None:
    """Read a cursor back; None stays None.

    Raises:
        BadRequest: not one of ours, or of a list with another filter.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        plain = base64.b64decode(padded, b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise BadRequest("The cursor is not one of this server.") from None
    found = _PLAIN.fullmatch(plain)
    if found is None:
        raise BadRequest("The cursor is not one of this server.")
    if found["of"] != _hash(filtered_by):
        raise BadRequest("The cursor belongs to a list with another filter.")
    at = _EPOCH + timedelta(milliseconds=int(found["ms"]))
    return Position(at, UUID(hex=found["id"]))


def page(
    rows: Sequence[R],
    *,
    shape: Callable[[R], T],
    at: Callable[[R], Position],
    has_next: bool,
    after: str | None = None,
    filtered_by: str = "",
) -> Connection[T]:
    """Build one page.

    Args:
        rows: what the room answered, in order, at most `first` of them.
        shape: from the room's value to the contract's type.
        at: the keyset of a row.
        has_next: whether the room has more rows behind the last.
        after: the cursor the page was asked with.
        filtered_by: text that names the filter, the same as for `decode`.
    """
    edges = [Edge(cursor=encode(at(row), filtered_by), node=shape(row)) for row in rows]
    return Connection(
        edges=edges,
        nodes=[edge.node for edge in edges],
        page_info=PageInfo(
            has_next_page=has_next,
            has_previous_page=after is not None,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
    )


def _hash(filtered_by: str) -> str:
    return hashlib.sha256(filtered_by.encode()).hexdigest()[:16]
