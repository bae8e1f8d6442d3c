"""The GraphQL contract as flat names: what is exported, and what was designed.

A name is `Payment` (a definition), `Payment.status` (a field, value or member),
`Payment.status(arg)`, `Payment:Node` (an interface), `@auth` or `@auth(level)`. Its
shape is everything that a phone's generated code depends on: kind, type, nullability,
default and the marks.

The target file gives each name the build that ships it, as `# P0`, `# P1` or `# P2`: on
the opening line of a definition for all its members, on a member's own lines for it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from graphql import (
    ConstDirectiveNode,
    DefinitionNode,
    DirectiveDefinitionNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    GraphQLSchema,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    Node,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    UnionTypeDefinitionNode,
    build_ast_schema,
    parse,
    print_ast,
)

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "tests/data/schema.target.graphql"
PRINTED = ROOT / "app/schema/schema.graphql"
PHASE = re.compile(r"# (P[012])\s*$")
SHIPPED = "P0"  # the build that is being made
# Directives of the GraphQL specification itself: not part of the contract's text.
OF_THE_LANGUAGE = {"deprecated", "include", "oneOf", "skip", "specifiedBy"}


@dataclass(frozen=True, slots=True)
class Item:
    """One name of the contract."""

    name: str
    shape: str
    phase: str


Named = (
    ScalarTypeDefinitionNode
    | ObjectTypeDefinitionNode
    | InterfaceTypeDefinitionNode
    | UnionTypeDefinitionNode
    | EnumTypeDefinitionNode
    | InputObjectTypeDefinitionNode
    | DirectiveDefinitionNode
)


@cache
def target() -> dict[str, Item]:
    """Give every name of the designed contract, in its order."""
    return items(TARGET.read_text())


@cache
def exported() -> dict[str, Item]:
    """Give every name of the printed contract, in its order."""
    return items(PRINTED.read_text())


@cache
def document() -> DocumentNode:
    """Parse the printed contract."""
    return parse(PRINTED.read_text())


@cache
def schema() -> GraphQLSchema:
    """Build the printed contract."""
    return build_ast_schema(document())


def wanted() -> list[str]:
    """List the names of the shipped build that are designed but not exported."""
    there = exported()
    return [
        item.name
        for item in target().values()
        if item.phase == SHIPPED and item.name not in there
    ]


def items(text: str) -> dict[str, Item]:
    """Read a contract: every name with its shape and its build."""
    lines = text.splitlines()
    found: dict[str, Item] = {}
    for definition in parse(text).definitions:
        for item in _of_definition(definition, lines):
            assert item.name not in found, f"{item.name} stands twice"
            found[item.name] = item
    return found


def _of_definition(node: DefinitionNode, lines: list[str]) -> Iterator[Item]:
    if not isinstance(node, Named):
        return  # `schema { ... }` names nothing new
    if isinstance(node, DirectiveDefinitionNode):
        name = f"@{node.name.value}"
        if node.name.value in OF_THE_LANGUAGE:
            return
        places = " | ".join(sorted(place.value for place in node.locations))
        phase = _opening(node.name, lines)
        yield Item(name, f"on {places}", phase)
        yield from _arguments(name, node.arguments, lines, phase)
        return
    name = node.name.value
    phase = _opening(node.name, lines)
    yield Item(name, node.kind + _marks(node.directives), phase)
    yield from _members(node, lines, phase)


def _members(node: Named, lines: list[str], phase: str) -> Iterator[Item]:
    name = node.name.value
    for interface in getattr(node, "interfaces", None) or ():
        yield Item(f"{name}:{interface.name.value}", "implements", phase)
    for member in getattr(node, "types", None) or ():
        own = f"{name}.{member.name.value}"
        yield Item(own, "member", _own(member, lines, phase))
    for value in getattr(node, "values", None) or ():
        own = f"{name}.{value.name.value}"
        yield Item(own, _marks(value.directives), _own(value.name, lines, phase))
    for field in getattr(node, "fields", None) or ():
        if isinstance(field, InputValueDefinitionNode):
            own = f"{name}.{field.name.value}"
            yield Item(own, _input_shape(field), _own(field, lines, phase))
        else:
            yield from _field(name, field, lines, phase)


def _field(
    owner: str, node: FieldDefinitionNode, lines: list[str], outer: str
) -> Iterator[Item]:
    name, phase = f"{owner}.{node.name.value}", _own(node, lines, outer)
    yield Item(name, print_ast(node.type) + _marks(node.directives), phase)
    yield from _arguments(name, node.arguments, lines, phase)


def _arguments(
    owner: str,
    nodes: tuple[InputValueDefinitionNode, ...] | None,
    lines: list[str],
    phase: str,
) -> Iterator[Item]:
    for node in nodes or ():
        yield Item(f"{owner}({node.name.value})", _input_shape(node), phase)


def _input_shape(node: InputValueDefinitionNode) -> str:
    default = f" = {print_ast(node.default_value)}" if node.default_value else ""
    return print_ast(node.type) + default + _marks(node.directives)


def _marks(directives: tuple[ConstDirectiveNode, ...] | None) -> str:
    """Write the marks in one order; `specifiedBy` only points at a text for people."""
    written = []
    for one in directives or ():
        if one.name.value != "specifiedBy":
            given = sorted(
                f"{part.name.value}: {print_ast(part.value)}"
                for part in one.arguments or ()
            )
            written.append(f" @{one.name.value}({', '.join(given)})")
    return "".join(sorted(written))


def _opening(name: Node, lines: list[str]) -> str:
    """Read the mark on the line where a definition's name stands; none is P0."""
    assert name.loc is not None
    mark = PHASE.search(lines[name.loc.start_token.line - 1])
    return mark.group(1) if mark else SHIPPED


def _own(node: Node, lines: list[str], outer: str) -> str:
    """Read the mark at the end of a member, else that of its definition.

    A member that shares its line with others has no mark of its own: the one at the end
    of that line belongs to the definition that opened there.
    """
    assert node.loc is not None
    mark = PHASE.search(lines[node.loc.end_token.line - 1])
    return mark.group(1) if mark else outer
