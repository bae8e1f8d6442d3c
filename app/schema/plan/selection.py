"""A selection compiled into closures: from an event to JSON-ready values.

The closures read the very types and resolvers the library runs, and only those it is
known how to run: plain attributes, and computed fields that say what they need
(`scalars.field`). Whatever else is selected stays with graphql-core. Fragments,
conditions and merged keys are gathered by graphql-core itself.
Source: realtime.md section 7, performance.md section 3.3.
"""

from collections.abc import Mapping
from typing import Any, cast

import strawberry
from graphql import (
    GraphQLAbstractType,
    GraphQLError,
    GraphQLField,
    GraphQLNullableType,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import (
    FieldDetailsList,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import get_argument_values
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from app.schema.plan.closures import (
    Asked,
    Reader,
    attribute,
    constant,
    each,
    held,
    leaf,
    made,
    never,
    optional,
    part,
    required,
)
from app.schema.plan.columns import (
    Together,
    by_column,
    column,
    repeated,
    sparse,
    table,
)
from app.schema.plan.shapes import Columns, Members, Part, Shape
from app.schema.plan.support import (
    Unprojectable,
    declared_of,
    is_lasting,
    origin_of,
    require_known,
    require_plain,
    sources_of,
)
from app.schema.scalars import AT_HAND, NEEDS, Needs

_FIELDS_MAX = 2000  # of one plan; 23 µs each to compile, measured


class Selection:
    """The selection of one operation with its variables, to be compiled.

    Args:
        schema: whose types and resolvers are read.
        executor: of the operation: its fragments and coerced variables.
    """

    def __init__(self, schema: strawberry.Schema, executor: Executor[Any]) -> None:
        self._strawberry = schema
        self._executor = executor
        self.speaks = False
        self.fields = 0  # how many were compiled

    def root(self, shape: Shape | None = None) -> tuple[str, Reader]:
        """Compile the one root field: its response key, and what reads an event.

        Args:
            shape: of the snapshot that is read; the Strawberry object without.

        Raises:
            Unprojectable: the selection needs the library.
        """
        self.fields = 0
        schema = self._executor.schema
        kind, found = self._top(schema.subscription_type)
        if len(found) != 1:
            raise Unprojectable("directive")
        ((key, details),) = found.items()
        field = schema.get_field(kind, details[0].node.name.value)
        if field is None or details[0].node.name.value.startswith("__"):
            raise Unprojectable("resolver")
        require_known(declared_of(field), details)
        return key, self._completed(field.type, details, shape)

    # -------------------------------------------------------------- values

    def _completed(
        self,
        kind: GraphQLOutputType,
        details: FieldDetailsList,
        shape: Shape | Members | None = None,
    ) -> Reader:
        if is_non_null_type(kind):
            return required(self._present(kind.of_type, details, shape))
        nullable = cast("GraphQLNullableType", kind)
        return optional(self._present(nullable, details, shape))

    def _present(
        self,
        kind: GraphQLNullableType,
        details: FieldDetailsList,
        shape: Shape | Members | None,
    ) -> Reader:
        """Compile a value that is not null."""
        if is_leaf_type(kind):
            return leaf(kind)
        if is_list_type(kind):
            return each(self._completed(kind.of_type, details, shape))
        if is_abstract_type(kind):
            return self._member(kind, details, shape)
        if is_object_type(kind) and not isinstance(shape, Mapping):
            return self._object(kind, details, shape)
        raise Unprojectable("type")

    def _member(
        self,
        kind: GraphQLAbstractType,
        details: FieldDetailsList,
        shape: Shape | Members | None,
    ) -> Reader:
        """Compile each type of a union or interface; a hard one falls back alone."""
        table: dict[type, Reader] = {}
        hard: list[str] = []
        possible = self._executor.schema.get_possible_types(kind)
        found = sources_of(possible, shape)
        for source, (one, own) in found.items():
            try:
                table[source] = self._object(one, details, own)
            except Unprojectable as no:
                if no.why == "size":
                    raise
                hard.append(no.why)
                table[source] = never(no.why)
        if len(hard) == len(found):
            raise Unprojectable(hard[0] if hard else "type")

        def read(value: Any, asked: Asked) -> object:  # noqa: ANN401  -- any object type
            member = table.get(value.__class__)
            if member is None:
                raise Unprojectable("type")
            return member(value, asked)

        return read

    def _object(
        self, kind: GraphQLObjectType, details: FieldDetailsList, shape: Shape | None
    ) -> Reader:
        found = self._below(kind, details)
        origin = origin_of(kind)
        fields = tuple(
            (key, self._field(kind, own, shape)) for key, own in found.items()
        )

        def read_snapshot(source: Any, asked: Asked) -> object:  # noqa: ANN401  -- any snapshot
            return {key: field(source, asked) for key, field in fields}

        def read(source: Any, asked: Asked) -> object:  # noqa: ANN401  -- any object type
            if source.__class__ is not origin:
                raise Unprojectable("type")
            return {key: field(source, asked) for key, field in fields}

        if shape is None:
            return read
        if shape.kind is not origin:
            raise Unprojectable("type")
        return read_snapshot

    def _top(
        self, kind: GraphQLObjectType | None
    ) -> tuple[GraphQLObjectType, GroupedFieldSet]:
        """Gather the root fields, as graphql-core does; gives the root's type, too."""
        if kind is None or self._strawberry.extensions:
            raise Unprojectable("extension")
        executor = self._executor
        found = collect_fields(
            executor.schema,
            executor.fragments,
            executor.variable_values,
            kind,
            executor.operation,
        )
        return kind, self._counted(found.grouped_field_set)

    def _below(
        self, kind: GraphQLObjectType, details: FieldDetailsList
    ) -> GroupedFieldSet:
        """Gather the fields below an object, as graphql-core does."""
        return self._counted(self._gathered(kind, details))

    def _gathered(
        self, kind: GraphQLObjectType, details: FieldDetailsList
    ) -> GroupedFieldSet:
        executor = self._executor
        return collect_subfields(
            executor.schema,
            executor.fragments,
            executor.variable_values,
            executor.operation,
            kind,
            details,
        ).grouped_field_set

    def _counted(self, found: GroupedFieldSet) -> GroupedFieldSet:
        self.fields += len(found)
        if self.fields > _FIELDS_MAX:
            raise Unprojectable("size")
        return found

    # -------------------------------------------------------------- fields

    def _field(
        self,
        parent: GraphQLObjectType,
        details: FieldDetailsList,
        shape: Shape | None,
    ) -> Reader:
        node = details[0].node
        if node.name.value == "__typename":
            return self._typename(parent, details)
        field = self._executor.schema.get_field(parent, node.name.value)
        if field is None:
            raise Unprojectable("resolver")
        declared = declared_of(field)
        require_known(declared, details)
        if shape is not None:
            return self._in_snapshot(field, declared, details, (parent, shape))
        return self._in_object(field, declared, details)

    def _typename(self, parent: GraphQLObjectType, details: FieldDetailsList) -> Reader:
        require_plain(one.node for one in details)
        return constant(parent.name)

    def _in_object(
        self, field: GraphQLField, declared: StrawberryField, details: FieldDetailsList
    ) -> Reader:
        complete = self._completed(field.type, details)
        if declared.base_resolver is None:
            return attribute(declared.python_name, field.type, complete)
        at_hand = declared.metadata.get(AT_HAND)
        if at_hand is not None:
            return held(at_hand, complete)
        return self._computed(field, declared, details, complete)

    def _in_snapshot(
        self,
        field: GraphQLField,
        declared: StrawberryField,
        details: FieldDetailsList,
        place: tuple[GraphQLObjectType, Shape],
    ) -> Reader:
        parent, shape = place
        known = shape.parts.get(declared.python_name)
        if known is not None:
            complete = self._completed(field.type, details, known.shape)
            read = part(known.read, field.type, complete)
            return self._quicker(read, field, details, known)
        if declared.base_resolver is not None:
            return made(shape.make, self._field(parent, details, None))
        if not is_leaf_type(get_named_type(field.type)):
            raise Unprojectable("type")
        complete = self._completed(field.type, details)
        return attribute(declared.python_name, field.type, complete)

    def _quicker(
        self, read: Reader, field: GraphQLField, details: FieldDetailsList, known: Part
    ) -> Reader:
        """Read a list by columns, where all that is selected has one."""
        if known.many is None or known.columns is None:
            return read
        kind = cast("GraphQLObjectType", get_named_type(field.type))
        together = self._together_by(kind, details, known.columns)
        return read if together is None else by_column(known.many, together, read)

    def _together_by(
        self, kind: GraphQLObjectType, details: FieldDetailsList, columns: Columns
    ) -> Together | None:
        """Compile many objects; None: a field has no column. The checks are made."""
        ready: list[tuple[str, Together]] = []
        for key, own in self._gathered(kind, details).items():
            found = self._column(kind, own, columns)
            if found is None:
                return None
            ready.append((key, found))
        return table(tuple(ready))

    def _column(
        self, parent: GraphQLObjectType, details: FieldDetailsList, columns: Columns
    ) -> Together | None:
        name = details[0].node.name.value
        if name == "__typename":
            return repeated(parent.name)
        field = self._executor.schema.get_field(parent, name)
        if field is None:
            return None
        found = columns.parts.get(declared_of(field).python_name)
        if found is None:
            return None
        if not isinstance(found, Columns):
            return column(found, field.type, self._completed(field.type, details))
        kind = cast("GraphQLObjectType", get_named_type(field.type))
        there = self._together_by(kind, details, found)
        return there if there is None or not found.where else sparse(found.where, there)

    def _computed(
        self,
        field: GraphQLField,
        declared: StrawberryField,
        details: FieldDetailsList,
        complete: Reader,
    ) -> Reader:
        """Compile a resolver that says it needs nothing, or only the language."""
        needs = declared.metadata.get(NEEDS)
        resolver = declared.base_resolver
        if needs is None or resolver is None or resolver.self_parameter is None:
            raise Unprojectable("resolver")
        arguments = self._arguments(field, declared, details)
        if not is_lasting(arguments):
            raise Unprojectable("argument")
        asks = resolver.info_parameter
        self.speaks |= needs is Needs.LANGUAGE

        def read(source: Any, asked: Asked) -> object:  # noqa: ANN401  -- any object type
            if asks is None:
                return complete(resolver(source, **arguments), asked)
            return complete(resolver(source, **arguments, **{asks.name: asked}), asked)

        return read

    def _arguments(
        self, field: GraphQLField, declared: StrawberryField, details: FieldDetailsList
    ) -> dict[str, object]:
        try:
            found = get_argument_values(
                field,
                details[0].node,
                self._executor.variable_values,
                details[0].fragment_variable_values,
            )
            return convert_arguments(
                found,
                declared.arguments,
                scalar_registry=self._strawberry.schema_converter.scalar_registry,
                config=self._strawberry.config,
            )
        except GraphQLError:
            raise Unprojectable("argument") from None
