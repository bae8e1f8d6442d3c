"""What a document may be: sizes and price, counted in one linear walk.

Runs after parsing and before validation, because validation itself can be attacked. A
fragment is walked once and its sums are added wherever it is spread; counts saturate,
so a chain of doubling fragments costs us one step per fragment. A fragment that spreads
itself ends the count: it has no size. Source: graphql.md sections 5 and 6.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    parse,
)

from app.errors import BadRequest, TooComplex
from app.settings import Settings

MANY = 10**9  # where counts saturate
_LIST_SIZE = 10  # rows a plain list is priced as
_NESTING_MAX = 64  # inline fragments and spreads inside one another
_PAIRS_MAX = 500  # fields asked twice at one place; what apps ship has none
_SIZES = ("first", "last")
_DIGITS_MAX = 10  # a longer number is many; one of thousands of digits cannot be read


@dataclass(frozen=True, slots=True)
class Sums:
    """The counts of one selection set, with its fragments spread out.

    `schema_depth` is the depth below `__schema` and `__type`, which has its own limit.
    """

    depth: int = 0
    schema_depth: int = 0
    aliases: int = 0
    directives: int = 0
    fields: int = 0
    cost: int = 0

    def plus(self, other: "Sums") -> "Sums":
        """Add the counts of something beside this; depths are maxima."""
        return Sums(
            max(self.depth, other.depth),
            max(self.schema_depth, other.schema_depth),
            min(self.aliases + other.aliases, MANY),
            min(self.directives + other.directives, MANY),
            min(self.fields + other.fields, MANY),
            min(self.cost + other.cost, MANY),
        )


class DocumentBudget:
    """Measures the operations of one document.

    Args:
        schema: where weights, lists and default sizes stand.
        document: parsed, not yet validated.
        weigh: gives the weight of a field (`guards.weight_of`).
        variables: values of the request; None while the document is prepared, when a
            size that is a variable counts as 1.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        weigh: Callable[[GraphQLField], int],
        variables: Mapping[str, object] | None = None,
    ) -> None:
        self.steps = 0
        self.asks_variables = False
        self._schema = schema
        self._variables = variables
        self._weigh = weigh
        self._known: dict[str, Sums] = {}
        self._open: set[str] = set()
        self._fragments = fragments_of(document)

    def operation(self, node: OperationDefinitionNode) -> Sums:
        """Measure one operation.

        Raises:
            TooComplex: it is nested so deep that walking it would be an attack.
            BadRequest: a fragment spreads itself.
        """
        root = self._schema.get_root_type(node.operation)
        sums = self._walk(node.selection_set, root, 0)
        own = _count(node.directives)
        for variable in node.variable_definitions or ():
            own += _count(variable.directives)
        return sums.plus(Sums(directives=own))

    def fragment(self, name: str) -> Sums:
        """Measure one fragment, whether or not anything spreads it.

        Raises:
            TooComplex, BadRequest: see `operation`.
        """
        return self._spread(name, 0)

    def require_few_repeats(self, node: OperationDefinitionNode) -> None:
        """Refuse a field that is asked again and again at one place of the answer.

        Validation compares every two of them. Called when `operation` has found that
        it is within the other limits: a fragment is looked into once per place.

        Raises:
            TooComplex: under the name of the fields, which these are too many of.
        """
        pairs = 0
        waiting = [[node.selection_set]]
        while waiting:
            for alike in self._at_one_place(waiting.pop()).values():
                pairs += len(alike) * (len(alike) - 1) // 2
                if pairs > _PAIRS_MAX:
                    raise TooComplex("fields")
                below = [one.selection_set for one in alike if one.selection_set]
                if below:
                    waiting.append(below)

    def _at_one_place(
        self, merged: list[SelectionSetNode]
    ) -> Mapping[str, list[FieldNode]]:
        """Give the fields of merged selections by the name they are answered under."""
        found: dict[str, list[FieldNode]] = {}
        seen: set[str] = set()
        while merged:
            for one in merged.pop().selections:
                self.steps += 1
                if isinstance(one, FieldNode):
                    found.setdefault((one.alias or one.name).value, []).append(one)
                elif isinstance(one, InlineFragmentNode):
                    merged.append(one.selection_set)
                elif isinstance(one, FragmentSpreadNode) and one.name.value not in seen:
                    seen.add(one.name.value)
                    if one.name.value in self._fragments:
                        merged.append(self._fragments[one.name.value].selection_set)
        return found

    def _walk(
        self, selections: SelectionSetNode, parent: GraphQLNamedType | None, nested: int
    ) -> Sums:
        if nested > _NESTING_MAX:
            raise TooComplex("depth")
        sums = Sums()
        for selection in selections.selections:
            self.steps += 1
            sums = sums.plus(self._selection(selection, parent, nested + 1))
        return sums

    def _selection(
        self, node: SelectionNode, parent: GraphQLNamedType | None, nested: int
    ) -> Sums:
        own = Sums(directives=_count(node.directives))
        if isinstance(node, FieldNode):
            return own.plus(self._field(node, parent, nested))
        if isinstance(node, FragmentSpreadNode):
            return own.plus(self._spread(node.name.value, nested))
        if isinstance(node, InlineFragmentNode):
            narrowed = node.type_condition
            if narrowed is not None:
                parent = self._schema.get_type(narrowed.name.value)
            return own.plus(self._walk(node.selection_set, parent, nested))
        raise TypeError(node.kind)

    def _spread(self, name: str, nested: int) -> Sums:
        known = self._known.get(name)
        if known is not None:
            return known
        node = self._fragments.get(name)
        if node is None:
            return Sums()
        if name in self._open:
            raise BadRequest("A fragment spreads itself.")
        self._open.add(name)
        parent = self._schema.get_type(node.type_condition.name.value)
        sums = self._walk(node.selection_set, parent, nested)
        self._open.discard(name)
        found = sums.plus(Sums(directives=_count(node.directives)))
        self._known[name] = found
        return found

    def _field(
        self, node: FieldNode, parent: GraphQLNamedType | None, nested: int
    ) -> Sums:
        name = node.name.value
        field = getattr(parent, "fields", {}).get(name)
        below = Sums()
        if node.selection_set is not None:
            inner = get_named_type(field.type) if field is not None else None
            below = self._walk(node.selection_set, inner, nested)
        aliased = 0 if node.alias is None else 1
        if name in {"__schema", "__type"}:
            deepest = 1 + max(below.depth, below.schema_depth)
            return Sums(
                1,
                deepest,
                below.aliases + aliased,
                below.directives,
                below.fields + 1,
            )
        return Sums(
            below.depth + 1,
            below.schema_depth,
            min(below.aliases + aliased, MANY),
            below.directives,
            min(below.fields + 1, MANY),
            min(self._price(node, field, parent, below.cost), MANY),
        )

    def _price(
        self,
        node: FieldNode,
        field: GraphQLField | None,
        parent: GraphQLNamedType | None,
        below: int,
    ) -> int:
        if field is None:
            return below + (0 if node.selection_set is None else 1)
        yields = 1 if is_composite_type(get_named_type(field.type)) else 0
        own = self._weigh(field) + yields
        return own + self._size(node, field, parent) * below

    def _size(
        self, node: FieldNode, field: GraphQLField, parent: GraphQLNamedType | None
    ) -> int:
        """Tell how many rows the field may yield."""
        sized = [name for name in _SIZES if name in field.args]
        if sized:
            return self._asked(node, field, sized)
        if not _is_list(field):
            return 1
        # Edges and nodes are the rows that the connection's own size has counted.
        in_page = parent is not None and parent.name.endswith("Connection")
        return 1 if in_page else _LIST_SIZE

    def _asked(self, node: FieldNode, field: GraphQLField, sized: list[str]) -> int:
        given = {one.name.value: one.value for one in node.arguments or ()}
        asked = [given[name] for name in sized if name in given]
        if not asked:
            default = field.args[sized[0]].default_value
            return default if isinstance(default, int) else _LIST_SIZE
        size = 1
        for value in asked:
            if isinstance(value, IntValueNode):
                digits = value.value
                size = max(size, int(digits) if len(digits) < _DIGITS_MAX else MANY)
            elif isinstance(value, VariableNode):
                self.asks_variables = True
                chosen = (self._variables or {}).get(value.name.value)
                size = max(size, chosen if isinstance(chosen, int) else 1)
        return size


