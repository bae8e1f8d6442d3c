"""From a text to an answer: one entry for HTTP and sockets.

`run` answers a query or mutation, `subscribe` opens a stream. The document comes from
`library`, known or prepared there. Before a resolver is called: right operation for the
channel, variables coerced, level and scope, price.
Source: graphql.md sections 3 to 6; performance.md section 3.1.
"""

import asyncio
import re
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Mapping,
)
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Any, TypeAlias

import strawberry
from graphql import ExecutionResult, GraphQLSchema, OperationType
from graphql.execution import Executor, create_source_event_stream
from graphql.execution.execute import (
    execute_root_selection_set,
)

from app import telemetry
from app.auth.actor import Actor
from app.clock import Clock
from app.errors import BadRequest, Forbidden, RequestFault
from app.realtime.stream import TooSlow
from app.schema import masking
from app.schema.context import Context
from app.schema.guards import admit
from app.schema.library import Documents
from app.schema.masking import Answer, Masking
from app.schema.plan.compiler import Plan
from app.schema.plan.feed import Feed
from app.schema.plan.plans import NoPlans, Plans
from app.schema.plan.projector import Projectors
from app.schema.plan.rendering import Rendering
from app.schema.plan.support import Unprojectable
from app.schema.prepare import Planned, Prepared, Rejection
from app.schema.values import require_flat
from app.settings import Settings

_SOCKET_MUTATIONS = frozenset({"eventsAck", "inboxMarkRead"})
# What an app sends by itself, and signing in and out, do not move the idle clock.
_NO_ACTIVITY = frozenset({"eventsAck", "devicePushSet", "logout", "tokenRefresh"})
_NAME_MAX = 80  # of an operation's name in the log
_MEMBERS: dict[str, type] = {
    "query": str,
    "operationName": str,
    "documentId": str,
    "variables": dict,
    "extensions": dict,
}
_VARIABLE = re.compile(r"Variable '(?P<name>\$\w+)'")


class Channel(Enum):
    """How an operation came in; what is allowed differs."""

    HTTP = "http"
    SOCKET = "socket"


@dataclass(frozen=True, slots=True)
class Call:
    """What a client asks: the members of the JSON object, checked for their types."""

    query: str | None
    operation_name: str | None = None
    variables: Mapping[str, object] = field(default_factory=dict)
    extensions: Mapping[str, object] = field(default_factory=dict)
    document_id: str | None = None

    @classmethod
    def of(cls, sent: object) -> "Call":
        """Read a decoded JSON body or `subscribe` payload; other members are ignored.

        Raises:
            BadRequest: not an object, neither `query` nor an id of a document, or a
                member of another type.
        """
        if not isinstance(sent, dict):
            raise BadRequest("The request is a JSON object; batches are not offered.")
        for name, kind in _MEMBERS.items():
            value = sent.get(name)
            if value is not None and not isinstance(value, kind):
                raise BadRequest(f"`{name}` has another type.")
        extensions = sent.get("extensions") or {}
        named = _document_id(sent.get("documentId"), extensions.get("persistedQuery"))
        if sent.get("query") is None and named is None:
            raise BadRequest("`query` is missing.")
        return cls(
            sent.get("query"),
            sent.get("operationName"),
            sent.get("variables") or {},
            extensions,
            named,
        )


@dataclass(frozen=True, slots=True)
class _Started:
    """An operation that was let in."""

    prepared: Prepared
    planned: Planned
    executor: Executor[Any]
    told: masking.Operation


# Charges a caller's bucket for the price of an operation; raises TooManyRequests.
Toll: TypeAlias = Callable[[Actor, int], Awaitable[None]]


