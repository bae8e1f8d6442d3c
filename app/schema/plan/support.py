"""What the closures can run, and what stays with graphql-core."""

from collections.abc import Iterable, Mapping

from graphql import FieldNode, GraphQLField, GraphQLObjectType
from graphql.execution.collect_fields import FieldDetailsList
from strawberry.types.field import StrawberryField

from app.schema.plan.shapes import Members, Shape

_OWN_DIRECTIVES = frozenset({"skip", "include"})
_BACKREF = "strawberry-definition"


class Unprojectable(Exception):
    """The closures cannot give this; graphql-core can.

    Args:
        why: one word for the metric: resolver, extension, directive, argument, null,
            type or raised.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


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


def require_plain(nodes: Iterable[FieldNode]) -> None:
    """Refuse directives that are not ours to judge."""
    for node in nodes:
        if any(one.name.value not in _OWN_DIRECTIVES for one in node.directives or ()):
            raise Unprojectable("directive")


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
