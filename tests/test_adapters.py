import sys
from pathlib import Path

import pytest

from app import adapters
from app.adapters import UnknownAdapter

SMS = "app.integrations.sms"


def test_the_files_of_a_port_are_the_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = tmp_path / "carrier"
    port.mkdir()
    for name in ("__init__", "pigeon", "drum"):
        (port / f"{name}.py").write_text(f'"""{name}."""\n')
    monkeypatch.syspath_prepend(str(tmp_path))

    assert adapters.choices("carrier") == ["drum", "pigeon"]
    assert adapters.load("carrier", "pigeon").__doc__ == "pigeon."


def test_a_wrong_name_is_answered_with_the_choices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = tmp_path / "courier"
    port.mkdir()
    for name in ("__init__", "apns", "console", "fcm"):
        (port / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(UnknownAdapter) as refused:
        adapters.load("courier", "fmc")

    assert str(refused.value) == (
        "courier has no adapter 'fmc'; choose one of apns, console, fcm"
    )


def test_a_bank_loads_its_own_module_by_a_dotted_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ourbank").mkdir()
    (tmp_path / "ourbank" / "__init__.py").write_text("")
    (tmp_path / "ourbank" / "texts.py").write_text("NAME = 'ours'\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert vars(adapters.load(SMS, "ourbank.texts"))["NAME"] == "ours"
    assert "ourbank.texts" in sys.modules


def test_a_dotted_path_to_nowhere_is_one_sentence() -> None:
    with pytest.raises(UnknownAdapter) as refused:
        adapters.load(SMS, "nobody.texts")

    assert str(refused.value) == "no module 'nobody' for 'nobody.texts'"


@pytest.mark.parametrize("name", ["../settings", "__init__", "os", ""])
def test_a_name_never_reaches_outside_its_folder(name: str) -> None:
    with pytest.raises(UnknownAdapter):
        adapters.load(SMS, name)
