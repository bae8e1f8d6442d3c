"""One event shown twice: by a projector and by graphql-core, over the contract."""

from collections.abc import Mapping
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import orjson
from graphql import parse, validate
from graphql.execution import Executor

from app.auth.actor import Actor, Level, Origin
from app.clock import StoppedClock
from app.ids import DeviceId
from app.realtime.facts import Fact
from app.realtime.logged import LoggedEvent
from app.schema import root
from app.schema.context import Context
from app.schema.events import streams
from app.schema.masking import Masking, Operation
from app.schema.plan.projector import Projectors, Shared
from app.schema.plan.rendering import Rendering
from app.schema.plan.support import Unprojectable
from tests.realtime.world import NOW
from tests.schema.selections import ANN

SCHEMA = root.SCHEMA._schema  # noqa: SLF001  -- the built contract
CORE = Unprojectable("asked")  # what makes a rendering leave all to graphql-core


def a_context(locale: str = "en-IN") -> Context:
    """Give the context of a signed-in phone whose bank has a clock, and no rooms."""
    bank = SimpleNamespace(clock=StoppedClock(NOW))
    actor = Actor(
        origin=Origin(request_id="r1", address="192.0.2.1"),
        locale=locale,
        level=Level.LOGIN,
        customer=ANN,
        device=DeviceId.new(),
    )
    return Context(cast("Any", bank), actor, "r1")


def an_event(fact: Fact, *, seen: bool = True) -> Shared:
    """Give an event as the stream does."""
    logged = LoggedEvent(ANN, "abc", 7, date(2026, 11, 21), fact.occurred_at, fact)
    make = streams._open if seen else streams._closed  # noqa: SLF001  -- what `events` yields
    return Shared(logged.shown, seen, make, logged, shaped=seen)


class Question:
    """One subscription with its variables.

    Args:
        text: a valid document.
        variables: its values.
        projectors: where its projector is kept.
        context: who asks.
    """

    def __init__(
        self,
        text: str,
        variables: Mapping[str, object] | None = None,
        projectors: Projectors | None = None,
        context: Context | None = None,
    ) -> None:
        document = parse(text)
        assert validate(SCHEMA, document) == [], text
        self.context = context or a_context()
        built = Executor.build(
            SCHEMA,
            document,
            context_value=self.context,
            raw_variable_values=dict(variables or {}),
        )
        assert isinstance(built, Executor), built
        self.executor = built
        found = projectors or Projectors(root.SCHEMA)
        self.projector = found.of(text, built, streams.EventFeed.shape)
        self.masking = Masking(StoppedClock(NOW), most=5, tells_why=True)

    def rendering(self, *, core: bool = False) -> Rendering:
        """Give what answers its events, or what graphql-core alone does."""
        projector = CORE if core else self.projector
        told = Operation("r1")
        return Rendering(
            projector, lambda: self.executor, self.context, self.masking, told
        )

    def projected(self, item: object) -> bytes | str:
        """Give the bytes of an event, or why there are none."""
        return self.rendering().ready(item)

    async def by_core(self, item: object) -> bytes:
        """Give the bytes as the library makes them."""
        return orjson.dumps((await self.rendering(core=True).answer(item)).body)
