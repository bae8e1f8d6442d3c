"""One subscription's way from an event to its answer: projected, or by graphql-core."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from graphql.execution import Executor
from graphql.execution.execute import execute_subscription_event
from typing_extensions import override

from app import telemetry
from app.errors import RequestFault
from app.schema.context import Context
from app.schema.masking import Answer, Masking, Operation
from app.schema.plan.closures import Asked
from app.schema.plan.projector import Projector, Shared
from app.schema.plan.support import Unprojectable


class Rendered(Answer):
    """An answer that is JSON already; `body` reads it back for whoever wants parts."""

    __slots__ = ("payload",)
    payload: bytes

    def __init__(self, payload: bytes) -> None:
        object.__setattr__(self, "payload", payload)
        object.__setattr__(self, "status", 200)

    @property
    @override
    def body(self) -> dict[str, object]:
        """The answer's members."""
        found: dict[str, object] = orjson.loads(self.payload)
        return found

    @property
    @override
    def is_refused(self) -> bool:
        """Never: a refusal is not rendered."""
        return False


class Rendering:
    """Answers the events of one subscription.

    Args:
        projector: of its document and variables, or why there is none.
        remake: gives what graphql-core needs for the rest; made when it is needed,
            because it is most of what an idle subscription would hold.
        context: of the operation.
        masking: shows what failed.
        told: for the log.
    """

    __slots__ = ("_asked", "_executor", "_masking", "_projector", "_remake", "_told")

    def __init__(
        self,
        projector: Projector | Unprojectable,
        remake: Callable[[], Executor[Any]],
        context: Context,
        masking: Masking,
        told: Operation,
    ) -> None:
        self._projector = projector
        self._remake = remake
        self._executor: Executor[Any] | None = None
        self._asked = Asked(context)
        self._masking = masking
        self._told = told

    def ready(self, item: object) -> bytes | str:
        """Render an event at once, or tell why graphql-core has to."""
        projector = self._projector
        if isinstance(projector, Unprojectable):
            return projector.why
        try:
            return projector.render(item, self._asked)
        except Unprojectable as no:
            return no.why

    async def answer(self, item: object) -> Answer:
        """Answer an event."""
        found = self.ready(item)
        if isinstance(found, bytes):
            return Rendered(found)
        telemetry.projector_fallbacks.labels(why=found).inc()
        self._asked.context.loaders.clear()  # an event shows the state of its moment
        value = item.value() if isinstance(item, Shared) else item
        if self._executor is None:
            self._executor = self._remake()
        result = execute_subscription_event(
            self._executor.build_per_event_executor(value)
        )
        if isinstance(result, Awaitable):
            result = await result
        return self._masking.result(result, self._told)

    def refused(self, fault: RequestFault) -> Answer:
        """Answer what the caller did wrong."""
        return self._masking.refused(fault, self._told)

    def broken(self, bug: BaseException) -> Answer:
        """Answer what we did wrong."""
        return self._masking.broken(bug, self._told)
