"""The operations as an app ships them: `operations/*.graphql` with their fragments.

An app sends the text of an operation, or only its hash: then the bank must have the
app's list, `manifest`, which it reads from a file named after the app's version.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mock_mobile_client.errors import BadEntry
from mock_mobile_client.values import JsonObject

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

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal: the operation's id."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def request(self, variables: JsonObject, *, by_id: bool = False) -> JsonObject:
        """The members of the GraphQL request, with the text or with Apollo's id."""
        members: JsonObject = {"variables": variables, "operationName": self.name}
        if by_id:
            told = {"version": 1, "sha256Hash": self.digest}
            return members | {"extensions": {"persistedQuery": told}}
        return {"query": self.text} | members


def manifest() -> JsonObject:
    """The list of everything this app ships, as Apollo's generators write it."""
    shipped = [load(name) for name in names()]
    return {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [
            {"id": one.digest, "name": one.name, "type": one.kind, "body": one.text}
            for one in sorted(shipped, key=lambda one: one.name)
        ],
    }


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
