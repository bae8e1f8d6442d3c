"""What one program switches, another sees."""

from pathlib import Path

import pytest

from mock_mobile_client.errors import NotReady
from mock_mobile_client.store import FileStore
from mock_mobile_client.switches import Switchboard, Switches

BANK = "http://localhost:8000"


def board(folder: Path) -> Switchboard:
    return Switchboard(FileStore(folder / "phones"), BANK, "Asha-1")


def test_each_switch_keeps_the_other(tmp_path: Path) -> None:
    assert board(tmp_path).read() == Switches()

    board(tmp_path).turn(asleep=True)
    board(tmp_path).turn(airplane=True)
    assert board(tmp_path).read() == Switches(asleep=True, airplane=True)

    board(tmp_path).turn(asleep=False)
    assert board(tmp_path).read() == Switches(asleep=False, airplane=True)


def test_the_switches_lie_beside_the_phone_and_are_private(tmp_path: Path) -> None:
    board(tmp_path).turn(asleep=True)

    (path,) = (tmp_path / "phones").iterdir()
    assert path.name == "asha-1-localhost-8000.switches"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", '{"asleep":true,"x":1}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    board(tmp_path).turn(asleep=True)
    (path,) = (tmp_path / "phones").iterdir()
    path.write_text(text)

    with pytest.raises(NotReady, match="damaged"):
        board(tmp_path).read()
