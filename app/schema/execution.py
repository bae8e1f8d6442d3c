"""From a text to an answer: one entry for HTTP and sockets.

`prepare` parses, measures and validates a text once and remembers the outcome, good or
bad. `run` answers a query or mutation, `subscribe` opens a stream. Before a resolver is
called: right operation for the channel, variables coerced, level and scope, price.
Source: graphql.md sections 3 to 6; performance.md section 3.1.
"""

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Mapping,
)
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    specified_rules,
    validate,
)
from graphql.execution import Executor, create_source_event_stream
from graphql.execution.execute import (
    execute_root_selection_set,
    execute_subscription_event,
    map_source_to_response_event,
)

from app import telemetry
from app.auth.actor import Actor
from app.clock import Clock
from app.errors import BadRequest, Forbidden, RequestFault, TooComplex
from app.realtime.stream import TooSlow
from app.schema import masking
from app.schema.budget import (
    DocumentBudget,
    fragments_of,
    parsed,
    require_flat,
    require_roots,
    require_within,
    root_fields,
)
from app.schema.context import Context
from app.schema.guards import (
    AuthLevel,
    Demand,
    Mark,
    admit,
    highest,
    mark_of,
    weight_of,
)
from app.schema.masking import Answer, Masking, Placed
from app.settings import Settings

_SOCKET_MUTATIONS = frozenset({"eventsAck", "inboxMarkRead"})
# What an app sends by itself, and signing in and out, do not move the idle clock.
_NO_ACTIVITY = frozenset({"eventsAck", "devicePushSet", "logout", "tokenRefresh"})
_VARIABLE = re.compile(r"Variable '(?P<name>\$\w+)'")


class Channel(Enum):
    """How an operation came in; what is allowed differs."""

    HTTP = "http"
    SOCKET = "socket"


@dataclass(frozen=True, slots=True)
class Call:
    """What a client asks: the members of the JSON object, checked for their types."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, object] = field(default_factory=dict)
    extensions: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, sent: object) -> "Call":
        """Read a decoded JSON body or `subscribe` payload; other members are ignored.

        Raises:
            BadRequest: not an object, no `query`, or a member of another type.
        """
        if not isinstance(sent, dict):
            raise BadRequest("The request is a JSON object; batches are not offered.")
        kinds = {"query": str, "operationName": str, "variables": dict}
        for name, kind in (kinds | {"extensions": dict}).items():
            value = sent.get(name)
            if value is not None and not isinstance(value, kind):
                raise BadRequest(f"`{name}` has another type.")
        if sent.get("query") is None:
            raise BadRequest("`query` is missing.")
        return cls(
            sent["query"],
            sent.get("operationName"),
            sent.get("variables") or {},
            sent.get("extensions") or {},
        )


@dataclass(frozen=True, slots=True)
class Planned:
    """One operation of a document, measured and marked."""

    node: OperationDefinitionNode
    kind: OperationType
    roots: tuple[str, ...]
    demand: Demand
    price: int
    priced_late: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that may run: valid, within budget, its levels known."""

    digest: str
    document: DocumentNode
    operations: Mapping[str, Planned]

    def select(self, name: str | None) -> Planned:
        """Choose the operation to run.

        Raises:
            BadRequest: unknown name, or none given where there are several.
        """
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        chosen = self.operations.get(name or "")
        if chosen is None or not name:
            raise BadRequest("`operationName` names no operation of the document.")
        return chosen


@dataclass(frozen=True, slots=True)
class Rejection:
    """A document that may not run, and why; remembered like a good one."""

    digest: str
    faults: tuple[Placed, ...]


# Charges a caller's bucket for the price of an operation; raises TooManyRequests.
Toll: TypeAlias = Callable[[Actor, int], Awaitable[None]]


