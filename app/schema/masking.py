"""What a failed call shows and what it leaves in the log.

Every top-level error has one fixed sentence per code, `extensions.code` and
`extensions.requestId`. What we did not expect becomes INTERNAL; its text, its SQL and
its traceback stay in the log. What the caller did wrong is logged without a traceback
and sampled. Variables are logged by nobody. Source: graphql.md section 3.
"""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from graphql import ArgumentNode, ExecutionResult, GraphQLError, ValueNode

from app import telemetry
from app.clock import Clock
from app.errors import BadRequest, Outage, RequestFault

INTERNAL = "INTERNAL"
INTERNAL_SENTENCE = "Something went wrong. Please try again."
_PER_MINUTE = 10  # client errors of one sort that are logged, then every 100th
_DOCUMENT = "document"  # one sort, whatever is wrong with it; the others go by code
_SAMPLE = 100
_BROKEN = 500
# A rejected document is remembered with what is said of it: that has to stay short.
_SENTENCE_MAX = 200
_PLACES_MAX = 3

# A fault of a document and the lines and columns it is about.
Placed: TypeAlias = tuple[RequestFault, list[dict[str, int]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """What may be logged about an operation: never its variables."""

    request_id: str
    name: str | None = None
    document: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The result: an HTTP status and the JSON object of the response.

    `packable` says that nothing in it is secret, so that it may be compressed.
    """

    status: int
    body: dict[str, object]
    packable: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether nothing ran: `errors` and no `data`."""
        return "data" not in self.body


class Masking:
    """Turns failures into errors that show nothing of the inside.

    Args:
        clock: for the sampling of logs.
        most: errors that are sent.
        tells_why: whether sentences made from the schema are sent; not in production,
            because they let a stranger read the schema.
    """

    def __init__(self, clock: Clock, *, most: int, tells_why: bool) -> None:
        self._clock = clock
        self._most = most
        self._tells_why = tells_why
        self._logged: dict[str, tuple[int, int]] = {}

    def fault(
        self, fault: RequestFault, operation: Operation, *, public_why: bool = False
    ) -> dict[str, object]:
        """Show a fault of the request.

        Args:
            fault: what was wrong.
            operation: for the log.
            public_why: the reason is a fixed sentence of the transport.
        """
        self._log_fault(fault, operation, fault.code)
        return self._shown(fault, operation, public_why=public_why)

    def _shown(
        self, fault: RequestFault, operation: Operation, *, public_why: bool = False
    ) -> dict[str, object]:
        telemetry.errors_total.labels(code=fault.code).inc()
        extensions = {"code": fault.code, "requestId": operation.request_id}
        extensions |= fault.facts  # type: ignore[arg-type]  # facts are JSON values
        why = fault.why if isinstance(fault, BadRequest) else None
        if why and (public_why or self._tells_why):
            extensions["why"] = why
        return {"message": fault.sentence, "extensions": extensions}

    def failure(
        self,
        cause: BaseException | None,
        operation: Operation,
        *,
        path: Sequence[str | int] | None = None,
    ) -> dict[str, object]:
        """Show something unexpected as INTERNAL, and log it: a bug in full.

        An outage behind a nested field is no bug: one line says which, because a
        database that is away would otherwise fill the log with tracebacks.
        """
        facts = _facts(operation) | {"path": ".".join(map(str, path)) if path else None}
        if isinstance(cause, Outage):
            telemetry.log.warning("operation_met_outage", cause=cause.cause, **facts)
        else:
            told = "".join(traceback.format_exception(cause)) if cause else None
            telemetry.log.error("operation_failed", exception=told, **facts)
        return self._internal(operation)

    def _internal(self, operation: Operation) -> dict[str, object]:
        telemetry.errors_total.labels(code=INTERNAL).inc()
        extensions = {"code": INTERNAL, "requestId": operation.request_id}
        return {"message": INTERNAL_SENTENCE, "extensions": extensions}

    def executed(
        self, error: GraphQLError, operation: Operation
    ) -> tuple[dict[str, object], RequestFault | None]:
        """Show an error that came up while an operation ran.

        Returns:
            the error, and the fault of the request behind it, if it was one.
        """
        cause = _cause(error)
        fault: RequestFault | None = None
        if isinstance(cause, RequestFault):
            fault = cause
        elif isinstance(cause, GraphQLError) and _is_about_input(cause):
            fault = BadRequest("An argument has an invalid value.")
        if fault is not None:
            shown = self.fault(fault, operation)
        else:
            shown = self.failure(cause, operation, path=error.path)
        return shown | _place(error), fault

    def result(
        self, result: ExecutionResult, told: Operation, price: int | None = None
    ) -> Answer:
        """Answer what an operation, or one event of a stream, came to.

        Args:
            result: data and errors of the library.
            told: for the log.
            price: shown in `extensions.cost` outside production.
        """
        body: dict[str, object] = {"data": result.data}
        if not result.errors:
            if price is not None and self._tells_why:
                body["extensions"] = {"cost": price}
            return Answer(200, body)
        shown = [self.executed(one, told) for one in result.errors[: self._most]]
        errors = [error for error, _ in shown]
        if result.data is not None:
            return Answer(200, {"errors": errors} | body)
        fault = shown[0][1]
        if fault is not None:
            return Answer(fault.status, {"errors": errors})
        return Answer(_BROKEN, {"errors": errors} | body)

    def refused(
        self, fault: RequestFault, told: Operation, *, public_why: bool = False
    ) -> Answer:
        """Answer a request that never became an operation."""
        error = self.fault(fault, told, public_why=public_why)
        return Answer(fault.status, {"errors": [error]})

    def rejected(self, faults: Sequence[Placed], told: Operation) -> Answer:
        """Answer a document that may not run, with the places it is wrong at."""
        errors = []
        self._log_fault(faults[0][0], told, _DOCUMENT)
        for fault, locations in faults[: self._most]:
            error = self._shown(fault, told)
            if locations:
                error["locations"] = locations
            errors.append(error)
        return Answer(faults[0][0].status, {"errors": errors})

    def broken(self, cause: BaseException, told: Operation) -> Answer:
        """Answer a call of which nothing is known, because of a bug."""
        error = self.failure(cause, told)
        return Answer(_BROKEN, {"errors": [error], "data": None})

    def too_slow(self, told: Operation) -> Answer:
        """Answer a call that ran out of its time: load, and no bug to be traced."""
        telemetry.log.warning("operation_too_slow", **_facts(told))
        return Answer(_BROKEN, {"errors": [self._internal(told)], "data": None})

    def _log_fault(self, fault: RequestFault, operation: Operation, sort: str) -> None:
        """Log a fault unless there were many of its sort in this minute."""
        minute = int(self._clock.monotonic() // 60)
        since, count = self._logged.get(sort, (minute, 0))
        count = count + 1 if since == minute else 1
        self._logged[sort] = (minute, count)
        if count <= _PER_MINUTE or count % _SAMPLE == 0:
            telemetry.log.info(
                "request_refused",
                code=fault.code,
                reason=_word(fault.facts),
                request_id=operation.request_id,
                operation=operation.name,
                document=operation.document,
                count=count,
            )


def _facts(operation: Operation) -> dict[str, str | None]:
    return {
        "request_id": operation.request_id,
        "operation": operation.name,
        "document": operation.document,
    }


def schema_sentence(error: GraphQLError) -> str:
    """Give the library's sentence about a document, without hints at other names."""
    return error.message.split(" Did you mean", 1)[0][:_SENTENCE_MAX]


def placed(error: GraphQLError) -> Placed:
    """Give a fault of the document from the library's error about it."""
    return BadRequest(schema_sentence(error)), places(error)


def places(error: GraphQLError) -> list[dict[str, int]]:
    """Give line and column of an error in the document."""
    found = (error.locations or ())[:_PLACES_MAX]
    return [{"line": one.line, "column": one.column} for one in found]


def _place(error: GraphQLError) -> dict[str, object]:
    place: dict[str, object] = {}
    if error.locations:
        place["locations"] = places(error)
    if error.path:
        place["path"] = list(error.path)
    return place


def _cause(error: GraphQLError) -> BaseException:
    """Find what was raised first, under the library's own wrappings."""
    cause: BaseException = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _is_about_input(error: GraphQLError) -> bool:
    """Tell whether the library refused an argument, not one of our answers."""
    return any(isinstance(node, ArgumentNode | ValueNode) for node in error.nodes or ())


def _word(facts: Mapping[str, object]) -> str | None:
    """Give the one fact worth a log line: the reason, the budget or the level."""
    for name in ("reason", "budget", "requiredLevel", "requiredScope"):
        if name in facts:
            return str(facts[name])
    return None
