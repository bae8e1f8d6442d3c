"""Where the fields of a Strawberry object are in the snapshot it is made from.

A shape spares the object: the projector reads the snapshot of a fact itself. What a
shape does not know, and whatever does not fit, is read from the object as before, so a
shape says nothing about the contract; types, nulls, enums and resolvers stay those of
the Strawberry types.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias


class Many(Protocol):
    """What holds the snapshots of a list together."""

    def __len__(self) -> int:
        """Count them."""
        ...

    def picked(self, flags: Iterable[object], /) -> "Many":
        """Give those whose flag is true; there is a flag for each."""
        ...


# Gives a value for each snapshot, as the part of one snapshot would.
Column: TypeAlias = Callable[[Any], Sequence[object]]


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A column whose texts are already as their type writes them."""

    values: Column


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Where the fields of a list's snapshots are in what holds them together.

    Args:
        parts: by Python name; of an object, where its fields are. A selection with a
            field that is not named is read snapshot by snapshot.
        where: of an object that may be null: what is false where it is.
    """

    parts: Mapping[str, "Column | Written | Columns"]
    where: Column | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One field that is not found in the snapshot under its own name as it is.

    Args:
        read: gives its value, or the snapshot it is made from.
        shape: of that snapshot; by the class of the snapshot for a union.
        many: of a list without nulls: gives what holds its snapshots together, or None
            where nothing does.
        columns: of what `many` gives.
    """

    read: Callable[[Any], object]
    shape: "Shape | Members | None" = None
    many: Callable[[Any], Many | None] | None = None
    columns: Columns | None = None


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