class Engine:
    """Prepares and runs operations over one schema. One per process.

    Args:
        schema: the built contract.
        settings: limits, and whether schema queries are answered.
        clock: for the sampling of logs, and how long a plan rests after an outage.
        toll: charges the caller's cost bucket.
        documents: prepared ahead; made from schema and settings if left out.
        plans: of queries; others may leave all to graphql-core.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        settings: Settings,
        clock: Clock,
        toll: Toll,
        documents: Documents | None = None,
        plans: Plans | None = None,
    ) -> None:
        self._schema: GraphQLSchema = schema._schema  # noqa: SLF001  -- prepared documents run on graphql-core
        self._executor: type[Executor[Any]] = schema.execution_context_class
        self._settings = settings
        self._clock = clock
        self._toll = toll
        self._documents = documents or Documents(self._schema, settings)
        self._projectors = Projectors(schema)
        self._plans = plans or (Plans if settings.query_plans else NoPlans)(schema)
        self.masking = Masking(
            clock, most=settings.max_errors, tells_why=settings.introspection
        )

    def document(self, call: Call) -> Prepared | Rejection:
        """Give the document a call names or brings, prepared before or now."""
        return self._documents.find(call.query, call.document_id)

    async def document_in_turn(self, call: Call) -> Prepared | Rejection:
        """Give the document; a new text is examined when its turn comes."""
        return await self._documents.in_turn(call.query, call.document_id)

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
        planned, told = started.planned, started.told
        if planned.kind is OperationType.SUBSCRIPTION:
            fault = BadRequest("Subscriptions are opened over the WebSocket.")
            return self.masking.refused(fault, told, public_why=True)
        telemetry.operations_total.labels(kind=planned.kind.value).inc()
        try:
            result = await self._result(context, started)
        except TimeoutError:
            return self.masking.too_slow(told)
        answer = self.masking.result(result, told, planned.price)
        return replace(answer, packable=planned.kind is OperationType.QUERY)

    async def _result(self, context: Context, started: _Started) -> ExecutionResult:
        """Run by the plan; without one, or where it meets trouble, by graphql-core.

        Each has the longest time of an operation for itself: what the attempt took
        shall not make a failure of an answer in part.
        """
        most_s, planned = self._settings.max_operation_s, started.planned
        plan = None
        if planned.kind is OperationType.QUERY:
            plan = self._plans.of(started.prepared.digest, started.executor)
            plan = plan or await self._new_plan(started)
        async with asyncio.timeout(most_s):
            await _note_activity(context, planned)
            if plan is not None:
                found = await self._by_plan(context, started.executor, plan)
                if not isinstance(found, str):
                    return ExecutionResult(found, None)
                telemetry.plan_fallbacks.labels(why=found).inc()
                context.loaders.clear()  # they may hold what failed
        settled: ExecutionResult
        async with asyncio.timeout(most_s):
            settled = await _settled(execute_root_selection_set(started.executor))
        return settled

    async def _new_plan(self, started: _Started) -> Plan | Unprojectable:
        """Compile the plan of a query when its turn comes; a known one never waits."""
        async with self._documents.turn():
            return self._plans.made(started.prepared.digest, started.executor)

    async def _by_plan(
        self, context: Context, executor: Executor[Any], plan: Plan | Unprojectable
    ) -> dict[str, object] | str:
        """Give the data, or why graphql-core has to."""
        if isinstance(plan, Unprojectable):
            return plan.why
        standing, now = plan.standing, self._clock.monotonic
        resting = standing.why_not(now)
        if resting is not None:
            return resting
        try:
            found = await plan.run(context, executor.variable_values)
        except Unprojectable as no:
            standing.failed(no, now)
            return no.why
        standing.succeeded()
        return found

    async def subscribe(
        self, context: Context, call: Call
    ) -> AsyncGenerator[Answer, None] | Feed | Answer:
        """Open a subscription: a stream or feed of answers, or one that refuses.

        Close the stream (`aclose`) or the feed to end it; what feeds it is closed then.
        """
        started = await self._start(context, call, Channel.SOCKET)
        if isinstance(started, Answer):
            return started
        planned, executor, told = started.planned, started.executor, started.told
        if planned.kind is not OperationType.SUBSCRIPTION:
            fault = BadRequest("The document holds no subscription.")
            return self.masking.refused(fault, told, public_why=True)
        telemetry.operations_total.labels(kind=planned.kind.value).inc()
        source = await _settled(create_source_event_stream(executor))
        if isinstance(source, ExecutionResult):
            return self.masking.result(source, told)
        shape = source.shape if isinstance(source, Feed) else None
        digest = started.prepared.digest
        projector = self._projectors.of(digest, executor, shape)
        remake = self._remake(context, call, started)
        rendering = Rendering(projector, remake, context, self.masking, told)
        if isinstance(source, Feed):
            source.rendering = rendering
            return source
        return self._stream(rendering, source)

    def _remake(
        self, context: Context, call: Call, started: _Started
    ) -> Callable[[], Executor[Any]]:
        prepared, planned = started.prepared, started.planned
        without_text = replace(call, query=None)
        return partial(self._executor_of, context, prepared, planned, without_text)

    async def _stream(
        self, rendering: Rendering, source: AsyncGenerator[object, None]
    ) -> AsyncGenerator[Answer, None]:
        async with aclosing(source) as items:
            try:
                async for item in items:
                    yield await rendering.answer(item)
            except TooSlow:
                raise  # the socket has to go, not the operation
            except RequestFault as fault:
                yield rendering.refused(fault)
            except Exception as bug:  # noqa: BLE001  -- the edge of the stream: masked and logged
                yield rendering.broken(bug)

    async def _start(
        self, context: Context, call: Call, over: Channel
    ) -> _Started | Answer:
        prepared = await self.document_in_turn(call)
        name = (call.operation_name or "")[:_NAME_MAX] or None
        told = masking.Operation(context.request_id, name, prepared.digest[:16])
        if isinstance(prepared, Rejection):
            why = prepared.faults[0][0].code
            telemetry.documents_refused.labels(why=why).inc()
            return self.masking.rejected(prepared.faults, told)
        try:
            planned = prepared.select(call.operation_name)
            _require_channel(planned, over)
            require_flat(call.variables, self._settings)
            executor = self._executor_of(context, prepared, planned, call)
            admit(context.actor, planned.demand, signed_body=over is Channel.HTTP)
            coerced = executor.variable_values.coerced
            price = self._documents.examiner.price(prepared, planned, coerced)
            await self._toll(context.actor, price)
        except RequestFault as fault:
            return self.masking.refused(fault, told)
        return _Started(prepared, planned, executor, told)

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


def _document_id(given: str | None, persisted: object) -> str | None:
    """Read the id of a document, as GraphQL over HTTP or as Apollo writes it.

    Raises:
        BadRequest: Apollo's form of another version or shape, or two ids at once.
    """
    if persisted is None:
        return given
    found = persisted if isinstance(persisted, dict) else {}
    digest = found.get("sha256Hash")
    if found.get("version") != 1 or not isinstance(digest, str):
        raise BadRequest("`persistedQuery` is version 1 with a `sha256Hash`.")
    if given is not None:
        raise BadRequest("A request has one id: `documentId` or `persistedQuery`.")
    return f"sha256:{digest}"


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
