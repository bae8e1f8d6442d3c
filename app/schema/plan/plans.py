"""The compiled queries of a process: one plan for a document and its conditions.

Variables that are arguments are read at each run; only those of `@skip` and `@include`
shape a plan. Source: performance.md section 3.2.
"""

from collections.abc import Hashable
from typing import Any, TypeAlias

import strawberry
from graphql import DirectiveNode, Visitor, visit
from graphql.execution import Executor
from typing_extensions import override

from app.schema.plan.compiler import Plan, QuerySelection
from app.schema.plan.keys import Names, Weighed, frozen
from app.schema.plan.support import Unprojectable, why_not

_CONDITIONS_MAX = 2  # each doubles the plans of a document
_KEPT_MAX = 500
_FIELDS_KEPT = 50_000  # of 1.4 KB each, measured: 70 MB
# A plan holds the tree of its document: 100 bytes for each character, measured.
_CHARS_PER_FIELD = 10

Operation: TypeAlias = tuple[str, str | None]


class Plans:
    """The plans of a process, and what cannot have one; the last asked for.

    At most 500, of 50,000 fields together; ten characters of a document's text count
    as a field.

    Args:
        schema: the contract.
    """

    def __init__(self, schema: strawberry.Schema) -> None:
        self._schema = schema
        self._known: Weighed[Plan | Unprojectable] = Weighed(_KEPT_MAX, _FIELDS_KEPT)
        self._conditions: Weighed[frozenset[str] | Unprojectable]
        self._conditions = Weighed(_KEPT_MAX, _FIELDS_KEPT)

    def of(self, digest: str, executor: Executor[Any]) -> Plan | Unprojectable | None:
        """Give the plan of a query, or why there is none; None: it is not made yet.

        Args:
            digest: of the document's text.
            executor: of the operation, its variables coerced.
        """
        operation = _named(digest, executor)
        used = self._conditions.get(operation)
        if used is None or isinstance(used, Unprojectable):
            return used
        return self._known.get(_key(operation, used, executor))

    def made(self, digest: str, executor: Executor[Any]) -> Plan | Unprojectable:
        """Give the plan of a query, compiled now if it is not known.

        That takes up to 50 ms, so whoever asks waits for a turn first.
        """
        known = self.of(digest, executor)
        if known is not None:
            return known
        operation = _named(digest, executor)
        used = self._conditions.get(operation)
        if used is None:
            used = _conditions(executor)
            self._conditions.keep(operation, used, _weight(executor))
        if isinstance(used, Unprojectable):
            return used
        made = self._compiled(executor)
        fields = made.fields if isinstance(made, Plan) else 0
        key = _key(operation, used, executor)
        return self._known.keep(key, made, fields + _weight(executor))

    def _compiled(self, executor: Executor[Any]) -> Plan | Unprojectable:
        try:
            return QuerySelection(self._schema, executor).plan()
        except Exception as failure:  # noqa: BLE001  -- graphql-core answers all the same
            return why_not(failure)


class NoPlans(Plans):
    """Plans of which there are none: every query is left to graphql-core."""

    @override
    def of(self, digest: str, executor: Executor[Any]) -> Unprojectable:
        """Give the reason."""
        return Unprojectable("asked")


def _named(digest: str, executor: Executor[Any]) -> Operation:
    name = executor.operation.name
    return digest, name.value if name else None


def _key(
    operation: Operation, used: frozenset[str], executor: Executor[Any]
) -> Hashable:
    coerced = executor.variable_values.coerced
    return *operation, frozen({one: coerced[one] for one in used if one in coerced})


def _weight(executor: Executor[Any]) -> int:
    """Weigh the text of a document, in fields."""
    place = executor.operation.loc
    return 1 + (len(place.source.body) // _CHARS_PER_FIELD if place else 0)


def _conditions(executor: Executor[Any]) -> frozenset[str] | Unprojectable:
    """Name the variables that decide what an operation selects, if they are few."""
    found = _Conditions()
    try:
        visit(executor.operation, found)
        for one in executor.fragment_definitions.values():
            visit(one, found)
    except Exception as failure:  # noqa: BLE001  -- graphql-core answers all the same
        return why_not(failure)
    used = frozenset(found.names.found)
    return used if len(used) <= _CONDITIONS_MAX else Unprojectable("directive")


class _Conditions(Visitor):
    """Gathers the variables of directives."""

    def __init__(self) -> None:
        super().__init__()
        self.names = Names()

    def enter_directive(self, node: DirectiveNode, *_rest: object) -> None:
        """Note the variables of one."""
        visit(node, self.names)
