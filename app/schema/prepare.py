"""From a text to a document that may run: parsed, measured, validated.

`library` calls it once per text and remembers the outcome. Nothing of a caller is
looked at here: levels, scopes and variables are `execution`'s. Source: graphql.md
sections 3, 5 and 6; realtime.md section 9.6.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    specified_rules,
    validate,
)

from app.errors import BadRequest, RequestFault, TooComplex
from app.schema import masking
from app.schema.budget import (
    DocumentBudget,
    fragments_of,
    parsed,
    require_roots,
    require_within,
    root_fields,
)
from app.schema.guards import AuthLevel, Demand, Mark, highest, mark_of, weight_of
from app.schema.masking import Placed
from app.schema.values import require_flat_literals
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Planned:
    """One operation of a document, measured and marked."""

    node: OperationDefinitionNode
    kind: OperationType
    roots: tuple[str, ...]
    demand: Demand
    price: int
    priced_late: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that may run: valid, within budget, its levels known."""

    digest: str
    document: DocumentNode
    operations: Mapping[str, Planned]

    def select(self, name: str | None) -> Planned:
        """Choose the operation to run.

        Raises:
            BadRequest: unknown name, or none given where there are several.
        """
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        chosen = self.operations.get(name or "")
        if chosen is None or not name:
            raise BadRequest("`operationName` names no operation of the document.")
        return chosen


@dataclass(frozen=True, slots=True)
class Rejection:
    """A document that may not run, and why; remembered like a good one."""

    digest: str
    faults: tuple[Placed, ...]

    @classmethod
    def of(cls, digest: str, fault: RequestFault) -> "Rejection":
        """Reject for one fault, cut off from its frames: they hold the text."""
        fault.__context__ = fault.__cause__ = fault.__traceback__ = None
        return cls(digest, ((fault, []),))


class Examiner:
    """Examines texts over one schema; remembers nothing.

    Args:
        schema: the built contract.
        settings: limits, and whether schema queries are answered.
    """

    def __init__(self, schema: GraphQLSchema, settings: Settings) -> None:
        self._schema = schema
        self._settings = settings

    def price(
        self, prepared: Prepared, planned: Planned, coerced: Mapping[str, object]
    ) -> int:
        """Give the price, with the sizes the variables ask for.

        Raises:
            TooComplex: with these sizes the operation passes a limit.
        """
        if not planned.priced_late:
            return planned.price
        budget = DocumentBudget(self._schema, prepared.document, weight_of, coerced)
        sums = budget.operation(planned.node)
        require_within(sums, self._settings)
        return sums.cost

    def examine(self, text: str, digest: str) -> Prepared | Rejection:
        """Parse, measure and validate a text whose SHA-256 is `digest`."""
        try:
            document = parsed(text, self._settings)
            operations = self._planned(document)
        except RequestFault as fault:
            return Rejection.of(digest, fault)
        except GraphQLError as error:
            return Rejection(digest, (masking.placed(error),))
        errors = self._validated(document)
        if errors:
            return Rejection(digest, tuple(masking.placed(one) for one in errors))
        return Prepared(digest, document, operations)

    def _validated(self, document: DocumentNode) -> list[GraphQLError]:
        rules = list(specified_rules)
        if not self._settings.introspection:
            rules.append(NoSchemaIntrospectionCustomRule)
        most = self._settings.max_errors
        return validate(
            self._schema, document, rules, max_errors=most, hide_suggestions=True
        )[:most]

    def _planned(self, document: DocumentNode) -> dict[str, Planned]:
        if len(document.definitions) > self._settings.max_definitions:
            raise TooComplex("definitions")
        require_flat_literals(document, self._settings)
        budget = DocumentBudget(self._schema, document, weight_of)
        fragments = fragments_of(document)
        operations: dict[str, Planned] = {}
        for node in document.definitions:
            if not isinstance(node, OperationDefinitionNode):
                continue
            sums = budget.operation(node)
            require_within(sums, self._settings)
            budget.require_few_repeats(node)
            roots = [one.name.value for one in root_fields(node, fragments)]
            require_roots(node.operation, roots, self._settings)
            operations[node.name.value if node.name else ""] = Planned(
                node=node,
                kind=node.operation,
                roots=tuple(roots),
                demand=self._demand(node.operation, roots),
                price=sums.cost,
                priced_late=budget.asks_variables,
            )
        for name in fragments:
            require_within(budget.fragment(name), self._settings)
        return operations

    def _demand(self, kind: OperationType, roots: list[str]) -> Demand:
        root = self._schema.get_root_type(kind)
        named = [name for name in roots if not name.startswith("__")]
        fields = root.fields if root is not None else {}
        marks = [mark_of(fields[name]) for name in named if name in fields]
        known = [mark for mark in marks if isinstance(mark, Mark)]
        return Demand(
            level=highest(mark.level for mark in known)
            if known
            else AuthLevel.ANONYMOUS,
            scopes=frozenset(mark.scope for mark in known if mark.scope),
            moves=kind is OperationType.MUTATION,
            unmarked=len(known) < len(marks),
        )
