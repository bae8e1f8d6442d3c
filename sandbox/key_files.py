"""Files that hold a key: readable by us alone, and never seen half written."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write(file: Path, text: str) -> None:
    """Write a file of mode 0600; one that is there is replaced."""
    _draft(file, text).replace(file)


def write_once(file: Path, text: str) -> None:
    """Write a file of mode 0600; of two writers at once the first one's stays."""
    draft = _draft(file, text)
    with suppress(FileExistsError):
        os.link(draft, file)
    draft.unlink()


def _draft(file: Path, text: str) -> Path:
    """Write beside the file, where a move is one step; its mode is 0600."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    with os.fdopen(draft, "w") as out:
        out.write(text)
    return Path(name)
