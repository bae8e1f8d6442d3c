"""`python -m app documents` at a terminal, and a server whose list is broken."""

from pathlib import Path

import orjson
import pytest

from app import main
from app.settings import Misconfigured
from tests.schema.tiny import a_bank
from tests.terminal import Terminal

PING = "query Status { serviceStatus { component } }"
PAGE = (
    """query Log($first: Int) { me { securityLog(first: $first) { nodes { id } } } }"""
)


@pytest.fixture
def terminal(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Terminal:
    """Give a terminal without a bank: the command needs none."""
    found = Terminal(tmp_path, a_bank().settings, monkeypatch, capsys)
    found.set("ENV", "test")
    found.set("DOCUMENTS_DIR", str(tmp_path))
    return found


def test_each_operation_is_printed_and_written_beside_its_list(
    terminal: Terminal,
) -> None:
    (terminal.folder / "1.4.0.json").write_bytes(orjson.dumps({"s": PING, "l": PAGE}))

    first, second = terminal.type("documents"), terminal.type("documents")

    assert first == second
    assert (first.code, first.error) == (0, "")
    assert [line.split() for line in first.lines] == [
        ["1.4.0:", "2", "operations"],
        ["query", "LOGIN", "from", "4", "Log"],
        ["query", "ANONYMOUS", "2", "Status"],
    ]
    page = orjson.loads((terminal.folder / "1.4.0.operations.json").read_bytes())
    assert page["version"] == "1.4.0"
    assert page["operations"][1] == {
        "id": "s",
        "name": "Status",
        "kind": "query",
        "level": "ANONYMOUS",
        "price": 2,
        "priceGrows": False,
    }


def test_a_broken_list_is_one_sentence_in_the_command_and_at_the_start(
    terminal: Terminal,
) -> None:
    (terminal.folder / "1.4.0.json").write_bytes(orjson.dumps({"s": "{ nothing }"}))
    settings = a_bank(documents="trusted", documents_dir=terminal.folder).settings

    typed = terminal.type("documents")
    with pytest.raises(Misconfigured) as refused:
        main.create_app(settings)

    sentence = "1.4.0.json: s: Cannot query field 'nothing' on type 'Query'."
    assert (typed.code, typed.out) == (2, "")
    assert typed.error == f"Sixpence cannot start: {sentence}\n"
    assert str(refused.value) == sentence
    assert [path.name for path in terminal.folder.iterdir()] == ["1.4.0.json"]


def test_a_folder_that_cannot_be_written_is_one_sentence(terminal: Terminal) -> None:
    (terminal.folder / "1.4.0.json").write_bytes(orjson.dumps({"s": PING}))
    (terminal.folder / "1.4.0.operations.json").mkdir()

    typed = terminal.type("documents")

    assert typed.code == 2
    assert "1.4.0.operations.json cannot be written" in typed.error
    assert typed.error.count("\n") == 1
