"""The shortest document that calls a root field, made from the contract itself."""

from collections.abc import Iterator

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    is_composite_type,
)
from graphql.type import get_named_type

from tests.house import contract

NEEDED = {"LOGIN", "STEP_UP"}
LITERALS = {
    "Boolean": "true",
    "Int": "1",
    "Int64": '"1"',
    "CurrencyCode": '"INR"',
    "DateTime": '"2026-11-21T09:30:00.000Z"',
    "Date": '"2026-11-21"',
    "IdempotencyKey": '"8f0c7a52-9a6f-4f5e-8a55-1f7a3a1f0f55"',
    "JSON": "{}",
}


def behind_sign_in() -> dict[str, str]:
    """Give a document for each root field that needs a signed-in person, by name."""
    return {
        f"{kind}.{name}": f"{kind.lower()} {{ {_call(name, field)} }}"
        for kind, name, field in _roots()
        if _level(field) in NEEDED
    }


def _roots() -> Iterator[tuple[str, str, GraphQLField]]:
    for kind in ("Query", "Mutation", "Subscription"):
        found = contract.schema().type_map[kind]
        assert isinstance(found, GraphQLObjectType)
        for name, field in found.fields.items():
            yield kind, name, field


def _level(field: GraphQLField) -> str:
    assert field.ast_node is not None
    for one in field.ast_node.directives or ():
        if one.name.value == "auth":
            given = {arg.name.value: arg.value for arg in one.arguments or ()}
            return str(getattr(given["level"], "value", "LOGIN"))
    return "LOGIN"


def _call(name: str, field: GraphQLField) -> str:
    given = [
        f"{argument}: {_literal(one.type)}"
        for argument, one in field.args.items()
        if isinstance(one.type, GraphQLNonNull)
    ]
    arguments = f"({', '.join(given)})" if given else ""
    chosen = " { __typename }" if is_composite_type(get_named_type(field.type)) else ""
    return name + arguments + chosen


def _literal(kind: GraphQLInputType) -> str:
    if isinstance(kind, GraphQLNonNull):
        return _literal(kind.of_type)
    if isinstance(kind, GraphQLList):
        return f"[{_literal(kind.of_type)}]"
    if isinstance(kind, GraphQLEnumType):
        return str(next(iter(kind.values)))
    if isinstance(kind, GraphQLInputObjectType):
        members = [
            f"{name}: {_literal(member.type)}"
            for name, member in kind.fields.items()
            if isinstance(member.type, GraphQLNonNull)
        ] or [
            f"{name}: {_literal(kind.fields[name].type)}" for name in [*kind.fields][:1]
        ]
        return f"{{ {', '.join(members)} }}"
    return LITERALS.get(kind.name, '"x"')
