"""An event is rendered once for each document and variables, and shared as bytes.

A `Projector` belongs to one operation of one document with the variables its selection
uses; those of the root field (`after`) do not count, so that every phone of an app
version shares one. What was rendered stays with the event and is handed to the next
socket that asks the same. Source: realtime.md section 7.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, TypeVar

import orjson
import strawberry
from graphql import (
    FieldNode,
    InlineFragmentNode,
    Node,
    SelectionSetNode,
    visit,
)
from graphql.execution import Executor

from app.schema.plan.closures import Asked, Reader
from app.schema.plan.keys import Names, frozen, kept
from app.schema.plan.selection import Selection
from app.schema.plan.shapes import Shape
from app.schema.plan.support import Unprojectable, why_not

S = TypeVar("S")

Memo = dict[object, bytes]


class Shared:
    """What a stream gives where several sockets may be shown the same.

    The Strawberry object is made only when nobody asked the same before.

    Args:
        memo: lives with the event; rendered bytes by who asked and what is seen. None
            where nobody else is there to ask.
        sight: what makes one event look different, for example that it is withheld.
        make: shapes the Strawberry object from `source`.
        source: the event.
        shaped: the feed's shape tells how `source` shows what `make` makes of it.
    """

    __slots__ = ("make", "memo", "shaped", "sight", "source")

    def __init__(
        self,
        memo: Memo | None,
        sight: Hashable,
        make: Callable[[S], object],
        source: S,
        *,
        shaped: bool = False,
    ) -> None:
        self.memo = memo
        self.sight = sight
        self.make: Callable[[Any], object] = make
        self.source = source
        self.shaped = shaped

    def value(self) -> object:
        """Give the object the resolvers read."""
        return self.make(self.source)


class Projector:
    """Renders the events of one operation with its variables."""

    __slots__ = ("_key", "_read", "_snap", "_speaks")

    def __init__(
        self, key: str, read: Reader, snap: Reader | None, *, speaks: bool
    ) -> None:
        self._key = key
        self._read = read
        self._snap = snap
        self._speaks = speaks

    def render(self, item: object, asked: Asked) -> bytes:
        """Give the result of one event as JSON, rendered now or before.

        Raises:
            Unprojectable: graphql-core has to do this event.
        """
        if not isinstance(item, Shared):
            return self._rendered(self._read, item, asked)
        if item.memo is None:
            return self._fresh(item, asked)
        language = asked.context.actor.locale if self._speaks else None
        key = (self, item.sight, language)
        known = item.memo.get(key)
        if known is None:
            known = item.memo[key] = self._fresh(item, asked)
        return known

    def _fresh(self, item: Shared, asked: Asked) -> bytes:
        """Render from the snapshot; from the object where that does not do."""
        if self._snap is not None and item.shaped:
            try:
                return self._rendered(self._snap, item.source, asked)
            except Unprojectable:
                pass  # the object knows more, or graphql-core
        return self._rendered(self._read, item.value(), asked)

    def _rendered(self, read: Reader, source: object, asked: Asked) -> bytes:
        try:
            return orjson.dumps({"data": {self._key: read(source, asked)}})
        except Unprojectable:
            raise
        except Exception as failure:
            raise Unprojectable("raised") from failure


class Projectors:
    """The projectors of a process, and what cannot have one; the last 2,000 asked for.

    Args:
        schema: the contract.
    """

    def __init__(self, schema: strawberry.Schema) -> None:
        self._schema = schema
        self._known: OrderedDict[Hashable, Projector | Unprojectable] = OrderedDict()
        self._used: OrderedDict[Hashable, frozenset[str]] = OrderedDict()

    def of(
        self, digest: str, executor: Executor[Any], shape: Shape | None = None
    ) -> Projector | Unprojectable:
        """Give the projector of an operation, or why there is none.

        Args:
            digest: of the document's text.
            executor: of the operation, its variables coerced.
            shape: of what its stream gives as `Shared`.
        """
        name = executor.operation.name
        operation = (digest, name.value if name else None)
        used = kept(self._used, operation, lambda: used_below_root(executor))
        coerced = executor.variable_values.coerced
        try:
            own = frozen({one: coerced[one] for one in used if one in coerced})
        except TypeError:
            return Unprojectable("argument")
        return kept(
            self._known, (*operation, own), lambda: self._compiled(executor, shape)
        )

    def _compiled(
        self, executor: Executor[Any], shape: Shape | None
    ) -> Projector | Unprojectable:
        selection = Selection(self._schema, executor)
        try:
            key, read = selection.root()
        except Exception as failure:  # noqa: BLE001  -- graphql-core answers all the same
            return why_not(failure)
        snap = None
        if shape is not None:
            with suppress(Unprojectable):
                snap = selection.root(shape)[1]
        return Projector(key, read, snap, speaks=selection.speaks)


# ------------------------------------------------------------------ variables


def used_below_root(executor: Executor[Any]) -> frozenset[str]:
    """Name the variables an operation uses anywhere but in its root field's arguments.

    Those arguments say where a stream starts, not how an event looks.
    """
    names = Names()
    top = executor.schema.subscription_type
    _at_root(executor.operation.selection_set, names)
    for one in executor.fragment_definitions.values():
        if top is not None and one.type_condition.name.value == top.name:
            _at_root(one.selection_set, names)
        else:
            visit(one, names)
    return frozenset(names.found)


def _at_root(selections: SelectionSetNode, names: Names) -> None:
    for one in selections.selections:
        parts: list[Node] = list(one.directives or ())
        if isinstance(one, FieldNode):
            parts += [one.selection_set] if one.selection_set else []
        elif isinstance(one, InlineFragmentNode):
            _at_root(one.selection_set, names)
        for part in parts:
            visit(part, names)
