"""Ways to every resolver of a contract, and a bank in which everything breaks."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_composite_type,
)

from app import ids

SECRET = "the-inside-of-the-bank"
UUID = "0198a000-0000-7000-8000-000000000001"
# Ids of every sort: which one a field takes, its type does not say.
IDS = [UUID, UUID.replace("-", "")] + [
    f"{kind.prefix}_{UUID.replace('-', '')}" for kind in ids.Id.__subclasses__()
]
SCALARS: dict[str, object] = {
    "String": "+919876543210",
    "Int": 1,
    "Boolean": True,
    "DateTime": "2026-11-21T12:00:00Z",
    "Date": "2026-11-21",
    "IdempotencyKey": "0198a000-0000-7000-8000-000000000001",
    "Int64": "1",
    "CurrencyCode": "INR",
    "EventCursor": "ec1.AAAA",
    "JSON": {},
}


class Broken:
    """Whatever is asked of it, it raises; and says what nobody may read."""

    def __init__(self, typename: str = "") -> None:
        self.typename = typename

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"{SECRET}: {name}")


class Sessions(Broken):
    """Takes a note of who was active, before any resolver; else broken."""

    async def touch(self, _actor: object) -> None:
        """Note nothing."""


class BrokenBank(Broken):
    """A bank of which only the edge's own part works."""

    sessions = Sessions()


@dataclass(frozen=True)
class Step:
    """One field on the way from the root."""

    parent: GraphQLObjectType
    name: str

    @property
    def field(self) -> GraphQLField:
        found: GraphQLField = self.parent.fields[self.name]
        return found

    @property
    def told(self) -> str:
        return f"{self.parent.name}.{self.name}"


def ways(schema: GraphQLSchema) -> Iterator[tuple[Step, ...]]:
    """Give a way to every field with a resolver of its own, the roots first."""
    seen: set[str] = set()
    waiting: deque[tuple[GraphQLObjectType, tuple[Step, ...]]] = deque()
    for root in (schema.query_type, schema.subscription_type, schema.mutation_type):
        if root is not None:
            waiting.append((root, ()))
    while waiting:
        parent, way = waiting.popleft()
        if parent.name in seen:
            continue
        seen.add(parent.name)
        for name, field in parent.fields.items():
            step = Step(parent, name)
            if not way or has_resolver(field):
                yield (*way, step)
            for kind in objects_of(schema, get_named_type(field.type)):
                waiting.append((kind, (*way, step)))


def objects_of(
    schema: GraphQLSchema, kind: GraphQLNamedType
) -> Sequence[GraphQLObjectType]:
    """Give the object types that a value of a type may have."""
    if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
        return schema.get_possible_types(kind)
    return [kind] if isinstance(kind, GraphQLObjectType) else []


def has_resolver(field: GraphQLField) -> bool:
    definition = field.extensions.get("strawberry-definition")
    return definition is not None and not definition.is_basic_field


def document_of(way: tuple[Step, ...]) -> str:
    """Write the document that asks for the last field of a way."""
    first = way[0]
    variables = {
        f"$v{number}_{name}": str(argument.type)
        for number, step in enumerate(way)
        for name, argument in asked(step)
    }
    kind = first.parent.name.lower()
    inner = ""
    for number, step in reversed(list(enumerate(way))):
        given = ", ".join(f"{name}: $v{number}_{name}" for name, _ in asked(step))
        arguments = f"({given})" if given else ""
        inner = inner or leaves(get_named_type(step.field.type))
        inner = f"... on {step.parent.name} {{ {step.name}{arguments} {inner} }}"
        inner = f"{{ {inner} }}"
    declared = ", ".join(f"{name}: {kind}" for name, kind in variables.items())
    head = f"{kind} ({declared})" if declared else kind
    return f"{head} {inner}"


def leaves(kind: GraphQLNamedType) -> str:
    """Select what a type itself tells, without a way further down."""
    if not is_composite_type(kind):
        return ""
    fields = getattr(kind, "fields", {}).items()
    names = [
        name
        for name, field in fields
        if not is_composite_type(get_named_type(field.type)) and not field.args
    ]
    return "{ " + " ".join(["__typename", *names]) + " }"


def asked(step: Step) -> list[tuple[str, GraphQLArgument]]:
    """Give the arguments a field needs, or else the first it takes."""
    found = list(step.field.args.items())
    needed = [one for one in found if isinstance(one[1].type, GraphQLNonNull)]
    return needed or found[:1]


def variables_of(way: tuple[Step, ...]) -> Iterator[dict[str, object]]:
    """Give variables for a way: with ids of each sort, with few members and all."""
    before: dict[str, object] | None = None
    for one, full in product(IDS, (False, True)):
        given = {
            f"v{number}_{name}": value_of(argument.type, one, full=full)
            for number, step in enumerate(way)
            for name, argument in asked(step)
        }
        if given != before:
            yield given
        before = given


def value_of(kind: Any, id_: str, *, full: bool = False) -> object:
    """Give a value that an input type takes."""
    if isinstance(kind, GraphQLNonNull):
        return value_of(kind.of_type, id_, full=full)
    if isinstance(kind, GraphQLList):
        return [value_of(kind.of_type, id_, full=full)]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        fields = kind.fields.items()
        needed = [one for one in fields if isinstance(one[1].type, GraphQLNonNull)]
        # Without a needed member it is one of several, or all may be left out.
        chosen = list(fields) if needed and full else needed or list(fields)[:1]
        return {name: value_of(field.type, id_, full=full) for name, field in chosen}
    return id_ if kind.name == "ID" else SCALARS[kind.name]
