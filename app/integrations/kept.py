"""A row of an account that lies in our own database, read when it is asked for.

A page has hundreds of values and a screen shows a few of them: each is read from the
row by the field that shows it, none before. Rows that came together are kept together,
so that whoever shows them all reads a column and not each row.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import compress
from typing import Any, overload
from uuid import UUID

from typing_extensions import override

from app.integrations.figures import CoreTxn
from app.money import Money
from app.rows import Row, days, instant_text


class KeptTxn(CoreTxn):
    """A row of a table that `keyset` reads.

    Args:
        row: with the columns id, status, kind, direction, amount, running_balance,
            created_at, booked_at, value_on, counterparty_name, counterparty_masked,
            narration, rail, reference and payment_ref.
        ref: the core's name of the account.
        currency: of the account.
    """

    __slots__ = ("_currency", "_ref", "_row")
    _currency: str
    _ref: str
    _row: Row

    def __init__(self, row: Row, ref: str, currency: str) -> None:
        put = object.__setattr__  # the port's row is frozen
        put(self, "_row", row)
        put(self, "_ref", ref)
        put(self, "_currency", currency)

    @property
    @override
    def id(self) -> UUID:
        return self._row.get("id", UUID)

    @property
    @override
    def hex(self) -> str:
        raw = self._row.raw("id")
        found: str = raw.replace("-", "") if raw.__class__ is str else raw.hex
        return found

    @property
    @override
    def status(self) -> str:
        found: str = self._row.raw("status")
        return found

    @property
    @override
    def kind(self) -> str:
        found: str = self._row.raw("kind")
        return found

    @property
    @override
    def direction(self) -> str:
        found: str = self._row.raw("direction")
        return found

    @property
    @override
    def created_at(self) -> datetime:
        return self._row.get("created_at", datetime)

    @property
    @override
    def booked_at(self) -> datetime | None:
        return self._row.find("booked_at", datetime)

    @property
    @override
    def value_on(self) -> date | None:
        return self._row.find("value_on", date)

    @property
    @override
    def counterparty_name(self) -> str | None:
        found: str | None = self._row.raw("counterparty_name")
        return found

    @property
    @override
    def counterparty_masked(self) -> str | None:
        found: str | None = self._row.raw("counterparty_masked")
        return found

    @property
    @override
    def narration(self) -> str | None:
        found: str | None = self._row.raw("narration")
        return found

    @property
    @override
    def rail(self) -> str:
        found: str = self._row.raw("rail")
        return found

    @property
    @override
    def reference(self) -> str | None:
        found: str | None = self._row.raw("reference")
        return found

    @property
    @override
    def payment(self) -> UUID | None:
        return self._row.find("payment_ref", UUID)

    @property
    @override
    def ref(self) -> str:
        return self._ref

    @property
    @override
    def amount(self) -> Money:
        return Money(self.minor, self._currency)

    @property
    @override
    def minor(self) -> int:
        found: int = self._row.raw("amount")
        return found

    @property
    @override
    def currency(self) -> str:
        return self._currency

    @property
    @override
    def running_balance(self) -> Money | None:
        found = self._row.find("running_balance", int)
        return None if found is None else Money(found, self._currency)

    @property
    @override
    def decline_code(self) -> str | None:
        return None

    @property
    @override
    def original(self) -> Money | None:
        return None

    @property
    @override
    def op(self) -> UUID | None:
        return None


class KeptTxns(Sequence[CoreTxn]):
    """Rows of one account that came together; one is made when it is asked for.

    Args:
        rows: the values of each, as the driver gave them.
        places: where in a row the columns of `KeptTxn` are.
        ref: the core's name of the account.
        currency: of the account.
    """

    __slots__ = ("_places", "_rows", "currency", "ref")

    def __init__(
        self,
        rows: Sequence[Sequence[Any]],
        places: Mapping[str, int],
        ref: str,
        currency: str,
    ) -> None:
        self._rows = rows
        self._places = places
        self.ref = ref
        self.currency = currency

    @override
    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> KeptTxn: ...
    @overload
    def __getitem__(self, at: slice) -> "KeptTxns": ...
    @override
    def __getitem__(self, at: int | slice) -> "KeptTxn | KeptTxns":
        if isinstance(at, slice):
            return self._of(self._rows[at])
        columns = dict(zip(self._places, self._rows[at], strict=True))
        return KeptTxn(Row(columns), self.ref, self.currency)

    def _of(self, rows: Sequence[Sequence[Any]]) -> "KeptTxns":
        return KeptTxns(rows, self._places, self.ref, self.currency)

    def picked(self, flags: Iterable[object]) -> "KeptTxns":
        """Give the rows whose flag is true; there is a flag for each."""
        return self._of([*compress(self._rows, flags)])

    def column(self, name: str) -> list[Any]:
        """Give a column as the driver gave it, as `Row.raw` does."""
        place = self._places[name]
        return [row[place] for row in self._rows]

    def hexes(self) -> list[str]:
        """Give the 32 digits of each id."""
        return [
            raw.replace("-", "") if raw.__class__ is str else raw.hex
            for raw in self.column("id")
        ]

    def instants(self, name: str) -> list[str | None]:
        """Give a column of instants in RFC 3339, as `clock.rfc3339` writes them."""
        column = self.column(name)
        return [None if raw is None else instant_text(raw) for raw in column]

    def days(self, name: str) -> list[date | None]:
        """Give a column of days."""
        return days(self.column(name))
