"""A limit is a setting: no bare number decides how much of something there may be."""

import ast
import re

from app.settings import Settings
from tests.house.tree import ROOT, called, files, named, nodes

ATTACKS = ROOT / "tests/attacks"
SETTINGS = {"app/settings.py", "app/access.py", "app/limits.py"}


def test_rates_stand_in_the_settings_alone() -> None:
    found = [
        f"{named(file)}:{node.lineno}"
        for file in files("app")
        if named(file) not in SETTINGS
        for node in nodes(file)
        if isinstance(node, ast.Call)
        and called(node).split(".")[-1] == "Rate"
        and any(
            isinstance(part, ast.Constant) and isinstance(part.value, int)
            for part in [*node.args, *(given.value for given in node.keywords)]
        )
    ]

    assert found == []


def test_no_count_is_taken_with_a_bare_number_of_tries() -> None:
    """`limit=`, `tries=`, `max=` and the like are never called with a literal."""
    words = {"tries", "rate", "window_s", "max_tries", "limit_s", "count_max"}
    found = [
        f"{named(file)}:{node.lineno}"
        for file in files("app")
        if named(file) not in SETTINGS
        for node in nodes(file)
        if isinstance(node, ast.Call)
        for given in node.keywords
        if given.arg in words
        and isinstance(given.value, ast.Constant)
        and isinstance(given.value.value, int)
    ]

    assert found == []


def test_every_limit_of_the_settings_is_used() -> None:
    text = "".join(
        file.read_text() for file in files("app") if named(file) not in SETTINGS
    )
    unused = [
        name
        for name in Settings.model_fields
        if name.startswith(("limit_", "max_"))
        and f".{name}" not in text
        and f'"{name}"' not in text
    ]

    assert unused == []


def test_attack_tests_run_with_the_rates_of_production() -> None:
    for file in sorted(ATTACKS.rglob("test_*.py")):
        text = file.read_text()
        if re.search(r"\brates?\b|\b429\b|RATE_LIMITED", text):
            assert "limit_factor=1" in text or "SIXPENCE_LIMIT_FACTOR" in text, named(
                file
            )
