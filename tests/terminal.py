"""`python -m app ...` as typed at a terminal, in the process of the test."""

import base64
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import __main__ as command_line
from app.settings import Settings

WHO = ("--by", "Meera", "--reason", "ticket 4711")


@dataclass(frozen=True, slots=True)
class Typed:
    """What a command printed, and its exit code."""

    code: int
    out: str
    error: str

    @property
    def lines(self) -> list[str]:
        """What was printed, line by line."""
        return self.out.splitlines()


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal beside the bank of a test, with its settings and key rings."""

    folder: Path
    settings: Settings
    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def type(self, *words: str) -> Typed:
        """Run one command, as `main` does."""
        self.patch.setattr(sys, "argv", ["app", *words])
        with pytest.raises(SystemExit) as end:
            command_line.main()
        printed = self.capsys.readouterr()
        return Typed(int(end.value.code or 0), printed.out, printed.err)

    def rings(self, *ids: int) -> None:
        """Write both rings anew; the first id is current."""
        for number, name in enumerate(("sealing", "pepper")):
            keys = (base64.b64encode(bytes([id_, number] * 16)).decode() for id_ in ids)
            text = "".join(f"{id_} {key}\n" for id_, key in zip(ids, keys, strict=True))
            (self.folder / f"{name}.keys").write_text(text)

    def set(self, name: str, value: str) -> None:
        """Set one setting in the environment."""
        self.patch.setenv(f"SIXPENCE_{name}", value)


@pytest.fixture
def terminal(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Terminal]:
    """Give a terminal; what a command does to logging is undone."""
    levels = [logging.getLogger(name) for name in ("tortoise", "tortoise.db_client")]
    before = [one.level for one in levels]
    found = Terminal(tmp_path, settings, monkeypatch, capsys)
    found.rings(1)
    found.set("ENV", "test")
    found.set("DATABASE_URL", settings.database_url)
    found.set("SEALING_KEYS_FILE", str(tmp_path / "sealing.keys"))
    found.set("PEPPER_FILE", str(tmp_path / "pepper.keys"))
    monkeypatch.chdir(tmp_path)
    yield found
    for logger, level in zip(levels, before, strict=True):
        logger.setLevel(level)
