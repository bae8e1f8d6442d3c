"""The closures a selection becomes: from an object or snapshot to JSON-ready values.

Each reads one thing and knows its type. What does not fit is `Unprojectable`: null
propagation and error paths are graphql-core's.
"""

from collections.abc import Callable
from enum import Enum
from operator import attrgetter
from typing import Any, TypeAlias, cast

from graphql import (
    GraphQLBoolean,
    GraphQLID,
    GraphQLLeafType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    is_leaf_type,
    is_non_null_type,
)
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from app.schema.context import Context
from app.schema.plan.support import Unprojectable

# Leaves whose values of this class are written as they are.
PLAIN: dict[GraphQLLeafType, type] = {
    GraphQLString: str,
    GraphQLID: str,
    GraphQLBoolean: bool,
}


class Asked:
    """What stands in for the library's info where a field reads the language."""

    __slots__ = ("context",)

    def __init__(self, context: Context) -> None:
        self.context = context


Reader: TypeAlias = Callable[[Any, Asked], object]


def required(inner: Reader) -> Reader:
    """Read what must not be null."""

    def read(value: Any, asked: Asked) -> object:  # noqa: ANN401  -- any value
        if value is None:
            raise Unprojectable("null")
        return inner(value, asked)

    return read


def optional(inner: Reader) -> Reader:
    """Read what may be null."""

    def read(value: Any, asked: Asked) -> object:  # noqa: ANN401  -- any value
        return None if value is None else inner(value, asked)

    return read


def each(inner: Reader) -> Reader:
    """Read a list."""

    def read(value: Any, asked: Asked) -> object:  # noqa: ANN401  -- any value
        if not isinstance(value, list | tuple):
            raise Unprojectable("type")
        return [inner(one, asked) for one in value]

    return read


def leaf(kind: GraphQLLeafType) -> Reader:
    """Write a scalar or enum as its type does."""
    coerce = kind.coerce_output_value

    def read(value: Any, asked: Asked) -> object:  # noqa: ANN401, ARG001  -- any value
        found: object = coerce(value)
        if found is None or found is Undefined:
            raise Unprojectable("null")
        return found

    return read


def attribute(name: str, kind: GraphQLOutputType, complete: Reader) -> Reader:
    """Read a plain attribute."""
    return part(attrgetter(name), kind, complete)


def _plain(get: Callable[[Any], Any], plain: type, complete: Reader) -> Reader:
    def read(source: Any, asked: Asked) -> object:  # noqa: ANN401  -- any object type
        value = get(source)
        return value if value.__class__ is plain else complete(value, asked)

    return read


def _named(
    get: Callable[[Any], Any], kind: CustomGraphQLEnumType, complete: Reader
) -> Reader:
    """Read an enum: its member, or in a snapshot the member's value."""
    members = cast("type[Enum]", kind.wrapped_cls)
    names = {one: kind.coerce_output_value(one) for one in members}
    values = {one.value: name for one, name in names.items() if _is_word(one.value)}

    def read(source: Any, asked: Asked) -> object:  # noqa: ANN401  -- any object type
        value = get(source)
        if value.__class__ is members:
            return names[value]
        if value.__class__ is str and value in values:
            return values[value]
        return complete(value, asked)

    return read


def _is_word(value: object) -> bool:
    return isinstance(value, str)


def part(
    get: Callable[[Any], object], kind: GraphQLOutputType, complete: Reader
) -> Reader:
    """Read what a getter gives; the usual values of a leaf take a shorter way."""
    leaf = kind.of_type if is_non_null_type(kind) else kind
    if is_leaf_type(leaf) and leaf in PLAIN:
        return _plain(get, PLAIN[leaf], complete)
    if isinstance(leaf, CustomGraphQLEnumType):
        return _named(get, leaf, complete)
    if is_leaf_type(leaf):
        return _written(get, leaf, complete)

    def read(source: Any, asked: Asked) -> object:  # noqa: ANN401  -- any snapshot
        return complete(get(source), asked)

    return read


def _written(
    get: Callable[[Any], object], kind: GraphQLLeafType, complete: Reader
) -> Reader:
    """Write a leaf by its own type; null, and what its type refuses, the long way."""
    coerce = kind.coerce_output_value

    def read(source: Any, asked: Asked) -> object:  # noqa: ANN401  -- any snapshot
        value = get(source)
        if value is not None:
            found: object = coerce(value)
            if found is not None and found is not Undefined:
                return found
        return complete(value, asked)

    return read


def made(make: Callable[[Any], object], inner: Reader) -> Reader:
    """Read a computed field, whose resolver needs the object."""

    def read(source: Any, asked: Asked) -> object:  # noqa: ANN401  -- any snapshot
        return inner(make(source), asked)

    return read


def held(at_hand: Callable[[Any], object], complete: Reader) -> Reader:
    """Read what the object has at hand, where its resolver need not read."""

    def read(source: Any, asked: Asked) -> object:  # noqa: ANN401  -- any object type
        try:
            found = at_hand(source)
        except LookupError:
            raise Unprojectable("resolver") from None
        return complete(found, asked)

    return read


def constant(text: str) -> Reader:
    """Give the same text always."""

    def read(_source: Any, _asked: Asked) -> object:  # noqa: ANN401  -- any object type
        return text

    return read


def never(why: str) -> Reader:
    """Leave it to the library always."""

    def read(_value: Any, _asked: Asked) -> object:  # noqa: ANN401  -- any value
        raise Unprojectable(why)

    return read
