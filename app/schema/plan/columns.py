"""A list of snapshots read column by column, where something holds them together.

A page has the same fields in each row: a column is read and written in one go, and what
is usual needs no closure for each value. A value that is not usual is written by the
closures of `closures`, so both ways give the same.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from types import NoneType
from typing import Any, TypeAlias, cast

from graphql import GraphQLLeafType, GraphQLOutputType, is_non_null_type
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from app.schema.plan.closures import PLAIN, Asked, Reader
from app.schema.plan.shapes import Column, Many, Written

# Gives what is written for each of many snapshots.
Together: TypeAlias = Callable[[Any, Asked], Sequence[object]]
# The same for their values; None: some are not usual.
_Usual: TypeAlias = Callable[[Sequence[Any]], Sequence[object] | None]

_TEXT = frozenset({str})


def column(of: Column | Written, kind: GraphQLOutputType, complete: Reader) -> Together:
    """Read a leaf of many snapshots; unusual values are written one by one."""
    if isinstance(of, Written):
        values, usual = of.values, _plain(_classes(kind, str))
    else:
        values, usual = of, _usual(kind)

    def read(many: Any, asked: Asked) -> Sequence[object]:  # noqa: ANN401  -- any list
        found = values(many)
        written = usual(found)
        if written is None:
            return [complete(one, asked) for one in found]
        return written

    return read


def _usual(kind: GraphQLOutputType) -> _Usual:
    leaf = cast("GraphQLLeafType", kind.of_type if is_non_null_type(kind) else kind)
    if leaf in PLAIN:
        return _plain(_classes(kind, PLAIN[leaf]))
    if isinstance(leaf, CustomGraphQLEnumType):
        return _named(leaf, nullable=not is_non_null_type(kind))
    return _written(leaf)


def _classes(kind: GraphQLOutputType, plain: type) -> frozenset[type]:
    """Name the classes of values that are written as they are."""
    return frozenset({plain} if is_non_null_type(kind) else {plain, NoneType})


def _plain(classes: frozenset[type]) -> _Usual:
    def write(values: Sequence[object]) -> Sequence[object] | None:
        return values if classes.issuperset(map(type, values)) else None

    return write


def _named(kind: CustomGraphQLEnumType, *, nullable: bool) -> _Usual:
    members = cast("type[Enum]", kind.wrapped_cls)
    names: dict[object, object]
    names = {one.value: kind.coerce_output_value(one) for one in members}
    if nullable:
        names[None] = None

    def write(values: Sequence[Any]) -> Sequence[object] | None:
        try:
            return [names[one] for one in values]
        except (KeyError, TypeError):
            return None

    return write


def _written(kind: GraphQLLeafType) -> _Usual:
    """Write values by their type, all of which have to become texts."""
    coerce = kind.coerce_output_value

    def write(values: Sequence[Any]) -> Sequence[object] | None:
        if None in values:
            return None
        found = [*map(coerce, values)]
        return found if _TEXT.issuperset(map(type, found)) else None

    return write


def repeated(text: str) -> Together:
    """Give the same text for each."""

    def read(many: Any, _asked: Asked) -> Sequence[object]:  # noqa: ANN401  -- any list
        return [text] * len(many)

    return read


def table(fields: Sequence[tuple[str, Together]]) -> Together:
    """Read objects, in the order of their fields."""

    def read(many: Any, asked: Asked) -> Sequence[object]:  # noqa: ANN401  -- any list
        made: list[dict[str, object]] = [{} for _ in range(len(many))]
        for key, values in fields:
            for one, value in zip(made, values(many, asked), strict=True):
                one[key] = value
        return made

    return read


def sparse(where: Column, there: Together) -> Together:
    """Read objects that may be null."""

    def read(many: Any, asked: Asked) -> Sequence[object]:  # noqa: ANN401  -- any list
        flags = where(many)
        if all(flags):
            return there(many, asked)
        found = iter(there(many.picked(flags), asked))
        return [next(found) if flag else None for flag in flags]

    return read


def by_column(
    of: Callable[[Any], Many | None], together: Together, one_by_one: Reader
) -> Reader:
    """Read a list by columns; one by one where nothing holds it together."""

    def read(source: Any, asked: Asked) -> object:  # noqa: ANN401  -- any snapshot
        many = of(source)
        if many is None:
            return one_by_one(source, asked)
        return together(many, asked)

    return read
