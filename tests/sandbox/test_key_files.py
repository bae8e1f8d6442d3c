"""Files that hold a key."""

from pathlib import Path

from sandbox import key_files


def test_a_key_file_is_ours_alone_and_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "made" / "key.json"

    key_files.write(file, "one")
    key_files.write(file, "two")

    assert file.read_text() == "two"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert [*file.parent.iterdir()] == [file]


def test_of_two_writers_at_once_the_key_of_the_first_stays(tmp_path: Path) -> None:
    file = tmp_path / "secret"

    key_files.write_once(file, "one")
    key_files.write_once(file, "two")

    assert file.read_text() == "one"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [*tmp_path.iterdir()] == [file]
