"""Where the fields of a Strawberry object are in the snapshot it is made from.

A shape spares the object: the projector reads the snapshot of a fact itself. What a
shape does not know, and whatever does not fit, is read from the object as before, so a
shape says nothing about the contract; types, nulls, enums and resolvers stay those of
the Strawberry types.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Part:
    """One field that is not found in the snapshot under its own name as it is.

    Args:
        read: gives its value, or the snapshot it is made from.
        shape: of that snapshot; by the class of the snapshot for a union.
    """

    read: Callable[[Any], object]
    shape: "Shape | Members | None" = None


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A Strawberry type and the snapshot it is made from.

    Args:
        kind: the Strawberry type.
        make: makes its object, for fields that are computed from the object.
        parts: by Python name; a field that is not named has that name in the snapshot.
    """

    kind: type
    make: Callable[[Any], object]
    parts: Mapping[str, Part] = field(default_factory=dict)


Members: TypeAlias = Mapping[type, Shape]
