"""Runs what a socket was asked: a query once, a subscription until it ends."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from graphql import OperationType

from app.auth.actor import Actor
from app.errors import RequestFault
from app.schema.context import Context
from app.schema.execution import Call, Channel, Engine, Prepared
from app.schema.masking import Answer, Operation

if TYPE_CHECKING:
    from app.bank import Bank


class SocketOperations:
    """The engine as a socket sees it.

    Args:
        engine: of this process.
        bank: for the context of each operation.
    """

    def __init__(self, engine: Engine, bank: "Bank") -> None:
        self._engine = engine
        self._bank = bank

    async def run(
        self, actor: Actor, request: Mapping[str, object]
    ) -> AsyncGenerator[Answer, None]:
        """Yield one answer of a query, or all of a subscription."""
        context = Context(
            bank=self._bank, actor=actor, request_id=actor.origin.request_id
        )
        try:
            call = Call.of(dict(request))
        except RequestFault as fault:
            told = Operation(context.request_id)
            yield self._engine.masking.refused(fault, told, public_why=True)
            return
        if not self._is_stream(call):
            yield await self._engine.run(context, call, over=Channel.SOCKET)
            return
        stream = await self._engine.subscribe(context, call)
        if isinstance(stream, Answer):
            yield stream
            return
        async with aclosing(_generator(stream)) as answers:
            async for answer in answers:
                yield answer

    def _is_stream(self, call: Call) -> bool:
        """Tell whether a subscription runs; false for what is going to be refused."""
        prepared = self._engine.prepare(call.query)
        if not isinstance(prepared, Prepared):
            return False
        try:
            kind = prepared.select(call.operation_name).kind
        except RequestFault:
            return False
        return kind is OperationType.SUBSCRIPTION


def _generator(stream: AsyncIterator[Answer]) -> AsyncGenerator[Answer, None]:
    """The engine's stream is a generator, whose `aclose` ends what feeds it."""
    return cast("AsyncGenerator[Answer, None]", stream)
