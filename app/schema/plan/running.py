"""One run of a plan: what it waits for, level by level, so that batches stay whole."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from typing import Any, TypeAlias

from graphql.execution import Executor
from graphql.execution.values import VariableValues

from app.schema.context import Context
from app.schema.plan.closures import Asked, Reader
from app.schema.plan.support import Unprojectable
from app.schema.scalars import Batched

Arguments: TypeAlias = Callable[["Running"], Mapping[str, object]]
Start: TypeAlias = Callable[[Any, "Running"], Coroutine[Any, Any, object]]
Waiting: TypeAlias = tuple[dict[str, object], str, Coroutine[Any, Any, object], Reader]
# Begins to fetch a value of an object, for a place in the answer.
Begin: TypeAlias = Callable[[Any, "Running", dict[str, object], str], None]
# The same for a value of a batch: where it goes, its key, and what reads it.
Wanted: TypeAlias = tuple[dict[str, object], str, Hashable, Reader]


class Running(Asked):
    """One run of a plan: who asks, with which variables, and what is waited for.

    Args:
        context: of the operation.
        variables: coerced.
        raw: what the library tells a root resolver about the document.
    """

    __slots__ = ("_raw_info", "asked", "batches", "variables", "waiting")

    def __init__(
        self, context: Context, variables: VariableValues | None, raw: object
    ) -> None:
        super().__init__(context)
        self.variables = variables
        self.waiting: list[Waiting] = []
        self.batches: dict[Any, list[Wanted]] = {}
        self.asked: dict[object, Hashable | None] = {}
        self._raw_info = raw


class Raw:
    """The part of the library's info that a root resolver may look at: the document."""

    __slots__ = ("fragments", "operation")

    def __init__(self, executor: Executor[Any]) -> None:
        self.operation = executor.operation
        self.fragments = executor.fragment_definitions


async def completed(running: Running) -> None:
    """Wait for one level, each of its batches at once, and read what it gave.

    The first failure ends it. What a look ahead brought is not waited for.
    """
    level, running.waiting = running.waiting, []
    batches, running.batches = running.batches, {}
    brought: list[tuple[list[Wanted], Sequence[object]]] = []
    for batch, wanted in batches.items():
        keys = [one[2] for one in wanted]
        found = batch.at_hand(running.context, keys)
        if found is not None:
            brought.append((wanted, found))
        else:
            level.append(({}, "", batch.read(running.context, keys), _spread(wanted)))
    await _awaited(level, running)
    for wanted, values in brought:
        for (place, key, _, complete), value in zip(wanted, values, strict=True):
            place[key] = complete(value, running)


async def _awaited(level: Sequence[Waiting], running: Running) -> None:
    """Wait for all and read what they gave; a single one needs no task."""
    if not level:
        return
    if len(level) == 1:
        ((made, key, coroutine, complete),) = level
        made[key] = complete(await coroutine, running)
        return
    # A TaskGroup of 3.11 leaves its caller marked as cancelled when a task fails.
    tasks = [asyncio.create_task(one[2]) for one in level]  # noqa: TID251  -- all have ended when this ends
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for (made, key, _, complete), task in zip(level, tasks, strict=True):
            if task.done():  # all, or one that failed is among them
                made[key] = complete(task.result(), running)
    except BaseException:
        await _ended(tasks)
        raise


async def _ended(tasks: list[asyncio.Task[object]]) -> None:
    """Cancel what still goes on, and wait until it has ended."""
    for one in tasks:
        one.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _spread(wanted: list[Wanted]) -> Reader:
    """Give each object what the batch found for it."""

    def read(found: Any, asked: Asked) -> object:  # noqa: ANN401  -- of any batch
        for place, key, own, complete in wanted:
            place[key] = complete(found[own], asked)
        return None

    return read


def left(running: Running) -> None:
    """Close what was begun and never awaited."""
    for one in running.waiting:
        one[2].close()


# ------------------------------------------------------------------ objects


def once(batched: Batched, late: Arguments) -> Callable[[Running], Hashable | None]:
    """Read arguments that variables decide, once for all objects of a run."""

    def read(running: Running) -> Hashable | None:
        if late not in running.asked:
            running.asked[late] = batched.asked(**late(running))
        return running.asked[late]

    return read


def awaited(start: Start, complete: Reader) -> Begin:
    """Begin a coroutine of the object's own."""

    def begin(
        source: Any,  # noqa: ANN401  -- any object type
        running: Running,
        made: dict[str, object],
        key: str,
    ) -> None:
        running.waiting.append((made, key, start(source, running), complete))

    return begin


def at_once(fields: tuple[tuple[str, Reader], ...], of: type | None) -> Reader:
    """Read an object whose fields are all at hand; `of` is the class it must have."""

    def read(source: Any, asked: Asked) -> object:  # noqa: ANN401  -- any object type
        return {key: field(source, asked) for key, field in fields}

    def read_checked(source: Any, asked: Asked) -> object:  # noqa: ANN401  -- any object type
        if source.__class__ is not of:
            raise Unprojectable("type")
        return {key: field(source, asked) for key, field in fields}

    return read if of is None else read_checked


def in_order(
    keys: tuple[str, ...],
    fields: tuple[tuple[str, Reader], ...],
    later: tuple[tuple[str, Begin], ...],
    of: type | None,
) -> Reader:
    """Read what is at hand and begin the rest; the answer keeps the order of keys."""

    def read(source: Any, asked: Any) -> object:  # noqa: ANN401  -- any object type, a Running
        if of is not None and source.__class__ is not of:
            raise Unprojectable("type")
        made: dict[str, object] = dict.fromkeys(keys)
        for key, field in fields:
            made[key] = field(source, asked)
        for key, begin in later:
            begin(source, asked, made, key)
        return made

    return read
