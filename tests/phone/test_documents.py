"""The shipped operations: whole, and with Money and Balance always in full."""

import hashlib

import graphql
import pytest

from mock_mobile_client import documents
from mock_mobile_client.errors import BadEntry

MONEY = {"amount", "runningBalance", "available", "booked", "held", "shortBy"}
TEXT_MAX = 15_000


def test_each_operation_parses_with_one_root_field_and_no_spare_fragment() -> None:
    for name in documents.names():
        document = documents.load(name)
        parsed = graphql.parse(document.text)
        operations = [
            node
            for node in parsed.definitions
            if isinstance(node, graphql.OperationDefinitionNode)
        ]
        (operation,) = operations
        (root,) = operation.selection_set.selections
        assert isinstance(root, graphql.FieldNode)
        assert operation.name is not None
        assert (operation.name.value, root.name.value) == (
            document.name,
            document.field,
        )
        assert operation.operation.value == document.kind
        assert len(document.text) < TEXT_MAX
        assert spread(parsed) == defined(parsed)


def test_money_and_balance_are_only_selected_by_the_shared_fragments() -> None:
    seen = 0
    for name in documents.names():
        for field in fields(graphql.parse(documents.load(name).text)):
            if field.name.value in MONEY or field.name.value == "balance":
                whole = (
                    "BalanceParts" if field.name.value == "balance" else "MoneyParts"
                )
                assert field.selection_set is not None
                (part,) = field.selection_set.selections
                assert isinstance(part, graphql.FragmentSpreadNode)
                assert part.name.value == whole
                seen += 1

    assert seen > 20


def test_an_operation_that_is_not_shipped_is_refused() -> None:
    with pytest.raises(BadEntry, match="no operation"):
        documents.load("card_freeze")


def fields(document: graphql.DocumentNode) -> list[graphql.FieldNode]:
    found: list[graphql.FieldNode] = []

    class Collector(graphql.Visitor):
        def enter_field(self, node: graphql.FieldNode, *_: object) -> None:
            found.append(node)

    graphql.visit(document, Collector())
    return found


def spread(document: graphql.DocumentNode) -> set[str]:
    found: set[str] = set()

    class Collector(graphql.Visitor):
        def enter_fragment_spread(
            self, node: graphql.FragmentSpreadNode, *_: object
        ) -> None:
            found.add(node.name.value)

    graphql.visit(document, Collector())
    return found


def defined(document: graphql.DocumentNode) -> set[str]:
    return {
        node.name.value
        for node in document.definitions
        if isinstance(node, graphql.FragmentDefinitionNode)
    }


def test_an_operation_goes_as_its_text_or_as_its_id_alone() -> None:
    home = documents.load("home")

    by_text = home.request({"n": 1})
    by_id = home.request({"n": 1}, by_id=True)

    known = {"variables": {"n": 1}, "operationName": "Home"}
    digest = hashlib.sha256(home.text.encode()).hexdigest()
    told = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    assert by_text == {"query": home.text} | known
    assert by_id == {"extensions": told} | known


def test_the_manifest_lists_every_operation_once_by_its_hash() -> None:
    listed = documents.manifest()

    assert (listed["format"], listed["version"]) == (
        "apollo-persisted-query-manifest",
        1,
    )
    names = [one["name"] for one in listed["operations"]]
    assert names == sorted(documents.load(name).name for name in documents.names())
    for one in listed["operations"]:
        assert one["id"] == hashlib.sha256(one["body"].encode()).hexdigest()
        assert one["body"].startswith(f"{one['type']} {one['name']}")
