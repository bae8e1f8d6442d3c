"""Runs what a socket was asked: a query once, a subscription until it ends."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from graphql import OperationType

from app.auth.actor import Actor
from app.errors import RequestFault
from app.schema.context import Context
from app.schema.execution import Call, Channel, Engine
from app.schema.masking import Answer, Operation
from app.schema.plan.feed import Feed
from app.schema.prepare import Prepared

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
        begun = await self.begin(actor, request)
        stream = begun.answers() if isinstance(begun, Feed) else begun
        async with aclosing(stream) as answers:
            async for answer in answers:
                yield answer

    async def begin(
        self, actor: Actor, request: Mapping[str, object]
    ) -> AsyncGenerator[Answer, None] | Feed:
        """Start what was asked: its answers, or a feed that needs no task."""
        context = Context(
            bank=self._bank, actor=actor, request_id=actor.origin.request_id
        )
        try:
            call = Call.of(dict(request))
        except RequestFault as fault:
            told = Operation(context.request_id)
            return _one(self._engine.masking.refused(fault, told, public_why=True))
        if not await self._is_stream(call):
            return _one(await self._engine.run(context, call, over=Channel.SOCKET))
        started = await self._engine.subscribe(context, call)
        return _one(started) if isinstance(started, Answer) else started

    async def _is_stream(self, call: Call) -> bool:
        """Tell whether a subscription runs; false for what is going to be refused."""
        prepared = await self._engine.document_in_turn(call)
        if not isinstance(prepared, Prepared):
            return False
        try:
            kind = prepared.select(call.operation_name).kind
        except RequestFault:
            return False
        return kind is OperationType.SUBSCRIPTION


async def _one(answer: Answer) -> AsyncGenerator[Answer, None]:
    yield answer
