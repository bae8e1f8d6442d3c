"""A query compiled into closures that run the very resolvers the library runs.

Plain parts are read at once; what a coroutine has to give waits, and all that waits is
awaited together, level by level, so that batches stay whole. A level ends at its first
failure. Whatever is out of the
ordinary, a refusal, an exception, a null where none may be, ends in `Unprojectable`:
the query is then run again by graphql-core, which owns error paths and null
propagation.
Queries change nothing, so running one twice is only slower; what is counted all the
same is left to graphql-core (`guards.query`). Source: performance.md section 3.2.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import strawberry
from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField
from typing_extensions import override

from app.errors import Outage, RequestFault
from app.schema.context import Context
from app.schema.guards import ONCE
from app.schema.plan.closures import Asked, Reader, attribute, made
from app.schema.plan.running import (
    Begin,
    Raw,
    Running,
    Start,
    at_once,
    awaited,
    completed,
    in_order,
    left,
    once,
)
from app.schema.plan.selection import Selection
from app.schema.plan.shapes import Shape
from app.schema.plan.standing import Standing
from app.schema.plan.support import (
    Unprojectable,
    declared_of,
    is_lasting,
    origin_of,
    require_bare,
    require_known,
)
from app.schema.scalars import AHEAD, BATCHED, SNAPSHOTS, Batched


class Plan:
    """A compiled query; belongs to one operation of one document.

    Args:
        read: reads the root object.
        raw: what a root field may look at of the document.
        fields: how many it is made of.
    """

    __slots__ = ("_raw", "_read", "fields", "standing")

    def __init__(self, read: Reader, raw: Raw, fields: int) -> None:
        self._read = read
        self._raw = raw
        self.fields = fields
        self.standing = Standing()

    async def run(
        self, context: Context, variables: VariableValues | None
    ) -> dict[str, object]:
        """Give the data of the answer.

        Raises:
            Unprojectable: graphql-core has to run it.
        """
        running = Running(context, variables, self._raw)
        try:
            data = self._read(None, running)
            while running.waiting or running.batches:
                await completed(running)
        except Unprojectable:
            raise
        except Outage as failure:
            raise Unprojectable("outage") from failure
        except Exception as failure:
            raise Unprojectable("raised") from failure
        finally:
            left(running)
        assert isinstance(data, dict), "a root is an object"  # noqa: S101  -- our bug
        return data


class QuerySelection(Selection):
    """The selection of one query, to be compiled.

    Args:
        schema: whose types and resolvers are read.
        executor: of the operation: its fragments, and the variables its conditions use.
    """

    def __init__(self, schema: strawberry.Schema, executor: Executor[Any]) -> None:
        super().__init__(schema, executor)
        self._wishes: list[tuple[Any, Callable[[Running], Hashable | None]]] = []

    def plan(self) -> Plan:
        """Compile the whole operation.

        Raises:
            Unprojectable: it needs the library.
        """
        kind, found = self._top(self._executor.schema.query_type)
        raw = Raw(self._executor)
        read = self._read_object(kind, found, of=None)
        return Plan(read, raw, self.fields)

    @override
    def _object(
        self, kind: GraphQLObjectType, details: FieldDetailsList, shape: Shape | None
    ) -> Reader:
        of = None if shape or kind.is_type_of is None else origin_of(kind)
        if shape is not None and shape.kind is not origin_of(kind):
            raise Unprojectable("type")
        return self._read_object(kind, self._below(kind, details), of, shape)

    def _read_object(
        self,
        kind: GraphQLObjectType,
        found: Mapping[str, FieldDetailsList],
        of: type | None,
        shape: Shape | None = None,
    ) -> Reader:
        """Compile an object: first what is at hand, then what has to be waited for."""
        ready: list[tuple[str, Reader]] = []
        later: list[tuple[str, Begin]] = []
        for key, details in found.items():
            begin = self._begin(kind, details, shape)
            if begin is None:
                ready.append((key, self._field(kind, details, shape)))
            else:
                later.append((key, begin))
        fields = tuple(ready)
        if not later:
            return at_once(fields, of)
        return in_order(tuple(found), fields, tuple(later), of)

    def _begin(
        self, parent: GraphQLObjectType, details: FieldDetailsList, shape: Shape | None
    ) -> Begin | None:
        """Compile a field whose resolver is a coroutine; None for another field."""
        name = details[0].node.name.value
        field = self._executor.schema.get_field(parent, name)
        if field is None or name.startswith("__"):
            return None
        declared = declared_of(field)
        if declared.metadata.get(ONCE):
            raise Unprojectable("once")
        resolver = declared.base_resolver
        if resolver is None or not resolver.is_async:
            return None
        require_known(declared, details)
        alone = self._alone(field, declared, details, shape)
        batched = declared.metadata.get(BATCHED)
        if batched is None or shape is None:
            return alone
        return self._together(field, declared, details, (batched, alone))

    def _alone(
        self,
        field: GraphQLField,
        declared: StrawberryField,
        details: FieldDetailsList,
        shape: Shape | None,
    ) -> Begin:
        """Compile a coroutine of each object's own."""
        make = _as_it_is if shape is None else shape.make
        snapshots = declared.metadata.get(SNAPSHOTS)
        if snapshots is not None:
            require_bare(declared)
            return self._listed(field, declared, details, (*snapshots, make))
        call = self._called(field, declared, details)
        complete = self._completed(field.type, details)
        if shape is None:
            return awaited(call, complete)
        return awaited(lambda source, running: call(make(source), running), complete)

    def _listed(
        self,
        field: GraphQLField,
        declared: StrawberryField,
        details: FieldDetailsList,
        snapshots: tuple[Start, Shape, Callable[[Any], Any]],
    ) -> Begin:
        """Compile a list of snapshots; it may look ahead at what is asked of them."""
        fetch, shape, make = snapshots
        around, self._wishes = self._wishes, []
        complete = self._completed(field.type, details, shape)
        wishes, self._wishes = tuple(self._wishes), around
        ahead = declared.metadata.get(AHEAD)

        def look(source: Any, running: Running) -> Any:  # noqa: ANN401  -- a coroutine of snapshots
            if ahead is None:
                return fetch(make(source), running)
            asked = [(batch, read(running)) for batch, read in wishes]
            return ahead(make(source), running, asked)

        return awaited(look, complete)

    def _together(
        self,
        field: GraphQLField,
        declared: StrawberryField,
        details: FieldDetailsList,
        ways: tuple[Batched, Begin],
    ) -> Begin:
        """Compile one read for all objects; what it cannot ask is asked alone."""
        batched, alone = ways
        complete = self._completed(field.type, details, batched.shape())
        batch, key_of = batched.batch, batched.key
        if _has_variables(details):
            asked_of = once(batched, self._late(field, declared, details))
            self._wishes.append((batch, asked_of))

            def begin_late(
                source: Any,  # noqa: ANN401  -- any snapshot
                running: Running,
                made: dict[str, object],
                key: str,
            ) -> None:
                asked = asked_of(running)
                if asked is None:
                    alone(source, running, made, key)
                    return
                wanted = (made, key, key_of(source, asked), complete)
                running.batches.setdefault(batch, []).append(wanted)

            return begin_late
        asked = self._asked(field, declared, details, batched)
        self._wishes.append((batch, lambda _running: asked))
        if asked is None:
            return alone

        def begin(
            source: Any,  # noqa: ANN401  -- any snapshot
            running: Running,
            made: dict[str, object],
            key: str,
        ) -> None:
            wanted = (made, key, key_of(source, asked), complete)
            running.batches.setdefault(batch, []).append(wanted)

        return begin

    def _asked(
        self,
        field: GraphQLField,
        declared: StrawberryField,
        details: FieldDetailsList,
        batched: Batched,
    ) -> Hashable | None:
        """Read arguments that no variable decides; they are the same for everybody."""
        try:
            return batched.asked(**self._arguments(field, declared, details))
        except RequestFault:
            raise Unprojectable("argument") from None

    @override
    def _in_object(
        self, field: GraphQLField, declared: StrawberryField, details: FieldDetailsList
    ) -> Reader:
        snapshots = declared.metadata.get(SNAPSHOTS)
        if snapshots is not None:
            require_bare(declared)
            fetch, shape = snapshots
            return made(fetch, self._completed(field.type, details, shape))
        complete = self._completed(field.type, details)
        if declared.base_resolver is None:
            return attribute(declared.python_name, field.type, complete)
        call = self._called(field, declared, details)

        def read(source: Any, asked: Asked) -> object:  # noqa: ANN401  -- any object type
            return complete(call(source, asked), asked)

        return read

    def _called(
        self, field: GraphQLField, declared: StrawberryField, details: FieldDetailsList
    ) -> Callable[[Any, Any], Any]:
        """Compile the call of a resolver, with its arguments."""
        resolver = declared.base_resolver
        if resolver is None or resolver.self_parameter is None:
            raise Unprojectable("resolver")
        if resolver.root_parameter or resolver.parent_parameter:
            raise Unprojectable("resolver")
        run: Callable[..., Any] = resolver.wrapped_func  # type: ignore[assignment]  # bound when the contract was built
        asks = resolver.info_parameter
        named = None if asks is None else asks.name
        fixed = self._fixed(field, declared, details)
        if fixed is None:
            late = self._late(field, declared, details)

            def call_late(source: Any, asked: Running) -> object:  # noqa: ANN401  -- any object type
                given = late(asked)
                if named is not None:
                    return run(source, **given, **{named: asked})
                return run(source, **given)

            return call_late

        def call(source: Any, asked: Running) -> object:  # noqa: ANN401  -- any object type
            if named is not None:
                return run(source, **fixed, **{named: asked})
            return run(source, **fixed)

        return call

    def _fixed(
        self, field: GraphQLField, declared: StrawberryField, details: FieldDetailsList
    ) -> dict[str, object] | None:
        """Give the arguments that are the same for every caller; None: they are not."""
        if _has_variables(details):
            return None
        found = self._arguments(field, declared, details)
        return found if is_lasting(found) else None

    def _late(
        self, field: GraphQLField, declared: StrawberryField, details: FieldDetailsList
    ) -> Callable[[Running], Mapping[str, object]]:
        """Compile arguments that variables decide, or that a resolver might change."""
        if details[0].fragment_variable_values is not None:
            raise Unprojectable("argument")
        node = details[0].node
        registry = self._strawberry.schema_converter.scalar_registry
        config = self._strawberry.config

        def read(running: Running) -> Mapping[str, object]:
            try:
                found = get_argument_values(field, node, running.variables)
            except GraphQLError:
                raise Unprojectable("argument") from None
            return convert_arguments(
                found, declared.arguments, scalar_registry=registry, config=config
            )

        return read


class _Variables(Visitor):
    """Tells whether a part of a document holds a variable."""

    found = False

    def enter_variable(self, _node: VariableNode, *_rest: object) -> None:
        """Note one."""
        self.found = True


def _has_variables(details: FieldDetailsList) -> bool:
    looking = _Variables()
    for argument in details[0].node.arguments or ():
        visit(argument, looking)
    return looking.found


def _as_it_is(source: Any) -> Any:  # noqa: ANN401  -- any object type
    return source
