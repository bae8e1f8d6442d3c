"""Random values for the arguments of a query: as literals, by variables, or mixed."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
)

_INSTANTS = ("2026-11-21T09:00:00.000Z", "2026-11-22T00:00:00Z", "2030-01-01T00:00:00Z")
_SIZES = (1, 2, 3, 25, 100)
_RIGHT: Mapping[str, Sequence[object]] = {
    "first": _SIZES,
    "last": _SIZES,
    "search": ("", "Ben", "rent", "nobody at all"),
    "text": ("", "Rent", "ben", "%_\\", "₹ 😀"),
    "locale": ("en-IN", "de", "en-GB"),
    "version": ("1.0.0", "0.0.1", "99.0"),
}
_WRONG: Mapping[str, Sequence[object]] = {
    "first": (0, -1, 101, 2**31 - 1),
    "last": (0, -1, 101),
    "after": ("nonsense", "", "MS4yLjM"),
    "before": ("nonsense", ""),
    "locale": ("", "no language", "xx-YY-zz"),
    "version": ("", "one"),
    "id": ("", "acc", "acc_1", "zzz_" + "0" * 32),
    "ids": ("", "nothing"),
}
_SCALARS: Mapping[str, Sequence[object]] = {
    "Int": _SIZES,
    "Boolean": (True, False),
    "Int64": ("1", "100", 2500, "9223372036854775807", "-1"),
    "CurrencyCode": ("INR", "JPY", "EUR"),
    "DateTime": _INSTANTS,
}
_LEFT_OUT = object()


@dataclass
class Known:
    """What the caller may name, and what another customer has.

    Args:
        own: ids by prefix.
        foreign: ids of another customer.
        keys: idempotency keys, a foreign one among them.
        cursors: ends of pages by the field that gave them.
    """

    own: dict[str, list[str]] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    cursors: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        """Every own id."""
        return [one for some in self.own.values() for one in some]


class Arguments:
    """Writes the arguments of fields, and holds the variables they need.

    Args:
        chance: what decides.
        known: what can be named.
        wrong: share of values that a resolver refuses.
    """

    def __init__(self, chance: Random, known: Known, wrong: float) -> None:
        self._chance = chance
        self._known = known
        self._wrong = wrong
        self.declared: dict[str, str] = {}
        self._drawn: dict[str, Callable[[], Any]] = {}

    def of(self, field: str, arguments: Mapping[str, GraphQLArgument]) -> str:
        """Write the arguments of a field: those it needs, and some of the others."""
        parts = []
        for name, one in arguments.items():
            needed = isinstance(one.type, GraphQLNonNull)
            if needed or self.yes(0.4):
                place = Place(one.type, field, name)
                value = self._value(place)
                parts.append(f"{name}: {self._written(place, value, free=0.4)}")
        return f"({', '.join(parts)})" if parts else ""

    def condition(self, name: str) -> str:
        """Give the variable of a condition; declared in one of the allowed ways."""
        if name not in self.declared:
            ways = ("Boolean!", "Boolean! = true", "Boolean = false")
            told = self.declared[name] = self._chance.choice(ways)
            self._drawn[name] = lambda: self._given(told, lambda: self.yes(0.5))
        return f"${name}"

    def variables(self) -> dict[str, object]:
        """Draw the values of the variables, as a client sends them."""
        found = {name: draw() for name, draw in self._drawn.items()}
        return {name: value for name, value in found.items() if value is not _LEFT_OUT}

    def yes(self, share: float) -> bool:
        """Decide."""
        return self._chance.random() < share

    # -------------------------------------------------------------- values

    def _value(self, place: "Place") -> Any:
        """Draw a value of a type, as JSON has it."""
        needed = isinstance(place.kind, GraphQLNonNull)
        return None if not needed and self.yes(0.15) else self._present(place)

    def _present(self, place: "Place") -> Any:
        kind = place.bare
        if isinstance(kind, GraphQLList):
            return self._listed(place.inside(kind.of_type))
        if isinstance(kind, GraphQLEnumType):
            return self._chance.choice(list(kind.values))
        if isinstance(kind, GraphQLInputObjectType):
            return {
                name: self._value(place.member(name))
                for name, one in kind.fields.items()
                if isinstance(one.type, GraphQLNonNull) or self.yes(0.3)
            }
        return self._chance.choice(self._scalars(kind.name, place.field, place.name))

    def _listed(self, below: "Place") -> Any:
        if self.yes(0.1):
            return self._present(below)  # stands for a list of it
        return [self._value(below) for _ in range(self._chance.randrange(4))]

    def _scalars(self, scalar: str, field: str, name: str) -> Sequence[Any]:
        known = self._known
        if name in _WRONG and self.yes(self._wrong):
            return [*_WRONG[name], *(known.foreign if scalar == "ID" else ())]
        if scalar == "ID":
            return self._ids(field)
        if name in {"after", "before"}:
            return known.cursors.get(field) or [""]
        if scalar == "IdempotencyKey":
            return known.keys
        return _RIGHT.get(name) or _SCALARS[scalar]

    def _ids(self, field: str) -> Sequence[str]:
        kind = {"account": "acc", "payment": "pay"}.get(field)
        return self._known.ids if kind is None else self._known.own[kind]

    # -------------------------------------------------------------- writing

    def _written(self, place: "Place", value: Any, free: float) -> str:
        """Write a value; any part of it may come by a variable instead."""
        if self.yes(free):
            return self._variable(place, value)
        kind = place.bare
        if isinstance(kind, GraphQLList) and value is not None:
            below = place.inside(kind.of_type)
            if not isinstance(value, list):
                return self._written(below, value, 0)
            parts = [self._written(below, one, free / 2) for one in value]
            return f"[{', '.join(parts)}]"
        if isinstance(value, dict):
            members = [
                f"{name}: {self._written(place.member(name), one, free / 2)}"
                for name, one in value.items()
            ]
            return f"{{{', '.join(members)}}}"
        is_word = isinstance(kind, GraphQLEnumType) and value is not None
        return str(value) if is_word else json.dumps(value, ensure_ascii=False)

    def _variable(self, place: "Place", value: Any) -> str:
        """Declare a variable for a place, or take one that fits it."""
        kind = str(place.kind)
        known = [name for name, told in self.declared.items() if told == kind]
        if known and self.yes(0.2):
            return f"${self._chance.choice(known)}"
        name, told, bare = f"v{len(self.declared)}", kind, kind.removesuffix("!")
        if value is not None and self.yes(0.3):
            default = self._written(place, value, 0)
            told = f"{self._chance.choice((bare, f'{bare}!'))} = {default}"
        elif self.yes(0.3):
            told = f"{bare}!"
        needed = told.split(" =")[0].endswith("!")
        draw = self._present if needed else self._value
        self.declared[name] = told
        self._drawn[name] = lambda: self._given(told, lambda: draw(place))
        return f"${name}"

    def _given(self, told: str, draw: Callable[[], Any]) -> Any:
        """Draw what a client gives for a variable, if it gives anything."""
        kind, equals, _default = told.partition(" =")
        needed = kind.endswith("!")
        if (equals and self.yes(0.5)) or not (equals or needed or self.yes(0.8)):
            return _LEFT_OUT
        if equals and not needed:
            # Null is not the default, and may meet a place where none may be.
            return None if self.yes(self._wrong / 2) else _not_null(draw)
        return draw()


@dataclass(frozen=True)
class Place:
    """Where a value stands: of which type, in which argument of which field."""

    kind: Any
    field: str
    name: str

    @property
    def bare(self) -> Any:
        """The type of what is there, null or not."""
        return self.kind.of_type if isinstance(self.kind, GraphQLNonNull) else self.kind

    def inside(self, kind: GraphQLInputType) -> "Place":
        """Give the same place with the type within."""
        return replace(self, kind=kind)

    def member(self, name: str) -> "Place":
        """Give the place of a member of an input."""
        return Place(self.bare.fields[name].type, self.field, name)


def _not_null(draw: Callable[[], Any]) -> Any:
    while (found := draw()) is None:
        pass
    return found
