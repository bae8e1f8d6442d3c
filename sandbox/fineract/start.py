"""How the double starts: its book from before, its seed, its password."""

import json
import secrets
from pathlib import Path

from sandbox.clock import WorldClock
from sandbox.fineract.double import PASSWORD, Fineract
from sandbox.fineract.seed import sow
from sandbox.intake import Refused
from sandbox.key_files import write_once


def open_double(
    clock: WorldClock, book: Path | None, seed: Path | None, password: Path | None
) -> Fineract:
    """Open the double.

    Args:
        clock: of the world.
        book: file that keeps its state over restarts; None forgets it.
        seed: file of what to open at the start; the same again opens nothing.
        password: file of the user's password, made once; None: the server's own.

    Raises:
        ValueError: a file cannot be used; the sentence says which and why.
    """
    said = PASSWORD if password is None else _password(password)
    try:
        double = Fineract(clock, book, said)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{book} is not a book of the double: {error}") from None
    if seed is not None:
        try:
            found = json.loads(seed.read_bytes())
            sow(double.core, found if isinstance(found, dict) else {})
        except (OSError, ValueError, Refused) as error:
            raise ValueError(f"{seed} cannot be used as a seed: {error}") from None
        double.keep()
    return double


def _password(file: Path) -> str:
    try:
        if not file.exists():
            write_once(file, secrets.token_urlsafe(24))
        return file.read_text().strip()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
