"""The one SQL text of a page: keyset, filter and text search, on tables of such rows.

They have the columns account_id, created_at, id, direction, status, amount, search and
payment_ref, and an index over (account_id, created_at DESC, id DESC).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.rows import Scalar

_FIRST_MAX = 101  # one row more than the largest page, to know whether there is more
_SEARCHED = 10_000  # newest rows a text filter looks at (banking.md section 3)


class Wanted(Protocol):
    """A keyset page per account, newest first; the port's TxnQuery explains it."""

    @property
    def first(self) -> int:
        """Rows per account."""
        ...

    @property
    def after(self) -> tuple[datetime, UUID] | None:
        """Rows older than this."""
        ...

    @property
    def before(self) -> tuple[datetime, UUID] | None:
        """Rows newer than this, oldest first."""
        ...

    @property
    def since(self) -> datetime | None:
        """Created at or after it."""
        ...

    @property
    def until(self) -> datetime | None:
        """Created before it."""
        ...

    @property
    def direction(self) -> str | None:
        """IN or OUT."""
        ...

    @property
    def statuses(self) -> tuple[str, ...]:
        """Any of these; empty is all."""
        ...

    @property
    def min_minor(self) -> int | None:
        """Least amount."""
        ...

    @property
    def max_minor(self) -> int | None:
        """Largest amount."""
        ...

    @property
    def text(self) -> str | None:
        """Text that a row says."""
        ...

    @property
    def noted(self) -> tuple[UUID, ...]:
        """Payments whose rows pass `text` too."""
        ...


class Page:
    """The statement that reads one page of each account; `sql` uses `values`.

    Each account is one limited index scan, joined by UNION ALL: a window over the
    accounts would read their whole history (SQLite does). The rows of `sql` come in no
    order that holds: sort them by account_id and `order_of`.

    Args:
        table: whose rows.
        columns: what to read of them.
        accounts: at least one.
        query: which rows.
    """

    def __init__(
        self,
        table: str,
        columns: str,
        accounts: Sequence[UUID],
        query: Wanted,
    ) -> None:
        self.values: list[Scalar] = []
        way = "ASC" if query.before else "DESC"
        self._way = way
        conditions = self._conditions(query)
        source = table
        if query.text is not None:
            source = (
                f"(SELECT * FROM {table} WHERE account_id = {{account}} "  # noqa: S608  -- own names
                f"ORDER BY created_at DESC, id DESC LIMIT {_SEARCHED}) newest"
            )
        first = self._bind(min(query.first, _FIRST_MAX))
        part = (
            f"SELECT * FROM (SELECT {columns} FROM {source} "  # noqa: S608  -- own names and placeholders
            f"WHERE account_id = {{account}}{conditions} "
            f"ORDER BY created_at {way}, id {way} LIMIT {first}) part"
        )
        self.sql = " UNION ALL ".join(
            part.replace("{account}", self._bind(account)) for account in accounts
        )

    def order_of(self, alias: str) -> str:
        """Write how the rows of one account are sorted."""
        return f"{alias}.created_at {self._way}, {alias}.id {self._way}"

    def _bind(self, value: Scalar) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def _conditions(self, query: Wanted) -> str:
        """Write filter and keyset once; the same parameters serve every account."""
        bind = self._bind
        found = []
        for key, mark in ((query.after, "<"), (query.before, ">")):
            if key is not None:
                place = f"({bind(key[0])}, {bind(key[1])})"
                found.append(f"(created_at, id) {mark} {place}")
        bounds: tuple[tuple[str, Scalar], ...] = (
            ("created_at >=", query.since),
            ("created_at <", query.until),
            ("direction =", query.direction),
            ("amount >=", query.min_minor),
            ("amount <=", query.max_minor),
        )
        found += [
            f"{test} {bind(value)}" for test, value in bounds if value is not None
        ]
        if query.statuses:
            marks = ", ".join(bind(status) for status in query.statuses)
            found.append(f"status IN ({marks})")
        if query.text is not None:
            found.append(self._said(query.text, query.noted))
        return "".join(f" AND {condition}" for condition in found)

    def _said(self, text: str, noted: Sequence[UUID]) -> str:
        """Write that a row says a text, or is of a payment whose note does."""
        says = f"search LIKE {self._bind(_like(text))} ESCAPE '!'"
        if not noted:
            return says
        marks = ", ".join(self._bind(str(payment)) for payment in noted)
        return f"({says} OR payment_ref IN ({marks}))"


def _like(text: str) -> str:
    escaped = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
