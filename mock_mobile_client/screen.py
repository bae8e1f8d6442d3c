"""Text for a terminal: plain unless it is one, at most 100 columns wide."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

import orjson

WIDTH_MAX = 100
GREEN, RED, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"
RIGHT = ">"


@dataclass(frozen=True, slots=True)
class Screen:
    """Where lines go, and whether they may have colours."""

    out: TextIO
    coloured: bool

    @classmethod
    def of(cls, out: TextIO) -> "Screen":
        """Colours only on a terminal, and never with NO_COLOR (no-color.org)."""
        return cls(out, out.isatty() and not os.environ.get("NO_COLOR"))

    def line(self, text: str = "") -> None:
        """Print one line, cut at 100 columns."""
        cut = text if len(text) <= WIDTH_MAX else text[: WIDTH_MAX - 1] + "…"
        self.whole(cut)

    def whole(self, text: str) -> None:
        """Print a text that must not be cut, such as JSON."""
        self.out.write(text + "\n")
        self.out.flush()

    def passed(self, text: str) -> None:
        """Print a line that begins with a tick."""
        self.line(f"{self._paint('✓', GREEN)} {text}")

    def failed(self, text: str) -> None:
        """Print a line that begins with a cross."""
        self.whole(f"{self._paint('✗', RED)} {text}")

    def table(self, rows: Sequence[Sequence[str]], alignments: str) -> None:
        """Print rows in columns; alignments holds one `<` or `>` per column."""
        if not rows:
            return
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [
                cell.rjust(width) if side == RIGHT else cell.ljust(width)
                for cell, width, side in zip(row, widths, alignments, strict=True)
            ]
            self.line("  ".join(cells).rstrip())

    def json(self, value: object) -> None:
        """Print JSON for people and for scripts."""
        self.whole(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())

    def _paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{PLAIN}" if self.coloured else text


def standard() -> Screen:
    """The screen of this process."""
    return Screen.of(sys.stdout)
