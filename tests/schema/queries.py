"""Random valid queries over the contract, with variables."""

from collections.abc import Mapping, Sequence
from random import Random

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_composite_type,
)

from tests.schema.query_values import Arguments, Known

_DEPTH = 7
_FIELDS = 25  # about so many are selected
_MANY_CONDITIONS = 12  # more than a plan may have
# Without `quote`, whose id is new each time, and `payeeResolve`, which is counted.
_ROOTS: Mapping[str, int] = {
    "me": 12,
    "node": 4,
    "nodes": 3,
    "payment": 3,
    "quickBalance": 1,
    "serviceStatus": 1,
    "appPolicy": 1,
}


class Queries:
    """Draws one query, valid by construction.

    Args:
        chance: what decides.
        schema: the contract.
        known: what can be named.
    """

    def __init__(self, chance: Random, schema: GraphQLSchema, known: Known) -> None:
        self._chance = chance
        self._schema = schema
        wrong = 0.3 if chance.random() < 0.2 else 0.0
        self._arguments = Arguments(chance, known, wrong)
        self._yes = self._arguments.yes
        self._conditions = _MANY_CONDITIONS if self._yes(0.03) else 2
        self._conditional = 0.7 if self._conditions == _MANY_CONDITIONS else 0.15
        self._fragments: list[tuple[str, str, str]] = []
        self._aliases = 0
        self._left = _FIELDS
        self.operation: str | None = None

    def variables(self) -> dict[str, object]:
        """Draw the values of the variables, as a client sends them."""
        return self._arguments.variables()

    def document(self) -> str:
        """Give the text of the operation with its fragments, and maybe of another."""
        query = self._schema.query_type
        assert query is not None
        body = self._object(query, 0)
        declared = self._arguments.declared.items()
        told = ", ".join(f"${name}: {kind}" for name, kind in declared)
        parts = [f"query Any({told}) {body}" if told else f"query Any {body}"]
        parts += [f"fragment {name} on {kind} {b}" for name, kind, b in self._fragments]
        if self._yes(0.1):
            parts.insert(self._chance.randrange(2), "query Other { __typename }")
            self.operation = "Any"
        return "\n".join(parts)

    # -------------------------------------------------------------- objects

    def _object(self, kind: GraphQLObjectType, depth: int, prefix: str = "") -> str:
        """Select from an object; `prefix` parts what members of a union call alike."""
        parts = [
            text
            for name in self._names(kind, depth)
            for text in self._field(kind, name, depth, prefix)
        ]
        if self._yes(0.2):
            parts.append("__typename")
        if kind.interfaces and self._yes(0.05):
            parts.append(f"... on {kind.interfaces[0].name} {{ id }}")
        if not prefix and self._yes(0.2):
            own = [name for name, of, _ in self._fragments if of == kind.name]
            parts += [f"...{name} {self._condition()}" for name in own[:1]]
        self._chance.shuffle(parts)
        if len(parts) > 1 and self._yes(0.3):
            cut = self._chance.randrange(1, len(parts))
            parts = [*parts[:cut], self._apart(kind, parts[cut:], prefix)]
        return "{ " + " ".join(parts) + " }"

    def _names(self, kind: GraphQLObjectType, depth: int) -> Sequence[str]:
        """Choose fields, among them ways further down while there is room."""
        if kind is self._schema.query_type:
            count = self._chance.choice((1, 1, 1, 2, 3))
            roots, weights = list(_ROOTS), list(_ROOTS.values())
            return self._chance.choices(roots, weights, k=count)
        deep = [name for name, one in kind.fields.items() if _is_deep(one)]
        flat = [name for name in kind.fields if name not in deep]
        room = depth < _DEPTH and self._left > 0
        ways = self._chance.choices(deep, k=self._few()) if deep and room else []
        leaves = self._chance.choices(flat, k=self._few()) if flat else []
        # Where there is no room, an object without leaves says only what it is.
        found = [*ways, *leaves]
        self._left -= len(found)
        return found or ["__typename"]

    def _few(self) -> int:
        return self._chance.choice((1, 1, 2, 2, 3))

    def _apart(self, kind: GraphQLObjectType, parts: list[str], prefix: str) -> str:
        """Put some fields into a fragment, inline or named."""
        body = "{ " + " ".join(parts) + " }"
        if self._yes(0.3):
            return f"... {self._condition()} {body}"
        if self._yes(0.4) or prefix:
            return f"... on {kind.name} {self._condition()} {body}"
        name = f"Part{len(self._fragments)}"
        self._fragments.append((name, kind.name, body))
        return f"...{name} {self._condition()}"

    def _condition(self) -> str:
        """Write up to two conditions."""
        found = []
        for word in ("include", "skip"):
            if self._yes(self._conditional):
                chosen = self._chance.choice(("true", "false"))
                if self._yes(0.7):
                    number = self._chance.randrange(self._conditions)
                    chosen = self._arguments.condition(f"c{number}")
                found.append(f"@{word}(if: {chosen})")
        return " ".join(found)

    # -------------------------------------------------------------- fields

    def _field(
        self, parent: GraphQLObjectType, name: str, depth: int, prefix: str
    ) -> Sequence[str]:
        """Write a field, now and then twice: both are one in the answer."""
        if name == "__typename":
            return [name]
        field = parent.fields[name]
        given = self._arguments.of(name, field.args)
        key = f"{prefix}{name}" if prefix else ""
        if given:
            self._aliases += 1
            key = f"{prefix}{name}_{self._aliases}"
        elif self._yes(0.1):
            key = f"{prefix}{name}_again"
        asked = f"{key}: {name}{given}" if key else name
        times = 2 if self._yes(0.1) else 1
        return [
            f"{asked} {self._condition()} {self._below(field, depth)}"
            for _ in range(times)
        ]

    def _below(self, field: GraphQLField, depth: int) -> str:
        kind = get_named_type(field.type)
        if isinstance(kind, GraphQLObjectType):
            return self._object(kind, depth + 1)
        if isinstance(kind, GraphQLUnionType | GraphQLInterfaceType):
            return self._members(kind, depth + 1)
        return ""

    def _members(
        self, kind: GraphQLUnionType | GraphQLInterfaceType, depth: int
    ) -> str:
        """Select some members, and what they have in common."""
        parts = ["__typename"] if self._yes(0.6) else []
        if isinstance(kind, GraphQLInterfaceType):
            parts += [name for name in kind.fields if self._yes(0.5)]
        possible = list(self._schema.get_possible_types(kind))
        for one in self._chance.sample(possible, min(len(possible), self._few() + 1)):
            body = self._object(one, depth, f"{one.name}_")
            parts.append(f"... on {one.name} {self._condition()} {body}")
        return "{ " + " ".join(parts) + " }"


def _is_deep(field: GraphQLField) -> bool:
    kind: GraphQLNamedType = get_named_type(field.type)
    return is_composite_type(kind)
