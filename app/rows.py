"""Rows and values alike on both engines: what goes into SQL and what comes out."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args
from uuid import UUID

import orjson

from app.clock import rfc3339
from app.ids import Id

_HEX = re.compile(r"[0-9a-fA-F]{32}")
# Where the parts of 2026-11-21 09:30:00.000000+00:00 end.
_DAY_END, _SECOND_END, _MILLI_END = 10, 19, 23
_SHORTEST, _LONGEST = 29, 32  # with three decimals, with six
T = TypeVar("T")
Scalar = str | int | bytes | bool | date | datetime | UUID | Id | Enum | None


class MissingColumn(KeyError):
    """A row lacks the column, or it is NULL where a value was asked: our bug."""


class Row:
    """One row of an answer, read by column name and type, alike on both engines."""

    __slots__ = ("_columns",)

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = columns

    def get(self, name: str, kind: type[T]) -> T:
        """Give a column that is not NULL as `kind` (str, int, UUID, an Id, ...)."""
        try:
            raw = self._columns[name]
        except (KeyError, IndexError):
            raise MissingColumn(name) from None
        if kind is not str and raw is not None:
            raw = (_READERS.get(kind) or _learned(kind))(raw)
        if raw is None:
            raise MissingColumn(name)
        return raw  # type: ignore[no-any-return]  # a text column gives texts

    def raw(self, name: str) -> Any:  # noqa: ANN401  -- whatever the driver gives
        """Give a column as the driver gave it; a text is the same on both engines."""
        return self._columns[name]

    def find(self, name: str, kind: type[T]) -> T | None:
        """Give a column as `kind`, or None for NULL."""
        try:
            raw = self._columns[name]
        except (KeyError, IndexError):
            raise MissingColumn(name) from None
        if raw is None or kind is str:
            return raw  # type: ignore[no-any-return]  # a text column gives texts
        reader = _READERS.get(kind) or _learned(kind)
        found: T = reader(raw)
        return found


def record(**kinds: type | UnionType) -> Callable[[Row], dict[str, Any]]:
    """Make what reads many rows of the same columns: a value by column name.

    Args:
        kinds: what each column is read as; `str | None` where it may be NULL.
    """
    parts = [(name, *_read_as(kind)) for name, kind in kinds.items()]

    def read(row: Row) -> dict[str, Any]:
        columns = row._columns  # noqa: SLF001  -- the same module
        found: dict[str, Any] = {}
        for name, reader, nullable in parts:
            try:
                raw = columns[name]
            except (KeyError, IndexError):
                raise MissingColumn(name) from None
            if raw is not None:
                found[name] = reader(raw)
            elif nullable:
                found[name] = None
            else:
                raise MissingColumn(name)
        return found

    return read


def _read_as(kind: type | UnionType) -> tuple[Callable[[Any], object], bool]:
    """Tell how a column is read, and whether it may be NULL."""
    if isinstance(kind, type):
        return _READERS.get(kind) or _learned(kind), False
    (inner,) = (one for one in get_args(kind) if one is not NoneType)
    return _READERS.get(inner) or _learned(inner), True


def _learned(kind: type) -> Callable[[Any], Any]:
    """Keep how a kind of id or enum is read."""
    reader: Callable[[Any], Any] = _as_it_is
    if issubclass(kind, Id):
        reader = lambda raw: kind(_uuid(raw))  # noqa: E731  -- as the others of the table
    elif issubclass(kind, Enum):
        reader = kind
    _READERS[kind] = reader
    return reader


def _as_it_is(raw: object) -> object:
    return raw


def _uuid(raw: str | UUID) -> UUID:
    """Read an id; `int` alone would take signs, blanks and other lengths, too."""
    if isinstance(raw, UUID):
        return raw
    digits = raw.replace("-", "")
    if _HEX.fullmatch(digits) is None:
        raise ValueError("an id has 32 hex digits")
    return UUID(int=int(digits, 16))


def _instant(raw: str | datetime) -> datetime:
    found = datetime.fromisoformat(raw) if isinstance(raw, str) else raw
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _day(raw: str | date) -> date:
    return date.fromisoformat(raw) if isinstance(raw, str) else raw


def instant_text(raw: str | datetime) -> str:
    """Write an instant of a row as `clock.rfc3339` does.

    Both engines write UTC with its milliseconds in the same places: such a text is cut
    and not read.
    """
    if (
        raw.__class__ is str
        and _SHORTEST <= len(raw) <= _LONGEST
        and raw[_DAY_END] in " T"
        and raw[_SECOND_END] == "."
        and raw.endswith("+00:00")
    ):
        return f"{raw[:_DAY_END]}T{raw[_DAY_END + 1 : _MILLI_END]}Z"
    return rfc3339(_instant(raw))


def days(column: Sequence[str | date | None]) -> list[date | None]:
    """Read a column of days as `Row.find` reads one."""
    return [None if raw is None else _day(raw) for raw in column]


_READERS: dict[type, Callable[[Any], Any]] = {
    str: _as_it_is,
    UUID: _uuid,
    datetime: _instant,
    date: _day,
    bool: bool,
    bytes: bytes,
    int: int,
    dict: orjson.loads,
    list: orjson.loads,
}


_PLAIN = frozenset({str, int, bytes, bool, type(None)})  # both drivers take them


def for_sqlite(value: Scalar) -> object:
    """Write a value as SQLite keeps it: ids and instants as text that sorts."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, (Id, UUID)):
        return str(value.value if isinstance(value, Id) else value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(" ", "microseconds")
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value


def for_postgres(value: Scalar) -> object:
    """Write a value as asyncpg takes it."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, (Id, Enum)):
        return value.value
    return value


@lru_cache(maxsize=2048)
def numbered(sql: str) -> str:
    """Turn the `$1` of our SQL into SQLite's `?1`."""
    return re.sub(r"\$(\d+)", r"?\1", sql)
