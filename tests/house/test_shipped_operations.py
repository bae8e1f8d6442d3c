"""What the phones ship must run on every server: it validates, fits and asks whole."""

from pathlib import Path

import pytest
from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    parse,
    validate,
    visit,
)

from app import settings as app_settings
from app.schema.budget import DocumentBudget, require_within
from app.schema.guards import weight_of
from mock_mobile_client import documents
from tests.house import contract

FOLDER = contract.ROOT / "mock_mobile_client/operations"
# An object without an id replaces what the phone's cache held, so it is asked whole.
WHOLE = {"Money": "MoneyParts", "Balance": "BalanceParts"}
NAMES = documents.names()


def running_schema() -> GraphQLSchema:
    """Give the schema of the code, whose fields know their weights."""
    from app.schema.root import SCHEMA  # noqa: PLC0415  -- 0.8 s, only where needed

    return SCHEMA._schema  # noqa: SLF001  -- the library has no public way


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_operation_validates(name: str) -> None:
    document = parse(documents.load(name).text)

    assert [error.message for error in validate(contract.schema(), document)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_operation_is_within_the_budget_of_production(name: str) -> None:
    document = parse(documents.load(name).text)
    production = app_settings.load(env="test", limit_factor=1)
    budget = DocumentBudget(running_schema(), document, weight_of)

    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            require_within(budget.operation(node), production)

    assert len(documents.load(name).text) <= production.max_document_chars


@pytest.mark.parametrize("name", NAMES)
def test_money_and_balance_are_asked_only_by_their_full_fragments(name: str) -> None:
    document = parse(documents.load(name).text)
    types = TypeInfo(contract.schema())
    partial: list[str] = []

    class Looking(Visitor):
        def enter_field(self, node: FieldNode, *_rest: object) -> None:
            kind = types.get_type()
            fragment = WHOLE.get(get_named_type(kind).name) if kind else None
            if fragment and node.selection_set:
                asked = [
                    one.name.value if isinstance(one, FragmentSpreadNode) else "?"
                    for one in node.selection_set.selections
                ]
                if asked != [fragment]:
                    partial.append(node.name.value)

    visit(document, TypeInfoVisitor(types, Looking()))

    assert partial == []


@pytest.mark.parametrize(("kind", "fragment"), sorted(WHOLE.items()))
def test_a_shared_fragment_asks_for_every_field(kind: str, fragment: str) -> None:
    (file,) = (
        path
        for path in (FOLDER / "fragments").glob("*.graphql")
        if f"fragment {fragment} on {kind}" in path.read_text()
    )
    (node,) = parse(file.read_text()).definitions
    names = {
        selection.name.value
        for selection in getattr(node, "selection_set").selections  # noqa: B009  -- a fragment, known by its text
    }

    assert names == set(getattr(contract.schema().type_map[kind], "fields"))  # noqa: B009  -- an object type


def test_every_file_is_one_operation_or_one_fragment() -> None:
    for path in sorted(FOLDER.rglob("*.graphql")):
        assert len(parse(path.read_text()).definitions) == 1, path.name


def test_every_fragment_is_used() -> None:
    whole = "".join(documents.load(name).text for name in NAMES)

    for path in sorted(Path(FOLDER / "fragments").glob("*.graphql")):
        name = path.read_text().split()[1]
        assert f"...{name}" in whole.replace("... ", "..."), name