def require_within(sums: Sums, settings: Settings) -> None:
    """Refuse counts beyond the limits.

    Raises:
        TooComplex: names the first limit that was passed.
    """
    limits = {
        "depth": (sums.depth, settings.max_depth),
        "introspectionDepth": (sums.schema_depth, settings.max_introspection_depth),
        "aliases": (sums.aliases, settings.max_aliases),
        "directives": (sums.directives, settings.max_directives),
        "fields": (sums.fields, settings.max_fields),
        "cost": (sums.cost, settings.max_cost),
    }
    for name, (count, most) in limits.items():
        if count > most:
            raise TooComplex(name)


def parsed(text: str, settings: Settings) -> DocumentNode:
    """Parse a text of allowed length.

    Raises:
        TooComplex: too many characters or tokens, or nested too deep to parse.
        GraphQLError: not a document; the sentence is the library's.
    """
    if len(text) > settings.max_document_chars:
        raise TooComplex("characters")
    try:
        return parse(text, max_lexical_tokens=settings.max_document_tokens)
    except GraphQLError as error:
        if " tokens. Parsing aborted." in error.message:
            raise TooComplex("tokens") from None
        if "nested too deeply" in error.message:
            raise TooComplex("depth") from None
        raise


def require_roots(kind: OperationType, roots: list[str], settings: Settings) -> None:
    """Refuse too many root fields; `__typename` is none.

    Raises:
        BadRequest: says how many there may be.
    """
    named = [name for name in roots if name != "__typename"]
    most = settings.max_query_roots if kind is OperationType.QUERY else 1
    if len(named) > most:
        raise BadRequest(f"A {kind.value} has at most {most} root fields.")


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """Give the fragments of a document by name."""
    return {
        one.name.value: one
        for one in document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }


def root_fields(
    node: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[FieldNode]:
    """Give the root fields of an operation, each spread of a fragment once."""
    seen: set[str] = set()
    waiting = list(node.selection_set.selections)
    while waiting:
        one = waiting.pop()
        if isinstance(one, FieldNode):
            yield one
        elif isinstance(one, InlineFragmentNode):
            waiting.extend(one.selection_set.selections)
        elif isinstance(one, FragmentSpreadNode) and one.name.value not in seen:
            seen.add(one.name.value)
            fragment = fragments.get(one.name.value)
            if fragment is not None:
                waiting.extend(fragment.selection_set.selections)


def _count(directives: Sequence[object] | None) -> int:
    return len(directives or ())


def _is_list(field: GraphQLField) -> bool:
    kind = field.type
    if isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    return isinstance(kind, GraphQLList)
