"""Every place of the contract where a caller names an object, from the contract itself.

A coordinate is `Type.field(argument)`, or `Type.field(input.member.member)`.
"""

from collections.abc import Iterator

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLObjectType,
    get_named_type,
    is_introspection_type,
)

from tests.house import contract

NAMING = {"ID", "EventCursor", "IdempotencyKey"}
PLACES = {"after", "before"}  # cursors of pages are plain strings in the contract


def coordinates() -> set[str]:
    """Give every coordinate whose value names an object, a place or a key."""
    return {
        f"{kind.name}.{name}({path})"
        for kind in contract.schema().type_map.values()
        if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind)
        for name, field in kind.fields.items()
        for argument, given in field.args.items()
        for path in _naming(given.type, argument, frozenset())
    }


def _naming(kind: GraphQLInputType, path: str, inside: frozenset[str]) -> Iterator[str]:
    named = get_named_type(kind)
    if isinstance(named, GraphQLInputObjectType):
        if named.name in inside:
            return
        for name, member in named.fields.items():
            deeper = inside | {named.name}
            yield from _naming(member.type, f"{path}.{name}", deeper)
    elif named.name in NAMING or path.rpartition(".")[2] in PLACES:
        yield path
