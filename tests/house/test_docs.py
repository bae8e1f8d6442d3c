"""Every setting, code, fact and command has its line, and generated pages are fresh."""

import re
from pathlib import Path

import pytest

from app import __main__ as command_line
from app import telemetry
from app.realtime import facts
from app.settings import PREFIX, Settings
from tests.house.printed import PAGES, ROOT, sections
from tests.house.tree import named

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")
PAGES_BY_HAND = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("tests/*/*.md")]
)


@pytest.mark.parametrize(
    "name", ["settings", "errors", "errors.json", "documents", "levels"]
)
def test_a_generated_page_is_fresh(name: str) -> None:
    path, page = PAGES[name]

    assert path.read_text() == page(), "run `make schema`"


def test_every_setting_has_a_sentence_and_a_section() -> None:
    listed = [name for names in sections().values() for name in names]

    assert sorted(listed) == sorted(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        assert re.match(r"^\S.*\.\.?$|^\S.*\.$", field.description or ""), name


def test_every_fact_has_its_line() -> None:
    page = (ROOT / "docs/events.md").read_text()

    for kind in facts.FACTS:
        assert f"`{kind}`" in page, kind


def test_every_metric_has_its_line() -> None:
    page = (ROOT / "docs/operations.md").read_text()

    for metric in telemetry.registry.collect():
        assert f"`{metric.name}" in page, metric.name


def test_every_command_of_the_program_has_its_line() -> None:
    page = (ROOT / "docs/operations.md").read_text()

    named = [group.typer_instance for group in command_line.bank.registered_groups]
    groups = [command_line.bank, *filter(None, named)]
    assert len(groups) == 1 + len(named)
    for group in groups:
        for command in group.registered_commands:
            assert command.callback is not None
            name = command.name or command.callback.__name__.rstrip("_")
            words = name.replace("_", "-").removeprefix("customers-")
            assert re.search(rf"`python -m app [a-z ]*{words}\b", page), name


def test_every_command_of_the_makefile_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text()
    page = (ROOT / "CONTRIBUTING.md").read_text()

    targets = re.findall(r"^([a-z]+):.*## ", makefile, flags=re.MULTILINE)

    assert targets
    for target in targets:
        assert f"`make {target}`" in page, target


@pytest.mark.parametrize("page", PAGES_BY_HAND, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = [
        target
        for target, _anchor in LINK.findall(page.read_text())
        if "://" not in target
        and not target.startswith("mailto:")
        and not (page.parent / target).exists()
    ]

    assert dead == []


@pytest.mark.parametrize("page", PAGES_BY_HAND, ids=named)
def test_a_page_names_only_settings_that_exist(page: Path) -> None:
    text = page.read_text()
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    blocks = tuple(
        PREFIX + block
        for block in (
            *("CORE_BANKING_", "RAILS_", "SMS_", "IDENTITY_"),
            *("PUSH_APNS_", "PUSH_FCM_", "FRAUD_RULES_"),
        )
    )

    named = {name.rstrip("_") for name in re.findall(rf"{PREFIX}[A-Z0-9_]+", text)}

    assert {name for name in named - known if not name.startswith(blocks)} == set()


def test_every_decision_is_one_page_with_its_four_parts() -> None:
    records = sorted((ROOT / "docs/decisions").glob("*.md"))

    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text()
        for part in ("Context", "Decision", "Consequences", "Alternatives", "Check"):
            assert f"## {part}\n" in text, f"{path.name}: {part}"
        assert len(text.splitlines()) <= 60, path.name
