"""What the closures can run, and what stays with graphql-core."""

from collections.abc import Iterable, Mapping
from datetime import date
from enum import Enum
from uuid import UUID

from graphql import FieldNode, GraphQLError, GraphQLField, GraphQLObjectType
from graphql.execution.collect_fields import FieldDetailsList
from strawberry.types.field import StrawberryField
from strawberry.types.unset import UnsetType

from app import telemetry
from app.schema.plan.shapes import Members, Shape

_OWN_DIRECTIVES = frozenset({"skip", "include"})
_BACKREF = "strawberry-definition"
# Of these a resolver cannot change what the next caller is given.
_LASTING = (str, int, float, date, UUID, Enum, type(None), UnsetType)


class Unprojectable(Exception):
    """The closures cannot give this; graphql-core can.

    Args:
        why: one word for the metric: resolver, extension, directive, argument, null,
            type, raised, outage, once, size; docs/operations.md has what they mean.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def why_not(failure: Exception) -> Unprojectable:
    """Say why something cannot be compiled; a bug of the compiler is logged."""
    if isinstance(failure, Unprojectable):
        return Unprojectable(failure.why)  # the first one holds the caller's frames
    if isinstance(failure, GraphQLError):  # a condition that is null
        return Unprojectable("argument")
    telemetry.log.error("plan_not_compiled", exc_info=failure)
    return Unprojectable("raised")


def declared_of(field: GraphQLField) -> StrawberryField:
    """Give what a slice declared about a field."""
    found = field.extensions.get(_BACKREF)
    if not isinstance(found, StrawberryField):
        raise Unprojectable("resolver")
    return found


def require_known(declared: StrawberryField, details: FieldDetailsList) -> None:
    """Refuse what stands before or around a resolver: it would be skipped."""
    if declared.extensions or declared.permission_classes:
        raise Unprojectable("extension")
    require_plain(one.node for one in details)


def require_bare(declared: StrawberryField) -> None:
    """Refuse arguments where the snapshots are read: what reads them gets none."""
    if declared.arguments:
        raise Unprojectable("argument")


def require_plain(nodes: Iterable[FieldNode]) -> None:
    """Refuse directives that are not ours to judge."""
    for node in nodes:
        if any(one.name.value not in _OWN_DIRECTIVES for one in node.directives or ()):
            raise Unprojectable("directive")


def is_lasting(arguments: Mapping[str, object]) -> bool:
    """Tell whether arguments can be made once and given to every caller."""
    return all(isinstance(one, _LASTING) for one in arguments.values())


def sources_of(
    possible: Iterable[GraphQLObjectType], shape: Shape | Members | None
) -> dict[type, tuple[GraphQLObjectType, Shape | None]]:
    """Give each type by the class it is read from: of its object, or its snapshot."""
    kinds = {origin_of(one): one for one in possible}
    if shape is None:
        return {source: (one, None) for source, one in kinds.items()}
    if not isinstance(shape, Mapping):
        raise Unprojectable("type")
    return {
        source: (kinds[own.kind], own)
        for source, own in shape.items()
        if own.kind in kinds
    }


def origin_of(kind: GraphQLObjectType) -> type:
    """Give the class whose objects are of this type."""
    origin: type = kind.extensions[_BACKREF].origin
    return origin
