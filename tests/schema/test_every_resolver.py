"""T22: whichever resolver breaks, nothing of the inside is shown, and the line stays.

The ways come from the contract itself: what is added to it is tried at once.
"""

from contextlib import aclosing
from itertools import pairwise
from typing import Any, cast

import pytest
from graphql import GraphQLList, GraphQLNonNull, is_abstract_type
from structlog.testing import capture_logs

from app.auth.actor import Actor
from app.schema import root
from app.schema.context import Context
from app.schema.execution import Call, Engine
from app.schema.masking import Answer
from app.schema.transport.operations import SocketOperations
from tests.schema.broken import (
    SECRET,
    Broken,
    BrokenBank,
    Step,
    document_of,
    variables_of,
    ways,
)
from tests.schema.line import heard, say, serving
from tests.schema.tiny import a_bank, asha

pytestmark = pytest.mark.usefixtures("way")  # by plans, then by graphql-core

GRAPH = root.SCHEMA._schema  # noqa: SLF001  -- the library has no public way
WAYS = tuple(ways(GRAPH))
ROOTS = [way for way in WAYS if len(way) == 1]
NESTED = [way for way in WAYS if len(way) > 1]


@pytest.fixture
def engine() -> Engine:
    """Give an engine over the whole contract that nothing is too dear for."""
    bank = a_bank(max_cost=10**6, max_depth=20)
    return Engine(root.SCHEMA, bank.settings, bank.clock, bank.callers.charge)


def somebody() -> Actor:
    return asha(("payments", "security"))


async def first(engine: Engine, way: tuple[Step, ...], given: dict[str, Any]) -> Answer:
    """Ask for the last field of a way; of a stream, its first answer."""
    bank: Any = BrokenBank()
    text, actor = document_of(way), somebody()
    if way[0].parent is not GRAPH.subscription_type:
        context = Context(bank, actor, actor.origin.request_id)
        return await engine.run(context, Call(text, variables=given))
    request = {"query": text, "variables": given}
    async with aclosing(SocketOperations(engine, bank).run(actor, request)) as stream:
        return await anext(stream)


def is_masked(answer: Answer, logs: list[Any]) -> bool:
    """Tell whether INTERNAL is all an answer says, and the log has the rest."""
    errors = cast("list[dict[str, Any]]", answer.body.get("errors", []))
    extensions = {"code": "INTERNAL", "requestId": "0123456789abcdef"}
    return (
        [one["extensions"] for one in errors] == [extensions]
        and SECRET not in str(answer.body)
        and "Traceback" not in str(answer.body)
        and len(logs) == 1
        and (SECRET in logs[0].get("exception", "") or "outage" in logs[0]["event"])
    )


async def test_every_root_field_that_breaks_is_internal_and_says_no_more(
    engine: Engine,
) -> None:
    seen = []

    for way in ROOTS:
        for given in variables_of(way):
            with capture_logs() as logs:
                answer = await first(engine, way, given)
            assert SECRET not in str(answer.body)
            if is_masked(answer, logs):
                seen.append(way)
                break

    assert [way[0].told for way in ROOTS if way not in seen] == []
    assert len(ROOTS) > 40


async def test_every_field_below_that_breaks_is_internal_and_says_no_more(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []

    for way in NESTED:
        with monkeypatch.context() as patch, capture_logs() as logs:
            leads(patch, way)
            answer = await first(engine, way, next(variables_of(way)))
        if not is_masked(answer, logs):
            shown.append((way[-1].told, answer.body))

    assert shown == []
    assert len(NESTED) > 30


def leads(patch: pytest.MonkeyPatch, way: tuple[Step, ...]) -> None:
    """Let every field but the last give something broken of the next one's type."""
    for step, after in pairwise(way):
        kind = step.field.type
        nullable = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        found: Any = Broken(after.parent.name)
        if isinstance(nullable, GraphQLList):
            found = [found]
        patch.setattr(step.field, "resolve", lambda *_, found=found, **__: found)
        resolver = step.field.extensions["strawberry-definition"].base_resolver
        if resolver is not None:  # what a plan calls
            patch.setattr(resolver, "wrapped_func", lambda *_, found=found, **__: found)
            patch.setattr(resolver, "is_async", False)
        patch.setattr(after.parent, "is_type_of", None)
        for one in GRAPH.type_map.values():
            if is_abstract_type(one):
                patch.setattr(one, "resolve_type", lambda value, *_: value.typename)


async def test_a_socket_on_which_everything_breaks_stays_open(
    engine: Engine,
) -> None:
    operations = SocketOperations(engine, cast("Any", BrokenBank()))
    allowed = [way for way in ROOTS if way[0].parent is not GRAPH.mutation_type]
    settings = a_bank(limit_factor=1000).settings

    async with serving(settings, operations=operations) as line:
        line.callers.phones["asha"] = somebody()
        async with line.signed_in("asha") as client:
            for number, way in enumerate(allowed):
                payload = {
                    "query": document_of(way),
                    "variables": next(variables_of(way)),
                }
                await say(
                    client, {"id": f"{number}", "type": "subscribe", "payload": payload}
                )
                told = await until_end(client, f"{number}")
                assert SECRET not in str(told)
            await say(client, {"type": "ping"})

            assert await heard(client) == {"type": "pong"}
    assert len(allowed) > 10


async def until_end(client: Any, operation: str) -> list[dict[str, Any]]:
    """Read what is said of an operation, up to its last word."""
    told = [await heard(client)]
    while told[-1]["type"] == "next":
        told.append(await heard(client))
    assert {one["id"] for one in told} == {operation}
    return told
