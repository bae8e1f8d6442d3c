"""Whatever a document looks like: what is prepared has the size of its expansion."""

import re
from collections.abc import Iterator, Mapping

import pytest
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st

from app.schema.budget import DocumentBudget, fragments_of
from app.schema.execution import Call
from app.schema.guards import weight_of
from app.schema.prepare import Prepared
from tests.schema.floods import counted
from tests.schema.tiny import SCHEMA, a_bank, an_engine

GRAPH: GraphQLSchema = SCHEMA._schema  # noqa: SLF001  -- the library has no public way
ENGINE = an_engine(a_bank())
NAMES = "ABCD"
MOST_CALLS = 75_000

leaves = st.sampled_from(
    ["number", "a: number", "number @skip(if: false)", *(f"...{one}" for one in NAMES)]
)


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Wrap selections in a field, a list or an inline fragment."""
    opening = st.sampled_from(["below", "beside", "b: below", "... on Row", "..."])
    within = st.lists(inner, min_size=1, max_size=3).map(" ".join)
    return st.builds("{} {{ {} }}".format, opening, within)


selections = st.recursive(leaves, nested, max_leaves=8)


def written(row: str, bodies: Mapping[str, str]) -> str:
    """Write the document with every fragment that is spread, and no other."""
    parts, waiting, seen = [f"{{ row {{ {row} }} }}"], [row], set[str]()
    while waiting:
        spread = set(re.findall(r"\.\.\.([A-D])", waiting.pop())) - seen
        seen |= spread
        for name in sorted(spread & bodies.keys()):
            parts.append(f"fragment {name} on Row {{ {bodies[name]} }}")
            waiting.append(bodies[name])
    return " ".join(parts)


documents = st.builds(
    written,
    selections,
    st.dictionaries(st.sampled_from(NAMES), selections, min_size=3),
)


@pytest.mark.slow
@given(text=documents)
def test_a_prepared_document_has_the_size_it_was_measured_with(text: str) -> None:
    with counted() as work:
        found = ENGINE.document(Call(text))

    assert work.calls < MOST_CALLS
    if isinstance(found, Prepared):
        document = parse(text)
        node = document.definitions[0]
        assert isinstance(node, OperationDefinitionNode)
        sums = DocumentBudget(GRAPH, document, weight_of).operation(node)
        whole = list(expanded(node.selection_set, fragments_of(document), 1))
        fields = [one for one, _ in whole if isinstance(one, FieldNode)]
        assert sums.fields == len(fields)
        assert sums.aliases == sum(one.alias is not None for one in fields)
        assert sums.directives == sum(len(one.directives or ()) for one, _ in whole)
        depths = [depth for one, depth in whole if isinstance(one, FieldNode)]
        assert sums.depth == max(depths)


def expanded(
    selected: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], at: int
) -> Iterator[tuple[SelectionNode, int]]:
    """Give every selection and its depth, with fragments spread out one by one."""
    for one in selected.selections:
        yield one, at
        if isinstance(one, FragmentSpreadNode):
            fragment = fragments[one.name.value]
            yield from expanded(fragment.selection_set, fragments, at)
        elif isinstance(one, InlineFragmentNode):
            yield from expanded(one.selection_set, fragments, at)
        elif isinstance(one, FieldNode) and one.selection_set is not None:
            yield from expanded(one.selection_set, fragments, at + 1)
