"""The operations as an app ships them: `operations/*.graphql` with their fragments."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mock_mobile_client.errors import BadEntry

FOLDER = Path(__file__).parent / "operations"
SPREAD = re.compile(r"\.\.\.\s*(?!on\b)([A-Za-z_]\w*)")
OPENING = re.compile(r"\b(query|mutation|subscription|fragment)\s+([A-Za-z_]\w*)")
FIELD = re.compile(r"\{\s*([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Document:
    """One operation with every fragment it needs, ready to be sent.

    Attributes:
        name: The operation's name.
        kind: query, mutation or subscription.
        field: Its one root field.
        text: The whole document.
    """

    name: str
    kind: str
    field: str
    text: str


def names() -> tuple[str, ...]:
    """The file names, without ending, of every operation that is shipped."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.graphql")))


@cache
def load(name: str) -> Document:
    """Read one shipped operation.

    Raises:
        BadEntry: no such file, or a fragment that is not shipped.
    """
    path = FOLDER / f"{name}.graphql"
    if not path.is_file():
        raise BadEntry(f"no operation is called {name!r}")
    text = path.read_text()
    opening = OPENING.search(text)
    root = FIELD.search(text)
    if opening is None or root is None:
        raise BadEntry(f"{path.name} is not one named operation")
    whole = text + "".join(_fragments()[part] for part in _needed(text))
    return Document(opening.group(2), opening.group(1), root.group(1), whole)


@cache
def _fragments() -> dict[str, str]:
    """Every shipped fragment by name."""
    found = {}
    for path in sorted((FOLDER / "fragments").glob("*.graphql")):
        text = path.read_text()
        opening = OPENING.search(text)
        if opening is None:
            raise BadEntry(f"{path.name} is not a fragment")
        found[opening.group(2)] = text
    return found


def _needed(text: str) -> list[str]:
    """Names of the fragments a text spreads, directly or through others."""
    wanted = SPREAD.findall(text)
    seen: list[str] = []
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        if name not in _fragments():
            raise BadEntry(f"no fragment is called {name!r}")
        seen.append(name)
        wanted += SPREAD.findall(_fragments()[name])
    return sorted(seen)
