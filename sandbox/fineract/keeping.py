"""The book in a file: one line per step, so that a start goes on where an end was."""

import json
import os
from dataclasses import asdict, fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

from sandbox.fineract.book import Account, Book, Client, Interop, Row, Transfer
from sandbox.fineract.keys import Command
from sandbox.key_files import write

_Kept = Client | Account | Row | Transfer | Interop | Command
_KINDS: dict[str, type[_Kept]] = {
    kind.__name__: kind for kind in (Client, Account, Row, Transfer, Interop, Command)
}
_COUNTED = {"balance", "held", "running"}  # follow from the rows; never written


class BookFile:
    """A file of steps. A line that was cut off by a crash is a step not taken.

    Args:
        path: the file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def load(self, book: Book) -> list[Command]:
        """Fill a book; gives the commands. The file is then written anew, shorter.

        Raises:
            ValueError: the file is not one of ours.
        """
        if self._path is None or not self._path.exists():
            return []
        found: dict[tuple[str, int], _Kept] = {}
        lines = self._path.read_text().split("\n")
        for line in lines[:-1]:  # what follows the last line break was cut off
            for name, body in json.loads(line):
                made = _made(_KINDS[name], body)
                found[name, made.id] = made
        commands = [one for one in found.values() if isinstance(one, Command)]
        for kind in (Client, Account, Row, Transfer, Interop):
            for one in found.values():
                if isinstance(one, kind):
                    book.put(one)
        book.changes()
        if found:
            write(self._path, _line(list(found.values())))
        return commands

    def append(self, step: list[_Kept]) -> None:
        """Write one step, whole or not at all."""
        if self._path is None or not step:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        out = os.open(self._path, flags, 0o600)
        try:
            os.write(out, _line(step).encode())
        finally:
            os.close(out)


def _line(step: list[_Kept]) -> str:
    entries = [
        (
            type(one).__name__,
            {k: v for k, v in asdict(one).items() if k not in _COUNTED},
        )
        for one in step
    ]
    return json.dumps(entries, default=str, separators=(",", ":")) + "\n"


def _made(kind: type[_Kept], body: dict[str, Any]) -> _Kept:
    hints = get_type_hints(kind)
    known = {one.name for one in fields(kind)}
    return kind(**{k: _value(hints[k], v) for k, v in body.items() if k in known})


def _value(hint: object, value: Any) -> Any:  # noqa: ANN401  -- as JSON gave it
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if value is not None and Decimal in kinds:
        return Decimal(value)
    if value is not None and date in kinds:
        return date.fromisoformat(value)
    return value