class Engine:
    """Prepares and runs operations over one schema. One per process.

    Args:
        schema: the built contract.
        settings: limits, and whether schema queries are answered.
        clock: for the sampling of logs.
        toll: charges the caller's cost bucket.
    """

    def __init__(
        self, schema: strawberry.Schema, settings: Settings, clock: Clock, toll: Toll
    ) -> None:
        self._schema: GraphQLSchema = schema._schema  # noqa: SLF001  -- prepared documents run on graphql-core
        self._executor: type[Executor[Any]] = schema.execution_context_class
        self._settings = settings
        self._toll = toll
        self._known: OrderedDict[str, Prepared | Rejection] = OrderedDict()
        self.masking = Masking(
            clock, most=settings.max_errors, tells_why=settings.introspection
        )

    def prepare(self, text: str) -> Prepared | Rejection:
        """Parse, measure and validate a text, or remember what came of it before."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        known = self._known.get(digest)
        if known is not None:
            self._known.move_to_end(digest)
            return known
        found = self._examine(text, digest)
        if isinstance(found, Rejection):
            telemetry.documents_refused.labels(why=found.faults[0][0].code).inc()
        self._known[digest] = found
        if len(self._known) > self._settings.max_documents:
            self._known.popitem(last=False)
        return found

    async def run(
        self, context: Context, call: Call, *, over: Channel = Channel.HTTP
    ) -> Answer:
        """Answer a query or a mutation.

        Raises:
            Outage: the database was lost before anything ran.
        """
        started = await self._start(context, call, over)
        if isinstance(started, Answer):
            return started
        planned, executor, told = started
        if planned.kind is OperationType.SUBSCRIPTION:
            fault = BadRequest("Subscriptions are opened over the WebSocket.")
            return self.masking.refused(fault, told, public_why=True)
        telemetry.operations_total.labels(kind=planned.kind.value).inc()
        try:
            async with asyncio.timeout(self._settings.max_operation_s):
                await _note_activity(context, planned)
                result = await _settled(execute_root_selection_set(executor))
        except TimeoutError as late:
            return self.masking.broken(late, told)
        return self.masking.result(result, told, planned.price)

    async def subscribe(
        self, context: Context, call: Call
    ) -> AsyncGenerator[Answer, None] | Answer:
        """Open a subscription: a stream of answers, or one answer that refuses.

        Close the stream (`aclose`) to end it; what feeds it is closed then.
        """
        started = await self._start(context, call, Channel.SOCKET)
        if isinstance(started, Answer):
            return started
        planned, executor, told = started
        if planned.kind is not OperationType.SUBSCRIPTION:
            fault = BadRequest("The document holds no subscription.")
            return self.masking.refused(fault, told, public_why=True)
        telemetry.operations_total.labels(kind=planned.kind.value).inc()
        source = await _settled(create_source_event_stream(executor))
        if isinstance(source, ExecutionResult):
            return self.masking.result(source, told)
        return self._stream(context, executor, source, told)

    async def _stream(
        self,
        context: Context,
        executor: Executor[Any],
        source: AsyncIterable[Any],
        told: masking.Operation,
    ) -> AsyncGenerator[Answer, None]:
        def fresh(one: Executor[Any]) -> Any:  # noqa: ANN401  -- the library's value or awaitable
            context.loaders.clear()  # an event shows the state of its own moment
            return execute_subscription_event(one)

        events = map_source_to_response_event(executor, source, fresh)
        async with aclosing(events) as open_events:
            try:
                async for result in open_events:
                    yield self.masking.result(result, told)
            except TooSlow:
                raise  # the socket has to go, not the operation
            except RequestFault as fault:
                yield self.masking.refused(fault, told)
            except Exception as bug:  # noqa: BLE001  -- the edge of the stream: masked and logged
                yield self.masking.broken(bug, told)

    async def _start(
        self, context: Context, call: Call, over: Channel
    ) -> tuple[Planned, Executor[Any], masking.Operation] | Answer:
        prepared = self.prepare(call.query)
        told = masking.Operation(
            context.request_id, call.operation_name, prepared.digest[:16]
        )
        if isinstance(prepared, Rejection):
            return self.masking.rejected(prepared.faults, told)
        try:
            planned = prepared.select(call.operation_name)
            _require_channel(planned, over)
            require_flat(call.variables, self._settings)
            executor = self._executor_of(context, prepared, planned, call)
            admit(context.actor, planned.demand, signed_body=over is Channel.HTTP)
            price = self._price(prepared, planned, executor)
            await self._toll(context.actor, price)
        except RequestFault as fault:
            return self.masking.refused(fault, told)
        return planned, executor, told

    def _executor_of(
        self, context: Context, prepared: Prepared, planned: Planned, call: Call
    ) -> Executor[Any]:
        name = planned.node.name.value if planned.node.name else None
        built = self._executor.build(
            self._schema,
            prepared.document,
            context_value=context,
            raw_variable_values=dict(call.variables),
            operation_name=name,
            max_coercion_errors=self._settings.max_errors,
            hide_suggestions=True,
        )
        if isinstance(built, list):
            found = _VARIABLE.match(built[0].message)
            which = f"Variable '{found['name']}'" if found else "A variable"
            raise BadRequest(f"{which} has an invalid value.")
        return built

    def _price(
        self, prepared: Prepared, planned: Planned, executor: Executor[Any]
    ) -> int:
        """Give the price, with the sizes the variables ask for."""
        if not planned.priced_late:
            return planned.price
        coerced = executor.variable_values.coerced
        budget = DocumentBudget(self._schema, prepared.document, weight_of, coerced)
        sums = budget.operation(planned.node)
        require_within(sums, self._settings)
        return sums.cost

    def _examine(self, text: str, digest: str) -> Prepared | Rejection:
        try:
            document = parsed(text, self._settings)
            operations = self._planned(document)
        except RequestFault as fault:
            return Rejection(digest, ((fault, []),))
        except GraphQLError as error:
            return Rejection(digest, (masking.placed(error),))
        errors = self._validated(document)
        if errors:
            return Rejection(digest, tuple(masking.placed(one) for one in errors))
        return Prepared(digest, document, operations)

    def _validated(self, document: DocumentNode) -> list[GraphQLError]:
        rules = list(specified_rules)
        if not self._settings.introspection:
            rules.append(NoSchemaIntrospectionCustomRule)
        most = self._settings.max_errors
        return validate(
            self._schema, document, rules, max_errors=most, hide_suggestions=True
        )[:most]

    def _planned(self, document: DocumentNode) -> dict[str, Planned]:
        if len(document.definitions) > self._settings.max_definitions:
            raise TooComplex("definitions")
        budget = DocumentBudget(self._schema, document, weight_of)
        fragments = fragments_of(document)
        operations: dict[str, Planned] = {}
        for node in document.definitions:
            if not isinstance(node, OperationDefinitionNode):
                continue
            sums = budget.operation(node)
            require_within(sums, self._settings)
            roots = [one.name.value for one in root_fields(node, fragments)]
            require_roots(node.operation, roots, self._settings)
            operations[node.name.value if node.name else ""] = Planned(
                node=node,
                kind=node.operation,
                roots=tuple(roots),
                demand=self._demand(node.operation, roots),
                price=sums.cost,
                priced_late=budget.asks_variables,
            )
        for name in fragments:
            require_within(budget.fragment(name), self._settings)
        return operations

    def _demand(self, kind: OperationType, roots: list[str]) -> Demand:
        root = self._schema.get_root_type(kind)
        named = [name for name in roots if not name.startswith("__")]
        fields = root.fields if root is not None else {}
        marks = [mark_of(fields[name]) for name in named if name in fields]
        known = [mark for mark in marks if isinstance(mark, Mark)]
        return Demand(
            level=highest(mark.level for mark in known)
            if known
            else AuthLevel.ANONYMOUS,
            scopes=frozenset(mark.scope for mark in known if mark.scope),
            moves=kind is OperationType.MUTATION,
            unmarked=len(known) < len(marks),
        )


def _require_channel(planned: Planned, over: Channel) -> None:
    moves = planned.kind is OperationType.MUTATION
    if (
        moves
        and over is Channel.SOCKET
        and not _SOCKET_MUTATIONS.issuperset(planned.roots)
    ):
        raise Forbidden  # a frame has no proof of its own


async def _note_activity(context: Context, planned: Planned) -> None:
    by_user = not _NO_ACTIVITY.issuperset(planned.roots)
    if context.actor.session is not None and by_user:
        await context.bank.sessions.touch(context.actor)


async def _settled(value: Any) -> Any:  # noqa: ANN401  -- the library's value or awaitable
    return await value if isinstance(value, Awaitable) else value
