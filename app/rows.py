"""Rows and values alike on both engines: what goes into SQL and what comes out."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar, cast
from uuid import UUID

import orjson

from app.ids import Id

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
        found = self.find(name, kind)
        if found is None:
            raise MissingColumn(name)
        return found

    def find(self, name: str, kind: type[T]) -> T | None:
        """Give a column as `kind`, or None for NULL."""
        try:
            raw = self._columns[name]
        except (KeyError, IndexError):
            raise MissingColumn(name) from None
        return None if raw is None else cast("T", _decoded(raw, kind))


def _decoded(raw: Any, kind: type) -> object:  # noqa: ANN401  -- what drivers give
    if issubclass(kind, Id):
        return kind(raw if isinstance(raw, UUID) else UUID(raw))
    if issubclass(kind, Enum):
        return kind(raw)
    reader = _READERS.get(kind)
    return raw if reader is None else reader(raw)


def _instant(raw: str | datetime) -> datetime:
    found = datetime.fromisoformat(raw) if isinstance(raw, str) else raw
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _day(raw: str | date) -> date:
    return date.fromisoformat(raw) if isinstance(raw, str) else raw


_READERS: dict[type, Callable[[Any], object]] = {
    UUID: lambda raw: raw if isinstance(raw, UUID) else UUID(raw),
    datetime: _instant,
    date: _day,
    bool: bool,
    bytes: bytes,
    int: int,
    dict: orjson.loads,
    list: orjson.loads,
}


def for_sqlite(value: Scalar) -> object:
    """Write a value as SQLite keeps it: ids and instants as text that sorts."""
    if isinstance(value, Id):
        return str(value.value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(" ", "microseconds")
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value


def for_postgres(value: Scalar) -> object:
    """Write a value as asyncpg takes it."""
    if isinstance(value, (Id, Enum)):
        return value.value
    return value


@lru_cache(maxsize=2048)
def numbered(sql: str) -> str:
    """Turn the `$1` of our SQL into SQLite's `?1`."""
    return re.sub(r"\$(\d+)", r"?\1", sql)
