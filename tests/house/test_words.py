"""Names that say nothing are not used: a file or class says what it is."""

import ast
import re

import pytest

from tests.house.tree import ROOT, files, named, nodes

FORBIDDEN = "service manager helper helpers util utils common core data info handler"
WORDS = frozenset(FORBIDDEN.split())
FOLDERS = ("app", "mock_mobile_client", "sandbox")
# The bank's core system is called a core in every bank; the others are names of the
# public contract.
OF_THE_TRADE = {"core_banking"}
OF_THE_CONTRACT = re.compile(
    r"^(Service(Unavailable|Component|State|Health|Status)|PageInfo)"
)


def words(name: str) -> set[str]:
    """Take a name apart: `HubManager` and `hub_manager` hold `hub` and `manager`."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)
    return {part.lower() for part in parts}


def test_no_file_has_a_name_that_says_nothing() -> None:
    found = [
        named(file)
        for file in files(*FOLDERS)
        for step in file.relative_to(ROOT).with_suffix("").parts
        if step not in OF_THE_TRADE and words(step) & WORDS
    ]

    assert found == []


def test_no_class_has_a_name_that_says_nothing() -> None:
    found = [
        f"{named(file)}:{node.name}"
        for file in files(*FOLDERS)
        for node in nodes(file)
        if isinstance(node, ast.ClassDef)
        and words(node.name) & (WORDS - {"core"})
        and not OF_THE_CONTRACT.match(node.name)
    ]

    assert found == []


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("HubManager", {"hub", "manager"}),
        ("string_utils", {"string", "utils"}),
        ("HTTPHandler", {"http", "handler"}),
        ("handlers", {"handlers"}),
    ],
)
def test_a_name_is_taken_apart(name: str, held: set[str]) -> None:
    assert words(name) == held
